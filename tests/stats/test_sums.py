"""Sums over rows against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infocheck.stats.sums import CrossSums


def data(n=60, g=7, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, g)) @ rng.normal(size=(g, g)) + offset


def test_correlation_equals_numpy():
    x = data()
    assert np.allclose(
        CrossSums.of(x, 3).correlation(), np.corrcoef(x, rowvar=False)[:3], atol=1e-12
    )


@given(cut=st.integers(0, 60), seed=st.integers(0, 20))
def test_sums_of_parts_equal_sums_of_the_whole(cut, seed):
    x = data(seed=seed)
    parts = CrossSums.of(x[:cut], 3, fourth=True) + CrossSums.of(x[cut:], 3, fourth=True)
    whole = CrossSums.of(x, 3, fourth=True)
    for name in ("n", "total", "squares", "gram", "fourth", "third"):
        assert np.allclose(getattr(parts, name), getattr(whole, name), atol=1e-8)


def test_subtraction_undoes_addition():
    x, y = data(seed=1), data(seed=2)
    rest = CrossSums.of(np.vstack([x, y]), 3) - CrossSums.of(y, 3)
    assert np.allclose(rest.correlation(), CrossSums.of(x, 3).correlation(), atol=1e-10)


def test_correlation_noise_equals_the_definition_on_standardised_rows():
    x = data(offset=0.7)
    p, n = 4, len(x)
    z = (x[:, :p] - x[:, :p].mean(axis=0)) / x[:, :p].std(axis=0)
    r = z.T @ z / n
    variance = ((z**2).T @ z**2 / n - r**2) / (n - 1)
    expected = variance.sum() - np.trace(variance)
    assert CrossSums.of(x, p, fourth=True).correlation_noise() == pytest.approx(expected, rel=1e-10)


def test_constant_columns_correlate_with_nothing():
    x = data()
    x[:, 1] = 3.3
    r = CrossSums.of(x, 3).correlation()
    assert np.all(r[1] == 0)
    assert np.all(r[:, 1] == 0)
    assert np.isfinite(r).all()


def test_fourth_moments_must_have_been_taken():
    with pytest.raises(ValueError, match="without fourth moments"):
        CrossSums.of(data(), 3).correlation_noise()
