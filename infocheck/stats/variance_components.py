"""Variance components of all genes at once, from sums of squares and products.

The model of every gene is ``y = 1m + Xβ + Σ_j Z_j u_j + e``: fixed columns X, random factors with
indicator columns Z_j, ``u_j ~ N(0, σ²_j I)``, ``e ~ N(0, σ² I)``. Rows are never needed. Intercept
and fixed columns are projected out once for all genes (`Absorbed`); two estimators work on what
is left: `moments` solves one triangular system for all genes, `reml` maximises the restricted
likelihood of each gene, many genes in each matrix operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from infocheck.stats.restricted_likelihood import TOLERANCE, Likelihood, Map, Optimum, reciprocal
from infocheck.stats.variance import Normal

# A gene with less than this share of its sum of squares left has no variance left.
_NOTHING = 1e-10


def _in_order(function: Callable, tasks: Iterable) -> list:
    return [function(task) for task in tasks]


@dataclass(frozen=True)
class Absorbed:
    """What remains of design and genes once intercept and fixed columns are projected out.

    With M the projection onto what ``[1 X]`` leaves free, q columns of all random factors side
    by side in Z, and g genes.

    Attributes
    ----------
    n
        Observations.
    freedom
        ``n - rank [1 X]``.
    a, b, c
        ``Z'MZ`` (q, q), ``Z'My`` (q, g) and ``y'My`` (g,).
    size
        Centred sums of squares of the columns of Z before X was projected out, shape (q,).
    blocks
        Columns of each random factor within q, in the stated order.
    loading, fitted
        Products of an orthonormal basis of the centred X with Z, shape (rank X, q), and with
        the genes, shape (rank X, g).
    """

    n: float
    freedom: float
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    size: np.ndarray
    blocks: dict[str, slice]
    loading: np.ndarray
    fitted: np.ndarray

    @classmethod
    def of(
        cls,
        normal: Normal,
        random: Mapping[str, np.ndarray],
        fixed: np.ndarray | Sequence[int] = (),
    ) -> Absorbed:
        """From centred normal equations of all genes on all design columns.

        Parameters
        ----------
        normal
            Centred products of k design columns and g genes.
        random
            Design columns of each random factor, by name; the order matters to `moments`
            alone. Indicators of its levels: crossed or nested, levels may be empty.
        fixed
            Design columns of the fixed part, in any coding, collinear or not.
        """
        if not random:
            raise ValueError("variance components need a random factor")
        fixed = np.asarray(fixed, dtype=np.int64)
        parts = [np.asarray(columns, dtype=np.int64) for columns in random.values()]
        chosen = np.concatenate([fixed, *parts])
        xx, xy = normal.xx[np.ix_(chosen, chosen)], normal.xy[chosen]
        size = np.diag(xx).copy()
        size[size <= 1e-12 * size.max(initial=0.0)] = 0.0  # constant columns
        f = len(fixed)
        loading, fitted = _basis(xx, xy, size, slice(f))
        loading = loading[:, f:]
        freedom = float(normal.n) - 1 - len(fitted)
        if freedom <= 0:
            raise ValueError("the fixed part leaves no degrees of freedom")
        ends = np.cumsum([0, *map(len, parts)])
        c = normal.yy - (fitted**2).sum(axis=0)
        return cls(
            n=float(normal.n),
            freedom=freedom,
            a=xx[f:, f:] - loading.T @ loading,
            b=xy[f:] - loading.T @ fitted,
            c=np.where(c > _NOTHING * normal.yy, c, 0.0),
            size=size[f:],
            blocks={
                name: slice(start, stop)
                for name, start, stop in zip(random, ends[:-1], ends[1:], strict=True)
            },
            loading=loading,
            fitted=fitted,
        )


def _basis(
    a: np.ndarray, b: np.ndarray, size: np.ndarray, columns: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Products of an orthonormal basis of some columns with all columns and all genes.

    ``a`` and ``b`` are products after earlier projections, ``size`` the squares of the columns
    before: a direction of which next to nothing is left belongs to what was projected out.
    """
    scale = reciprocal(np.sqrt(size[columns]))
    values, vectors = np.linalg.eigh(a[columns, columns] * np.outer(scale, scale))
    keep = values > TOLERANCE
    basis = (scale[:, None] * vectors[:, keep] / np.sqrt(values[keep])).T
    return basis @ a[columns], basis @ b[columns]


