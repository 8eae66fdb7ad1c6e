"""Clustering: the values of the formulas, other packages, brute force, and coverage."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import f_oneway

from infocheck.stats.clustering import (
    autocorrelated_size,
    corrected,
    effective_size,
    effective_size_of_contrast,
    intraclass_correlation,
)
from infocheck.stats.resampling import fisher_interval


def clustered(rng, sizes, icc, g=1):
    """Values of donors with the given shares of variance, and the donor of each row."""
    level = np.repeat(np.arange(len(sizes)), sizes)
    between = rng.normal(size=(len(sizes), g))[level]
    return np.sqrt(icc) * between + np.sqrt(1 - icc) * rng.normal(size=(len(level), g)), level


def sums(values, level):
    n = np.bincount(level).astype(float)
    total = np.stack([values[level == i].sum(axis=0) for i in range(len(n))])
    return n, total, (values**2).sum(axis=0)


def by_mean_squares(values, level):
    """One-way analysis of variance, written out with scipy's F."""
    groups = [values[level == i] for i in range(level.max() + 1)]
    ratio = f_oneway(*groups).statistic  # MSB / MSW
    n = np.array([len(g) for g in groups], dtype=float)
    typical = (n.sum() - (n**2).sum() / n.sum()) / (len(n) - 1)
    return (ratio - 1) / (ratio + typical - 1)


def test_icc_equals_one_way_anova():
    """Unequal donors; scipy's F ratio, to 1e-10."""
    values, level = clustered(np.random.default_rng(0), [5, 30, 12, 80, 3], 0.3, g=20)
    expected = [by_mean_squares(values[:, j], level) for j in range(20)]
    assert intraclass_correlation(*sums(values, level)) == pytest.approx(expected, abs=1e-10)


def test_icc_equals_a_mixed_model():
    """statsmodels, restricted maximum likelihood; the same for equal donors, to 1e-4.

    Its default optimiser stops early here, at a lower likelihood.
    """
    from statsmodels.regression.mixed_linear_model import MixedLM

    values, level = clustered(np.random.default_rng(1), [40] * 15, 0.25)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = MixedLM(values[:, 0], np.ones(len(values)), groups=level).fit(
            reml=True, method="powell"
        )
    between, within = float(fit.cov_re[0, 0]), fit.scale
    expected = between / (between + within)
    assert intraclass_correlation(*sums(values, level))[0] == pytest.approx(expected, abs=1e-4)


def test_icc_recovers_the_planted_share():
    """Donor variance .2 and .8 within: .20, mean of 400 genes over 60 donors (seed 2)."""
    values, level = clustered(np.random.default_rng(2), [25] * 60, 0.2, g=400)
    assert intraclass_correlation(*sums(values, level)).mean() == pytest.approx(0.2, abs=0.01)


def test_negative_icc_is_shown_and_counts_as_none():
    values = np.tile([[-1.0], [1.0]], (6, 1))  # donors of one value each sign: alike
    n, total, squares = sums(values, np.repeat(np.arange(6), 2))
    icc = intraclass_correlation(n, total, squares)
    assert icc[0] < 0
    assert effective_size(n, icc, icc)[0, 0] == 12


def test_icc_needs_variance_and_two_levels():
    rng = np.random.default_rng(0)
    values = np.column_stack([np.full(40, 3.3), rng.normal(size=40)])
    assert np.isnan(intraclass_correlation(*sums(values, np.arange(40) % 4))[0])
    assert np.isnan(intraclass_correlation(*sums(values, np.zeros(40, int)))).all()
    assert np.isnan(intraclass_correlation(*sums(values, np.arange(40)))).all()


def test_levels_without_rows_do_not_count():
    values, level = clustered(np.random.default_rng(3), [20] * 4, 0.3, g=3)
    n, total, squares = sums(values, level)
    padded = intraclass_correlation(np.append(n, 0), np.vstack([total, np.zeros(3)]), squares)
    assert padded == pytest.approx(intraclass_correlation(n, total, squares))


@pytest.mark.parametrize("donors", [3, 5, 10])
def test_corrected_icc_errs_up_as_often_as_down(donors):
    """3,000 genes (seed 4): half below the truth, 97.5 % below their upper bound."""
    values, level = clustered(np.random.default_rng(4), [30] * donors, 0.2, g=3000)
    n, total, squares = sums(values, level)
    plain = intraclass_correlation(n, total, squares)
    assert (corrected(plain, n) < 0.2).mean() == pytest.approx(0.5, abs=0.03)
    assert (corrected(plain, n, 0.975) > 0.2).mean() == pytest.approx(0.975, abs=0.01)
    assert (corrected(plain, n, 0.025) > 0.2).mean() == pytest.approx(0.025, abs=0.01)
    assert (plain < 0.2).mean() > 0.54


@pytest.mark.parametrize(
    ("donors", "cells", "icc_x", "icc_y", "expected"),
    [(40, 100, 0.1, 0.1, 2010), (20, 200, 0.05, 0.2, 1338), (8, 500, 0.1, 0.1, 668)],
)
def test_effective_size_of_the_product(donors, cells, icc_x, icc_y, expected):
    size = effective_size(np.full(donors, float(cells)), icc_x, icc_y)
    assert size[0, 0] == pytest.approx(expected, abs=0.7)


