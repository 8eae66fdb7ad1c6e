"""Coupling of mRNA and activity: against brute force, and against planted truth."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import t as student

from infocheck.stats import regulons
from infocheck.stats.regulons import Edges


def small(seed: int = 0, n: int = 60, g: int = 14) -> tuple:
    """Two correlated halves, three regulators with overlapping targets, six groups."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((n, 3))
    rate = factor @ rng.standard_normal((3, g)) + rng.standard_normal((n, g))
    first, second = (rate + 0.5 * rng.standard_normal((n, g)) for _ in range(2))
    first, second = (half - half.mean(axis=0) for half in (first, second))
    edges = Edges(
        np.repeat([0, 1, 2], [4, 5, 3]),
        np.array([3, 4, 5, 6, 4, 7, 8, 9, 10, 1, 11, 12]),
        np.array([1, -1, 1, 1, -1, 1, 1, -1, 1, 1, 1, -1]),
    )
    return first, second, edges, np.array([0, 1, 2]), rng.permutation(n) % 6


def residual(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """By least squares with an intercept."""
    design = np.column_stack([np.ones(len(x)), x])
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]


def cov(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.cov(x, y, bias=True)[0, 1])


def of_one(first, second, edges, own, regulator):
    """mRNA and signed targets of one regulator, by half, without the other genes' mean."""
    inside = edges.regulator == regulator
    targets, sign = edges.target[inside], edges.sign[inside]
    others = [j for j in range(first.shape[1]) if j not in targets and j != own[regulator]]
    mean = ((first + second) / 2)[:, others].mean(axis=1)
    mrna = [residual(half[:, own[regulator]], mean) for half in (first, second)]
    each = [
        [s * residual(half[:, j], mean) for j, s in zip(targets, sign, strict=True)]
        for half in (first, second)
    ]
    return mrna, each


def by_hand(mrna, each, rows) -> tuple[float, float]:
    """Mean covariance of mRNA and a target, and the root of what it is divided by."""
    count = len(each[0])
    top = 0.0
    for one in range(count):
        top += cov(mrna[0][rows], each[1][one][rows]) + cov(mrna[1][rows], each[0][one][rows])
    between = 0.0
    for one in range(count):
        for other in range(count):
            if one != other:
                between += cov(each[0][one][rows], each[1][other][rows])
    between /= count * (count - 1)
    own = cov(mrna[0][rows], mrna[1][rows])
    return top / (2 * count), float(np.sqrt(max(own, 0) * max(between, 0)))


def test_coupling_is_that_of_loops_over_rows_and_targets():
    first, second, edges, own, group = small()
    found = regulons.regulon_coupling(first, second, edges, own, group)
    every = np.ones(len(first), dtype=bool)
    known = 0
    for regulator in range(3):
        mrna, each = of_one(first, second, edges, own, regulator)
        top, bottom = by_hand(mrna, each, every)
        rows = np.array([by_hand(mrna, each, group != k) for k in range(6)])
        count = len(each[0])
        targets = np.array(
            [by_hand(mrna, [h[:j] + h[j + 1 :] for h in each], every) for j in range(count)]
        )
        matrix = sum(
            (len(left) - 1) / len(left) * (left - left.mean(axis=0)).T @ (left - left.mean(axis=0))
            for left in (rows, targets)
        )
        limit = student.ppf(0.975, 5) ** 2
        grid = np.linspace(-1, 1, 20_001)
        allowed = (top - grid * bottom) ** 2 <= limit * (
            matrix[0, 0] - 2 * grid * matrix[0, 1] + grid**2 * matrix[1, 1]
        )
        if bottom**2 <= limit * matrix[1, 1]:
            assert np.isnan(found.estimate[regulator])
            continue
        known += 1
        assert found.estimate[regulator] == pytest.approx(np.clip(top / bottom, -1, 1))
        assert found.low[regulator] == pytest.approx(grid[allowed].min(), abs=2e-4)
        assert found.high[regulator] == pytest.approx(grid[allowed].max(), abs=2e-4)
        whole = np.corrcoef(np.mean(mrna, axis=0), np.sum(np.mean(each, axis=0), axis=0))[0, 1]
        assert found.correlation[regulator] == pytest.approx(whole)
    assert known


def test_blocks_of_regulators_do_not_change_the_result(monkeypatch):
    first, second, edges, own, group = small()
    whole = regulons.regulon_coupling(first, second, edges, own, group)
    monkeypatch.setattr(regulons, "_BLOCK", 1)
    single = regulons.regulon_coupling(first, second, edges, own, group)
    np.testing.assert_allclose(single.correlation, whole.correlation)
    np.testing.assert_allclose(single.low, whole.low)


def test_the_mean_over_pairs_is_that_over_all_splits_into_halves():
    """Cronbach: six targets, every split into three and three."""
    rng = np.random.default_rng(1)
    first, second = (rng.standard_normal((40, 1)) + rng.standard_normal((40, 7)) for _ in range(2))
    edges = Edges(np.zeros(6, np.int64), np.arange(1, 7), np.ones(6, np.int64))
    start = np.array([0, 20])
    parts = regulons._products(
        *(np.ascontiguousarray((h - h.mean(axis=0)).T) for h in (first, second)),
        edges,
        np.array([0]),
        np.zeros((1, 40)),
        start,
    )
    splits = []
    for side in combinations(range(1, 7), 3):
        other = [j for j in range(1, 7) if j not in side]
        splits.append(cov(first[:, list(side)].mean(axis=1), second[:, other].mean(axis=1)))
    assert parts[2][0, 0] / 30 == pytest.approx(np.mean(splits))