@dataclass(frozen=True)
class Components:
    """Variance components of F random factors for g genes, in squared units of the genes.

    Attributes
    ----------
    names
        Random factors, in the stated order.
    estimable
        False for a factor that was left out, because its columns hold nothing that the fixed
        part, the factors before it or the residual (one observation per level) do not hold
        already; shape (F,). Its variance is counted there, its own row is NaN.
    variances
        Of the factors, at least 0, shape (F, g); NaN for genes without variance.
    residual
        Residual variance, shape (g,).
    fixed
        Variance of the fixed part over the observations, at least 0, shape (g,):
        ``β̂'X'Xβ̂ - tr(X'X Var β̂)`` over n - 1 with X centred and β̂ by generalised least squares
        at the estimated components. Without the second term, which is there even when β = 0,
        it would be the variance of the fitted values.
    """

    names: tuple[str, ...]
    estimable: np.ndarray
    variances: np.ndarray
    residual: np.ndarray
    fixed: np.ndarray

    def fractions(self, *, fixed: bool = False) -> np.ndarray:
        """Shares of the variance, shape (F + 1, g): the factors, then the residual.

        Shares of what is random, as from ``VarCorr`` of lme4. With ``fixed`` the variance of
        the fixed part joins the total, and its share is a last row, shape (F + 2, g), as in
        variancePartition (Hoffman & Schadt 2016). Columns sum to 1, rows left out aside.
        """
        parts = [self.variances, self.residual[None]]
        rows = np.concatenate([*parts, self.fixed[None]] if fixed else parts)
        total = np.where(np.isnan(self.residual), np.nan, np.nansum(rows, axis=0))
        return rows / np.where(total > 0, total, np.nan)


@dataclass(frozen=True)
class MomentComponents(Components):
    """Components by the method of moments.

    Attributes
    ----------
    raw
        Before negative ones were set to 0, shape (F, g).
    """

    raw: np.ndarray


