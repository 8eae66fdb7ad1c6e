"""Learning curve: closed form, planted one-signal scores, refusals."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import spearmanr

from infocheck.stats.learning import Point, exponent, forecast, grown, points
from infocheck.stats.stability import Edges
from infocheck.stats.sums import CrossSums


def here(function, tasks):
    return [function(task) for task in tasks]


def test_grown_is_the_formula_for_lengthened_tests():
    """Two parallel tests of k items: simulated for one signal of variance 1 (seed 0)."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=200_000)

    def agreement(n, noise=9.0):
        a, b = (signal + rng.normal(scale=np.sqrt(noise / n), size=len(signal)) for _ in "ab")
        return np.corrcoef(a, b)[0, 1]

    assert grown(agreement(2), 2) == pytest.approx(agreement(4), abs=0.012)
    assert grown(agreement(2), 4) == pytest.approx(agreement(8), abs=0.012)
    assert grown(0.4, 1) == 0.4
    assert grown(grown(0.2, 2), 3) == pytest.approx(grown(0.2, 6))


@pytest.mark.parametrize("value", [0.0, -0.1])
def test_nothing_grows_from_nothing(value):
    assert grown(value, 2) == value


@pytest.mark.parametrize("power", [0.5, 1.0, 1.4])
def test_the_exponent_of_a_planted_curve_is_found_and_carried_on(power):
    curve = [Point(rows, grown(0.05, rows / 50, power), 1) for rows in (50, 100, 200)]
    assert exponent(*curve[-2:]) == pytest.approx(power)
    last = curve[-1].value
    found = forecast(curve, last, last, last)
    assert found.exponent == pytest.approx(power)
    # On its own curve nothing is missed, so the band has no width.
    expected = grown(0.05, 8, power)
    assert (found.low, found.estimate, found.high) == pytest.approx([expected] * 3)


def test_the_band_is_the_interval_carried_along_and_what_was_missed():
    curve = [Point(50, 0.10, 28), Point(100, 0.20, 18), Point(200, 0.28, 3)]
    found = forecast(curve, 0.28, 0.24, 0.32)
    power = exponent(*curve[1:])
    missed = grown(0.20, 2, exponent(*curve[:2])) - 0.28
    assert missed > 0.05
    assert found.low == pytest.approx(grown(0.24, 2, power) - missed)
    assert found.high == pytest.approx(grown(0.32, 2, power) + missed)
    # Without eighths the plain formula is what missed.
    shorter = forecast(curve[1:], 0.28, 0.24, 0.32)
    assert shorter.low == pytest.approx(grown(0.24, 2, power) - (grown(0.20, 2) - 0.28))


def test_what_cannot_be_carried_on_is_not_forecast():
    half = Point(200, 0.3, 3)
    assert forecast([half], 0.3, 0.2, 0.4) is None
    assert forecast([Point(100, 0.1, 3), half], np.nan, np.nan, np.nan) is None
    assert forecast([Point(100, 0.1, 3), half], -0.01, -0.1, 0.1) is None
    with pytest.raises(ValueError, match="2 times the data, not 4"):
        forecast([Point(100, 0.1, 3), half], 0.3, 0.2, 0.4, times=4)
    # Parts that do not agree at all say nothing about the exponent.
    assert exponent(Point(100, -0.01, 3), half) == 1
    assert exponent(half, Point(200, 0.4, 3)) == 1


@pytest.mark.parametrize("own", [False, True])
def test_points_against_brute_force_on_rows(own):
    """All unions of the 8 patterns, correlations by numpy, ranks by scipy."""
    rng = np.random.default_rng(1)
    n, p, q = 400, 6, 15
    x = rng.normal(size=(n, p + q))
    x[:, p:] += x[:, :p] @ rng.normal(size=(p, q))
    sides = rng.integers(2, size=(3, n)).astype(bool)
    pattern = sides.T @ (1 << np.arange(3))
    if own:
        edges = Edges(p, np.arange(4), np.arange(4), candidates=p)
    else:
        edges = Edges(p, np.arange(p, p + q), np.full(q, -1), candidates=q)
    found = points([CrossSums.of(x[pattern == i], p) for i in range(8)], edges, here)

    def scores(inside):
        r = np.abs(np.corrcoef(x[inside].T)[:p, edges.targets])
        keep = np.ones_like(r, dtype=bool)
        keep[edges.own[edges.own >= 0], np.flatnonzero(edges.own >= 0)] = False
        return r[keep]

    for point, together in zip(found, (3, 2, 1), strict=True):
        values, rows = [], []
        for chosen in combinations(range(3), together):
            code = sides[list(chosen)].T @ (1 << np.arange(together))
            for a, b in combinations(range(2**together), 2):
                values.append(spearmanr(scores(code == a), scores(code == b)).statistic)
                rows.append(np.sqrt((code == a).sum() * (code == b).sum()))
        assert point.pairs == len(values) == {3: 28, 2: 18, 1: 3}[together]
        assert point.rows == pytest.approx(np.mean(rows))
        # Among regulators every edge is there twice: rounding breaks some of the ties.
        assert point.value == pytest.approx(np.mean(values), abs=1e-3 if own else 1e-9)


def test_parts_that_are_too_small_are_left_out():
    rng = np.random.default_rng(2)
    edges = Edges(3, np.arange(3, 8), np.full(5, -1), candidates=5)
    sizes = [0, 1, 20, 20, 20, 2, 20, 0]
    found = points([CrossSums.of(rng.normal(size=(n, 8)), 3) for n in sizes], edges, here)
    assert found[0].pairs == 6
    assert found[0].rows == 20
    tiny = [CrossSums.of(rng.normal(size=(2, 8)), 3) for _ in range(8)]
    assert [point.pairs for point in points(tiny, edges, here)] == [3]
