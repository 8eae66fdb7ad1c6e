"""Deconvolution of normal means: against unbinned likelihood, closed forms and planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from infocheck.stats.normal_means import WIDTHS, NormalMeans


def every(z):
    return np.ones(z.shape, dtype=bool)


def mixed(rng, share, width, shape):
    """Effects of which a share is not zero, and what is seen of them."""
    true = np.where(rng.random(shape) < share, width * rng.normal(size=shape), 0.0)
    return true, true + rng.normal(size=shape)


@pytest.mark.parametrize(("share", "width"), [(0.05, 6.0), (0.3, 3.0), (1.0, 1.5)])
def test_the_likelihood_is_that_of_an_optimiser_with_free_weights(share, width):
    """One profile of 2,000 effects without bins (seed 0); per effect within .005."""
    z = mixed(np.random.default_rng(0), share, width, (1, 2000))[1]
    density = norm.pdf(z[0][:, None], scale=np.sqrt(1 + WIDTHS**2))

    def loss(free):
        weights = np.exp(free - free.max())
        weights /= weights.sum()
        seen = density @ weights
        slope = weights * (1 - (density / seen[:, None]).mean(axis=0))
        return -np.log(seen).mean(), slope

    best = minimize(loss, np.zeros(len(WIDTHS)), jac=True, method="L-BFGS-B").fun
    found = -np.log(density @ NormalMeans.fit(z, every(z)).weights[0]).mean()
    assert best - 1e-3 <= found <= best + 5e-3


@pytest.mark.parametrize("width", WIDTHS[[3, 6, 10]])
def test_draws_given_one_width_have_the_moments_of_the_closed_form(width):
    weights = (width == WIDTHS).astype(float)[None]
    z = np.full((1, 40_000), 1.7)
    [drawn] = NormalMeans(weights).draws(z, 1, np.random.default_rng(1))
    shrink = width**2 / (1 + width**2)
    assert drawn.mean() == pytest.approx(1.7 * shrink, abs=0.02)
    assert drawn.var() == pytest.approx(shrink, rel=0.03)


def test_draws_from_a_mixture_have_the_posterior_mean_of_the_sum():
    rng = np.random.default_rng(2)
    weights = rng.dirichlet(np.ones(len(WIDTHS)))[None]
    for value in (0.3, -2.5, 6.0):
        z = np.full((1, 40_000), value)
        joint = weights[0] * norm.pdf(value, scale=np.sqrt(1 + WIDTHS**2))
        expected = (joint / joint.sum() * WIDTHS**2 / (1 + WIDTHS**2)).sum() * value
        [drawn] = NormalMeans(weights).draws(z, 1, rng)
        assert drawn.mean() == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("share", "width"), [(0.05, 6.0), (0.3, 3.0), (1.0, 1.5), (0.0, 1.0)])
def test_draws_are_as_large_as_the_planted_effects(share, width):
    """40 profiles of 1,000 genes (seed 3)."""
    rng = np.random.default_rng(3)
    true, z = mixed(rng, share, width, (40, 1000))
    [drawn] = NormalMeans.fit(z, every(z)).draws(z, 1, rng)
    assert (drawn**2).mean() == pytest.approx((true**2).mean(), rel=0.06, abs=0.02)
    assert (np.abs(drawn) > 2).mean() == pytest.approx((np.abs(true) > 2).mean(), abs=0.02)
    assert ((drawn - true) ** 2).mean() <= 2.2 * min(1.0, (true**2).mean()) + 0.05


def test_profiles_keep_distributions_of_their_own_and_values_that_do_not_count_change_nothing():
    rng = np.random.default_rng(4)
    quiet, loud = mixed(rng, 0.0, 1.0, (1, 800))[1], mixed(rng, 1.0, 4.0, (1, 800))[1]
    z = np.concatenate([quiet, loud])
    found = NormalMeans.fit(z, every(z))
    size = found.weights @ WIDTHS**2
    assert size[0] < 0.3
    assert size[1] == pytest.approx(16, rel=0.2)
    wild = np.concatenate([z, np.full((2, 5), 150.0)], axis=1)
    counted = np.concatenate([every(z), np.zeros((2, 5), dtype=bool)], axis=1)
    np.testing.assert_allclose(NormalMeans.fit(wild, counted).weights, found.weights)


def test_effects_beyond_the_table_are_no_crash():
    z = np.array([[1e6, -1e6, 0.0, 1.0]])
    [drawn] = NormalMeans.fit(z, every(z)).draws(z, 1, np.random.default_rng(5))
    assert np.isfinite(drawn).all()
