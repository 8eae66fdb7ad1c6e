"""Power of edges: known values, statsmodels and scipy, simulated rows and simulated BH."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import false_discovery_control, norm
from statsmodels.stats.power import normal_power

from infocheck.stats.edge_power import (
    LEAST_LEVEL,
    attenuated,
    level_at_fdr,
    minimum_effect,
    minimum_effect_at_fdr,
    power,
    power_at_fdr,
)


def correlations(rng, runs, n, rho, adjusters=0):
    """Sample correlations of normal rows, partial ones if there are adjusters."""
    x = rng.standard_normal((runs, n))
    y = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal((runs, n))
    if adjusters:
        # Variables that move both; what they leave has the correlation rho.
        z = np.linalg.qr(rng.standard_normal((n, adjusters + 1)))[0]
        z[:, 0] = 1 / np.sqrt(n)
        z = np.linalg.qr(z)[0]
        x, y = x + 3 * z.sum(axis=1), y - 2 * z.sum(axis=1)
        x, y = (v - v @ z @ z.T for v in (x, y))
    x, y = (v - v.mean(axis=1, keepdims=True) for v in (x, y))
    return (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))


def p_values(r, n, adjusters=0):
    return 2 * norm.sf(np.abs(np.arctanh(r)) * np.sqrt(n - adjusters - 3))


def test_worked_examples():
    assert minimum_effect(200, 0.05, 0.8) == pytest.approx(0.197, abs=5e-4)
    assert power(0.1, 782, 0.05) < 0.8 < power(0.1, 783, 0.05)
    found, level = power_at_fdr(np.array([0.3]), np.ones(1), 103, 0.02, 0.1)
    assert level == pytest.approx(9.4e-4, abs=5e-6)
    assert found == pytest.approx(0.416, abs=5e-4)


def test_attenuation_is_what_noise_does():
    """20,000 rows (seed 0): noise and coupling of the given shares; within .015."""
    rng, n = np.random.default_rng(0), 20_000
    activity = rng.standard_normal(n)
    target = 0.8 * activity + 0.6 * rng.standard_normal(n)
    mrna = 0.7 * activity + np.sqrt(1 - 0.49) * rng.standard_normal(n)
    seen = [
        np.sqrt(rel) * v + np.sqrt(1 - rel) * rng.standard_normal(n)
        for v, rel in ((mrna, 0.4), (target, 0.25))
    ]
    expected = attenuated(0.8, 0.4, 0.25, 0.7)
    assert expected == pytest.approx(0.8 * 0.7 * np.sqrt(0.1))
    assert np.corrcoef(seen)[0, 1] == pytest.approx(expected, abs=0.015)


def test_power_without_effect_or_observations_is_the_level():
    levels = np.array([1.0, 0.5, 0.05, 1e-3, 1e-9, 0.0])
    assert power(0.0, 200, levels) == pytest.approx(levels, rel=1e-12, abs=0)
    assert power(0.9, 8, levels, adjusters=5) == pytest.approx(levels, rel=1e-12, abs=0)
    assert power(0.9, 3, levels) == pytest.approx(levels, rel=1e-12, abs=0)


@pytest.mark.parametrize("rho", [-0.4, 0.05, 0.3])
@pytest.mark.parametrize("level", [0.6, 0.05, 1e-4])
def test_power_is_that_of_a_normal_test(rho, level):
    """statsmodels, both tails, to 1e-10."""
    expected = normal_power(np.arctanh(abs(rho)), 97, level, "two-sided")
    assert power(rho, 100, level) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    ("rho", "n", "adjusters", "level"),
    [(0.3, 60, 0, 0.05), (0.15, 300, 0, 1e-3), (0.35, 80, 10, 0.01), (0.5, 40, 0, 1e-4)],
)
def test_power_is_what_simulated_rows_show(rho, n, adjusters, level):
    """10,000 runs (seed 1), error .005: within .02."""
    r = correlations(np.random.default_rng(1), 10_000, n, rho, adjusters)
    found = (p_values(r, n, adjusters) < level).mean()
    assert power(rho, n, level, adjusters) == pytest.approx(found, abs=0.02)


def test_power_rises_with_all_that_helps():
    assert (np.diff(power(np.linspace(0, 0.9, 30), 50, 0.01)) > 0).all()
    assert (np.diff(power(0.2, np.arange(4, 500, 20), 0.01)) > 0).all()
    assert (np.diff(power(0.2, 100, np.geomspace(1e-9, 1, 30))) > 0).all()
    assert (np.diff(power(0.2, 100, 0.01, np.arange(0, 90, 10))) < 0).all()


def test_minimum_effect_inverts_power():
    n, level = np.array([10, 100, 5000])[:, None], np.array([1e-8, 0.01, 0.6])
    for wanted in (0.65, 0.8, 0.99):
        effect = minimum_effect(n, level, wanted)
        assert power(effect, n, level) == pytest.approx(np.full((3, 3), wanted), abs=1e-9)


def test_minimum_effect_at_the_ends():
    assert minimum_effect(100, 0.9, 0.8) == 0
    assert minimum_effect(100, 0.0, 0.8) == 1
    assert (minimum_effect([3, 8], 0.05, adjusters=5) == 1).all()


def fixed_point(effects, weights, n, share, fdr):
    """The level by scipy's root finder on the definition."""

    def excess(log):
        found = (power(effects, n, np.exp(log)) * weights).sum()
        return (1 - share) * np.exp(log) / ((1 - share) * np.exp(log) + share * found) - fdr

    return np.exp(brentq(excess, np.log(LEAST_LEVEL), 0.0, xtol=1e-14))