def test_effective_size_of_all_pairs_is_that_of_each():
    n = np.array([10.0, 50.0, 200.0])
    x, y = np.array([0.1, 0.4, -0.2]), np.array([0.3, 0.0])
    pairs = effective_size(n, x, y)
    assert pairs.shape == (3, 2)
    for i in range(3):
        for j in range(2):
            assert pairs[i, j] == pytest.approx(effective_size(n, x[i], y[j])[0, 0])
    assert (pairs[2] == 260).all()


def test_what_is_constant_in_a_donor_is_limited_by_donors():
    """ICC_x = 1: J / ICC_y, and the single-ICC design effect exactly."""
    n = np.full(12, 5000.0)
    assert effective_size_of_contrast(n, np.array([0.2]))[0] == pytest.approx(12 / 0.2, rel=0.01)
    assert effective_size_of_contrast(n, 0.2)[0] == pytest.approx(60_000 / (1 + 4999 * 0.2))


def test_effective_size_is_what_the_variance_of_correlations_shows():
    """1 / variance of 4,000 correlations of unrelated genes (seed 5), within 8 %."""
    rng = np.random.default_rng(5)
    x, _ = clustered(rng, [40] * 30, 0.2, g=4000)
    y, _ = clustered(rng, [40] * 30, 0.1, g=4000)
    x, y = (v - v.mean(axis=0) for v in (x, y))
    r = (x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    size = effective_size(np.full(30, 40.0), 0.2, 0.1)[0, 0]
    assert 1 / r.var() == pytest.approx(size, rel=0.08)


@pytest.mark.parametrize(("donors", "share"), [(20, 0.1), (20, 0.3), (40, 0.1)])
def test_intervals_cover_where_naive_ones_do_not(donors, share):
    """95 % within 1.5 points over 4,000 pairs from 20 donors on (seed 6)."""
    rng = np.random.default_rng(6)
    r, size = [], []
    for _ in range(4):
        (x, level), (y, _) = (clustered(rng, [50] * donors, share, g=1000) for _ in range(2))
        (n, *of_x), (_, *of_y) = sums(x, level), sums(y, level)
        icc = [np.maximum(intraclass_correlation(n, *of), 0) for of in (of_x, of_y)]
        size.append(effective_size(n, 1.0, icc[0] * icc[1])[0])
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        r.append((x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0)))
    r, size = np.concatenate(r), np.concatenate(size)

    def covered(n):
        low, high = fisher_interval(r, n)
        return ((low <= 0) & (high >= 0)).mean()

    assert covered(size) == pytest.approx(0.95, abs=0.015)
    assert covered(50 * donors) < 0.92


def test_interval_is_fishers():
    """r = .5, n = 103: atanh ± 1.96 / 10."""
    low, high = fisher_interval(np.array(0.5), np.array(103.0))
    assert low == pytest.approx(np.tanh(np.arctanh(0.5) - 0.1959964), abs=1e-7)
    assert high == pytest.approx(np.tanh(np.arctanh(0.5) + 0.1959964), abs=1e-7)


def autoregressive(rng, coefficient, n, g):
    values = np.empty((n, g))
    values[0] = rng.normal(size=g)
    for i in range(1, n):
        noise = np.sqrt(1 - coefficient**2) * rng.normal(size=g)
        values[i] = coefficient * values[i - 1] + noise
    return values


@pytest.mark.parametrize(("a", "b"), [(0.8, 0.6), (0.9, 0.9), (0.5, 0.0)])
def test_autocorrelated_size_of_first_order_series(a, b):
    """n (1 - ab) / (1 + ab); median of 30 × 30 pairs of 6,000 rows (seed 7), within 5 %."""
    rng, n = np.random.default_rng(7), 6000
    x, y = autoregressive(rng, a, n, 30), autoregressive(rng, b, n, 30)
    expected = n * (1 - a * b) / (1 + a * b)
    assert np.median(autocorrelated_size(x, y)) == pytest.approx(expected, rel=0.05)


def test_autocorrelated_size_equals_the_sum_written_out():
    """One pair at a time, two series, cut at the first negative product; to 1e-10."""
    rng = np.random.default_rng(8)
    x, y = autoregressive(rng, 0.7, 90, 3), autoregressive(rng, 0.7, 90, 2)
    series = np.repeat([0, 1], [50, 40])
    pairs = autocorrelated_size(x, y, series)
    zx, zy = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, y))
    for i in range(3):
        for j in range(2):
            total = 0.0
            for lag in range(1, 23):
                rows = [t for t in range(90 - lag) if series[t] == series[t + lag]]
                rho = [
                    np.mean([z[t, c] * z[t + lag, c] for t in rows]) for z, c in ((zx, i), (zy, j))
                ]
                if rho[0] * rho[1] <= 0:
                    break
                total += rho[0] * rho[1] * len(rows) / 90
            assert pairs[i, j] == pytest.approx(90 / (1 + 2 * total), abs=1e-10)


def test_series_apart_are_not_joined():
    """Rows of two alternating units: within a unit nothing follows anything."""
    x = np.random.default_rng(9).normal(size=(400, 4))
    assert (autocorrelated_size(x, x, np.arange(400)) == 400).all()


def test_constant_genes_are_white_noise():
    x = autoregressive(np.random.default_rng(10), 0.9, 200, 2)
    assert autocorrelated_size(x, np.full((200, 1), 4.2)) == pytest.approx(200)
