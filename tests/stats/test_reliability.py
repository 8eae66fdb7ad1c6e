"""Reliability of counts: closed form, thinning, and a planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infocheck.stats.reliability import (
    at_depth,
    closed_form,
    halves_reliability,
    thinned,
    thinned_halves,
    within_groups,
)


def lognormal_poisson(mean, n=40_000, sigma=0.5, seed=0, genes=1):
    """Counts whose rate is lognormal; reliability is .284 μ / (1 + .284 μ) at σ = .5."""
    rng = np.random.default_rng(seed)
    rate = mean * np.exp(rng.normal(-(sigma**2) / 2, sigma, (n, genes)))
    return rng.poisson(rate).astype(float)


def split_half(a, b):
    """2r / (1 + r) from binomial halves of the reads, r their correlation (Spearman-Brown)."""
    r = np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)])
    return 2 * r / (1 + r)


def of(counts, size=None):
    size = np.ones(len(counts)) if size is None else size
    x = counts / size[:, None]
    noise = (counts / size[:, None] ** 2).sum(axis=0)
    return closed_form(len(counts), x.sum(axis=0), (x * x).sum(axis=0), noise)


@pytest.mark.parametrize(("mean", "expected"), [(0.8, 0.185), (2.0, 0.362)])
def test_planted_lognormal_poisson(mean, expected):
    assert of(lognormal_poisson(mean))[0] == pytest.approx(expected, abs=0.02)


def test_thinning_agrees_with_the_closed_form():
    counts = lognormal_poisson(2.0, genes=3)
    rng = np.random.default_rng(1)
    a = rng.binomial(counts.astype(int), 0.5).astype(float)
    assert split_half(a, counts - a) == pytest.approx(of(counts), abs=0.03)


def test_pure_poisson_noise_carries_no_signal():
    counts = np.random.default_rng(2).poisson(1.5, (20_000, 5)).astype(float)
    assert of(counts).max() < 0.03


@given(factor=st.floats(0.1, 10))
def test_rescaling_all_size_factors_changes_nothing(factor):
    counts = lognormal_poisson(2.0, n=500)
    size = np.random.default_rng(3).uniform(0.5, 2, 500)
    assert np.allclose(of(counts, size), of(counts, size * factor), atol=1e-9)


def test_constant_genes_are_nan_not_perfect():
    assert np.isnan(of(np.full((50, 1), 3.0))).all()


def test_differences_between_groups_are_no_signal_within():
    rng = np.random.default_rng(4)
    means = np.array([1.0, 6.0])
    groups = [rng.poisson(m, (5000, 1)).astype(float) for m in means]
    parts = [(len(g), g.sum(axis=0), (g * g).sum(axis=0), g.sum(axis=0)) for g in groups]
    n, *sums = (np.stack(part) for part in zip(*parts, strict=True))
    assert within_groups(n, *sums)[0] < 0.05
    assert of(np.vstack(groups))[0] > 0.5


def test_thinned_equals_the_correlation_of_two_readings():
    """Two independent readings of the same rates correlate at the reliability (seed 6)."""
    rng = np.random.default_rng(6)
    n, level = 20_000, np.array([0.8, 2.0, 10.0, 60.0])
    rate = level * np.exp(0.5 * rng.normal(size=(n, 4)))
    size = np.exp(0.2 * rng.normal(size=n))
    first, second = (rng.poisson(rate * size[:, None]) for _ in range(2))
    truth = [
        np.corrcoef(np.log1p(first[:, j] / size), np.log1p(second[:, j] / size))[0, 1]
        for j in range(4)
    ]
    assert np.allclose(thinned(first, size, rng), truth, atol=0.03)


def test_thinned_reliability_of_noise_and_of_a_constant_is_nothing():
    rng = np.random.default_rng(7)
    counts = np.column_stack([rng.poisson(3.0, 5000), np.zeros(5000, dtype=int)])
    assert np.allclose(thinned(counts, np.ones(5000), rng), 0.0, atol=0.05)


@pytest.mark.parametrize("mean", [0.8, 2.0])
def test_a_quarter_of_the_depth_foretells_the_whole(mean):
    """Thinned to a quarter and carried on fourfold: mean of 30 genes within .015 of the truth."""
    counts = lognormal_poisson(mean, genes=30, seed=5)
    quarter = np.random.default_rng(6).binomial(counts.astype(int), 0.25).astype(float)
    truth = 0.284 * mean / (1 + 0.284 * mean)
    assert at_depth(of(quarter), 4).mean() == pytest.approx(truth, abs=0.015)
    assert at_depth(of(quarter), 4).mean() == pytest.approx(of(counts).mean(), abs=0.015)


@given(reliability=st.floats(0, 1), a=st.floats(0.1, 8), b=st.floats(0.1, 8))
def test_depth_of_a_depth_is_their_product(reliability, a, b):
    twice = at_depth(at_depth(reliability, a), b)
    assert twice == pytest.approx(at_depth(reliability, a * b), abs=1e-9)
    assert 0 <= twice <= 1 + 1e-9


def test_depth_is_exact_for_poisson_counts():
    """Variance v of the rate and mean m: reliability kv / (kv + m) at k times the depth."""
    v, m = 0.7, 2.5
    for k in (0.5, 1, 2, 5):
        assert at_depth(v / (v + m), k) == pytest.approx(k * v / (k * v + m))


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


def test_no_molecule_is_lost_or_shared():
    rng = np.random.default_rng(4)
    counts, size = rng.poisson(3, (40, 5)), rng.uniform(0.5, 2, 40)
    halves = thinned_halves(counts, size, rng)
    whole = sum(np.expm1(half) * size[:, None] / 2 for half in halves)
    assert whole == pytest.approx(counts)
