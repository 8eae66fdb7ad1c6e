"""Adjusted p-values against statsmodels."""

from __future__ import annotations

import numpy as np
from statsmodels.stats.multitest import multipletests

from infocheck.stats.false_discovery import adjusted


def test_equal_statsmodels_in_any_shape():
    rng = np.random.default_rng(4)
    p = np.concatenate([rng.uniform(size=200), rng.uniform(0, 1e-3, 30)])
    expected = multipletests(p, method="fdr_bh")[1]
    np.testing.assert_allclose(adjusted(p.reshape(10, 23)).ravel(), expected)


def test_what_is_unknown_stays_so_and_counts_for_nothing():
    found = adjusted(np.array([np.nan, 0.01, 0.02, np.nan]))
    np.testing.assert_allclose(found, [np.nan, 0.02, 0.02, np.nan])
    assert np.isnan(adjusted(np.array([np.nan, np.nan]))).all()
