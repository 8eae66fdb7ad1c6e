"""Energy distance against all pairs of rows; size, power and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import binomtest

from infocheck.stats.energy import (
    cells_needed,
    contrast,
    energy_distance,
    null_distances,
    p_value,
    power,
)


def pairs(x, y):
    """The definition: means over pairs of different rows."""
    between = np.mean([((a - b) ** 2).sum() for a in x for b in y])
    inside = [
        np.mean(
            [((z[i] - z[j]) ** 2).sum() for i in range(len(z)) for j in range(len(z)) if i != j]
        )
        for z in (x, y)
    ]
    return 2 * between - sum(inside)


def v_statistic(x, y):
    """With self pairs, by scipy."""
    means = (cdist(a, b, "sqeuclidean").mean() for a, b in ((x, y), (x, x), (y, y)))
    between, first, second = means
    return 2 * between - first - second


def one_stratum(x, y):
    treated = np.repeat([True, False], [len(x), len(y)])
    return np.vstack([x, y]), treated, np.zeros(len(treated), dtype=int)


def test_equals_all_pairs_of_rows():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(7, 4)) + 0.5, 3 * rng.normal(size=(11, 4))
    assert energy_distance(x, y) == pytest.approx(pairs(x, y), abs=1e-10)
    # Self pairs are zeros in the means over all pairs.
    n, r = len(x), len(y)
    inside = [cdist(z, z, "sqeuclidean").sum() / (len(z) * (len(z) - 1)) for z in (x, y)]
    expected = 2 * cdist(x, y, "sqeuclidean").mean() - sum(inside)
    assert energy_distance(x, y) == pytest.approx(expected, abs=1e-10)
    trace = [np.trace(np.cov(z.T)) / len(z) for z in (x, y)]
    assert v_statistic(x, y) - energy_distance(x, y) == pytest.approx(2 * sum(trace))
    assert contrast(*one_stratum(x, y)).rows == n
    assert contrast(*one_stratum(x, y)).reference_rows == r


def test_self_pairs_would_make_a_distance_where_there_is_none():
    """d = 20, 30 against 500 rows: 2 · 20 · (1/30 + 1/500) = 1.41; seeds 0 to 299."""
    u, v = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(30, 20)), rng.normal(size=(500, 20))
        u.append(energy_distance(x, y))
        trace = [np.trace(np.cov(z.T)) / len(z) for z in (x, y)]
        v.append(u[-1] + 2 * sum(trace))
    assert np.mean(v) == pytest.approx(2 * 20 * (1 / 30 + 1 / 500), abs=0.06)
    assert np.mean(v) == pytest.approx(1.41, abs=0.06)
    assert abs(np.mean(u)) < 0.06


def test_is_twice_the_squared_difference_and_its_interval_covers():
    delta, inside = np.array([1.0, -0.5, 0.0]), []
    found = []
    for seed in range(400):  # seeds 0 to 399
        rng = np.random.default_rng(seed)
        x, y = delta + rng.normal(size=(40, 3)), rng.normal(size=(80, 3))
        one = contrast(*one_stratum(x, y))
        found.append(one.distance)
        inside.append(one.low <= 2.5 <= one.high)
    assert np.mean(found) == pytest.approx(2.5, abs=0.08)
    assert 0.91 < np.mean(inside) < 0.98


def test_strata_are_compared_within_themselves():
    """As many rows of both in each: the mean difference; a shift of a stratum is no response."""
    rng = np.random.default_rng(3)
    stratum, treated = np.arange(400) % 2, np.arange(400) // 2 % 2 == 0
    rows = rng.normal(size=(400, 5)) + 50.0 * stratum[:, None]
    rows[treated, 0] += 1.0
    found = contrast(rows, treated, stratum)
    delta = np.mean(
        [
            rows[treated & (stratum == s)].mean(axis=0)
            - rows[~treated & (stratum == s)].mean(axis=0)
            for s in range(2)
        ],
        axis=0,
    )
    assert found.distance == pytest.approx(2 * (delta**2).sum(), abs=0.3)
    assert found.distance == pytest.approx(2.0, abs=0.6)
    alone = np.where(treated, 0, 1)
    assert contrast(rows, treated, alone) is None
    assert np.isnan(null_distances(rows, treated, alone, 5, rng)).all()


def test_strata_of_unequal_mixture_make_no_response():
    """More treated rows in the shifted stratum: seen without strata, not with them."""
    rng = np.random.default_rng(4)
    stratum = rng.integers(2, size=600)
    treated = rng.random(600) < np.where(stratum, 0.6, 0.2)
    rows = rng.normal(size=(600, 4)) + 2.0 * stratum[:, None]
    found = contrast(rows, treated, stratum)
    null = null_distances(rows, treated, stratum, 499, rng)
    assert p_value(found.distance, null) > 0.05
    assert abs(null.mean()) < 0.02
    assert contrast(rows, treated, np.zeros(600, int)).low > 1


def test_the_null_is_that_of_shuffled_labels():
    """Every arrangement of a small study by hand, against many draws."""
    from itertools import combinations

    rng = np.random.default_rng(5)
    rows = rng.normal(size=(9, 3))
    every = [
        pairs(rows[list(chosen)], np.delete(rows, chosen, axis=0))
        for chosen in map(list, combinations(range(9), 4))
    ]
    treated = np.arange(9) < 4
    drawn = null_distances(rows, treated, np.zeros(9, int), 20000, rng)[0]
    assert np.isin(np.round(drawn, 6), np.round(every, 6)).all()
    assert drawn.mean() == pytest.approx(np.mean(every), abs=0.03)
    np.testing.assert_allclose(
        np.quantile(drawn, [0.1, 0.5, 0.9]), np.quantile(every, [0.1, 0.5, 0.9]), atol=0.12
    )
    # More treated rows than others are drawn by their complement.
    mirrored = null_distances(rows, ~treated, np.zeros(9, int), 20000, rng)[0]
    assert np.isin(np.round(mirrored, 6), np.round(every, 6)).all()


def test_leading_columns_are_tested_with_all_of_them():
    """One p-value for both: its size, and its power where only one of them sees; seed 9."""
    rng = np.random.default_rng(9)
    scale = np.r_[np.full(5, 1.0), np.full(95, 0.9)]
    leading, spread = np.zeros((2, 100))
    leading[0], spread[5:] = 0.6, 0.11
    found = {}
    for name, delta in (("none", 0.0), ("leading", leading), ("spread", spread)):
        p = []
        for _ in range(150):
            x, y = delta + scale * rng.normal(size=(50, 100)), scale * rng.normal(size=(150, 100))
            rows = one_stratum(x, y)
            null = null_distances(*rows, 199, rng, (5, 100))
            each = np.array([contrast(rows[0][:, :w], *rows[1:]).distance for w in (5, 100)])
            values = (p_value(each, null), p_value(each[0], null[0]), p_value(each[1], null[1]))
            p.append(values)
        found[name] = (np.array(p) <= 0.05).mean(axis=0)
    assert found["none"][0] <= 0.1
    for name, alone in (("leading", 1), ("spread", 2)):
        other = 3 - alone
        assert found[name][alone] > found[name][other] + 0.2
        assert found[name][0] > found[name][alone] - 0.15


def test_p_values_count_ties_and_are_never_zero():
    assert p_value(3.0, np.array([1.0, 2.0, 3.0])) == 0.5
    assert p_value(9.0, np.zeros(999)) == 0.001
    assert np.isnan(p_value(np.nan, np.zeros(9)))


def test_one_row_a_stratum_has_the_variance_of_the_others():
    rng = np.random.default_rng(6)
    rows, stratum = rng.normal(size=(40, 3)), np.arange(40) // 10
    treated = np.arange(40) % 10 == 0
    found = contrast(rows, treated, stratum)
    assert np.isfinite([found.distance, found.low, found.high]).all()


def test_power_at_no_effect_is_the_level_and_grows_with_cells():
    args = {"trace": 20.0, "trace_squared": 30.0, "along": 0.0}
    assert power(0.0, **args, cells=50, controls=200, level=0.05) == pytest.approx(0.05)
    grown = power(0.5, 20.0, 30.0, 0.5, np.array([10, 30, 100, 300]), 500, 0.05)
    assert (np.diff(grown) > 0).all()
    needed = cells_needed(np.array([0.5, 0.0, np.nan]), 20.0, 30.0, 0.5, 500)
    assert power(0.5, 20.0, 30.0, 0.5, needed[0], 500, 0.05) >= 0.8
    assert power(0.5, 20.0, 30.0, 0.5, needed[0] - 1, 500, 0.05) < 0.8
    assert np.isinf(needed[1])
    assert np.isnan(needed[2])


def test_cells_needed_give_that_power():
    """The test itself, in 300 studies of the size that is asked for; seed 7."""
    rng = np.random.default_rng(7)
    scale, delta = np.linspace(2.0, 0.3, 10), np.r_[0.6, 0.0, 0.4, np.zeros(7)]
    squares = scale**2
    args = (delta**2).sum(), squares.sum(), (squares**2).sum(), (delta**2 * squares).sum()
    n = int(cells_needed(*map(np.array, args), 300))
    found = []
    for _ in range(300):
        x, y = delta + scale * rng.normal(size=(n, 10)), scale * rng.normal(size=(300, 10))
        rows = one_stratum(x, y)
        null = null_distances(*rows, 199, rng)
        found.append(p_value(contrast(*rows).distance, null) <= 0.05)
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)


@pytest.mark.slow
def test_size():
    """.05 over 1,000 studies without a response, unequal strata and heavy tails; seed 8.

    Of each distance, and of the p-value for both.
    """
    rng = np.random.default_rng(8)
    found = []
    for _ in range(1000):
        stratum = rng.integers(3, size=150)
        treated = rng.random(150) < 0.15 + 0.1 * stratum
        rows = rng.standard_t(5, size=(150, 20)) * np.linspace(3, 1, 20) + stratum[:, None]
        null = null_distances(rows, treated, stratum, 199, rng, (4, 20))
        each = np.array([contrast(rows[:, :w], treated, stratum).distance for w in (4, 20)])
        found.append([p_value(each, null), *map(p_value, each, null)])
    share = np.mean(np.array(found) <= 0.05, axis=0)
    np.testing.assert_allclose(share, 0.05, atol=0.015)
    halves = (np.array(found) <= 0.5).sum(axis=0)
    assert min(binomtest(int(count), 1000, 0.5).pvalue for count in halves) > 0.001