def planted(rng, rho, n=400, targets=20, depth=4.0):
    """Counts of one regulator and its targets, and of genes that follow nothing."""
    m = rng.standard_normal(n)
    activity = rho * m + np.sqrt(1 - rho**2) * rng.standard_normal(n)
    sign = rng.choice([-1, 1], targets)
    latent = rng.standard_normal((n, 1 + targets + 40))
    latent[:, 0] = m
    latent[:, 1 : 1 + targets] *= np.sqrt(0.7)
    latent[:, 1 : 1 + targets] += np.sqrt(0.3) * sign * activity[:, None]
    counts = rng.poisson(depth * np.exp(0.5 * latent))
    half = rng.binomial(counts, 0.5)
    first, second = (np.log1p(2 * part) for part in (half, counts - half))
    spread = ((first + second) / 2).std(axis=0)
    first, second = ((part - part.mean(axis=0)) / spread for part in (first, second))
    edges = Edges(np.zeros(targets, np.int64), np.arange(1, 1 + targets), sign)
    return first, second, edges, np.array([0]), rng.permutation(n) % 20


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.9])
def test_intervals_of_regulons_cover_the_truth(rho):
    """200 data sets of one regulator with 20 targets, seeds 0 to 199."""
    covered, estimates = [], []
    for seed in range(200):
        found = regulons.regulon_coupling(*planted(np.random.default_rng(seed), rho))
        if np.isfinite(found.estimate[0]):
            covered.append(found.low[0] <= rho <= found.high[0])
            estimates.append(found.estimate[0])
    assert len(covered) >= 190
    assert np.mean(covered) >= 0.90
    assert np.mean(estimates) == pytest.approx(rho, abs=0.04)


# --- random regulons ------------------------------------------------------------------------------


def many(seed=0, g=300, k=6, each=15):
    rng = np.random.default_rng(seed)
    edges = Edges(
        np.repeat(np.arange(k), each),
        np.concatenate([k + rng.choice(g - k, each, replace=False) for _ in range(k)]),
        rng.choice([-1, 1], k * each),
    )
    return rng, edges, np.arange(k), regulons.expression_bins(*rng.exponential(size=(2, g)), 30)


def test_bins_are_even_and_alike():
    rng = np.random.default_rng(2)
    mean, variance = rng.exponential(size=(2, 960))
    bins = regulons.expression_bins(mean, variance)
    assert set(np.bincount(bins)) == {60}
    within = np.mean([mean[bins == b].std() for b in np.unique(bins)])
    assert within < 0.5 * mean.std()
    slices = bins // 4
    for s in range(4):
        ordered = [variance[bins == b].mean() for b in np.unique(bins[slices == s])]
        assert ordered == sorted(ordered)


def test_random_targets_are_matched_free_and_different():
    rng, edges, own, bins = many()
    chosen = regulons.matched_targets(edges, own, bins, 50, rng)
    assert (chosen >= 0).mean() > 0.999
    for draw in chosen:
        for regulator in range(len(own)):
            inside = edges.regulator == regulator
            got = draw[inside & (draw >= 0)]
            assert len(set(got)) == len(got)
            assert not set(got) & ({own[regulator]} | set(edges.target[inside]))
        kept = draw >= 0
        np.testing.assert_array_equal(bins[draw[kept]], bins[edges.target[kept]])


def test_random_targets_are_missing_where_a_bin_is_used_up():
    """Eight of ten genes are the regulator and its targets; two are free."""
    edges = Edges(np.zeros(7, np.int64), np.arange(1, 8), np.ones(7, np.int64))
    chosen = regulons.matched_targets(
        edges, np.array([0]), np.zeros(10, np.int64), 5, np.random.default_rng(0)
    )
    for draw in chosen:
        assert sorted(draw[draw >= 0]) == [8, 9]


def test_correlations_of_random_regulons_are_those_of_loops():
    first, second, edges, own, _ = small(3)
    chosen = np.array([[7, 8, 9, -1, 3, 5, 6, 11, 12, 4, 5, 13]])
    null = regulons.random_regulons(first, second, edges, own, chosen)
    whole = (first + second) / 2
    for regulator in range(3):
        inside = np.flatnonzero(edges.regulator == regulator)
        others = np.setdiff1d(np.arange(14), [*edges.target[inside], own[regulator]])
        mean = whole[:, others].mean(axis=1)
        for value, targets in ((null.observed, edges.target), (null.drawn[0], chosen[0])):
            used = [e for e in inside if targets[e] >= 0]
            m = [residual(half[:, own[regulator]], mean) for half in (first, second)]
            score = [
                residual(sum(edges.sign[e] * half[:, targets[e]] for e in used), mean)
                for half in (first, second)
            ]
            shared = (cov(m[0], score[1]) + cov(m[1], score[0])) / 2
            scale = np.std(np.mean(m, axis=0)) * np.std(np.mean(score, axis=0))
            assert value[regulator] == pytest.approx(shared / scale)


def test_p_counts_what_is_as_large():
    null = regulons.Null(
        np.array([0.5, 0.1]), np.array([[0.5, 0.0], [0.2, 0.3]]), *np.zeros((2, 2))
    )
    np.testing.assert_allclose(null.p, [2 / 3, 2 / 3])
    np.testing.assert_allclose(null.limit, np.quantile([[0.5, 0.0], [0.2, 0.3]], 0.95, axis=0))


# --- signs ----------------------------------------------------------------------------------------
