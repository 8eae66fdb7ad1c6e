"""Directions beyond chance: closed forms of random matrices, planted ranks, noisy rows."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.stats.parallel_analysis import (
    beyond_chance,
    crowding,
    edge,
    flipped,
    observed,
    overlap,
)
from infocheck.stats.principal_regression import Leading
from infocheck.stats.standard import standardised


def test_closed_forms():
    """γ = .5, ℓ = 3: overlap .70, sample eigenvalue 3.75, edge 2.914."""
    assert edge(2, 1) == pytest.approx(2.914, abs=5e-4)
    assert edge(2, 1, variance=0.5) == pytest.approx(2.914 / 2, abs=5e-4)
    assert observed(3, 0.5) == pytest.approx((3.75, 0.70))
    assert observed(1.5, 0.5) == (edge(1, 0.5), 0.0)
    assert overlap(np.array([3.75, 2.9]), 0.5) == pytest.approx([0.70, 0.0])


def test_overlap_undoes_the_closed_form():
    for gamma in (0.1, 1.0, 3.0):
        for spike in (1.2 + np.sqrt(gamma), 5.0, 40.0):
            value, expected = observed(spike, gamma)
            assert overlap(np.array([value]), gamma)[0] == pytest.approx(expected, abs=1e-9)


def test_a_planted_spike_behaves_as_the_closed_form_says():
    """n = 1600, p = 800, ℓ = 3 over three draws: 3.75 within .15, overlap .70 within .04."""
    rng = np.random.default_rng(1)
    values, overlaps = [], []
    for _ in range(3):
        direction = rng.standard_normal(800)
        direction /= np.linalg.norm(direction)
        factor = np.sqrt(2) * rng.standard_normal((1600, 1))
        x = rng.standard_normal((1600, 800)) + factor * direction
        _, s, right = np.linalg.svd(x, full_matrices=False)
        values.append(s[0] ** 2 / 1600)
        overlaps.append((right[0] @ direction) ** 2)
    assert np.mean(values) == pytest.approx(3.75, abs=0.15)
    assert np.mean(overlaps) == pytest.approx(0.70, abs=0.04)


def test_flipped_noise_reaches_the_edge():
    """A randomised decomposition falls a few per cent short, here and for the data alike."""
    rng = np.random.default_rng(2)
    z = standardised(rng.standard_normal((600, 300)))
    largest = flipped(z, 5, rng)
    exact = np.linalg.eigvalsh(z.T @ z / 600)[-1]
    assert largest == pytest.approx(np.full(5, edge(600, 300)), rel=0.08)
    assert largest.mean() == pytest.approx(exact, rel=0.05)


def test_signs_destroy_correlation():
    rng = np.random.default_rng(3)
    z = standardised(rng.standard_normal((500, 200)) + 2 * rng.standard_normal((500, 1)))
    before = np.linalg.svd(z, compute_uv=False)[0] ** 2 / 500
    assert before > 150
    assert flipped(z, 3, rng).max() < 6


def counted(x, seed=0):
    leading = Leading.of(x, 30, seed)
    rng = np.random.default_rng(seed)
    return beyond_chance(standardised(x), leading.scores, leading.eigenvalues, 5, rng)


@pytest.mark.parametrize("shape", [(8, 100), (30, 1000), (100, 2000), (60, 60)])
def test_few_rows_of_noise_have_no_direction_and_one_strong_factor_is_one(shape):
    """Without regard to the dimensions that are left, all directions would be found."""
    rng = np.random.default_rng(8)
    x = rng.standard_normal(shape)
    assert counted(x)[1] == 0
    factor = 3 * np.sign(np.arange(shape[0]) % 2 - 0.5)[:, None]
    assert counted(x + factor * rng.standard_normal(shape[1]))[1] == 1


def test_crowding_is_the_ratio_of_edges():
    """Noise in a subspace against the same noise with random signs, 40 of 80 directions gone."""
    rng = np.random.default_rng(9)
    n, p, k = 80, 400, 40
    z = standardised(rng.standard_normal((n, p)))
    u = np.linalg.qr(rng.standard_normal((n, k)))[0]
    v = np.linalg.qr(rng.standard_normal((p, k)))[0]
    left = z - u @ (u.T @ z)
    left -= (left @ v) @ v.T
    top = np.linalg.svd(left, compute_uv=False)[0] ** 2 / n
    spread = flipped(left, 5, rng).mean()
    assert spread < 0.7 * top
    # Rows keep unequal shares, which only makes the threshold more careful.
    assert top < crowding(n, p, k) * spread < 1.2 * top
    assert crowding(10, 50, 9) == np.inf


@pytest.mark.parametrize("shape", [(300, 600), (900, 300)])
@pytest.mark.parametrize("rank", [1, 5, 12])
def test_a_planted_rank_is_recovered(shape, rank):
    """Factors of unequal strength: the strong ones must not hide the weak ones."""
    rng = np.random.default_rng(4)
    factors = rng.standard_normal((shape[0], rank)) * np.linspace(0.3, 1.0, rank)
    x = factors @ rng.standard_normal((rank, shape[1])) + rng.standard_normal(shape)
    threshold, number = counted(x)
    assert number == rank
    assert np.isfinite(threshold).all()


def test_uncorrelated_columns_have_no_direction():
    rng = np.random.default_rng(5)
    assert sum(counted(rng.standard_normal((300, 400)), seed)[1] for seed in range(5)) == 0


def test_rows_that_differ_in_noise_are_no_direction():
    """Cells of very different depth, no structure: depth is the one direction, if any.

    Permuting genes over all cells would find eight and more.
    """
    rng = np.random.default_rng(6)
    size = np.exp(rng.normal(0, 1.0, (900, 1)))
    counts = rng.poisson(size * np.exp(rng.normal(-0.5, 1.2, 600)))
    total = counts.sum(axis=1, keepdims=True)
    x = np.log1p(counts / (total / np.median(total)))
    assert counted(x)[1] == 1
    z = standardised(x)
    permuted = np.linalg.svd(rng.permuted(z, axis=0), compute_uv=False)[0] ** 2 / 900
    assert (Leading.of(x, 30, 0).eigenvalues > permuted).sum() >= 8


def test_rank_of_the_matrix_is_the_most():
    rng = np.random.default_rng(7)
    x = rng.standard_normal((200, 2)) @ rng.standard_normal((2, 100))
    x[:, 7] = 1.0
    leading = Leading.of(x, 30, 0)
    assert leading.total == 99
    assert leading.eigenvalues[:2].sum() == pytest.approx(99)
    assert counted(x)[1] == 2
