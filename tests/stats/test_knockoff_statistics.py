"""Knockoff statistics against scikit-learn and numpy, and the rate that the filter then keeps.

The knockoffs here are drawn from the true covariance, with equal s: a construction of a few lines.
"""

import numpy as np
import pytest
from scipy.linalg import helmert
from sklearn.linear_model import Lasso, lars_path_gram

from infocheck.stats.knockoff_filter import fdp, q_values, realised
from infocheck.stats.knockoff_statistics import (
    PENALTY,
    SHARES,
    STATISTICS,
    Products,
    coefficient,
    lasso,
    marginal,
    ridge,
    ridge_penalty,
)
from infocheck.stats.lasso import RIDGE, STOP
from infocheck.stats.standard import standardised


def knockoffs(x, sigma, rng):
    """Gaussian knockoffs of rows with mean 0 and this covariance of unit variances."""
    s = min(1.0, 2 * np.linalg.eigvalsh(sigma)[0]) * 0.99
    drop = np.linalg.solve(sigma, s * np.eye(len(sigma)))
    noise = np.linalg.cholesky(2 * s * np.eye(len(sigma)) - s * drop)
    return x - x @ drop + rng.normal(size=x.shape) @ noise.T


def products(x, knockoff, y, own=None):
    z, y = standardised(np.hstack([x, knockoff])), standardised(y)
    return Products(z.T @ z / len(z), z.T @ y / len(z), own, float(len(z)))


