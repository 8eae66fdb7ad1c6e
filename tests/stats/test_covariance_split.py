"""Covariances split by factors: the identity, brute force over rows, rank-deficient designs."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.stats.covariance_split import Split, largest_correlation
from infocheck.stats.sums import CrossSums
from infocheck.stats.variance import Normal

EXACT = {"abs": 1e-10}


def dummies(codes):
    return (codes[:, None] == np.arange(codes.max() + 1)).astype(float)


def normal(y, design):
    x, centred = design - design.mean(axis=0), y - y.mean(axis=0)
    return Normal(len(y), x.T @ x, x.T @ centred, (centred**2).sum(axis=0))


def split(y, p, *parts):
    design = np.hstack(parts)
    load = normal(y, design).loadings(np.arange(design.shape[1]))
    return Split.of(CrossSums.of(y, p), load)


def example(seed=0, n=300):
    rng = np.random.default_rng(seed)
    batch, donor = rng.integers(3, size=n), rng.integers(5, size=n)
    depth = rng.normal(size=(n, 1))
    y = rng.normal(size=(n, 7)) + rng.normal(size=(3, 7))[batch] + rng.normal(size=(5, 7))[donor]
    return y + depth * rng.normal(size=7) + 4.0, batch, donor, depth


def test_one_factor_equals_the_law_of_total_covariance():
    """Means and covariances of every level, by hand."""
    y, batch, _, _ = example()
    found = split(y, 3, dummies(batch))
    between, within = np.zeros((3, 7)), np.zeros((3, 7))
    for level in range(3):
        rows = y[batch == level]
        weight = len(rows) / len(y)
        shift = rows.mean(axis=0) - y.mean(axis=0)
        between += weight * np.outer(shift[:3], shift)
        within += weight * np.cov(rows.T, bias=True)[:3]
    assert found.between == pytest.approx(between, **EXACT)
    assert found.within == pytest.approx(within, **EXACT)
    assert found.total == pytest.approx(np.cov(y.T, bias=True)[:3], **EXACT)
    assert found.rank == 2


def test_all_factors_equal_residuals_of_a_regression():
    """Two factors and a number at once, each with one redundant column."""
    y, batch, donor, depth = example(1)
    parts = dummies(batch), dummies(donor), depth
    found = split(y, 3, *parts)
    design = np.hstack([np.ones((len(y), 1)), *parts])
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    rest = y - fitted
    assert found.rank == 2 + 4 + 1
    assert found.within == pytest.approx((rest.T @ rest)[:3] / len(y), **EXACT)
    assert found.between == pytest.approx(np.cov(fitted.T, bias=True)[:3], **EXACT)
    assert found.within_correlation == pytest.approx(np.corrcoef(rest.T)[:3], **EXACT)
    assert found.share == pytest.approx(1 - found.within / found.total, **EXACT)


def test_pairs_equal_the_table():
    y, batch, _, depth = example(2)
    design = np.hstack([dummies(batch), depth])
    sums, load = CrossSums.of(y, 3), normal(y, design).loadings(np.arange(4))
    lead, other = np.array([0, 2, 1]), np.array([5, 0, 6])
    table, pairs = Split.of(sums, load), Split.of_pairs(sums, load, lead, other)
    for name in ("total", "between", "within", "share", "correlation", "within_correlation"):
        assert getattr(pairs, name) == pytest.approx(getattr(table, name)[lead, other], **EXACT)


def test_nothing_is_between_after_centring():
    y, batch, _, _ = example(3)
    means = np.stack([y[batch == level].mean(axis=0) for level in range(3)])
    found = split(y - means[batch], 3, dummies(batch))
    assert np.abs(found.between).max() < 1e-10
    assert found.within_correlation == pytest.approx(found.correlation, **EXACT)


def test_the_share_may_be_negative_or_above_one():
    """Groups that rise together while each of them falls, and the reverse."""
    rng = np.random.default_rng(4)
    group = np.repeat([0, 1], 500)
    x = rng.normal(size=1000)
    y = np.stack([x + 6 * group, -x + 6 * group, -x - group], axis=1)
    found = split(y, 1, dummies(group))
    assert found.share[0, 1] > 1
    assert found.within_correlation[0, 1] == pytest.approx(-1, **EXACT)
    assert found.correlation[0, 1] > 0
    both = np.stack([x + group, x - 0.5 * group], axis=1)
    assert split(both, 1, dummies(group)).share[0, 1] < 0


def test_chance_takes_its_rank_and_no_correlation():
    """A factor without effect takes rank / (n - 1) of a covariance (2,000 pairs, seed 5)."""
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(100, 1))
    y = shared + rng.normal(size=(100, 2000))
    y = np.hstack([shared + rng.normal(size=(100, 1)), y])
    found = split(y, 1, dummies(np.arange(100) % 11))
    assert found.share[0, 1:].mean() == pytest.approx(10 / 99, abs=0.03)
    gap = (found.within_correlation - found.correlation)[0, 1:].mean()
    assert abs(gap) < 0.03


def test_genes_that_do_not_vary():
    y, batch, _, _ = example(6)
    y[:, 1] = 3.0
    y[:, 4] = batch
    found = split(y, 3, dummies(batch))
    assert np.isnan(found.share[1]).all()
    assert (found.within_correlation[1] == 0).all()
    assert (found.within_correlation[:, 4] == 0).all()
    assert np.abs(found.correlation[[0, 2], 4]).min() > 0


def test_a_design_that_takes_every_row_leaves_nothing_to_see():
    y = np.random.default_rng(7).normal(size=(20, 4))
    found = split(y, 2, np.eye(20))
    assert found.rank == 19
    assert np.isnan(found.within_correlation).all()


def test_no_columns_split_nothing():
    y, _, _, _ = example(8)
    load = normal(y, np.zeros((len(y), 0))).loadings(np.empty(0, np.int64))
    found = Split.of(CrossSums.of(y, 3), load)
    assert found.rank == 0
    assert (found.between == 0).all()


def test_loadings_hold_what_least_squares_explains():
    """Products of fitted values by brute force over rows, with dependent columns."""
    y, batch, donor, depth = example(9)
    y[:, 3] = 1.0
    design = np.hstack([dummies(batch), dummies(donor), depth])
    equations = normal(y, design)
    for columns in (np.arange(3), np.arange(9)):
        x = np.column_stack([np.ones(len(y)), design[:, columns]])
        fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
        fitted -= fitted.mean(axis=0)
        load = equations.loadings(columns)
        assert len(load) == equations.rank(columns) == np.linalg.matrix_rank(x) - 1
        assert load.T @ load == pytest.approx(fitted.T @ fitted, **EXACT)


def test_no_factor_creates_more_than_the_bound():
    y, batch, donor, _ = example(10)
    found = split(y, 3, dummies(batch), dummies(donor))
    share = found.y_between / found.y
    bound = largest_correlation(share[:3], share)
    created = found.between / np.sqrt(found.x * found.y)
    assert (np.abs(created) <= bound + 1e-12).all()
    # Reached by genes whose level means are proportional: by each gene with itself.
    assert np.diag(created[:, :3]) == pytest.approx(np.diag(bound[:, :3]), **EXACT)
    assert largest_correlation(np.array([-0.1, np.nan]), share).max() == 0
