"""Shares of variance against statsmodels, planted shares, and coverage of their intervals."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from infocheck.stats.variance import Normal, unique_and_total


def dummies(codes):
    return (codes[:, None] == np.arange(codes.max() + 1)).astype(float)


def normal(y, *parts):
    x = np.hstack(parts)
    x, yc = x - x.mean(axis=0), y - y.mean(axis=0)
    return Normal(len(y), x.T @ x, x.T @ yc, (yc * yc).sum(axis=0))


def test_adjusted_r2_equals_statsmodels():
    rng = np.random.default_rng(0)
    batch, donor = rng.integers(3, size=90), rng.integers(4, size=90)
    y = rng.normal(size=(90, 5)) + batch[:, None]
    parts = dummies(batch), dummies(donor)
    value = normal(y, *parts).adjusted(np.arange(7))
    x = sm.add_constant(np.hstack([parts[0][:, 1:], parts[1][:, 1:]]))
    expected = [sm.OLS(y[:, k], x).fit().rsquared_adj for k in range(5)]
    assert value == pytest.approx(expected, abs=1e-10)


def test_planted_share_is_recovered():
    """Batch holds 30 % of the variance; accepted within .02 over 2,000 genes (seed 1)."""
    rng = np.random.default_rng(1)
    levels = 60
    batch = np.repeat(np.arange(levels), 20)
    y = np.sqrt(0.3) * rng.normal(size=(levels, 2000))[batch]
    y += np.sqrt(0.7) * rng.normal(size=y.shape)
    share = normal(y, dummies(batch)).adjusted(np.arange(levels))
    assert share.mean() == pytest.approx(0.3, abs=0.02)


def test_a_factor_without_effect_gets_no_share():
    rng = np.random.default_rng(2)
    batch = rng.integers(10, size=200)
    share = normal(rng.normal(size=(200, 3000)), dummies(batch)).adjusted(np.arange(10))
    assert abs(share.mean()) < 0.005


def test_unique_and_total_agree_when_balanced_and_part_when_aliased():
    rng = np.random.default_rng(3)
    a, b = np.repeat([0, 1], 100), np.tile([0, 1], 100)
    y = (a + b)[:, None] * 1.0 + rng.normal(size=(200, 50))
    columns = {"a": np.arange(2), "b": np.arange(2, 4)}
    unique, total = unique_and_total(normal(y, dummies(a), dummies(b)), columns)["a"]
    assert unique == pytest.approx(total, abs=0.01)
    unique, total = unique_and_total(normal(y, dummies(a), dummies(a)), columns)["a"]
    assert np.all(np.abs(unique) < 1e-9)
    assert total.mean() > 0.1


def test_constant_genes_have_no_share():
    y = np.hstack([np.ones((40, 1)), np.random.default_rng(0).normal(size=(40, 1))])
    share = normal(y, dummies(np.repeat([0, 1], 20))).adjusted(np.arange(2))
    assert np.isnan(share[0])
    assert np.isfinite(share[1])