@dataclass(frozen=True)
class RemlComponents(Components):
    """Components by restricted maximum likelihood.

    Attributes
    ----------
    covariance
        Sampling covariance of the factors' variances and, last, of the residual variance,
        shape (F + 1, F + 1, g): the inverse of the expected information.
    deviance
        ``log|V/σ²| + log|X'V⁻¹X σ²| - log|X'X| + df log σ²`` at the estimate, shape (g,): minus
        twice the restricted log-likelihood up to a constant of the design.
    converged
        Whether the estimate satisfies the conditions of an optimum, shape (g,): no slope in
        positive components, none that descends in those at 0. False without variance.
    iterations
        Newton steps, shape (g,).
    """

    covariance: np.ndarray
    deviance: np.ndarray
    converged: np.ndarray
    iterations: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Standard errors of the factors' variances, then of the residual's, shape (F + 1, g)."""
        return np.sqrt(np.einsum("iig->ig", self.covariance))

    @property
    def fraction_errors(self) -> np.ndarray:
        """Standard errors of `fractions` by the delta method, shape (F + 1, g)."""
        share = self.fractions()
        total = self.residual / share[-1]
        share, covariance = np.nan_to_num(share), np.nan_to_num(self.covariance)
        slope = (np.eye(len(share))[:, :, None] - share[:, None]) / total
        squares = np.einsum("ijg,jkg,ikg->ig", slope, covariance, slope, optimize=True)
        return np.where(np.isnan(self.errors), np.nan, np.sqrt(np.maximum(squares, 0.0)))


def moments(absorbed: Absorbed) -> MomentComponents:
    """Unbiased components of all genes from sequential sums of squares.

    The span of the design grows factor by factor. Each step gives a sum of squares whose
    expectation is linear in the components of this factor, of the later ones and of the
    residual; the coefficients are traces of the design, equal for all genes.

    Notes
    -----
    Misleads in three ways. With correlated factors the estimates depend on the order: a factor
    that lies in the span of those before it (a batch named after the donors nested in it) is
    not even estimable. Estimates can be negative, and setting them to 0 makes their mean too
    high. Large levels count for more than `reml` lets them: with 8 batches × 12 donors and 960
    rows fractions differ from it by .005 in the median where rows fall on levels by chance, and
    by .03 to .06 where sizes of levels differ tenfold or the factors are correlated; more rows
    do not help, more levels do. In its favour: no iteration, and no bias before the cut.

    Source: Henderson (1953), method III.
    """
    a, b = absorbed.a.copy(), absorbed.b.copy()
    left, freedom = absorbed.c.copy(), absorbed.freedom
    blocks = list(absorbed.blocks.values())
    estimable = np.zeros(len(blocks), dtype=bool)
    squares, ranks, traces = [], [], []
    for k, block in enumerate(blocks):
        loading, score = _basis(a, b, absorbed.size, block)
        rank = len(score)
        if not 0 < rank < freedom:
            continue
        estimable[k] = True
        a -= loading.T @ loading
        b -= loading.T @ score
        squares.append((score**2).sum(axis=0))
        left, freedom = left - squares[-1], freedom - rank
        ranks.append(rank)
        traces.append([(loading[:, other] ** 2).sum() for other in blocks])
    residual = np.where(absorbed.c > 0, np.maximum(left, 0.0) / freedom, np.nan)
    raw = np.full((len(blocks), len(left)), np.nan)
    if estimable.any():
        above = np.stack(squares) - np.outer(ranks, residual)
        system = np.array(traces)[:, estimable]
        raw[estimable] = solve_triangular(np.triu(system), above, check_finite=False)
    variances = np.maximum(raw, 0.0)
    return MomentComponents(
        names=tuple(absorbed.blocks),
        estimable=estimable,
        variances=variances,
        residual=residual,
        fixed=_fixed_at(absorbed, variances, residual),
        raw=raw,
    )


def reml(absorbed: Absorbed, mapped: Map = _in_order) -> RemlComponents:
    """Components that maximise the restricted likelihood of each gene, none below 0.

    Parameters
    ----------
    absorbed
        Design and genes.
    mapped
        Runs independent batches of genes.

    Notes
    -----
    With ratios ``λ_j = σ²_j/σ²`` and ``Λ`` their diagonal over the columns, the profile deviance
    is ``d(λ) = log|I + AΛ| + df log(c - b'Λ(I + AΛ)⁻¹b)``. Its gradient and Hessian follow from
    ``C = Z'PZ = (I + AΛ)⁻¹A`` and ``u = Z'Py = (I + AΛ)⁻¹b``. Newton steps are taken in
    ``log(1 + m_j λ_j)``, m_j the mean eigenvalue of the factor: in balanced one-way designs the
    deviance is convex in it. Bounds are kept by an active set, steps halved until the deviance
    falls. Each gene starts at the best of its moment estimate and a grid that all genes share.
    The factor of highest rank is diagonal in its own eigenbasis and eliminated first, so that a
    gene costs the cube of the rank of the other factors only: one factor costs nothing but
    sums over eigenvalues, donors nested in batches the cube of the batches.

    Misleads when a factor has few levels: the variance of 2 or 3 batches is hardly known
    (see ``errors``, which are themselves poor there and at 0). Shares are means over a
    population of batches, not over those at hand. Normal errors of equal variance are assumed
    for interval and test; the estimates remain consistent without. A gene that the factors
    explain without residual has no maximum: NaN.

    Sources: Patterson & Thompson (1971), restricted likelihood; profile deviance in relative
    variances: Bates, Mächler, Bolker & Walker (2015).
    """
    estimable, start = _independent(absorbed), moments(absorbed)
    kept = np.flatnonzero(estimable)
    if not len(kept):
        return _residual_alone(absorbed, start)
    likelihood = Likelihood.of(absorbed, kept, np.flatnonzero(absorbed.c > 0))
    genes, place = likelihood.genes, kept[likelihood.order]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = start.variances[np.ix_(place, genes)] / start.residual[genes]
    ratio = likelihood.best_start(np.clip(np.nan_to_num(ratio), 0.0, 1e6).T, mapped)
    parts = mapped(lambda batch: likelihood.fit(batch, ratio[batch]), likelihood.batches())
    best = Optimum.joined(parts)

    f, g, scale = len(estimable), len(absorbed.c), likelihood.scale**2
    variances, residual, fixed = np.full((f, g), np.nan), np.full(g, np.nan), np.full(g, np.nan)
    covariance, deviance = np.full((f + 1, f + 1, g), np.nan), np.full(g, np.nan)
    converged, iterations = np.zeros(g, dtype=bool), np.zeros(g, dtype=np.int64)
    variances[np.ix_(place, genes)] = best.ratio.T * best.residual * scale
    residual[genes] = best.residual * scale
    fixed[genes] = best.fixed * scale
    rows = np.append(place, f)
    covariance[np.ix_(rows, rows, genes)] = np.moveaxis(best.covariance, 0, -1) * scale**2
    deviance[genes] = best.deviance + absorbed.freedom * np.log(scale)
    converged[genes], iterations[genes] = best.converged, best.iterations
    return RemlComponents(
        names=tuple(absorbed.blocks),
        estimable=estimable,
        variances=variances,
        residual=residual,
        fixed=fixed,
        covariance=covariance,
        deviance=deviance,
        converged=converged,
        iterations=iterations,
    )


def _residual_alone(absorbed: Absorbed, start: MomentComponents) -> RemlComponents:
    """Where no factor is estimable, both methods have one answer."""
    f, g = start.variances.shape
    covariance = np.full((f + 1, f + 1, g), np.nan)
    covariance[f, f] = 2 * start.residual**2 / absorbed.freedom
    return RemlComponents(
        names=start.names,
        estimable=start.estimable,
        variances=start.variances,
        residual=start.residual,
        fixed=start.fixed,
        covariance=covariance,
        deviance=absorbed.freedom * np.log(start.residual),
        converged=start.residual > 0,
        iterations=np.zeros(g, dtype=np.int64),
    )


def _fixed_at(absorbed: Absorbed, variances: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Variance of the fixed part at given components, shape (g,)."""
    value = np.where(np.isnan(residual), np.nan, 0.0)
    rank, kept = len(absorbed.fitted), np.flatnonzero(~np.isnan(variances).all(axis=1))
    if not rank:
        return value
    if not len(kept):
        squares = (absorbed.fitted**2).sum(axis=0) - rank * residual
        return np.maximum(squares, 0.0) / (absorbed.n - 1)
    value[:] = np.nan
    likelihood = Likelihood.of(absorbed, kept, np.flatnonzero(residual > 0))
    genes, scale = likelihood.genes, likelihood.scale**2
    ratio = (variances[np.ix_(kept[likelihood.order], genes)] / residual[genes]).T
    for batch in likelihood.batches():
        unit = residual[genes[batch]] / scale[batch]
        found = likelihood.fixed(ratio[batch], batch, likelihood.at(ratio[batch], batch), unit)
        value[genes[batch]] = found * scale[batch]
    return value


def _independent(absorbed: Absorbed) -> np.ndarray:
    """Which factors have a covariance that the residual and the factors before do not span."""
    blocks = list(absorbed.blocks.values())
    f = len(blocks)
    inner = np.zeros((f + 1, f + 1))  # of the covariances MZ_jZ_j'M and, first, M
    inner[0, 0] = absorbed.freedom
    for i, row in enumerate(blocks, 1):
        inner[0, i] = inner[i, 0] = np.trace(absorbed.a[row, row])
        for j, column in enumerate(blocks, 1):
            inner[i, j] = (absorbed.a[row, column] ** 2).sum()
    left = np.array([np.linalg.norm(absorbed.a[block, block], 2) for block in blocks])
    size = np.array([absorbed.size[block].max(initial=0.0) for block in blocks])
    there = left > TOLERANCE * np.maximum(size, 1e-300)
    scale = reciprocal(np.sqrt(np.diag(inner)))
    inner = inner * np.outer(scale, scale)
    kept = [0]
    for i in np.flatnonzero(there) + 1:
        chosen = [*kept, i]
        if np.linalg.eigvalsh(inner[np.ix_(chosen, chosen)])[0] > TOLERANCE:
            kept = chosen
    estimable = np.zeros(f, dtype=bool)
    estimable[np.array(kept[1:], dtype=np.int64) - 1] = True
    return estimable
