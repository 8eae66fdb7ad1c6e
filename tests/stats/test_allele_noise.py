"""Shared and own noise of two copies: planted parts come back."""

from __future__ import annotations

import numpy as np

from infocheck.stats.allele_noise import split


def test_parts_add_up_to_the_mean_squared_variation():
    rng = np.random.default_rng(0)
    first, second = rng.gamma(3, 2, (500, 4)), rng.gamma(3, 5, (500, 4))
    found = split(first, second)
    whole = [x.var(axis=0) / x.mean(axis=0) ** 2 for x in (first, second)]
    np.testing.assert_allclose(found.intrinsic + found.extrinsic, np.mean(whole, axis=0))


def test_planted_noise_is_told_apart():
    """Squared variations .09 shared and .04 own, 20,000 cells (seed 1)."""
    rng = np.random.default_rng(1)
    shared = 1 + 0.3 * rng.standard_normal((20_000, 30))
    copies = [shared * (1 + 0.2 * rng.standard_normal(shared.shape)) for _ in range(2)]
    found = split(*copies)
    np.testing.assert_allclose(found.extrinsic.mean(), 0.09, rtol=0.03)
    # Own noise multiplies what is shared: .04 (1 + .09).
    np.testing.assert_allclose(found.intrinsic.mean(), 0.04 * 1.09, rtol=0.03)
    np.testing.assert_allclose(found.extrinsic_share.mean(), 0.09 / (0.09 + 0.0436), rtol=0.03)


def test_genes_without_values_are_unknown():
    found = split(np.zeros((5, 1)), np.ones((5, 1)))
    assert np.isnan(found.intrinsic[0])
    assert np.isnan(found.extrinsic_share[0])
