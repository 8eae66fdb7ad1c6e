"""Sequencing plans: brute force, other distributions of scipy, and simulated counts."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.stats.clustering import effective_size
from infocheck.stats.reliability import at_depth, closed_form
from infocheck.stats.sequencing import (
    doublet_share,
    effective_rows,
    observed_icc,
    reliability,
    singlets,
    umis_from_reads,
)


@pytest.mark.parametrize("unevenness", [0.0, 0.5, 2.0])
def test_umis_are_those_of_reads_dealt_to_molecules(unevenness):
    """20,000 molecules, reads dealt by amplification (seed 0): within 1 %."""
    rng, molecules = np.random.default_rng(0), 20_000
    copies = np.ones(molecules)
    if unevenness:
        copies = rng.gamma(1 / unevenness, unevenness, molecules)
    for reads in (2_000, 20_000, 100_000):
        dealt = rng.multinomial(reads, copies / copies.sum())
        seen = (dealt > 0).sum()
        assert umis_from_reads(reads, molecules, unevenness) == pytest.approx(seen, rel=0.01)


def test_unevenness_to_second_order():
    """1 - exp(-x)(1 + v x² / 2) for small v, and the even case as its limit."""
    x, v = np.array([0.1, 0.5, 1.5]), 1e-4
    expected = 1 - np.exp(-x) * (1 + v * x**2 / 2)
    assert umis_from_reads(x, 1.0, v) == pytest.approx(expected, abs=1e-8)
    assert umis_from_reads(x, 1.0, 0.0) == pytest.approx(umis_from_reads(x, 1.0, 1e-8))


def test_doublets_are_linear_in_cells_per_channel():
    assert doublet_share(1000) == pytest.approx(0.008)
    assert doublet_share(20_000, channels=2) == pytest.approx(0.08)
    assert singlets(10_000) == pytest.approx(9_200)
    assert singlets([1000, 1e6], per_thousand=0.004) == pytest.approx([996, 0])


def test_reliability_of_lognormal_rates():
    """σ = .5: .284 μ / (1 + .284 μ); .185 at .8, .362 at 2."""
    cv2 = np.exp(0.25) - 1
    assert cv2 == pytest.approx(0.284, abs=5e-5)
    assert reliability([0.8, 2.0], cv2) == pytest.approx([0.185, 0.362], abs=5e-4)
    assert reliability(0.0, cv2) == 0


@pytest.mark.parametrize("mean", [0.2, 2.0])
def test_reliability_is_the_squared_correlation_of_counts_and_rate(mean):
    """400,000 cells (seed 1), within .01; and what the closed form makes of the counts."""
    rng = np.random.default_rng(1)
    rate = mean * rng.lognormal(-0.125, 0.5, 400_000)
    counts = rng.poisson(rate).astype(float)
    expected = reliability(mean, np.exp(0.25) - 1)
    assert np.corrcoef(rate, counts)[0, 1] ** 2 == pytest.approx(expected, abs=0.01)
    estimate = closed_form(len(counts), counts.sum(), (counts**2).sum(), counts.sum())
    assert estimate == pytest.approx(expected, abs=0.01)


def test_reliability_follows_the_depth_curve():
    times = np.array([0.1, 1, 7])
    expected = [at_depth(reliability(0.5, 0.3), k) for k in times]
    assert reliability(0.5 * times, 0.3) == pytest.approx(expected)


def test_effective_rows_are_those_of_the_product():
    rows = effective_rows([40, 20, 8], [100, 200, 500], [0.1, 0.05, 0.1], [0.1, 0.2, 0.1])
    assert rows == pytest.approx([2010, 1338, 668], abs=0.7)
    n = np.array([10.0, 50.0, 200.0, 340.0])
    cv2 = n.var() / n.mean() ** 2
    expected = effective_size(n, 0.3, 0.2)[0, 0]
    assert effective_rows(4, n.mean(), 0.3, 0.2, cv2) == pytest.approx(expected)


def test_effective_rows_at_the_ends():
    assert effective_rows(10, 300, -0.1, 0.5) == 3000
    assert effective_rows(10, 300, 1.0, 1.0) == pytest.approx(10)
    assert effective_rows(10, 1e12, 0.1, 0.2) == pytest.approx(10 / 0.02)
    assert effective_rows(10, np.array([[1], [50]]), [0.1, 0.2, 0.3], 0.2).shape == (2, 3)


def test_effective_rows_of_noisy_cells():
    """Variance of 3,000 correlations of unrelated noisy genes (seed 2), within 8 %.

    Biological intraclass correlations .4 and .3, reliabilities .5 and .7.
    """
    rng, donors, cells, runs = np.random.default_rng(2), 30, 60, 3000
    level = np.repeat(np.arange(donors), cells)

    def gene(icc, rel):
        signal = np.sqrt(icc) * rng.standard_normal((runs, donors))[:, level]
        signal += np.sqrt(1 - icc) * rng.standard_normal((runs, len(level)))
        noisy = np.sqrt(rel) * signal + np.sqrt(1 - rel) * rng.standard_normal(signal.shape)
        noisy -= noisy.mean(axis=1, keepdims=True)
        return noisy / np.sqrt((noisy**2).sum(axis=1, keepdims=True))

    r = (gene(0.4, 0.5) * gene(0.3, 0.7)).sum(axis=1)
    iccs = observed_icc([0.4, 0.3], [0.5, 0.7])
    assert iccs == pytest.approx([0.2, 0.21])
    assert 1 / r.var() == pytest.approx(effective_rows(donors, cells, *iccs), rel=0.08)
