"""Shared noise: brute force, theory, and what it must and must not see."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from infocheck.stats.shared_noise import (
    CHUNK,
    counting_noise_ratio,
    nearest,
    numerical_rank,
    shared_residuals,
    varying,
)


def test_nearest_equals_scikit_learn():
    x = np.random.default_rng(0).normal(size=(CHUNK + 90, 12)) + 5
    _, expected = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(x).kneighbors()
    assert np.array_equal(nearest(x, 5), expected)


def test_counting_noise_ratio_written_out():
    rng = np.random.default_rng(1)
    counts, size = rng.poisson(3.0, (30, 7)).astype(float), rng.uniform(0.5, 2, 30)
    totals, other = counts.sum(axis=1) + 50, rng.permutation(30)
    top = bottom = 0.0
    mean = (counts / size[:, None]).mean(axis=0)
    for i in range(30):
        j = other[i]
        for g in range(7):
            top += (counts[i, g] / size[i] - counts[j, g] / size[j]) ** 2 / mean[g]
            for k in (i, j):
                noise = counts[k, g] / size[k] ** 2 * (1 - counts[k, g] / totals[k])
                bottom += noise / mean[g]
    ratio = counting_noise_ratio(counts, size, totals, other)
    assert ratio.value == pytest.approx(top / bottom, rel=1e-12)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_separate_poisson_rows_never_fall_below_one(spread):
    """Alike or not, the neighbour chosen on other genes: at least 1 (seeds 0 to 4)."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        factor = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 80)) * spread
        rate = rng.gamma(1, 1, 80) * np.exp(factor)
        size = rng.lognormal(0, 0.4, 400)
        counts = rng.poisson(rate * size[:, None]).astype(float)
        other = nearest(np.log1p(counts[:, :40] / size[:, None]), 1)[:, 0]
        ratio = counting_noise_ratio(counts[:, 40:], size, np.full(400, 1e6), other)
        assert ratio.value + 3 * ratio.error > 1
        if not spread:
            assert ratio.value == pytest.approx(1, abs=0.05)


def test_shared_reads_show_as_the_share_that_is_apart():
    """Two rows with half of their reads in common differ by half of the counting noise."""
    rng = np.random.default_rng(2)
    common, own = rng.poisson(1.0, (500, 100)), rng.poisson(1.0, (2, 500, 100))
    counts = np.vstack([common + own[0], common + own[1]]).astype(float)
    partner = (np.arange(1000) + 500) % 1000
    ratio = counting_noise_ratio(counts, np.ones(1000), np.full(1000, 1e9), partner)
    assert ratio.value == pytest.approx(0.5, abs=0.02)


def expression(rng, n=800, g=160, noise=1.0):
    """Five programmes and noise of each gene's own."""
    return rng.normal(size=(n, 5)) @ rng.normal(size=(5, g)) + noise * rng.normal(size=(n, g))


def residual(values):
    z = varying(values)
    half = z.shape[1] // 2
    return shared_residuals(z[:, :half], z[:, half:], nearest(z[:, :half], 5)[:, 1:])


@pytest.mark.parametrize("noise", [0.1, 1.0, 5.0])
def test_independent_rows_share_no_residual(noise):
    shared = residual(expression(np.random.default_rng(3), noise=noise))
    assert abs(shared.value) < 0.03
    assert shared.error < 0.01


def test_clusters_share_no_residual():
    """Twelve cell types with profiles of their own: alike, and independent."""
    rng = np.random.default_rng(4)
    centre = 2 * rng.normal(size=(12, 160))
    shared = residual(centre[rng.integers(12, size=800)] + rng.normal(size=(800, 160)))
    assert abs(shared.value) < 0.03


@pytest.mark.parametrize("k", [5, 15])
def test_smoothed_rows_share_residuals(k):
    x = expression(np.random.default_rng(5))
    pool = nearest(x, k - 1)
    smooth = (x + x[pool].sum(axis=1)) / k
    assert residual(smooth).value > 0.2


def test_numerical_rank_is_the_rank():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(200, 20)) @ rng.normal(size=(20, 90))
    assert numerical_rank(varying(x), 1e-5) == 20
    assert numerical_rank(varying(x.astype(np.float32).astype(float) + 9), 1e-5) == 20
    assert numerical_rank(varying(rng.normal(size=(200, 90))), 1e-5) == 90
    assert numerical_rank(varying(rng.normal(size=(50, 90))), 1e-5) == 49


def test_constant_genes_are_dropped():
    x = np.column_stack([np.full(30, 0.1), np.arange(30.0)])
    z = varying(x)
    assert z.shape == (30, 1)
    assert z.mean() == pytest.approx(0, abs=1e-12)
    assert z.std() == pytest.approx(1)
