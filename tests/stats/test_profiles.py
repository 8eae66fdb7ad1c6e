"""Scores of profiles against SciPy, and against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from infocheck.stats.profiles import (
    correlation,
    direction,
    overlap,
    products,
    squared_error,
    strongest,
)


@pytest.fixture
def profiles():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4, 30))
    return a, a + rng.normal(size=(4, 30)), rng.random((4, 30)) < 0.8


def test_correlation_is_that_of_scipy_over_the_genes_that_count(profiles):
    a, b, counted = profiles
    expected = [pearsonr(x[c], y[c])[0] for x, y, c in zip(a, b, counted, strict=True)]
    np.testing.assert_allclose(correlation(a, b, counted), expected, atol=1e-12)


def test_products_and_error_are_those_of_numpy(profiles):
    a, b, counted = profiles
    rows = list(zip(a, b, counted, strict=True))
    np.testing.assert_allclose(
        products(a, b, counted, centred=True),
        [np.cov(x[c], y[c], ddof=0)[0, 1] for x, y, c in rows],
        atol=1e-12,
    )
    np.testing.assert_allclose(
        squared_error(a, b, counted), [((x[c] - y[c]) ** 2).mean() for x, y, c in rows]
    )


def test_lists_and_directions_by_brute_force(profiles):
    a, b, counted = profiles
    shared, right = overlap(a, b, counted, 5), direction(a, b, counted, 5)
    for row, (x, y, c) in enumerate(zip(a, b, counted, strict=True)):
        genes = np.flatnonzero(c)
        first = set(genes[np.argsort(-np.abs(x[genes]))[:5]])
        second = set(genes[np.argsort(-np.abs(y[genes]))[:5]])
        assert set(np.flatnonzero(strongest(x[None], c[None], 5)[0])) == first
        assert shared[row] == pytest.approx(len(first & second) / 5)
        assert right[row] == pytest.approx(np.mean([x[g] * y[g] > 0 for g in second]))


def test_no_change_has_no_correlation_and_the_direction_of_a_coin(profiles):
    _, b, counted = profiles
    nothing = np.zeros_like(b)
    assert correlation(nothing, b, counted).tolist() == [0, 0, 0, 0]
    assert direction(nothing, b, counted, 5).tolist() == [0.5] * 4


def test_a_row_that_is_not_finite_has_no_score(profiles):
    a, b, counted = profiles
    b = b.copy()
    b[1] = np.nan
    assert np.isnan(correlation(a, b, counted)).tolist() == [False, True, False, False]
