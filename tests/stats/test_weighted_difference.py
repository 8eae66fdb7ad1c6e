"""Differences within strata against the regression that defines them."""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm

from infocheck.stats.weighted_difference import within_strata


def test_equals_the_coefficient_of_a_regression_with_strata():
    rng = np.random.default_rng(2)
    n = 90
    stratum, arm = rng.integers(3, size=n), rng.integers(2, size=n)
    values = rng.normal(size=(n, 4)) + stratum[:, None] + 0.5 * arm[:, None]
    count, total = np.zeros((3, 2)), np.zeros((3, 2, 4))
    np.add.at(count, (stratum, arm), 1)
    np.add.at(total, (stratum, arm), values)
    found = within_strata(count[:, [1]], total[:, [1]], count[:, [0]], total[:, [0]])
    design = np.column_stack([arm, np.eye(3)[stratum]]).astype(float)
    fits = [sm.OLS(values[:, g], design).fit() for g in range(4)]
    np.testing.assert_allclose(found.delta[0], [fit.params[0] for fit in fits])
    # One variance for both arms: that of the regression.
    expected = fits[0].normalized_cov_params[0, 0]
    np.testing.assert_allclose(found.per_row + found.per_reference, expected)


def test_without_a_common_stratum_nothing_is_known():
    n = np.array([[5.0], [0.0]])
    reference = np.array([[0.0], [5.0]])
    found = within_strata(n, np.ones((2, 1, 3)), reference, np.ones((2, 1, 3)))
    assert np.isnan(found.delta).all()
    assert found.weight.sum() == 0