def blocks(p, rho=0.4, size=5):
    sigma = np.kron(np.eye(p // size), np.full((size, size), rho))
    np.fill_diagonal(sigma, 1.0)
    return sigma


def drawn(n=120, p=15, m=8, seed=0, parents=3):
    rng = np.random.default_rng(seed)
    sigma = blocks(p)
    x = rng.normal(size=(n, p)) @ np.linalg.cholesky(sigma).T
    y = 0.6 * x[:, :parents] @ rng.normal(size=(parents, m)) + rng.normal(size=(n, m))
    return x, knockoffs(x, sigma, rng), y


@pytest.mark.parametrize(
    ("name", "rows"), [*((name, 120.0) for name in STATISTICS), ("ridge", None)]
)
def test_exchanging_changes_the_sign_and_nothing_else(name, rows):
    x, knockoff, y = drawn()
    own = np.array([-1, 4, -1, 0, -1, -1, 14, -1])
    plain = products(x, knockoff, y, own)
    plain = Products(plain.gram, plain.cross, own, rows)
    p = 15
    rng = np.random.default_rng(1)
    w = STATISTICS[name](plain)
    assert (np.abs(w[np.isfinite(w)]) > 1e-6).any()
    for _ in range(5):
        exchanged = rng.random(p) < 0.5
        order = np.arange(2 * p)
        order[:p][exchanged], order[p:][exchanged] = (
            np.flatnonzero(exchanged) + p,
            np.flatnonzero(exchanged),
        )
        swapped = Products(plain.gram[np.ix_(order, order)], plain.cross[order], own, rows)
        expected = np.where(exchanged[:, None], -w, w)
        assert np.allclose(STATISTICS[name](swapped), expected, atol=1e-10, equal_nan=True)


@pytest.mark.parametrize("name", STATISTICS)
def test_a_target_itself_is_no_predictor(name):
    """Also not through its knockoff: as if both columns were not there."""
    x, knockoff, _ = drawn()
    y = x[:, [4]]
    rest = np.delete(np.arange(15), 4)
    joint = products(x, knockoff, y, np.array([4]))
    # Penalties that depend on the number of predictors would differ.
    fixed = {"penalty": 0.2} if name in ("ridge", "coefficient") else {}
    w = STATISTICS[name](joint, **fixed)
    alone = STATISTICS[name](products(x[:, rest], knockoff[:, rest], y), **fixed)
    assert np.isnan(w[4, 0])
    assert np.allclose(w[rest, 0], alone[:, 0], atol=1e-10)


def test_marginal_is_the_difference_of_correlations():
    x, knockoff, y = drawn()
    w = marginal(products(x, knockoff, y))
    r, other = (np.corrcoef(v.T, y.T)[:15, 15:] for v in (x, knockoff))
    assert np.allclose(w, np.abs(r) - np.abs(other), atol=1e-12)


@pytest.mark.parametrize("penalty", [0.05, PENALTY, 3.0])
def test_ridge_is_that_of_numpy(penalty):
    x, knockoff, y = drawn()
    two = products(x, knockoff, y)
    b = np.abs(np.linalg.solve(two.gram + penalty * np.eye(30), two.cross))
    assert np.allclose(ridge(two, penalty), b[:15] - b[15:], atol=1e-10)


@pytest.mark.parametrize(("n", "p"), [(60, 15), (25, 15)])
def test_ridge_penalty_is_that_of_the_likelihood_of_rows(n, p):
    """Restricted likelihood with the covariance of rows written out."""
    x, knockoff, y = drawn(n=n, p=p)
    two = products(x, knockoff, y)
    z, y = standardised(np.hstack([x, knockoff])), standardised(y)
    contrast = helmert(n)
    z, y = contrast @ z, contrast @ y
    likelihood = []
    for h in SHARES:
        covariance = h * z @ z.T / (2 * p) + (1 - h) * np.eye(n - 1)
        quadratic = np.einsum("ij,ij->j", y, np.linalg.solve(covariance, y)) / (n - 1)
        determinant = np.linalg.slogdet(covariance)[1]
        likelihood.append(-8 * determinant - (n - 1) * np.log(quadratic).sum())
    h = SHARES[np.argmax(likelihood)]
    assert ridge_penalty(two) == pytest.approx((1 - h) / h * 2 * p / n, rel=1e-10)
    assert np.array_equal(ridge(two), ridge(two, ridge_penalty(two)))


def test_ridge_penalty_without_what_it_needs():
    x, knockoff, y = drawn()
    two = products(x, knockoff, y)
    with pytest.raises(ValueError, match="rows"):
        ridge_penalty(Products(two.gram, two.cross))
    with pytest.raises(ValueError, match="rows"):
        coefficient(Products(two.gram, two.cross))
    inside = products(x, knockoff, x[:, :3], np.arange(3))
    assert ridge_penalty(inside) == PENALTY
    both = products(x, knockoff, np.hstack([x[:, :3], y]), np.r_[np.arange(3), np.full(8, -1)])
    assert ridge_penalty(both) == ridge_penalty(two)


def test_coefficient_is_the_lasso_of_rows():
    x, knockoff, y = drawn(n=200, p=10, m=6)
    two = products(x, knockoff, y)
    z, y = standardised(np.hstack([x, knockoff])), standardised(y)
    # The ridge as further rows; with divisor n the penalties agree.
    rows = np.vstack([z, np.sqrt(200 * RIDGE) * np.eye(20)])
    penalty = 0.5 * np.sqrt(2 * np.log(20) / 200)
    model = Lasso(penalty * 200 / 220, fit_intercept=False, tol=1e-12, max_iter=100_000)
    b = np.abs(model.fit(rows, np.vstack([y, np.zeros((20, 6))])).coef_.T)
    assert np.allclose(coefficient(two), b[:10] - b[10:], atol=1e-8)


def test_lasso_is_the_order_of_entry_in_scikit_learn():
    x, knockoff, y = drawn(n=200, p=10, m=20)
    two = products(x, knockoff, y)
    w = lasso(two)
    for j, r in enumerate(two.cross.T):
        penalty, _, path = lars_path_gram(
            r,
            two.gram + RIDGE * np.eye(20),
            n_samples=1,
            alpha_min=STOP * np.abs(r).max(),
            method="lasso",
        )
        entry = np.zeros(20)
        entered = np.flatnonzero(path.any(axis=1))
        entry[entered] = penalty[(path[entered] != 0).argmax(axis=1) - 1]
        expected = np.maximum(entry[:10], entry[10:]) * np.sign(entry[:10] - entry[10:])
        assert np.allclose(w[:, j], expected, atol=1e-10)


@pytest.mark.parametrize("kind", ["linear", "step"])
def test_the_filter_keeps_its_rate(kind):
    """Gaussian regulators in correlated blocks, two to four parents, rate .1 over all pairs."""
    n, p, m, draws = 300, 60, 40, 25
    sigma = blocks(p)
    root = np.linalg.cholesky(sigma)
    share = {name: [] for name in STATISTICS}
    power = {name: [] for name in STATISTICS}
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, p)) @ root.T
        truth = np.zeros((p, m), dtype=bool)
        for column in truth.T:
            column[rng.choice(p, rng.integers(2, 5), replace=False)] = True
        seen = x if kind == "linear" else (x > 0) * 2.0
        y = 0.5 * seen @ (truth * rng.choice([-1, 1], (p, m))) + rng.normal(size=(n, m))
        two = products(x, knockoffs(x, sigma, rng), y)
        for name, statistic in STATISTICS.items():
            found, true = realised(q_values(statistic(two)), truth, np.array([0.1]))
            share[name].append(fdp(found, true)[0])
            power[name].append(true[0] / truth.sum())
    for name in STATISTICS:
        assert np.mean(share[name]) <= 0.1 + 2 * np.std(share[name]) / np.sqrt(draws), name
        assert np.mean(power[name]) > 0.2, name