def designs(seed, count, edges=7):
    """Mixtures of so many effects, sizes, shares of edges and rates."""
    rng = np.random.default_rng(seed)
    effects = rng.uniform(0.02, 0.6, (count, edges)) * rng.choice([-1, 1], (count, edges))
    return effects, rng.integers(10, 4000, count), 10 ** rng.uniform(-4, -0.5, count), 0.1


@pytest.mark.parametrize(("edges", "absent"), [(7, 0), (81, 0), (81, 8)])
def test_level_at_fdr_equals_a_root_finder(edges, absent):
    """200 designs (seed 3), to 1e-8 of the level; also where every eighth effect is none."""
    effects, n, share, fdr = designs(3, 200, edges)
    if absent:
        effects[:, ::absent] = 0
    weights = np.random.default_rng(4).dirichlet(np.ones(edges))
    found, level = power_at_fdr(effects, 5 * weights, n, share, fdr)
    expected = [
        fixed_point(e, weights, m, s, fdr) for e, m, s in zip(effects, n, share, strict=True)
    ]
    assert level == pytest.approx(np.array(expected), rel=1e-8, abs=0)
    each = (power(effects, n[:, None], level[:, None]) * weights).sum(axis=1)
    assert found == pytest.approx(each, rel=1e-8, abs=0)


def test_there_is_one_root_at_most():
    """Power over level falls all the way, for mixtures of weak and strong edges."""
    levels = np.geomspace(1e-20, 1, 2000)
    for effects in ([0.3], [0.01, 0.6], [0.05, 0.2, 0.9]):
        ratio = power(np.array(effects)[:, None], 150, levels).mean(axis=0) / levels
        assert (np.diff(ratio) < 1e-12).all()


def test_levels_of_many_designs_are_those_of_each():
    """More designs than a batch, broadcast over two axes."""
    effects, n, _, _ = designs(5, 60)
    share = np.geomspace(1e-4, 0.3, 50)[:, None]
    level = level_at_fdr(effects, np.ones(7), n, share, 0.2)
    assert level.shape == (50, 60)
    for i, j in ((0, 0), (20, 41), (49, 59)):
        alone = level_at_fdr(effects[j], np.ones(7), n[j], share[i, 0], 0.2)
        assert alone.shape == ()
        assert level[i, j] == pytest.approx(float(alone), rel=1e-10)


