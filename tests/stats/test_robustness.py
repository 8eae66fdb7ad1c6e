"""Robustness values against published numbers, against construction, and benchmarks."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from infocheck.stats import robustness
from infocheck.stats.covariance_split import Split
from infocheck.stats.sums import CrossSums
from infocheck.stats.variance import Normal


def residual(y, *others):
    design = np.column_stack([np.ones(len(y)), *others])
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]


def partial(x, y, *others):
    return float(np.corrcoef(residual(x, *others), residual(y, *others))[0, 1])


@pytest.mark.parametrize(("t", "value"), [(4, 0.181), (10, 0.390), (0, 0.0)])
def test_known_values(t, value):
    assert robustness.robustness_value(t / np.sqrt(400)) == pytest.approx(value, abs=5e-4)


def test_equals_the_formula_and_the_partial_correlation():
    f = np.array([1e-6, 0.1, 1.0, 50.0])
    formula = (np.sqrt(f**4 + 4 * f**2) - f**2) / 2
    assert robustness.robustness_value(f) == pytest.approx(formula, abs=1e-10)
    r = f / np.sqrt(1 + f**2)
    assert robustness.of_correlation(-r) == pytest.approx(formula, abs=1e-6)
    assert robustness.of_correlation(np.array([0.0, 1.0, np.nan])) == pytest.approx(
        [0.0, 1.0, np.nan], nan_ok=True
    )


@pytest.mark.parametrize("r", [0.1, 0.5, -0.8])
def test_a_hidden_variable_of_this_strength_nulls_the_edge(r):
    """Constructed: partial R² of it with both ends is the value, and no edge is left."""
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(500, 4))
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0]
    x = basis[:, 0]
    y = r * basis[:, 0] + np.sqrt(1 - r**2) * basis[:, 1]
    value = float(robustness.of_correlation(r))
    # z has a correlation of a with x, and of b with what x leaves of y.
    a, b = np.sqrt(value), np.sign(r) * np.sqrt(value)
    along = b * np.sqrt(1 - a**2)
    z = a * basis[:, 0] + along * basis[:, 1] + np.sqrt(1 - a**2 - along**2) * basis[:, 2]
    assert partial(x, z) ** 2 == pytest.approx(value, abs=1e-10)
    assert partial(y, z, x) ** 2 == pytest.approx(value, abs=1e-10)
    assert partial(x, y) == pytest.approx(r, abs=1e-10)
    assert partial(x, y, z) == pytest.approx(0, abs=1e-10)
    # A slightly weaker one does not.
    assert robustness.reach(value - 0.01, value - 0.01) < value


def test_reach_of_a_variable_with_two_strengths():
    """At A with x and B with y given x the coefficient of exactly that f is nulled."""
    assert robustness.reach(0.3, 0.3) == pytest.approx(0.3, abs=1e-12)
    assert robustness.reach(-0.01, 0.5) == 0
    a, b = 0.4, 0.1
    f = np.sqrt(a * b / (1 - a))
    rng = np.random.default_rng(1)
    basis = rng.normal(size=(400, 3))
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0]
    x = basis[:, 0]
    y = basis[:, 1] + f * basis[:, 0]
    along = np.sqrt(b * (1 - a))
    z = np.sqrt(a) * x + along * basis[:, 1] + np.sqrt(1 - a - along**2) * basis[:, 2]
    assert partial(x, y, z) == pytest.approx(0, abs=1e-10)
    assert robustness.reach(a, b) == pytest.approx(float(robustness.robustness_value(f)))


def test_partial_shares_equal_statsmodels():
    """Adjusted, of a factor of four levels beside a number."""
    rng = np.random.default_rng(2)
    n = 150
    level, number = rng.integers(4, size=n), rng.normal(size=n)
    dummies = (level[:, None] == np.arange(4)).astype(float)
    y = rng.normal(size=(n, 3)) + rng.normal(size=(4, 3))[level] + number[:, None]
    design = np.column_stack([dummies, number])
    centred, x = y - y.mean(axis=0), design - design.mean(axis=0)
    normal = Normal(n, x.T @ x, x.T @ centred, (centred**2).sum(axis=0))
    sums, lead, other = CrossSums.of(y, 1), np.array([0, 0]), np.array([1, 2])

    def split(columns):
        return Split.of_pairs(sums, normal.loadings(np.array(columns)), lead, other)

    with_x, with_y = robustness.partial_shares(split(range(5)), split([4]))

    def left(target, *parts):
        return sm.OLS(target, sm.add_constant(np.column_stack(parts))).fit().mse_resid

    some = dummies[:, 1:]
    assert with_x[0] == pytest.approx(
        1 - left(y[:, 0], some, number) / left(y[:, 0], number), abs=1e-10
    )
    for k in (1, 2):
        full = left(y[:, k], some, number, y[:, 0])
        assert with_y[k - 1] == pytest.approx(1 - full / left(y[:, k], number, y[:, 0]), abs=1e-10)


def test_partial_shares_where_nothing_is_left():
    rng = np.random.default_rng(3)
    y = rng.normal(size=(12, 2))
    design = np.eye(12)
    centred, x = y - y.mean(axis=0), design - design.mean(axis=0)
    normal = Normal(12, x.T @ x, x.T @ centred, (centred**2).sum(axis=0))
    sums, none = CrossSums.of(y, 1), np.empty(0, np.int64)
    parts = [
        Split.of_pairs(sums, normal.loadings(columns), np.array([0]), np.array([1]))
        for columns in (np.arange(12), none)
    ]
    assert np.isnan(np.concatenate(robustness.partial_shares(*parts))).all()
