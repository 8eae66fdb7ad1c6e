"""Intervals: closed forms, coverage by simulation, seeds written down."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from infocheck.stats.resampling import (
    jackknife_error,
    median_interval,
    share_interval,
    t_interval,
    wilson,
)


def test_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(0).normal(size=50)
    without = (x.sum() - x) / 49
    assert jackknife_error(without) == pytest.approx(x.std(ddof=1) / np.sqrt(50), rel=1e-12)


def test_wilson_interval_equals_statsmodels():
    low, high = share_interval(0.3, 40)
    expected = proportion_confint(12, 40, method="wilson")
    assert (low, high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_at_the_edge_keeps_a_width(share):
    low, high = share_interval(share, 30, extra_error=0.02)
    assert 0 <= low <= share <= high <= 1
    assert high - low > 0.05


def test_extra_error_widens():
    plain, wide = share_interval(0.4, 100), share_interval(0.4, 100, extra_error=0.1)
    assert wide[0] < plain[0]
    assert wide[1] > plain[1]


def test_t_interval_is_cut_at_its_bounds():
    assert t_interval(0.95, 0.2, 10, (-1.0, 1.0))[1] == 1.0


def test_coverage_of_the_jackknife_interval():
    """A ratio of means over 20 groups: 95 % nominal, seed 7."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(600):
        x = rng.normal(2, 1, 20)
        y = x + rng.normal(1, 1, 20)
        ratio = y.mean() / x.mean()
        without = (y.sum() - y) / (x.sum() - x)
        low, high = t_interval(ratio, float(jackknife_error(without)), 20)
        covered += low <= 1.5 <= high
    assert 0.92 <= covered / 600 <= 0.98


def test_median_interval_covers_and_is_tight():
    """Order statistics from the exact binomial, and at least 95 % of 2,000 medians."""
    values = np.arange(1.0, 101.0)
    median, low, high = median_interval(values)
    assert median == 50.5
    assert (low, high) == (40, 61)
    assert binom.cdf(high - 1, 100, 0.5) - binom.cdf(low - 1, 100, 0.5) >= 0.95
    assert binom.cdf(high - 2, 100, 0.5) - binom.cdf(low, 100, 0.5) < 0.95
    rng = np.random.default_rng(5)
    found = np.array([median_interval(rng.exponential(1, 30)) for _ in range(2000)])
    assert np.mean((found[:, 1] <= np.log(2)) & (np.log(2) <= found[:, 2])) > 0.94


def test_median_of_few_or_none():
    assert median_interval(np.array([3.0, np.nan])) == (3, 3, 3)
    assert np.isnan(median_interval(np.array([np.nan]))).all()


def test_shares_lie_inside_their_intervals_whatever_the_rounding():
    n = np.arange(1, 2000)
    for count in (np.zeros_like(n), n, n // 3):
        low, high = wilson(count, n)
        share = count / n
        assert (low <= share).all()
        assert (high >= share).all()
        assert (low >= 0).all()
        assert (high <= 1).all()
