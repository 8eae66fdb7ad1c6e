"""Simulated targets without rows against simulated rows."""

import numpy as np
import pytest

from infocheck.stats.partial import Shrunken
from infocheck.stats.spike_in import Regulators, random_weights, replicate


def rows(n, p, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2)) @ rng.normal(size=(2, p)) + rng.normal(size=(n, p))
    return (z - z.mean(axis=0)) / z.std(axis=0)


@pytest.mark.parametrize(("n", "p", "share"), [(120, 5, 0.4), (20, 5, 0.7), (12, 30, 0.5)])
def test_correlations_are_distributed_as_those_of_rows(monkeypatch, n, p, share):
    """Mean and covariance within Monte-Carlo error, 40,000 draws, seeds 1 and 2."""
    z, draws = rows(n, p), 40_000
    gram = z.T @ z / n
    weights = random_weights(p, 1, np.random.default_rng(5))
    monkeypatch.setattr(
        "infocheck.stats.spike_in.random_weights", lambda p, m, rng: np.repeat(weights, m, axis=1)
    )
    made = Regulators.of(gram, n).targets(np.full(draws, share), np.random.default_rng(1)).r

    b = weights[:, 0] * np.sqrt(share / (weights[:, 0] @ gram @ weights[:, 0]))
    noise = np.random.default_rng(2).normal(size=(n, draws)) * np.sqrt(1 - share)
    y = (z @ b)[:, None] + noise
    y = (y - y.mean(axis=0)) / y.std(axis=0)
    expected = z.T @ y / n

    assert np.abs(made).max() <= 1 + 1e-9
    error = expected.std(axis=1) / np.sqrt(draws / 2)
    assert (np.abs(made.mean(axis=1) - expected.mean(axis=1)) < 4.5 * error).all()
    size = expected.var(axis=1).max()
    assert np.abs(np.cov(made) - np.cov(expected)).max() < 0.04 * size


def test_parents_are_few_and_as_many_as_stated():
    rng = np.random.default_rng(3)
    weights = random_weights(50, 4000, rng)
    number = (weights != 0).sum(axis=0)
    assert number.min() == 1
    assert number.max() == 8
    assert (number == 1).mean() == pytest.approx(0.4, abs=0.03)
    size = np.abs(weights[weights != 0])
    assert size.min() >= 0.5
    assert size.max() <= 1.5
    assert (weights[weights != 0] > 0).mean() == pytest.approx(0.5, abs=0.02)
    # No regulator is left without targets, none is preferred.
    assert (weights != 0).sum(axis=1) == pytest.approx(np.full(50, number.sum() / 50), rel=0.25)
    assert (random_weights(3, 100, rng) != 0).sum(axis=0).max() == 2


def test_more_signal_and_more_rows_find_more():
    z = rows(400, 30)
    gram = z.T @ z / 400
    model = Shrunken.of(gram, 0.02)

    def best(n, share):
        found = replicate(
            Regulators.of(gram, n), model, np.full(150, share), np.random.default_rng(6)
        )
        return max(pooled for pooled, _ in found.values())

    assert abs(best(400, 0.0)) < 0.05
    assert best(400, 0.05) < best(400, 0.2) < best(400, 0.8)
    assert best(40, 0.3) < best(400, 0.3) < best(40_000, 0.3)
    assert best(1e6, 0.9) > 0.85
