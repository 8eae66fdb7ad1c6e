"""Simulated targets: regulators, explained variance and steps are those that were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.stats.planted import STEP_NOISE, Planted


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40_000, 12)) + rng.standard_normal((40_000, 1))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    share = rng.uniform(0.05, 0.9, 60)
    return z, Planted.of(z.T @ z / len(z), share, rng), rng


def test_linear_targets_have_the_explained_variance(made):
    """R² of least squares on the planted regulators; standard error below .005."""
    z, planted, rng = made
    y = planted.linear_values(z, rng.standard_normal((len(z), 60)))
    assert y.var(axis=0) == pytest.approx(np.ones(60), abs=0.05)
    weights = planted.linear.toarray()
    for target in range(60):
        parents = np.flatnonzero(weights[:, target])
        assert 1 <= len(parents) <= 8
        fitted = z[:, parents] @ np.linalg.lstsq(z[:, parents], y[:, target])[0]
        assert fitted.var() / y[:, target].var() == pytest.approx(planted.share[target], abs=0.02)


def test_steps_are_products_of_single_steps(made):
    z, planted, rng = made
    noise = rng.standard_normal((len(z), 60))
    y = planted.step_values(z, noise)
    parents = planted.steps.toarray() != 0
    expected = np.stack([(z[:, parents[:, k]] > 0).all(axis=1) for k in range(60)], axis=1)
    assert np.abs(y - STEP_NOISE * noise - expected).max() < 1e-12


def test_steps_have_one_to_many_regulators():
    """max(1, Poisson(2)): a share of e^-2 + 2e^-2 has one, the mean is 2 + e^-2."""
    rng = np.random.default_rng(2)
    number = Planted.of(np.eye(50), np.full(4000, 0.5), rng).steps.sum(axis=0)
    assert number.min() == 1
    assert (number == 1).mean() == pytest.approx(3 * np.exp(-2), abs=0.03)
    assert number.mean() == pytest.approx(2 + np.exp(-2), abs=0.08)


@pytest.mark.parametrize("p", [1, 2])
def test_few_regulators_are_enough(p):
    rng = np.random.default_rng(3)
    planted = Planted.of(np.eye(p), np.full(20, 0.5), rng)
    assert (planted.steps.sum(axis=0) >= 1).all()
    z = rng.standard_normal((30, p))
    assert np.isfinite(planted.linear_values(z, rng.standard_normal((30, 20)))).all()