def test_where_there_is_no_root_and_where_all_are_found():
    effects, ones = np.array([0.3, 0.1]), np.ones(2)
    assert power_at_fdr(np.zeros(2), ones, 500, 0.02, 0.1) == (0.0, 0.0)
    assert power_at_fdr(effects, ones, 3, 0.02, 0.1) == (0.0, 0.0)
    assert power_at_fdr(effects, ones, 500, 0.0, 0.1) == (0.0, 0.0)
    assert power_at_fdr(effects, ones, 5, 1e-6, 1e-30) == (0.0, 0.0)
    assert power_at_fdr(effects, ones, 500, 0.95, 0.1) == (1.0, 1.0)
    assert power_at_fdr(effects, ones, 500, 1.0, 0.1) == (1.0, 1.0)
    assert np.isnan(power_at_fdr(effects, ones, np.nan, 0.02, 0.1)).all()
    assert np.isnan(level_at_fdr(np.array([0.3, np.nan]), ones, 500, 0.02, 0.1))


def benjamini_hochberg(p, q):
    order = np.argsort(p)
    passed = np.flatnonzero(p[order] <= q * np.arange(1, len(p) + 1) / len(p))
    rejected = np.zeros(len(p), bool)
    if len(passed):
        rejected[order[: passed[-1] + 1]] = True
    return rejected


@pytest.mark.parametrize(
    ("effects", "n", "share", "q"),
    [([0.3], 103, 0.02, 0.1), ([0.1, 0.2, 0.4], 150, 0.1, 0.2)],
)
def test_simulated_bh_finds_what_is_forecast(effects, n, share, q):
    """20 × 20,000 tests (seed 6): power within .02, false discovery rate within .015."""
    rng, tests = np.random.default_rng(6), 20_000
    edges = round(share * tests)
    rho = np.zeros(tests)
    rho[:edges] = np.resize(effects, edges)
    found, wrong = [], []
    for _ in range(20):
        z = rng.normal(np.arctanh(rho) * np.sqrt(n - 3), 1)
        rejected = benjamini_hochberg(2 * norm.sf(np.abs(z)), q)
        found.append(rejected[:edges].mean())
        wrong.append(rejected[edges:].sum() / max(rejected.sum(), 1))
    weights = np.ones(len(effects))
    rate = (1 - share) * q
    assert np.mean(wrong) == pytest.approx(rate, abs=0.015)
    exact, level = power_at_fdr(np.array(effects), weights, n, share, rate)
    assert np.mean(found) == pytest.approx(float(exact), abs=0.02)
    # That level is where BH stops: level = q times the share that is rejected.
    assert level == pytest.approx(q * ((1 - share) * level + share * exact))


def test_smallest_true_correlation_is_found_at_its_own_rate():
    """All edges as strong as it: the fixed point has power .8 and its level."""
    n, share, fdr = 500, np.array([0.001, 0.02, 0.2]), 0.1
    true = minimum_effect_at_fdr(n, share, fdr, 0.3, 0.6, coupling=0.9)
    seen = attenuated(true, 0.3, 0.6, 0.9)[:, None]
    found, level = power_at_fdr(seen, np.ones(1), n, share, fdr)
    assert found == pytest.approx(np.full(3, 0.8), abs=1e-8)
    given = minimum_effect_at_fdr(n, share, fdr, 0.3, 0.6, coupling=0.9, level=level)
    assert given == pytest.approx(true)


def test_smallest_true_correlation_at_the_ends():
    assert np.isinf(minimum_effect_at_fdr(20, 0.02, 0.1, 0.05, 0.05))
    assert np.isinf(minimum_effect_at_fdr(500, 0.02, 0.1, 0.0, 0.5))
    assert np.isinf(minimum_effect_at_fdr(500, 0.0, 0.1))
    assert np.isinf(minimum_effect_at_fdr(500, 0.02, 0.1, level=0.0))
    assert minimum_effect_at_fdr(500, 0.99, 0.1) == 0
    assert minimum_effect_at_fdr([100, 400], 0.02, 0.1).shape == (2,)


def test_the_step_up_rule_above_is_that_of_scipy():
    p = np.random.default_rng(7).uniform(size=500) ** 3
    assert (benjamini_hochberg(p, 0.1) == (false_discovery_control(p) <= 0.1)).all()
