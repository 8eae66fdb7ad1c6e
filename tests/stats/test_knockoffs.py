"""Gaussian knockoffs: exact covariances, brute force, knockpy, and false discoveries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from infocheck.stats.knockoffs import (
    Gaussian,
    Sums,
    equicorrelated,
    keyed_normal,
    max_entropy,
    min_variance,
    wide,
)

SHAPES = ("autoregressive", "equicorrelated", "blocks", "factors", "few rows")
METHODS = (equicorrelated, min_variance, max_entropy)
NO_KNOCKPY = "knockpy is not installed (pip install knockpy, a source build of three minutes)"


def correlations(shape: str, p: int, seed: int = 0) -> np.ndarray:
    """Five kinds of correlation matrices that selectors meet."""
    rng = np.random.default_rng(seed)
    i = np.arange(p)
    if shape == "autoregressive":
        return 0.7 ** np.abs(i[:, None] - i)
    if shape == "equicorrelated":
        return np.full((p, p), 0.6) + 0.4 * np.eye(p)
    if shape == "blocks":
        return np.where(i[:, None] // 10 == i // 10, 0.8, 0.0) + 0.2 * np.eye(p)
    if shape == "factors":
        load = rng.normal(size=(p, 4))
        sigma = load @ load.T + 2 * np.eye(p)
        scale = 1 / np.sqrt(np.diag(sigma))
        return sigma * np.outer(scale, scale)
    # Like expression: modules of unequal strength, estimated from fewer rows than columns.
    x = rng.normal(size=(p // 2, 8)) @ rng.normal(size=(8, p)) * np.geomspace(0.1, 1, p)
    x += rng.normal(size=x.shape)
    return 0.8 * np.corrcoef(x, rowvar=False) + 0.2 * np.eye(p)


def objective(name: str, sigma: np.ndarray, s: np.ndarray) -> float:
    """By eigenvalues; infinite outside the admissible region."""
    values = np.linalg.eigvalsh(2 * sigma - np.diag(s))
    if values[0] <= 0 or s.min() <= 0:
        return np.inf
    if name == "min_variance":
        return (1 / values).sum() + (1 / s).sum()
    return -np.log(values).sum() - np.log(s).sum()


# --- s ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_s_fulfils_the_condition_of_the_optimum(shape):
    sigma = correlations(shape, 60)
    s = min_variance(sigma)
    inverse = np.linalg.inv(2 * sigma - np.diag(s))
    assert s**2 * np.diag(inverse @ inverse) == pytest.approx(1, abs=1e-6)
    s = max_entropy(sigma)
    inverse = np.linalg.inv(2 * sigma - np.diag(s))
    assert s * np.diag(inverse) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_s_is_admissible(shape, method):
    sigma = correlations(shape, 60)
    s = method(sigma)
    assert s.shape == (60,)
    assert ((s > 0) & (s <= 1)).all()
    assert np.linalg.eigvalsh(2 * sigma - np.diag(s))[0] >= 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", [min_variance, max_entropy])
def test_a_loose_tolerance_is_near_the_optimum(shape, method):
    sigma = correlations(shape, 60)
    best = objective(method.__name__, sigma, method(sigma))
    loose = objective(method.__name__, sigma, method(sigma, tolerance=1e-3))
    assert best <= loose + 1e-9 * abs(best)
    assert loose - best < 1e-4 * max(abs(best), 1)


@pytest.mark.parametrize("method", [min_variance, max_entropy])
def test_s_equals_a_general_optimiser(method):
    rng = np.random.default_rng(5)
    sigma = np.corrcoef(rng.normal(size=(12, 6)), rowvar=False)

    def value(log_s: np.ndarray) -> float:
        return objective(method.__name__, sigma, np.exp(log_s))

    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20_000, "maxfev": 20_000}
    start = np.log(np.full(6, np.linalg.eigvalsh(sigma)[0]))
    found = minimize(value, start, method="Nelder-Mead", options=options | {"adaptive": True})
    assert method(sigma) == pytest.approx(np.exp(found.x), rel=1e-4)


def test_s_of_equal_correlations_is_that_of_one_number():
    p, rho = 50, 0.6
    sigma = np.full((p, p), rho) + (1 - rho) * np.eye(p)
    assert min_variance(sigma) == pytest.approx(0.402, abs=5e-4)
    assert max_entropy(sigma) == pytest.approx(0.404, abs=5e-4)
    assert equicorrelated(sigma) == pytest.approx(0.8, abs=1e-6)
    # The spectrum of 2Σ - sI: once 2(1 + (p-1)ρ) - s, otherwise 2(1-ρ) - s.
    for name, method in (("min_variance", min_variance), ("max_entropy", max_entropy)):
        best = minimize_scalar(
            lambda s, name=name: objective(name, sigma, np.full(p, s)),
            bounds=(1e-3, 2 * (1 - rho)),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert method(sigma) == pytest.approx(best.x, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_independent_regulators_have_s_of_one(method):
    for p in (1, 2, 7):
        assert method(np.eye(p)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_two_regulators(method):
    sigma = np.array([[1.0, 0.9], [0.9, 1.0]])
    assert method(sigma)[0] == pytest.approx(method(sigma)[1], rel=1e-9)
    assert equicorrelated(sigma) == pytest.approx(0.2)
    # ME: s = 1/[(2Σ-sI)⁻¹]_jj, a quadratic: s = ((2-s)² - 4ρ²)/(2-s).
    root = (3 - np.sqrt(1 + 8 * 0.9**2)) / 2
    assert max_entropy(sigma) == pytest.approx(root, rel=1e-6)


@pytest.mark.parametrize("weight", [1e-3, 1e-6])
@pytest.mark.parametrize("method", METHODS)
def test_duplicated_regulators_only_lower_their_own_s(weight, method):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 12))
    x[:, 1], x[:, 2] = x[:, 0], -x[:, 0]
    sigma = (1 - weight) * np.corrcoef(x, rowvar=False) + weight * np.eye(12)
    s = method(sigma)
    assert ((s > 0) & (s <= 1)).all()
    assert (s[:3] < 3 * weight).all()
    # The equicorrelated construction is the one that loses all for three.
    assert (s[3:] > 0.5).all() == (method is not equicorrelated)
    model = Gaussian.of(sigma, s)
    assert model.root @ model.root.T == pytest.approx(noise_covariance(sigma, s), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_correlation_matrix_is_refused(method):
    with pytest.raises(ValueError, match="determined by the others"):
        method(np.ones((3, 3)))
    with pytest.raises(ValueError, match="determined by the others"):
        method(np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]))
    with pytest.raises(ValueError, match="not finite"):
        method(np.array([[1, np.nan], [np.nan, 1]]))
    with pytest.raises(ValueError, match="ones on the diagonal"):
        method(np.diag([1.0, 2.0]))
    with pytest.raises(ValueError, match="symmetric"):
        method(np.array([[1, 0.3], [0.2, 1]]))
    for empty in (np.ones((2, 3)), np.ones((0, 0)), np.ones(3)):
        with pytest.raises(ValueError, match="square"):
            method(empty)


def test_s_that_leaves_the_admissible_region_is_refused():
    sigma = np.full((4, 4), 0.6) + 0.4 * np.eye(4)
    with pytest.raises(ValueError, match="positive semidefinite"):
        Gaussian.of(sigma, np.full(4, 0.9))
    for s in (np.zeros(4), np.full(4, 1.1), np.full(3, 0.2), np.full(4, np.nan)):
        with pytest.raises(ValueError, match=r"\(0, 1\]"):
            Gaussian.of(sigma, s)


# --- rows ------------------------------------------------------------------------------------


def noise_covariance(sigma: np.ndarray, s: np.ndarray) -> np.ndarray:
    return 2 * np.diag(s) - np.diag(s) @ np.linalg.inv(sigma) @ np.diag(s)


def joint_covariance(model: Gaussian) -> np.ndarray:
    """Of (X, X̃) where X has the model's covariance, from slope and root alone."""
    cross = model.sigma @ model.slope
    own = model.slope.T @ model.sigma @ model.slope + model.root @ model.root.T
    return np.block([[model.sigma, cross], [cross.T, own]])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_swapping_a_regulator_with_its_knockoff_leaves_the_covariance(shape, method):
    p = 30
    sigma = correlations(shape, p)
    s = method(sigma)
    joint = joint_covariance(Gaussian.of(sigma, s))
    assert joint[:p, p:] == pytest.approx(sigma - np.diag(s), abs=1e-10)
    assert joint[p:, p:] == pytest.approx(sigma, abs=1e-10)
    rng = np.random.default_rng(0)
    for _ in range(5):
        swapped = rng.random(p) < 0.5
        order = np.r_[
            np.where(swapped, np.arange(p) + p, np.arange(p)),
            np.where(swapped, np.arange(p), np.arange(p) + p),
        ]
        assert joint[np.ix_(order, order)] == pytest.approx(joint, abs=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_objective_is_the_variance_of_all_coefficients(shape):
    sigma = correlations(shape, 20)
    model = Gaussian.of(sigma)
    expected = np.trace(np.linalg.inv(joint_covariance(model)))
    assert objective("min_variance", sigma, model.s) == pytest.approx(expected, rel=1e-8)


def test_default_s_is_that_of_least_variance():
    sigma = correlations("factors", 20)
    assert np.array_equal(Gaussian.of(sigma).s, min_variance(sigma))


def test_rows_have_the_covariance_of_the_model():
    p, n = 6, 200_000
    sigma = correlations("factors", p, seed=3)
    model = Gaussian.of(sigma)
    rng = np.random.default_rng(11)
    x = rng.normal(size=(n, p)) @ np.linalg.cholesky(sigma).T
    both = np.hstack([x, model.draw(x, rng.normal(size=(n, p)))])
    # Each covariance of unit normals has a standard error of at most √(2/n).
    assert both.T @ both / n == pytest.approx(joint_covariance(model), abs=5 * np.sqrt(2 / n))


def test_one_regulator_alone():
    model = Gaussian.of(np.eye(1))
    noise = np.array([[0.3], [-1.0]])
    # s = 1: a copy that is independent of its original.
    assert model.draw(np.array([[2.0], [1.0]]), noise) == pytest.approx(noise, abs=1e-12)


# --- one regulator left out --------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", [0, 7, 19])
def test_left_out_equals_a_construction_without_the_regulator(shape, k):
    p = 20
    model = Gaussian.of(correlations(shape, p))
    others = np.arange(p) != k
    brute = Gaussian.of(model.sigma[np.ix_(others, others)], model.s[others])
    # All is linear in X, noise and ζ: unit rows show the coefficients.
    unit, none = np.eye(p), np.zeros((p, p))
    mean = model.leave_out(unit, model.draw(unit, none), k, np.zeros(p))
    assert mean[others] == pytest.approx(brute.slope, abs=1e-8)
    assert mean[k] == pytest.approx(0, abs=1e-8)  # regulator k itself has left
    drawn = model.leave_out(none, model.draw(none, unit), k, np.zeros(p))
    extra = model.leave_out(none[:1], none[:1], k, np.ones(1))
    covariance = drawn.T @ drawn + extra.T @ extra
    assert covariance == pytest.approx(brute.root @ brute.root.T, abs=1e-8)


@pytest.mark.parametrize("p", [2, 15])
def test_left_out_from_sums_equals_left_out_from_rows(p):
    rng = np.random.default_rng(4)
    n = 80
    sigma = correlations("autoregressive", p)
    model = Gaussian.of(sigma)
    z = rng.normal(size=(n, p)) @ np.linalg.cholesky(sigma).T
    noise, extra = rng.normal(size=(2, n, p))
    knockoffs = model.draw(z, noise)
    half = slice(None, 33), slice(33, None)
    sums = [Sums.of(z[rows], knockoffs[rows], extra[rows]) for rows in half]
    left = model.left_out(sums[0] + sums[1])
    cross_all, squares_all = left.marginal()
    for k in range(p):
        others = np.arange(p) != k
        own = model.leave_out(z, knockoffs, k, extra[:, k])
        rows = np.hstack([z[:, others], own])
        gram, cross = left.gram(k)
        assert gram == pytest.approx(rows.T @ rows, abs=1e-8)
        assert cross == pytest.approx(rows.T @ z[:, k], abs=1e-8)
        assert cross_all[k, others] == pytest.approx(own.T @ z[:, k], abs=1e-8)
        assert squares_all[k, others] == pytest.approx((own**2).sum(axis=0), abs=1e-8)
        assert np.isnan([cross_all[k, k], squares_all[k, k]]).all()


# --- more regulators than rows -----------------------------------------------------------------


@pytest.mark.parametrize(("n", "p"), [(12, 40), (40, 12), (20, 20)])
@pytest.mark.parametrize(("weight", "ratio"), [(0.05, 0.9), (0.4, 0.9), (0.8, 1.0), (0.3, 1.0)])
def test_wide_equals_the_construction_with_matrices(n, p, weight, ratio):
    rng = np.random.default_rng(n)
    z = rng.normal(size=(n, p)) @ rng.normal(size=(p, p))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    sigma = (1 - weight) * z.T @ z / n + weight * np.eye(p)
    s = np.full(p, min(1, 2 * ratio * weight))
    mean = wide(z, weight, np.zeros((n, p)), ratio)
    assert mean == pytest.approx(z - z @ np.linalg.inv(sigma) * s, abs=1e-10)
    # Linear in the noise: unit rows, n at a time, show the root.
    units = np.eye(p + n)[: -(-p // n) * n, :p].reshape(-1, n, p)
    root = np.vstack([wide(z, weight, unit, ratio) - mean for unit in units])[:p]
    assert root.T @ root == pytest.approx(noise_covariance(sigma, s), abs=1e-10)


def test_wide_refuses_what_it_cannot_use():
    z = np.random.default_rng(0).normal(size=(5, 9))
    with pytest.raises(ValueError, match="not finite"):
        wide(np.full((5, 9), np.inf), 0.1, z)
    for weight, ratio in ((0, 0.9), (1.1, 0.9), (np.nan, 0.9), (0.5, 0), (0.5, 1.2)):
        with pytest.raises(ValueError, match="must lie in"):
            wide(z, weight, z, ratio)


# --- noise that belongs to rows ----------------------------------------------------------------


@pytest.mark.parametrize(
    "cuts", [[1], [63, 64, 65], [64, 128, 192], [5, 6, 7, 150, 299], range(300)]
)
def test_noise_is_the_same_for_any_cutting(cuts):
    whole = keyed_normal(7, 0, 300, 5)
    edges = [0, *cuts, 300]
    blocks = [keyed_normal(7, a, b - a, 5) for a, b in pairwise(edges)]
    assert np.array_equal(np.vstack(blocks), whole)


def test_noise_is_standard_normal_and_rows_do_not_repeat():
    values = keyed_normal((3, 1), 0, 20_000, 10)
    assert abs(values.mean()) < 4 / np.sqrt(values.size)
    assert values.var() == pytest.approx(1, abs=4 * np.sqrt(2 / values.size))
    for lag in (1, 64):  # neighbours, and the same place in the next chunk
        product = (values[lag:] * values[:-lag]).mean()
        assert abs(product) < 4 / np.sqrt(values.size)
    other = keyed_normal((3, 2), 0, 20_000, 10)
    assert abs((values * other).mean()) < 4 / np.sqrt(values.size)


def test_no_rows_and_rows_before_the_first():
    assert keyed_normal(0, 10, 0, 3).shape == (0, 3)
    with pytest.raises(ValueError, match="from 0"):
        keyed_normal(0, -1, 3, 3)


def test_knockoffs_are_the_same_for_any_block_size():
    rng = np.random.default_rng(0)
    p, n = 8, 150
    model = Gaussian.of(correlations("autoregressive", p))
    z = rng.normal(size=(n, p))
    whole = model.draw(z, keyed_normal(1, 0, n, p))
    for size in (1, 37, 64, 149):
        starts = range(0, n, size)
        blocks = [
            model.draw(part := z[i : i + size], keyed_normal(1, i, len(part), p)) for i in starts
        ]
        assert np.vstack(blocks) == pytest.approx(whole, abs=1e-13)


# --- the other implementation --------------------------------------------------------------------


@pytest.fixture(scope="module")
def knockpy():
    return pytest.importorskip("knockpy", reason=NO_KNOCKPY)


def knockpy_s(knockpy, sigma: np.ndarray, method: str, **options: float) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may ask for its optional compiled part
        return np.diag(knockpy.smatrix.compute_smatrix(sigma, method=method, **options))


def knockpy_draw(knockpy, x: np.ndarray, sigma: np.ndarray, s: np.ndarray, seed: int) -> np.ndarray:
    """Knockoffs by knockpy, which draws from the global state of numpy."""
    np.random.seed(seed)  # noqa: NPY002
    sampler = knockpy.knockoffs.GaussianSampler(x, np.zeros(len(s)), sigma, S=np.diag(s))
    return sampler.sample_knockoffs()


def knockpy_noise(shape: tuple[int, int], seed: int) -> np.ndarray:
    """The noise that `knockpy_draw` has used."""
    return np.random.RandomState(seed).randn(*shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("method", "name"),
    [(min_variance, "mvr"), (max_entropy, "maxent"), (equicorrelated, "equicorrelated")],
)
def test_s_agrees_with_knockpy(knockpy, shape, method, name):
    sigma = correlations(shape, 60)
    options = {} if method is equicorrelated else {"converge_tol": 1e-7}
    assert method(sigma) == pytest.approx(knockpy_s(knockpy, sigma, name, **options), abs=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_agree_with_knockpy(knockpy, shape):
    sigma = correlations(shape, 20)
    x = np.random.default_rng(0).normal(size=(50, 20)) @ np.linalg.cholesky(sigma).T
    model = Gaussian.of(sigma)
    ours = model.draw(x, knockpy_noise(x.shape, seed=8))
    assert ours == pytest.approx(knockpy_draw(knockpy, x, sigma, model.s, seed=8), abs=1e-9)


# --- false discoveries and power -----------------------------------------------------------------

N, P, EDGES, LEVELS = 300, 60, 15, (0.1, 0.2)
# In units of 1/√n: at level .1 the better constructions find between a third and two thirds.
SIGNAL = dict.fromkeys(SHAPES, 7.0) | {"blocks": 10.0}

Draw = Callable[[np.ndarray, int], np.ndarray]


def difference_of_ridge(x: np.ndarray, knockoffs: np.ndarray, y: np.ndarray) -> np.ndarray:
    both = np.hstack([x, knockoffs])
    weights = np.linalg.solve(both.T @ both + 0.01 * N * np.eye(2 * P), both.T @ y)
    return np.abs(weights[:P]) - np.abs(weights[P:])


def selected(w: np.ndarray, level: float) -> np.ndarray:
    """Knockoff+ by its definition: the smallest admissible threshold."""
    for t in np.sort(np.abs(w[w != 0])):
        if (1 + (w <= -t).sum()) / max(1, (w >= t).sum()) <= level:
            return w >= t
    return np.zeros(len(w), dtype=bool)


def simulated(shape: str, draws: dict[str, Draw], replicates: int) -> dict[str, np.ndarray]:
    """False discovery proportion and power on the same data: (replicates, levels, 2) each."""
    half = np.linalg.cholesky(correlations(shape, P)).T
    rng = np.random.default_rng(20)
    out = {name: np.empty((replicates, len(LEVELS), 2)) for name in draws}
    for replicate in range(replicates):
        x = rng.normal(size=(N, P)) @ half
        true = np.isin(np.arange(P), rng.choice(P, EDGES, replace=False))
        weights = true * rng.choice([-1, 1], P) * SIGNAL[shape] / np.sqrt(N)
        y = x @ weights + rng.normal(size=N)
        for name, draw in draws.items():
            w = difference_of_ridge(x, draw(x, replicate), y)
            for i, level in enumerate(LEVELS):
                chosen = selected(w, level)
                false = (chosen & ~true).sum() / max(1, chosen.sum())
                out[name][replicate, i] = false, (chosen & true).sum() / EDGES
    return out


def known(model: Gaussian) -> Draw:
    return lambda x, seed: model.draw(x, knockpy_noise(x.shape, seed))


def estimated(x: np.ndarray, seed: int) -> np.ndarray:
    """The use on data: Σ from the rows themselves, a little shrunk."""
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    sigma = 0.95 * z.T @ z / N + 0.05 * np.eye(P)
    return Gaussian.of(sigma).draw(z, knockpy_noise(x.shape, seed))


def power(table: np.ndarray) -> np.ndarray:
    return table[:, :, 1].mean(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_false_discoveries_stay_below_the_level_and_power_is_no_less(shape):
    sigma = correlations(shape, P)
    draws = {method.__name__: known(Gaussian.of(sigma, method(sigma))) for method in METHODS}
    found = simulated(shape, draws | {"estimated": estimated}, replicates=256)
    for name, table in found.items():
        mean, error = table.mean(axis=0), table.std(axis=0) / np.sqrt(len(table))
        print(f"{shape:15s}{name:16s}FDR {mean[:, 0].round(3)} power {mean[:, 1].round(3)}")
        assert (mean[:, 0] <= LEVELS + 2 * error[:, 0]).all(), name
    assert (power(found["min_variance"]) > 0.2).all()  # otherwise nothing was tested
    assert (power(found["min_variance"]) >= power(found["equicorrelated"]) - 0.02).all()


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_power_is_that_of_knockpy(knockpy, shape):
    """knockpy with its own s at its own tolerance, given the same rows and the same noise."""
    sigma = correlations(shape, P)
    theirs = knockpy_s(knockpy, sigma, "mvr")
    draws = {
        "ours": known(Gaussian.of(sigma)),
        "knockpy": lambda x, seed: knockpy_draw(knockpy, x, sigma, theirs, seed),
    }
    found = simulated(shape, draws, replicates=256)
    for name, table in found.items():
        print(f"{shape:15s}{name:16s}power {power(table).round(3)}")
    assert (power(found["ours"]) >= power(found["knockpy"]) - 0.02).all()
