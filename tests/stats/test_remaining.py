"""Reliability from halves against planted truth; median intervals against exact binomials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from infocheck.stats.reliability import thinned
from infocheck.stats.remaining import halves_reliability, median_interval, thinned_halves


def test_halves_of_a_normal_measurement():
    """Signal 1, noise of the whole 1/2, so of each half 1: reliability 2/3."""
    rng = np.random.default_rng(1)
    signal = rng.standard_normal((20_000, 3))
    halves = [signal + rng.standard_normal(signal.shape) for _ in range(2)]
    assert halves_reliability(*halves) == pytest.approx(np.full(3, 2 / 3), abs=0.02)


def test_halves_that_do_not_vary_or_do_not_agree_have_none():
    a = np.column_stack([np.ones(50), np.arange(50.0), np.arange(50.0)])
    b = np.column_stack([np.arange(50.0), -np.arange(50.0), np.arange(50.0)])
    assert halves_reliability(a, b) == pytest.approx([0, 0, 1])


def test_without_a_correction_it_is_that_of_thinned_counts():
    rng = np.random.default_rng(2)
    size = np.exp(rng.normal(0, 0.3, 400))
    counts = rng.poisson(5 * size[:, None] * np.exp(0.5 * rng.standard_normal((400, 20))))
    one, two = (np.random.default_rng(3) for _ in range(2))
    found = halves_reliability(*thinned_halves(counts, size, one))
    assert found == pytest.approx(thinned(counts, size, two))


def test_no_molecule_is_lost_or_shared():
    rng = np.random.default_rng(4)
    counts, size = rng.poisson(3, (40, 5)), rng.uniform(0.5, 2, 40)
    halves = thinned_halves(counts, size, rng)
    whole = sum(np.expm1(half) * size[:, None] / 2 for half in halves)
    assert whole == pytest.approx(counts)


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
