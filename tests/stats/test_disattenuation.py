"""Correlations without noise: against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from infocheck.stats import disattenuation


def cov(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.cov(x, y, bias=True)[0, 1])


def test_covariances_without_each_group():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((60, 14))
    second = first + rng.standard_normal((60, 14))
    group = rng.permutation(60) % 6
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], np.arange(6))
    found = disattenuation.left_out(first[order].T, second[order].T, start)
    for gene in range(first.shape[1]):
        assert found[0, gene] == pytest.approx(cov(first[:, gene], second[:, gene]))
        for k in range(6):
            rest = group != k
            assert found[1 + k, gene] == pytest.approx(cov(first[rest, gene], second[rest, gene]))


def test_interval_of_a_ratio_against_a_grid():
    top, bottom = np.array([0.3, 0.05, -0.4, 0.1]), np.array([0.6, 0.4, 0.5, 0.02])
    variances = (
        np.array([0.004, 0.003, 0.001, 0.001]),
        np.array([0.005, 0.001, 0.002, 0.001]),
        np.array([0.001, -0.0005, -0.001, 0.0]),
    )
    ratio, low, high = disattenuation.correlation_interval(top, bottom, variances, 20)
    limit = student.ppf(0.975, 19) ** 2
    grid = np.linspace(-1, 1, 200_001)
    for i in range(3):
        spread = variances[0][i] - 2 * grid * variances[2][i] + grid**2 * variances[1][i]
        allowed = grid[(top[i] - grid * bottom[i]) ** 2 <= limit * spread]
        assert ratio[i] == pytest.approx(top[i] / bottom[i])
        assert (low[i], high[i]) == pytest.approx((allowed.min(), allowed.max()), abs=2e-5)
    assert np.isnan([ratio[3], low[3], high[3]]).all()
