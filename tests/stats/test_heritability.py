"""Network heritability against brute force, another package and planted truth."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from infocheck.stats.heritability import GRID, heritability, pool


def standardise(values):
    return (values - values.mean(axis=0)) / values.std(axis=0)


def correlated(rng, n, p, *, factors=3):
    """Columns that share a few factors."""
    return rng.normal(size=(n, factors)) @ rng.normal(size=(factors, p)) + rng.normal(size=(n, p))


def targets(rng, z, shares):
    """One column per share: dense effects, variance explained in expectation = share."""
    n, p = z.shape
    signal = z @ rng.normal(size=(p, len(shares))) / np.sqrt(p)
    noise = rng.normal(size=(n, len(shares)))
    return np.sqrt(shares) * signal + np.sqrt(1 - np.asarray(shares)) * noise


def from_rows(z, y, **kwargs):
    z, y = standardise(z), standardise(y)
    return heritability(z.T @ z / len(z), z.T @ y / len(z), len(z), **kwargs)


def brute_force(z, y, h):
    """Restricted log-likelihood from the n x n covariance, mean as the fixed effect."""
    n = len(z)
    kernel = z @ z.T * (n / np.trace(z @ z.T))
    v = h * kernel + (1 - h) * np.eye(n)
    inverse, ones = np.linalg.inv(v), np.ones((n, 1))
    information = ones.T @ inverse @ ones
    project = inverse - inverse @ ones @ ones.T @ inverse / information
    logdet = np.linalg.slogdet(v)[1] + np.log(information.item())
    return -0.5 * (logdet + (n - 1) * np.log(y @ project @ y))


@pytest.mark.parametrize(("n", "p"), [(60, 8), (40, 39), (40, 40), (30, 80), (25, 24)])
def test_equals_the_restricted_likelihood_of_the_rows(n, p):
    rng = np.random.default_rng(1)
    z = standardise(correlated(rng, n, p))
    y = standardise(targets(rng, z, [0.1, 0.5, 0.9]))
    found = from_rows(z, y).loglik
    for j in range(3):
        expected = np.array([brute_force(z, y[:, j], h) for h in GRID])
        assert np.ptp(found[:, j] - expected) < 1e-8


@pytest.mark.parametrize(("n", "p"), [(60, 8), (40, 40), (30, 80), (30, 29)])
def test_a_target_among_the_regulators_is_dropped_from_them(n, p):
    rng = np.random.default_rng(2)
    z = standardise(correlated(rng, n, p))
    inside = [0, 3, p - 1]
    y = np.column_stack([z[:, inside], targets(rng, z, [0.5])])
    found = from_rows(z, y, own=np.array([*inside, -1])).loglik
    for column, j in enumerate(inside):
        rest = np.delete(z, j, axis=1)
        expected = np.array([brute_force(rest, z[:, j], h) for h in GRID])
        assert np.ptp(found[:, column] - expected) < 1e-8
    assert np.allclose(found[:, 3], from_rows(z, y[:, 3:]).loglik[:, 0], atol=1e-9)


def test_repeated_rows_with_the_effective_number_change_nothing():
    rng = np.random.default_rng(3)
    z = standardise(correlated(rng, 50, 12))
    y = standardise(targets(rng, z, [0.4]))
    twice_z, twice_y = np.repeat(z, 2, axis=0), np.repeat(y, 2, axis=0)
    once = from_rows(z, y)
    twice = heritability(twice_z.T @ twice_z / 100, twice_z.T @ twice_y / 100, 50.0)
    assert np.allclose(once.h2, twice.h2, atol=1e-10)


def test_a_fraction_and_fewer_observations_than_directions_give_finite_numbers():
    rng = np.random.default_rng(4)
    z = standardise(correlated(rng, 60, 40))
    y = standardise(targets(rng, z, [0.4, 0.1]))
    own = np.array([-1, -1, 5])
    cross = np.column_stack([z.T @ y / 60, (z.T @ z / 60)[:, 5]])
    for n in (59.5, 20.5, 41.0, 3.0):
        found = heritability(z.T @ z / 60, cross, n, own)
        assert np.isfinite(found.loglik).all()
        assert ((found.h2 > 0) & (found.h2 < 1)).all()


def test_the_mode_is_that_of_a_mixed_model_in_statsmodels():
    """With group dummies for regulators the model is the classic random intercept."""
    import statsmodels.api as sm

    rng = np.random.default_rng(5)
    groups, size = 20, 10
    label = np.repeat(np.arange(groups), size)
    y = 0.8 * rng.normal(size=groups)[label] + rng.normal(size=groups * size)
    dummies = (label[:, None] == np.arange(groups)).astype(float)
    fit = sm.MixedLM(y, np.ones((len(y), 1)), groups=label).fit(reml=True)
    between, within = float(np.asarray(fit.cov_re).item()), fit.scale

    # Equal groups: dummies have equal variance, and centring is the projected mean.
    found = from_rows(dummies, y[:, None])
    z = standardise(dummies)
    best = minimize_scalar(
        lambda h: -brute_force(z, standardise(y), h), bounds=(0.01, 0.97), method="bounded"
    ).x
    # Per row the standardised kernel is that of the intercepts, centred, with trace 1.
    centred = between * (1 - 1 / groups)
    assert best == pytest.approx(centred / (centred + within), abs=1e-3)
    assert abs(found.grid[found.loglik[:, 0].argmax()] - best) <= 0.5 * np.diff(GRID).max()


def test_em_never_loses_likelihood():
    rng = np.random.default_rng(6)
    z = correlated(rng, 80, 20)
    loglik = from_rows(z, targets(rng, z, np.repeat([0.02, 0.3, 0.7], 20))).loglik
    prior, trace = pool(loglik)
    assert len(trace) > 3
    assert (np.diff(trace) > -1e-9).all()
    assert prior.sum() == pytest.approx(1)
    top = loglik.max(axis=0)
    final = (np.log(prior @ np.exp(loglik - top)) + top).sum()
    assert final >= trace[0]


def test_independent_targets_put_the_mass_near_zero():
    rng = np.random.default_rng(7)
    z = correlated(rng, 400, 40)
    found = from_rows(z, rng.normal(size=(400, 100)))
    assert found.prior[GRID < 0.05].sum() > 0.95
    assert found.pooled.max() < 0.05
    assert found.h2.mean() < 0.06


def test_planted_shares_are_recovered_on_average():
    rng = np.random.default_rng(8)
    z = standardise(rng.normal(size=(500, 50)))
    shares = np.repeat([0.1, 0.4, 0.8], 60)
    found = from_rows(z, targets(rng, z, shares))
    for share in (0.1, 0.4, 0.8):
        assert found.h2[shares == share].mean() == pytest.approx(share, abs=0.04)
        assert found.pooled[shares == share].mean() == pytest.approx(share, abs=0.04)


def test_pooling_reduces_the_bias_of_few_observations():
    rng = np.random.default_rng(9)
    z = correlated(rng, 40, 60)
    found = from_rows(z, targets(rng, z, np.full(120, 0.1)))
    assert abs(found.pooled.mean() - 0.1) < abs(found.h2.mean() - 0.1)
