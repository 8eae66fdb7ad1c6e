"""Gain over decoys: the R² is ridge's own, z and its interval are those of the formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from infocheck.stats.decoy_gain import mean_gain, predicted, z_over_targets
from infocheck.stats.resampling import half_interval
from infocheck.stats.ridge import cross_validated
from infocheck.stats.sums import CrossSums


def in_order(function, tasks):
    return [function(task) for task in tasks]


def test_predicted_is_cross_validated_ridge_on_these_columns():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((150, 12))
    rows[:, 9:] += rows[:, [1, 3, 5]]
    fold = np.arange(150) % 5
    predictors, targets = np.array([1, 3, 5]), np.array([9, 10, 11])
    found = predicted(rows, fold, 5, predictors, targets, in_order)
    chosen = rows[:, [1, 3, 5, 9, 10, 11]]
    folds = [CrossSums.of(chosen[fold == k], 3) for k in range(5)]
    assert found == pytest.approx(cross_validated(folds, np.arange(3, 6)).r2)
    assert (found > 0.3).all()
    others = predicted(rows, fold, 5, np.array([0, 2, 4]), targets, in_order)
    assert (others < 0.1).all()


def test_z_is_the_mean_of_t_statistics():
    gains = np.random.default_rng(2).normal(0.1, 0.3, (60, 3))
    estimate, low, high = z_over_targets(gains)
    each = ttest_1samp(gains, 0.0).statistic
    assert estimate == pytest.approx(each.mean())
    among = each.std(ddof=1) * math.sqrt(4 / 3)
    half = math.hypot(1.959964, t.ppf(0.975, 2) * among)
    assert (low, high) == pytest.approx((estimate - half, estimate + half), rel=1e-6)
    assert half_interval(math.inf) == pytest.approx(1.959964, abs=1e-6)


def test_z_is_zero_where_nothing_differs():
    assert z_over_targets(np.zeros((5, 3)))[0] == 0


def test_interval_of_the_gain_covers_the_mean_over_targets_and_sets():
    """Targets and sets each have an effect of their own; 400 draws, at least 93 % covered."""
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        own = rng.normal(0, 0.02)  # what these regulators happen to hold
        gains = 0.05 + own + rng.normal(0, 0.1, (50, 1)) - rng.normal(0, 0.02, 3)
        _, low, high = mean_gain(gains + rng.normal(0, 0.02, gains.shape))
        inside += low <= 0.05 <= high
    assert inside / 400 > 0.93


def test_interval_of_the_gain_without_spread_over_sets_is_that_of_targets():
    gains = np.repeat(np.random.default_rng(4).normal(0.1, 0.2, (80, 1)), 3, axis=1)
    estimate, low, high = mean_gain(gains)
    error = gains[:, 0].std(ddof=1) / math.sqrt(80)
    assert (estimate, high - low) == pytest.approx((gains.mean(), 2 * 1.959964 * error), rel=1e-6)