def test_coefficients_find_more_than_entries_among_correlated_regulators():
    power = {"lasso": [], "coefficient": []}
    sigma = 0.7 * blocks(60, rho=0.3) + 0.3
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(300, 60)) @ np.linalg.cholesky(sigma).T
        truth = np.zeros((60, 40), dtype=bool)
        for column in truth.T:
            column[rng.choice(60, 8, replace=False)] = True
        y = 0.5 * x @ (truth * rng.choice([-1, 1], truth.shape)) + rng.normal(size=(300, 40))
        two = products(x, knockoffs(x, sigma, rng), y)
        for name, values in power.items():
            _, true = realised(q_values(STATISTICS[name](two)), truth, np.array([0.1]))
            values.append(true[0] / truth.sum())
    assert np.mean(power["coefficient"]) > np.mean(power["lasso"]) + 0.1


def confounded(rng, n=400, p=30, m=30):
    """One confounder drives all regulators and targets; two parents each."""
    c = rng.normal(size=(n, 1))
    x = c @ rng.uniform(0.3, 0.6, (1, p)) * rng.choice([-1, 1], p) + rng.normal(size=(n, p))
    truth = np.zeros((p, m), dtype=bool)
    for column in truth.T:
        column[rng.choice(p, 2, replace=False)] = True
    y = 0.5 * x @ truth + 2 * c @ rng.choice([-1.0, 1.0], (1, m)) + rng.normal(size=(n, m))
    return c, x, y, truth


@pytest.mark.parametrize("name", STATISTICS)
def test_conditioning_on_a_confounder(name):
    share = {True: [], False: []}
    power = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        c, x, y, truth = confounded(rng)
        fitted = c @ np.linalg.lstsq(c, x, rcond=None)[0]
        rest = x - fitted  # independent with variance 1: knockoffs of the residuals
        given = fitted + knockoffs(rest, np.eye(30), rng)
        sigma = np.cov(x.T, bias=True)
        sd = np.sqrt(np.diag(sigma))
        without = knockoffs(x / sd, sigma / np.outer(sd, sd), rng) * sd
        for adjusted, knockoff in ((True, given), (False, without)):
            columns = np.hstack([x, knockoff, c])
            columns = columns - columns.mean(axis=0)
            centred = y - y.mean(axis=0)
            size = 61 if adjusted else 60
            two = Products.given(
                (columns.T @ columns / len(y))[:size, :size],
                (columns.T @ centred / len(y))[:size],
                int(adjusted),
                variance=centred.var(axis=0),
                rows=len(y),
            )
            found, true = realised(q_values(STATISTICS[name](two)), truth, np.array([0.1]))
            share[adjusted].append(fdp(found, true)[0])
            if adjusted:
                power.append(true[0] / truth.sum())
    assert np.mean(share[True]) <= 0.1 + 2 * np.std(share[True]) / np.sqrt(30)
    assert np.mean(power) > 0.5
    assert np.mean(share[False]) > 0.4


def test_given_is_regression_on_the_confounders():
    rng = np.random.default_rng(2)
    c = rng.normal(size=(90, 2))
    columns = rng.normal(size=(90, 8)) + c @ rng.normal(size=(2, 8))
    y = rng.normal(size=(90, 3)) + c @ rng.normal(size=(2, 3))
    c *= [1.0, 1e7]  # units do not matter
    columns, y, c = (v - v.mean(axis=0) for v in (columns, y, c))
    every = np.hstack([columns, c])
    two = Products.given(every.T @ every / 90, every.T @ y / 90, 2, variance=y.var(axis=0), rows=90)
    residual, rest = (v - c @ np.linalg.lstsq(c, v, rcond=None)[0] for v in (columns, y))
    joint = np.corrcoef(residual.T, rest.T)
    assert np.allclose(two.gram, joint[:8, :8], atol=1e-12)
    assert np.allclose(two.cross, joint[:8, 8:], atol=1e-12)
    assert two.rows == 88


def test_what_is_only_confounder_says_nothing():
    rng = np.random.default_rng(3)
    c = rng.normal(size=(80, 1))
    x = rng.normal(size=(80, 4))
    x[:, 0] = 2 * c[:, 0]
    knockoff = rng.normal(size=(80, 4))
    knockoff[:, 0] = x[:, 0]
    y = c + rng.normal(size=(80, 2))
    columns, y = np.hstack([x, knockoff, c]), y - y.mean(axis=0)
    columns = columns - columns.mean(axis=0)
    two = Products.given(
        columns.T @ columns / 80, columns.T @ y / 80, 1, variance=y.var(axis=0), rows=80
    )
    for statistic in STATISTICS.values():
        w = statistic(two)
        assert (w[0] == 0).all()
        assert np.isfinite(w).all()
