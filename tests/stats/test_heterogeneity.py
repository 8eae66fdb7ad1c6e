"""Do levels agree: brute force, normal values, planted differences, size under shuffling."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm

from infocheck.stats.heterogeneity import Disagreement, Edges, Fisher, LevelSums, shuffled


def rows(seed, sizes, p, m, rho=0.0):
    rng = np.random.default_rng(seed)
    level = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.normal(size=(len(level), p))
    y = rho * x[:, np.arange(m) % p] + np.sqrt(1 - rho**2) * rng.normal(size=(len(level), m))
    return x, y, level


def variance(x, y, level):
    levels = int(level.max()) + 1
    return float(Disagreement.of(LevelSums.of(x, y, level, levels).fisher()).over().variance)


def test_correlations_equal_numpy():
    x, y, level = rows(0, (20, 35, 50), 3, 4, 0.4)
    fisher = LevelSums.of(x, y, level, 3).fisher()
    for one in range(3):
        r = np.corrcoef(x[level == one].T, y[level == one].T)[:3, 3:]
        assert np.tanh(fisher.z[one]) == pytest.approx(r, abs=1e-10)
        assert (fisher.weight[one] == (level == one).sum() - 3).all()


def test_sums_without_a_part_equal_those_of_the_rest():
    x, y, level = rows(1, (30, 30), 3, 4)
    part = np.arange(60) % 3 == 0
    whole, few = (
        LevelSums.of(x[keep], y[keep], level[keep], 2) for keep in (np.ones(60, bool), part)
    )
    rest = LevelSums.of(x[~part], y[~part], level[~part], 2)
    assert (whole - few).fisher().z == pytest.approx(rest.fisher().z, abs=1e-10)


def test_squares_equal_all_pairs_of_levels():
    """Q over its degrees of freedom is the weighted mean of squared differences."""
    x, y, level = rows(2, (20, 35, 50, 90), 2, 3)
    fisher = LevelSums.of(x, y, level, 4).fisher()
    found = Disagreement.of(fisher)
    n = np.bincount(level)
    top, bottom = 0.0, 0.0
    for a, b in combinations(range(4), 2):
        error = 1 / (n[a] - 3) + 1 / (n[b] - 3)
        weight = n[a] + n[b] - 6
        top = top + weight * (fisher.z[a] - fisher.z[b]) ** 2 / error
        bottom += weight
    assert found.variance == pytest.approx(top / bottom, abs=1e-10)


def test_normal_values_give_one():
    """3 levels of 60 rows, 4,000 pairs (seed 3): 1 within .03, correlated or not."""
    for rho in (0.0, 0.5):
        assert variance(*rows(3, (60, 60, 60), 40, 100, rho)) == pytest.approx(1, abs=0.03)


def test_a_planted_spread_is_recovered():
    """Correlations of one level are .3 apart in Fisher's z from those of the other."""
    rng = np.random.default_rng(4)
    level = np.repeat([0, 1], 2000)
    x = rng.normal(size=(4000, 200))
    rho = np.tanh(np.where(level == 0, 0.1, 0.4))[:, None]
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=x.shape)
    fisher = LevelSums.of(x, y, level, 2).fisher().only(np.eye(200, dtype=bool))
    found = Disagreement.of(fisher).over()
    assert found.freedom == 200
    # Two values that are d apart have a variance of d² / 2.
    assert found.spread() == pytest.approx(0.3 / np.sqrt(2), abs=0.01)


def test_genes_that_do_not_vary_in_a_level_do_not_count():
    x, y, level = rows(5, (40, 40, 40), 2, 3)
    x[level == 1, 0] = 7.0
    y[:, 2] = 0.0
    found = Disagreement.of(LevelSums.of(x, y, level, 3).fisher())
    assert found.freedom.tolist() == [[1, 1, 0], [2, 2, 0]]
    assert np.isnan(found.variance[:, 2]).all()
    assert np.isfinite(found.over(axis=1).variance).all()


def test_levels_of_few_rows_have_no_weight():
    x, y, level = rows(6, (40, 3, 40), 2, 3)
    found = Disagreement.of(LevelSums.of(x, y, level, 3).fisher())
    assert (found.freedom == 1).all()
    nothing = Disagreement.of(LevelSums.of(x, y, level, 3).fisher(taken=100.0))
    assert np.isnan(nothing.over().variance)


def test_rows_that_a_regression_took_are_counted():
    """Ten columns are removed in each level of 40 rows (4,000 pairs, seed 7)."""
    x, y, level = rows(7, (40, 40, 40), 40, 100)
    design = np.random.default_rng(8).normal(size=(120, 10))
    for values in (x, y):
        for one in range(3):
            inside = level == one
            z = np.column_stack([np.ones(40), design[inside]])
            values[inside] -= z @ np.linalg.lstsq(z, values[inside], rcond=None)[0]
    plain, counted = (
        float(Disagreement.of(LevelSums.of(x, y, level, 3).fisher(taken)).over().variance)
        for taken in (0.0, 10.0)
    )
    assert counted == pytest.approx(1, abs=0.04)
    assert plain > 1.2


