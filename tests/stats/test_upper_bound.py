"""The bound: what a direct simulation reaches, and the interval of one more network."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from infocheck.stats.heritability import heritability
from infocheck.stats.partial import Shrunken
from infocheck.stats.spike_in import Regulators, replicate
from infocheck.stats.upper_bound import one_more, simulated


def in_order(function, tasks):
    return [function(task) for task in tasks]


@pytest.fixture(scope="module")
def system():
    rng = np.random.default_rng(1)
    z = rng.standard_normal((300, 15))
    y = z[:, :10] + rng.standard_normal((300, 10))
    correlation = np.corrcoef(np.hstack([z, y]), rowvar=False)
    gram, cross = correlation[:15, :15], correlation[:15, 15:]
    return gram, heritability(gram, cross, 300)


def test_each_network_is_a_replicate_of_its_own_stream(system):
    gram, explained = system
    settings = {"replicates": 3, "targets": 20, "mapped": in_order}
    found = simulated(gram, explained, 300, 0.1, rng=np.random.default_rng(2), **settings)
    again = simulated(gram, explained, 300, 0.1, rng=np.random.default_rng(2), **settings)
    assert found == again
    draw = np.random.default_rng(2).spawn(3)[1]
    r2 = draw.choice(explained.grid, 20, p=explained.prior)
    expected = replicate(Regulators.of(gram, 300), Shrunken.of(gram, 0.1), r2, draw)
    assert found[1] == expected


def test_fewer_observations_lower_the_bound(system):
    gram, explained = system

    def reached(n):
        rng = np.random.default_rng(3)
        found = simulated(
            gram, explained, n, 0.1, replicates=5, targets=40, rng=rng, mapped=in_order
        )
        return np.mean([one["correlation"][0] for one in found])

    assert reached(300) > reached(30) + 0.1


def test_one_more_is_a_prediction_interval():
    values = np.array([0.2, 0.3, 0.25, 0.35])
    estimate, low, high = one_more(values, 0.02)
    half = t.ppf(0.975, 3) * values.std(ddof=1) * np.sqrt(1.25)
    assert (estimate, low, high) == pytest.approx((0.295, 0.295 - half, 0.295 + half))
    assert one_more(np.array([0.99, 1.0, 1.0]), 0.02)[::2] == pytest.approx((1.0, 1.0))
