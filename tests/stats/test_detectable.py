"""Smallest effects against statsmodels and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from infocheck.stats.detectable import smallest_difference, smallest_share


@pytest.mark.parametrize(("a", "b", "level"), [(5, 5, 0.05), (3, 8, 0.001), (40, 20, 0.01)])
def test_two_groups_equal_statsmodels(a, b, level):
    expected = TTestIndPower().solve_power(None, a, level, 0.8, ratio=b / a)
    assert smallest_difference(a, b, paired=False, level=level) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("n", "level"), [(4, 0.05), (12, 0.001)])
def test_pairs_equal_statsmodels(n, level):
    expected = TTestPower().solve_power(None, n, level, 0.8)
    assert smallest_difference(n, n, paired=True, level=level) == pytest.approx(expected, rel=1e-3)


def test_without_replicates_nothing_is_found():
    assert smallest_difference(1, 1, paired=True, level=0.05) == math.inf
    assert smallest_difference(1, 1, paired=False, level=0.05) == math.inf
    assert smallest_share(3, level=0.05) == 1.0


def test_the_smallest_share_is_found_in_four_of_five_studies():
    rng = np.random.default_rng(3)
    n, level = 60, 0.001
    r = math.sqrt(smallest_share(n, level=level))
    x = rng.normal(size=(4000, n))
    y = r * x + math.sqrt(1 - r * r) * rng.normal(size=x.shape)
    found = np.mean([stats.pearsonr(a, b).pvalue < level for a, b in zip(x, y, strict=True)])
    assert found == pytest.approx(0.8, abs=0.03)
