"""Variance components against dense likelihoods, closed forms, statsmodels and planted truth."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

from infocheck.engine import Engine
from infocheck.stats.restricted_likelihood import GRADIENT, Likelihood, _derivatives
from infocheck.stats.variance import Normal
from infocheck.stats.variance_components import Absorbed, moments, reml


def dummies(codes, levels=None):
    return (codes[:, None] == np.arange(levels or codes.max() + 1)).astype(float)


def absorbed(y, random, fixed=None):
    """Genes y, a dict of level codes or of indicator matrices, and fixed columns (n, k)."""
    matrices = {k: z if z.ndim == 2 else dummies(z) for k, z in random.items()}
    fixed = np.zeros((len(y), 0)) if fixed is None else fixed
    x = np.hstack([fixed, *matrices.values()])
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    ends = np.cumsum([fixed.shape[1], *(z.shape[1] for z in matrices.values())])
    columns = {k: np.arange(a, b) for k, a, b in zip(matrices, ends[:-1], ends[1:], strict=True)}
    normal = Normal(len(y), x.T @ x, x.T @ y, (y * y).sum(axis=0))
    return Absorbed.of(normal, columns, np.arange(fixed.shape[1]))


def planted(random, shares, genes, rng, residual):
    y = np.sqrt(residual) * rng.normal(size=(len(next(iter(random.values()))), genes))
    for codes, share in zip(random.values(), shares, strict=True):
        y += np.sqrt(share) * rng.normal(size=(codes.max() + 1, genes))[codes]
    return y


class Dense:
    """The restricted likelihood as it is defined, with the covariance of all rows."""

    def __init__(self, y, random, fixed=None):
        self.y, self.z = y, [dummies(codes) for codes in random.values()]
        one = np.ones((len(y), 1))
        self.x = one if fixed is None else np.hstack([one, fixed])

    def parts(self, components):
        v = components[-1] * np.eye(len(self.y))
        for z, component in zip(self.z, components, strict=False):
            v += component * z @ z.T
        inverse = np.linalg.inv(v)
        information = self.x.T @ inverse @ self.x
        beta_of = np.linalg.solve(information, self.x.T @ inverse)
        return v, information, beta_of, inverse - inverse @ self.x @ beta_of

    def deviance(self, components):
        v, information, _, p = self.parts(components)
        logs = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
        return logs - np.linalg.slogdet(self.x.T @ self.x)[1] + self.y @ p @ self.y

    def gradient(self, components):
        *_, p = self.parts(components)
        py = p @ self.y
        of = [(z.T * (p @ z).T).sum() - (z.T @ py) @ (z.T @ py) for z in self.z]
        return np.array([*of, np.trace(p) - py @ py])

    def best(self, start):
        """Components by a bounded quasi-Newton search from several starts."""
        scale = self.y.var()
        bounds = [(0, None)] * len(self.z) + [(1e-6 * scale, None)]
        starts = [start, np.full(len(bounds), 0.5 * scale), np.r_[start[:-1] * 0, scale]]
        options = {"ftol": 1e-16, "gtol": 1e-9, "maxiter": 1000}
        fits = [
            minimize(self.deviance, s, jac=self.gradient, bounds=bounds, options=options)
            for s in starts
        ]
        return min(fits, key=lambda found: found.fun)

    def fixed(self, components):
        """Variance of the fitted fixed part, less what its error adds."""
        _, information, beta_of, _ = self.parts(components)
        x = self.x - self.x.mean(axis=0)
        fit = x @ beta_of @ self.y
        return (fit @ fit - np.trace(x.T @ x @ np.linalg.inv(information))) / (len(self.y) - 1)

    def errors(self, components):
        *_, p = self.parts(components)
        of = [z @ z.T for z in self.z] + [np.eye(len(self.y))]
        information = [[0.5 * np.sum((p @ a) * (p @ b).T) for b in of] for a in of]
        return np.sqrt(np.diag(np.linalg.inv(information)))


def design(name, rng):
    """Small designs with everything that can be awkward."""
    n = 48
    a, b = rng.integers(4, size=n), rng.integers(6, size=n)
    if name == "one":
        return {"a": a}, None
    if name == "crossed":
        return {"a": a, "b": b}, None
    if name == "nested":
        donor = rng.integers(9, size=n)
        return {"batch": donor % 3, "donor": donor}, None
    if name == "three":
        return {"a": a, "b": b, "c": rng.integers(5, size=n)}, None
    fixed = np.column_stack([rng.normal(size=n), dummies(rng.integers(3, size=n))[:, 1:]])
    return {"a": a, "b": b}, fixed


@pytest.mark.parametrize("name", ["one", "crossed", "nested", "three", "fixed"])
def test_reml_is_the_optimum_of_the_dense_likelihood(name):
    """Deviances agree to 1e-8 and components to 1e-6 of the variance (seed 3)."""
    rng = np.random.default_rng(3)
    random, fixed = design(name, rng)
    y = planted(random, [0.3, 0.1, 0.3][: len(random)], 6, rng, 0.5)
    if fixed is not None:
        y += fixed @ rng.normal(size=(fixed.shape[1], 6))
    work = absorbed(y, random, fixed)
    found = reml(work)
    ours = np.vstack([found.variances, found.residual])
    assert found.converged.all()
    for k in range(6):
        dense = Dense(y[:, k], random, fixed)
        best = dense.best(ours[:, k])
        assert dense.deviance(ours[:, k]) - work.freedom == pytest.approx(
            found.deviance[k], abs=1e-8
        )
        assert found.deviance[k] <= best.fun - work.freedom + 1e-8
        assert ours[:, k] == pytest.approx(best.x, abs=1e-6 * y[:, k].var())
        assert found.errors[:, k] == pytest.approx(dense.errors(ours[:, k]), rel=1e-6)
        if fixed is not None:
            assert found.fixed[k] == pytest.approx(dense.fixed(ours[:, k]), rel=1e-6, abs=1e-9)


def test_derivatives_equal_differences():
    rng = np.random.default_rng(4)
    random, fixed = design("three", rng)
    y = planted(random, [0.3, 0.2, 0.1], 5, rng, 0.4)
    likelihood = Likelihood.of(absorbed(y, random, fixed), np.arange(3), np.arange(5))
    genes, at, step = np.arange(5), rng.uniform(0.1, 2, size=(5, 3)), 1e-5
    _, slope, curvature, _ = _derivatives(likelihood, genes, at)
    for j in range(3):
        move = step * np.eye(3)[j]
        up, down = (_derivatives(likelihood, genes, at + sign * move) for sign in (1, -1))
        assert slope[:, j] == pytest.approx((up[0] - down[0]) / (2 * step), abs=1e-6)
        assert curvature[:, j] == pytest.approx((up[1] - down[1]) / (2 * step), abs=1e-6)


def test_balanced_one_way_closed_form():
    """ANOVA, where it is not negative; standard errors from variances of mean squares."""
    rng = np.random.default_rng(5)
    levels, m, genes = 8, 10, 200
    a = np.repeat(np.arange(levels), m)
    y = planted({"a": a}, [0.15], genes, rng, 0.85)
    means = y.reshape(levels, m, genes).mean(axis=1)
    between = m * means.var(axis=0, ddof=1)
    within = ((y - means[a]) ** 2).sum(axis=0) / (levels * (m - 1))
    raw = (between - within) / m
    assert (raw < 0).any()
    work = absorbed(y, {"a": a})
    by_moments, by_reml = moments(work), reml(work)
    assert by_moments.raw[0] == pytest.approx(raw, abs=1e-10)
    assert by_moments.residual == pytest.approx(within, abs=1e-10)
    whole = y.var(axis=0, ddof=1)
    assert by_reml.variances[0] == pytest.approx(np.maximum(raw, 0), abs=1e-7)
    assert by_reml.residual == pytest.approx(np.where(raw > 0, within, whole), abs=1e-7)
    error = np.sqrt(2 * (between**2 / (levels - 1) + within**2 / (levels * (m - 1)))) / m
    inside = raw > 0
    assert by_reml.errors[0, inside] == pytest.approx(error[inside], rel=1e-5)


def test_balanced_two_way_closed_form():
    rng = np.random.default_rng(6)
    p, q, m, genes = 6, 5, 4, 200
    a, b = np.repeat(np.arange(p), q * m), np.tile(np.repeat(np.arange(q), m), p)
    y = planted({"a": a, "b": b}, [0.4, 0.3], genes, rng, 0.3)
    table = y.reshape(p, q, m, genes)
    ms_a = q * m * table.mean(axis=(1, 2)).var(axis=0, ddof=1)
    ms_b = p * m * table.mean(axis=(0, 2)).var(axis=0, ddof=1)
    rest = (y - y.mean(axis=0)) ** 2
    ms_e = (rest.sum(axis=0) - (p - 1) * ms_a - (q - 1) * ms_b) / (p * q * m - p - q + 1)
    expected = np.stack([(ms_a - ms_e) / (q * m), (ms_b - ms_e) / (p * m), ms_e])
    work = absorbed(y, {"a": a, "b": b})
    by_moments, by_reml = moments(work), reml(work)
    assert np.vstack([by_moments.raw, by_moments.residual]) == pytest.approx(expected, abs=1e-10)
    inside = (expected > 0).all(axis=0)
    assert inside.sum() > 150
    found = np.vstack([by_reml.variances, by_reml.residual])
    assert found[:, inside] == pytest.approx(expected[:, inside], abs=1e-7)


def unbalanced(rng, n=960):
    """8 batches and 6 donors, crossed, of very different sizes."""
    return {
        "batch": rng.choice(8, p=np.arange(1, 9) / 36, size=n),
        "donor": rng.choice(6, p=np.arange(1, 7) / 21, size=n),
    }


def test_planted_shares_are_recovered():
    """.2, .3 and .5 in an unbalanced crossed design: means over 4,000 genes within .01 (seed 7)."""
    rng = np.random.default_rng(7)
    random = unbalanced(rng)
    work = absorbed(planted(random, [0.2, 0.3], 4000, rng, 0.5), random)
    for found in (moments(work), reml(work)):
        raw = getattr(found, "raw", found.variances)
        mean = np.append(raw.mean(axis=1), found.residual.mean())
        assert mean == pytest.approx([0.2, 0.3, 0.5], abs=0.01)


def test_errors_are_the_spread_of_the_estimates():
    """Mean standard errors are within 8 % of the spread over 2,000 genes (seed 8)."""
    rng = np.random.default_rng(8)
    random = {"a": rng.integers(40, size=600), "b": rng.integers(30, size=600)}
    found = reml(absorbed(planted(random, [0.3, 0.2], 2000, rng, 0.5), random))
    spread = np.append(found.variances.std(axis=1), found.residual.std())
    assert found.errors.mean(axis=1) == pytest.approx(spread, rel=0.08)
    assert found.fraction_errors.mean(axis=1) == pytest.approx(
        found.fractions().std(axis=1), rel=0.08
    )


def test_every_gene_converges():
    """Also where the deviance has little curvature: few rows, many factors, next to no residual."""
    rng = np.random.default_rng(9)
    for n, levels in ((40, (4, 12)), (30, (8, 18)), (300, (8, 20, 6, 5))):
        random = {str(k): rng.integers(size, size=n) for k, size in enumerate(levels)}
        shares = rng.dirichlet(np.full(len(levels) + 1, 0.5), size=300)
        parts = [planted(random, s[:-1], 1, rng, s[-1]) for s in shares]
        found = reml(absorbed(np.hstack(parts), random))
        fine = shares[:, -1] > 1e-6
        assert found.converged[fine].all()
        assert found.iterations.max() <= 25


def test_nested_factors_with_next_to_no_residual():
    """Shares of the residual from .5 down to 1e-6: donors in batches, the hardest case."""
    rng = np.random.default_rng(22)
    donor = rng.integers(60, size=2000)
    random = {"batch": donor % 8, "donor": donor}
    shares = np.geomspace(1e-6, 0.5, 100)
    parts = [planted(random, [0.5 - s / 2, 0.5 - s / 2], 1, rng, s) for s in shares]
    found = reml(absorbed(np.hstack(parts), random))
    assert found.converged.all()
    assert found.residual == pytest.approx(shares, rel=0.15)


def test_converged_means_the_conditions_hold():
    rng = np.random.default_rng(10)
    random = unbalanced(rng, 120)
    work = absorbed(planted(random, [0.05, 0.0], 300, rng, 1.0), random)
    found = reml(work)
    likelihood = Likelihood.of(work, np.arange(2), np.arange(300))
    at = np.log1p(likelihood.mean * (found.variances / found.residual)[likelihood.order].T)
    _, slope, _, _ = _derivatives(likelihood, np.arange(300), at)
    zero = found.variances[likelihood.order].T == 0
    assert 50 < zero.any(axis=1).sum() < 300
    assert np.abs(slope[~zero]).max() < 2 * GRADIENT
    assert slope[zero].min() > -2 * GRADIENT


def test_scale_and_shift_change_nothing():
    rng = np.random.default_rng(11)
    random = unbalanced(rng)
    y = planted(random, [0.2, 0.3], 20, rng, 0.5)
    first, second = (absorbed(values, random) for values in (y, 1e-4 * y + 3))
    for method in (moments, reml):
        one, other = method(first), method(second)
        assert other.fractions() == pytest.approx(one.fractions(), abs=1e-8)
        assert other.residual * 1e8 == pytest.approx(one.residual, rel=1e-8)
    assert reml(second).errors * 1e8 == pytest.approx(reml(first).errors, rel=1e-5)


def test_order_matters_to_moments_alone():
    rng = np.random.default_rng(12)
    batch = rng.integers(8, size=600)
    donor = np.where(rng.random(600) < 0.6, batch % 6, rng.integers(6, size=600))
    random = {"batch": batch, "donor": donor}
    turned = {"donor": donor, "batch": batch}
    y = planted(random, [0.3, 0.3], 100, rng, 0.4)
    first, second = absorbed(y, random), absorbed(y, turned)
    difference = np.abs(moments(first).raw - moments(second).raw[::-1])
    assert np.median(difference) > 0.01
    assert reml(first).variances == pytest.approx(reml(second).variances[::-1], abs=1e-6)


def test_a_negative_component_is_shown_and_then_cut():
    a = np.repeat(np.arange(4), 6)
    y = np.tile([1.0, -1, 1, -1, 1, -1], 4)[:, None]  # equal means: less than chance
    work = absorbed(y, {"a": a})
    found = moments(work)
    assert found.raw[0, 0] == pytest.approx(-found.residual[0] / 6)
    assert found.variances[0, 0] == 0
    assert reml(work).variances[0, 0] == 0
    assert reml(work).residual[0] == pytest.approx(y.var(ddof=1))


def test_factors_that_cannot_be_told_are_left_out():
    """Of two equal factors the first holds both; one row per level belongs to the residual."""
    rng = np.random.default_rng(13)
    a, b = rng.integers(6, size=60), rng.integers(4, size=60)
    y = planted({"a": a, "b": b}, [0.3, 0.3], 30, rng, 0.4)
    plain = absorbed(y, {"a": a, "b": b})
    more = absorbed(y, {"a": a, "again": a, "b": b, "row": np.arange(60)})
    for method in (moments, reml):
        expected, found = method(plain), method(more)
        assert found.estimable.tolist() == [True, False, True, False]
        assert np.isnan(found.variances[[1, 3]]).all()
        assert found.variances[[0, 2]] == pytest.approx(expected.variances, abs=1e-6)
        assert found.residual == pytest.approx(expected.residual, abs=1e-6)
        assert np.nansum(found.fractions(), axis=0) == pytest.approx(np.ones(30))


def test_a_factor_within_the_fixed_part_is_left_out():
    rng = np.random.default_rng(14)
    a, b = rng.integers(6, size=60), rng.integers(4, size=60)
    y = planted({"a": a, "b": b}, [0.3, 0.3], 30, rng, 0.4)
    for random, left in (({"batch": a % 2, "b": b}, [False, True]), ({"a": a}, [False])):
        work = absorbed(y, random, dummies(a))  # all levels: of deficient rank
        assert work.freedom == 60 - 6
        for method in (moments, reml):
            found = method(work)
            assert found.estimable.tolist() == left
            assert np.isfinite(found.residual).all()
            assert np.isfinite(found.fixed).all()
    assert reml(work).converged.all()
    assert reml(work).errors[-1] == pytest.approx(np.sqrt(2 / 54) * found.residual)


def test_nested_in_the_wrong_order_is_out_of_reach_of_moments():
    rng = np.random.default_rng(15)
    donor = rng.integers(12, size=300)
    y = planted({"batch": donor % 3, "donor": donor}, [0.3, 0.3], 10, rng, 0.4)
    work = absorbed(y, {"donor": donor, "batch": donor % 3})
    assert moments(work).estimable.tolist() == [True, False]
    assert reml(work).estimable.tolist() == [True, True]


def test_fixed_part_and_empty_levels():
    """Shares of .25 random, .5 residual, .25 fixed: means over 1,000 genes within .01 (seed 16)."""
    rng = np.random.default_rng(16)
    n, genes = 1000, 1000
    batch = rng.integers(30, size=n)
    x = rng.normal(size=(n, 1))
    x = (x - x.mean()) / x.std(ddof=1)
    y = planted({"batch": batch}, [0.25], genes, rng, 0.5) + 0.5 * x
    depth, twice = 1e3 * x, np.hstack([1e3 * x, 2e3 * x, np.ones((n, 1))])
    levels = np.hstack([dummies(batch), np.zeros((n, 2))])
    found = reml(absorbed(y, {"batch": levels}, twice))
    same = reml(absorbed(y, {"batch": batch}, depth))
    shares = found.fractions(fixed=True)
    assert shares.shape == (3, genes)
    assert shares.mean(axis=1) == pytest.approx([0.25, 0.5, 0.25], abs=0.01)
    assert shares.sum(axis=0) == pytest.approx(np.ones(genes))
    assert same.fractions(fixed=True) == pytest.approx(shares, abs=1e-8)
    by_moments = moments(absorbed(y, {"batch": batch}, depth))
    assert by_moments.fractions(fixed=True).mean(axis=1) == pytest.approx(
        [0.25, 0.5, 0.25], abs=0.01
    )
    nothing = planted({"batch": batch}, [0.25], genes, rng, 0.5)
    assert reml(absorbed(nothing, {"batch": batch}, depth)).fixed.mean() < 0.001


def test_genes_without_variance_or_residual_are_nan():
    rng = np.random.default_rng(17)
    a = rng.integers(5, size=50)
    y = np.column_stack([rng.normal(size=50), np.full(50, 3.0), a, a + 1e-2 * rng.normal(size=50)])
    found = reml(absorbed(y, {"a": a}))
    assert found.converged.tolist() == [True, False, False, True]
    assert np.isnan(found.fractions()[:, [1, 2]]).all()
    assert np.isnan(found.errors[:, [1, 2]]).all()
    assert np.isnan(moments(absorbed(y, {"a": a})).fractions()[:, 1]).all()
    assert found.fractions()[0, 3] > 0.999


def test_refusals():
    rng = np.random.default_rng(18)
    y, a = rng.normal(size=(6, 2)), np.array([0, 0, 1, 1, 2, 2])
    with pytest.raises(ValueError, match="random factor"):
        absorbed(y, {"a": a}).of(Normal(6, np.eye(1), y[:1], np.ones(2)), {})
    with pytest.raises(ValueError, match="degrees of freedom"):
        absorbed(y, {"a": a}, np.eye(6))


def test_workers_and_batches_change_nothing(monkeypatch):
    rng = np.random.default_rng(19)
    random = unbalanced(rng)
    work = absorbed(planted(random, [0.2, 0.1], 60, rng, 0.5), random)
    whole = reml(work)
    monkeypatch.setattr("infocheck.stats.restricted_likelihood._GENES", 7)
    parts = reml(work, Engine(2).map)
    assert parts.variances == pytest.approx(whole.variances, abs=1e-8)
    assert np.array_equal(parts.converged, whole.converged)


def test_statsmodels_agrees_where_it_reaches_the_optimum():
    """MixedLM by Powell's method; its other optimisers report convergence far from it."""
    rng = np.random.default_rng(20)
    donor = rng.choice(10, p=np.arange(1, 11) / 55, size=200)
    y = planted({"donor": donor}, [0.4], 8, rng, 0.6)
    found = reml(absorbed(y, {"donor": donor}))
    compared = 0
    for k in range(8):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = sm.MixedLM(y[:, k], np.ones((200, 1)), donor).fit(reml=True, method="powell")
        dense = Dense(y[:, k], {"donor": donor})
        theirs = np.array([fit.cov_re[0, 0], fit.scale])
        ours = np.array([found.variances[0, k], found.residual[k]])
        assert dense.deviance(ours) <= dense.deviance(theirs) + 1e-8
        if fit.converged and dense.deviance(theirs) < dense.deviance(ours) + 1e-5:
            assert ours == pytest.approx(theirs, abs=0.005)
            compared += 1
    assert compared >= 4
