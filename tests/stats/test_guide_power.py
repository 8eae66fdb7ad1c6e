"""Guide power: brute-force simulation of the same test, closed forms, exhaustive search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nbinom, norm

from infocheck.stats.guide_power import (
    pass_probability,
    power,
)


def counts(rng, mean, dispersion, cells, runs):
    """Sums of negative binomial counts of so many cells."""
    if dispersion == 0:
        return rng.poisson(mean * cells, runs)
    return rng.poisson(rng.gamma(cells / dispersion, dispersion * mean, runs))


def statistics(rng, mean, dispersion, fold_change, cells, controls, runs):
    """Score statistic of each run, the pooled mean estimated from its counts."""
    moved = counts(rng, mean * fold_change, dispersion, cells, runs)
    still = counts(rng, mean, dispersion, controls, runs)
    pooled = (moved + still) / (cells + controls)
    variance = (pooled + dispersion * pooled**2) * (1 / cells + 1 / controls)
    return (moved / cells - still / controls) / np.sqrt(variance)


def test_sums_of_counts_are_sums_of_counts():
    """The shortcut of the simulation against cells one by one (seed 0)."""
    rng = np.random.default_rng(0)
    cells = rng.negative_binomial(1 / 0.8, 1 / (1 + 0.8 * 2.0), (40_000, 12)).sum(axis=1)
    short = counts(rng, 2.0, 0.8, 12, 40_000)
    assert short.mean() == pytest.approx(cells.mean(), rel=0.01)
    assert short.var() == pytest.approx(cells.var(), rel=0.05)


def test_statistic_is_the_score_of_a_negative_binomial_model():
    """statsmodels: score of the guide at the fit without it, over its error; to 1e-8."""
    from statsmodels.genmod.families import NegativeBinomial
    from statsmodels.genmod.generalized_linear_model import GLM

    rng, cells, controls, dispersion = np.random.default_rng(1), 30, 80, 0.6
    guide = np.repeat([1.0, 0.0], [cells, controls])
    y = rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * 3.0), len(guide))
    fit = GLM(y, np.ones(len(y)), family=NegativeBinomial(alpha=dispersion)).fit(tol=1e-12)
    mu = fit.fittedvalues
    weight = mu / (1 + dispersion * mu)
    score = (guide * (y - mu) / (1 + dispersion * mu)).sum()
    information = (weight * guide**2).sum() - (weight * guide).sum() ** 2 / weight.sum()
    pooled = y.mean()
    variance = (pooled + dispersion * pooled**2) * (1 / cells + 1 / controls)
    ours = (y[:cells].mean() - y[cells:].mean()) / np.sqrt(variance)
    assert score / np.sqrt(information) == pytest.approx(ours, abs=1e-8)


@pytest.mark.parametrize("side", ["less", "greater", "both"])
def test_no_effect_is_found_at_the_level(side):
    levels = np.array([0.3, 0.05, 1e-6])
    assert power(0.7, 0.4, 1.0, 120, 900, levels, side) == pytest.approx(levels, rel=1e-12)


@pytest.mark.parametrize("dispersion", [0.0, 0.5, 2.0])
@pytest.mark.parametrize(
    ("fold_change", "side"), [(0.7, "less"), (1.35, "greater"), (0.7, "both"), (1.35, "both")]
)
@pytest.mark.parametrize("level", [0.05, 1e-3])
def test_power_is_what_simulated_counts_show(dispersion, fold_change, side, level):
    """20,000 runs (seed 2), error .0035, means .8, 150 cells and 2,000 controls: within .02."""
    rng = np.random.default_rng(2)
    z = statistics(rng, 0.8, dispersion, fold_change, 150, 2000, 20_000)
    bound = norm.isf(level / 2 if side == "both" else level)
    found = {"less": z < -bound, "greater": z > bound, "both": np.abs(z) > bound}[side].mean()
    forecast = power(0.8, dispersion, fold_change, 150, 2000, level, side)
    assert 0.02 < found < 0.999
    assert forecast == pytest.approx(found, abs=0.02)


def test_power_by_hand():
    """μ 1, dispersion .5, halved, 100 and 300 cells: pooled mean .875, variance of the null
    (.875 + .3828)(1/100 + 1/300) = .016771, of the effect 1.5/300 + .625/100 = .01125."""
    null, actual = 0.0167708333, 0.01125
    expected = norm.cdf((0.5 - norm.isf(0.01) * np.sqrt(null)) / np.sqrt(actual))
    assert power(1.0, 0.5, 0.5, 100, 300, 0.01) == pytest.approx(expected, abs=1e-9)


def test_power_rises_with_all_that_helps():
    assert (np.diff(power(1.0, 0.5, 0.8, np.arange(20, 2000, 50), 3000, 0.01)) > 0).all()
    assert (np.diff(power(np.geomspace(0.1, 5, 20), 0.5, 0.8, 300, 3000, 0.01)) > 0).all()
    assert (np.diff(power(1.0, np.linspace(0, 3, 20), 0.8, 300, 3000, 0.01)) < 0).all()
    assert (np.diff(power(1.0, 0.5, np.linspace(0.2, 1, 20), 300, 3000, 0.01)) <= 0).all()
    assert power(1.0, 0.5, 1.5, 300, 3000, 0.01, "less") < 0.01


def test_cells_with_a_count():
    """Seven of them in each arm: 40,000 simulated experiments (seed 3), within .01."""
    rng, mean, dispersion, fold_change = np.random.default_rng(3), 0.15, 0.7, 0.6
    size = 1 / dispersion
    some = [
        (rng.negative_binomial(size, size / (size + m), (40_000, n)) > 0).sum(axis=1) >= 7
        for m, n in ((mean * fold_change, 90), (mean, 80))
    ]
    expected = (some[0] & some[1]).mean()
    found = pass_probability(mean, dispersion, fold_change, 90, 80)
    assert 0.2 < expected < 0.9
    assert found == pytest.approx(expected, abs=0.01)


def test_cells_without_a_count_are_a_negative_binomial_zero():
    """One cell, one count: 1 - P0 by scipy, also for Poisson counts."""
    mean, size = np.array([0.1, 2.0]), 1 / 0.7
    expected = 1 - nbinom.pmf(0, size, size / (size + mean))
    assert pass_probability(mean, 0.7, 1.0, 1, 10**6, needed=1) == pytest.approx(expected)
    assert pass_probability(2.0, 0.0, 1.0, 1, 10**6, 1) == pytest.approx(1 - np.exp(-2))
