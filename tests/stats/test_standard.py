"""Columns on a common scale: as scikit-learn has them, constant ones are nothing."""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import StandardScaler

from infocheck.stats.standard import standardised


def test_equals_scikit_learn():
    values = np.random.default_rng(0).normal(5, [1.0, 20.0, 0.01], size=(40, 3))
    assert np.allclose(standardised(values), StandardScaler().fit_transform(values), atol=1e-10)


def test_constant_columns_and_those_of_rounding_become_zero():
    rng = np.random.default_rng(1)
    values = np.column_stack([np.full(30, 0.1), rng.normal(size=30) * 1e-8, rng.normal(size=30)])
    found = standardised(values, np.array([1e-12, 1e-6, 1e-12]))
    assert (found[:, :2] == 0).all()
    assert np.isclose(found[:, 2].std(), 1)
