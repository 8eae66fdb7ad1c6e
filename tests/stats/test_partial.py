"""Shrinkage partial correlations against the inverted joint matrix and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.stats.partial import Shrunken, edge_scores, shrinkage_weight
from infocheck.stats.sums import CrossSums


@pytest.fixture
def rows():
    rng = np.random.default_rng(3)
    return rng.normal(size=(80, 9)) @ rng.normal(size=(9, 9))


def joint_partial(correlation: np.ndarray, shrinkage: float, target: int) -> np.ndarray:
    """Partial correlations of the target with all others from the shrunken joint matrix."""
    joint = (1 - shrinkage) * correlation + shrinkage * np.eye(len(correlation))
    omega = np.linalg.inv(joint)
    return -omega[:, target] / np.sqrt(np.diag(omega) * omega[target, target])


def test_outside_target_equals_the_inverted_joint_matrix(rows):
    p, shrinkage = 6, 0.17
    r = CrossSums.of(rows, p).correlation()
    scores = edge_scores(Shrunken.of(r[:, :p], shrinkage), r[:, p:], np.full(3, -1))
    full = np.corrcoef(rows, rowvar=False)
    for k, target in enumerate(range(p, 9)):
        chosen = [*range(p), target]
        expected = joint_partial(full[np.ix_(chosen, chosen)], shrinkage, p)[:p]
        assert np.allclose(scores.partial[:, k], np.abs(expected), atol=1e-12)


def test_target_among_the_regulators_is_dropped_from_its_own_predictors(rows):
    p, shrinkage = 9, 0.05
    r = CrossSums.of(rows, p).correlation()
    own = np.array([2, 7])
    scores = edge_scores(Shrunken.of(r[:, :p], shrinkage), r[:, own], own)
    for k, j in enumerate(own):
        expected = np.abs(joint_partial(r[:, :p], shrinkage, j))
        others = np.arange(p) != j
        assert np.allclose(scores.partial[others, k], expected[others], atol=1e-12)
        for table in (scores.partial, scores.correlation, scores.even):
            assert np.isnan(table[j, k])


def test_even_score_of_an_inside_target_equals_the_score_without_it(rows):
    p, shrinkage, j = 9, 0.2, 4
    r = CrossSums.of(rows, p).correlation()
    inside = edge_scores(Shrunken.of(r[:, :p], shrinkage), r[:, [j]], np.array([j])).even
    others = np.arange(p) != j
    smaller = Shrunken.of(r[np.ix_(others, others)], shrinkage)
    outside = edge_scores(smaller, r[others][:, [j]], np.array([-1])).even
    assert np.allclose(inside[others], outside, atol=1e-10)


def test_even_score_has_equal_variance_without_edges():
    """Correlated regulators: partial scores differ in spread between regulators, even ones not."""
    rng = np.random.default_rng(8)
    p, n, q = 12, 100, 4000
    mix = np.eye(p)
    mix[:6, 0] = 2.0
    x = rng.normal(size=(n, p)) @ mix.T
    sums = CrossSums.of(np.hstack([x, rng.normal(size=(n, q))]), p, fourth=True)
    r = sums.correlation()
    scores = edge_scores(Shrunken.of(r[:, :p], 0.02), r[:, p:], np.full(q, -1))
    spread = np.sqrt((scores.even**2).mean(axis=1))
    assert spread.max() / spread.min() < 1.06
    raw = np.sqrt((scores.partial**2).mean(axis=1))
    assert raw.max() / raw.min() > 1.2


def test_shrinkage_weight_follows_the_definition(rows):
    p, n = 6, len(rows)
    z = rows[:, :p]
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    r = z.T @ z / n
    variance = ((z**2).T @ z**2 / n - r**2) / (n - 1)
    off = ~np.eye(p, dtype=bool)
    expected = variance[off].sum() / (r[off] ** 2).sum()
    assert shrinkage_weight(CrossSums.of(rows, p, fourth=True)) == pytest.approx(
        np.clip(expected, 0.001, 0.999), rel=1e-9
    )


def test_independent_regulators_are_shrunk_nearly_to_the_limit():
    x = np.random.default_rng(0).normal(size=(20, 60))
    assert shrinkage_weight(CrossSums.of(x, 60, fourth=True)) > 0.9


def test_more_regulators_than_rows_stays_finite():
    x = np.random.default_rng(1).normal(size=(15, 45))
    sums = CrossSums.of(x, 40, fourth=True)
    r = sums.correlation()
    scores = edge_scores(Shrunken.of(r[:, :40], shrinkage_weight(sums)), r[:, 40:], np.full(5, -1))
    for table in (scores.partial, scores.even, scores.correlation):
        assert np.isfinite(table).all()
