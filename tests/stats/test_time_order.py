"""Asymmetry in time: partial correlations by residuals, planted lags, drivers in common."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.stats import time_order
from infocheck.stats.time_order import Transitions


def memory(rng, series, length, genes, keep=0.7):
    x = np.empty((series, length, genes))
    x[:, 0] = rng.standard_normal((series, genes))
    for i in range(1, length):
        fresh = rng.standard_normal((series, genes))
        x[:, i] = keep * x[:, i - 1] + np.sqrt(1 - keep**2) * fresh
    return x


def later(x):
    """The same one sample later."""
    return np.concatenate([x[:, :1], x[:, :-1]], axis=1)


def residual(y, x):
    x = np.column_stack([np.ones(len(x)), x])
    return y - x @ np.linalg.lstsq(x, y, rcond=None)[0]


def test_asymmetry_equals_correlations_of_residuals():
    rng = np.random.default_rng(0)
    first, second = memory(rng, 4, 9, 3), memory(rng, 4, 9, 2)
    before, after = Transitions.of(list(first)), Transitions.of(list(second))
    assert len(before.series) == 4 * 8
    found = time_order.asymmetry(before, after)
    for i in range(3):
        for j in range(2):
            x, x1 = before.now[:, i], before.then[:, i]
            y, y1 = after.now[:, j], after.then[:, j]
            forward = np.corrcoef(residual(x, y), residual(y1, y))[0, 1]
            backward = np.corrcoef(residual(y, x), residual(x1, x))[0, 1]
            assert found[i, j] == pytest.approx(abs(forward) - abs(backward), abs=1e-10)


def test_swapping_the_genes_swaps_the_sign():
    rng = np.random.default_rng(1)
    a, b = (Transitions.of(list(memory(rng, 3, 12, 4))) for _ in range(2))
    np.testing.assert_allclose(time_order.asymmetry(a, b), -time_order.asymmetry(b, a).T)


def test_genes_without_variance_lead_nothing():
    rng = np.random.default_rng(2)
    flat = np.ones((3, 10, 1))
    found = time_order.asymmetry(
        Transitions.of(list(flat)), Transitions.of(list(memory(rng, 3, 10, 2)))
    )
    assert found[0, 0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("series", "length"), [(10, 21), (40, 6), (3, 40)])
def test_planted_lags_are_found_and_drivers_in_common_are_not(series, length):
    """Ten data sets of each kind, seeds 0 to 9; one pair in twenty is directed."""
    pairs = np.ones((20, 30), dtype=bool)
    told = {"none": [], "driver": [], "lag": [], "late": []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        first, second = memory(rng, series, length, 20), memory(rng, series, length, 30)
        driver = memory(rng, series, length, 1)
        parents = later(first)[:, :, rng.integers(0, 20, 30)]
        cases = {
            "none": (first, second),
            "driver": (first + driver, second + driver),
            "lag": (first, 0.6 * second + 0.8 * parents),
            "late": (first + driver, second + later(driver)),
        }
        for name, (x, y) in cases.items():
            found = time_order.order(list(x), list(y), pairs, rng)
            assert 0 <= found.low <= found.share <= found.high <= 1
            told[name].append(found.beyond_chance)
    assert sum(told["none"]) <= 1
    assert sum(told["driver"]) <= 1
    assert sum(told["lag"]) >= 9
    # An order in time without regulation: the limit that the page states.
    assert sum(told["late"]) == 10