def test_shuffling_keeps_strata_and_units():
    rng = np.random.default_rng(9)
    level, stratum = rng.integers(3, size=200), rng.integers(4, size=200)
    drawn = shuffled(level, rng, stratum=stratum)
    assert (drawn != level).any()
    for one in range(4):
        assert sorted(drawn[stratum == one]) == sorted(level[stratum == one])
    unit = np.arange(200) // 10
    of_unit = np.repeat([0, 0, 1, 1, 2], 4)
    drawn = shuffled(of_unit[unit], rng, unit=unit)
    first = drawn[::10]
    assert (drawn == first[unit]).all()
    assert sorted(first) == sorted(of_unit)
    assert sorted(shuffled(level, rng)) == sorted(level)


def test_size_of_the_shuffled_null():
    """240 seeds, heavy tails: rejects at .05 in .05 of them, within Monte-Carlo error."""
    rejected = 0
    for seed in range(240):
        rng = np.random.default_rng(seed)
        level = np.repeat([0, 1, 2], (40, 30, 50))
        shared = rng.normal(size=(120, 1))
        x, y = (
            np.exp(0.7 * (shared + rng.normal(size=(120, 6)))),
            shared + rng.normal(size=(120, 8)),
        )
        seen = variance(x, y, level)
        null = [variance(x, y, shuffled(level, rng)) for _ in range(19)]
        rejected += sum(value >= seen for value in null) == 0
    # 12 expected; 95 % of binomials lie between 6 and 19.
    assert 5 <= rejected <= 20


def test_size_of_whole_units():
    """Donors with correlations of their own: rows reject far too often, donors do not."""
    rejected = {"rows": 0, "donors": 0}
    donor = np.repeat(np.arange(12), 15)
    level = donor % 2
    for seed in range(200):
        rng = np.random.default_rng(1000 + seed)
        x = rng.normal(size=(180, 5))
        slope = rng.normal(size=(12, 5, 6))[donor]
        y = np.einsum("np,npm->nm", x, slope) + rng.normal(size=(180, 6))
        seen = variance(x, y, level)
        for name, unit in (("rows", None), ("donors", donor)):
            null = [variance(x, y, shuffled(level, rng, unit=unit)) for _ in range(19)]
            rejected[name] += sum(value >= seen for value in null) == 0
    assert 3 <= rejected["donors"] <= 18
    assert rejected["rows"] > 100


def test_strongest_edges_of_each_level_and_of_all_others():
    z = np.array([[0.9, 0.1, -0.8, 0.0], [0.1, 0.7, -0.6, 0.2], [0.2, -0.9, 0.1, 0.3]])
    weight = np.repeat([[10.0], [10.0], [30.0]], 4, axis=1)
    edges = Edges.of(Fisher(z, weight), 2)
    assert [set(own) for own in edges.own.tolist()] == [{0, 2}, {1, 2}, {1, 3}]
    # Without level 0: (.1 + 3·.2)/4, (.7 - 3·.9)/4, (-.6 + 3·.1)/4, (.2 + 3·.3)/4.
    assert set(edges.others[0].tolist()) == {1, 3}
    assert set(edges.others_sign[0].tolist()) == {-1.0, 1.0}


def test_found_again_needs_sign_and_significance():
    z = np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.1, -0.5, 0.5], [0.0, 0.0, 0.0, 0.0]])
    fisher = Fisher(z, np.full((3, 4), 100.0))  # significant from .196 on
    again, pairs = Edges.of(fisher, 4).found_again(fisher)
    assert pairs[0, 1] == 0.5
    assert pairs[1, 0] == 0.75
    assert pairs[0, 2] == 0
    assert np.isnan(np.diag(pairs)).all()
    assert again[2] == 0
    assert Edges.of(fisher, 4).same_sign(fisher)[1] == 0.75


def test_found_again_equals_the_power_of_a_correlation():
    """Edges at r = .3 and rows that find them in Φ(√(n - 3) atanh r - 1.96) of levels."""
    x, y, level = rows(10, (60, 60, 60), 300, 300, 0.3)
    fisher = LevelSums.of(x, y, level, 3).fisher()
    own = np.arange(300)
    diagonal = Fisher(fisher.z[:, own, own], fisher.weight[:, own, own])
    again, _ = Edges.of(diagonal, 300).found_again(diagonal)
    power = norm.cdf(np.sqrt(57) * np.arctanh(0.3) - norm.ppf(0.975))
    assert again.mean() == pytest.approx(power, abs=0.04)
