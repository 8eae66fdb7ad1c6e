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
from itertools import product

import numpy as np
from scipy.linalg import solve_triangular

from infocheck.stats.variance import Normal

# Directions of a design below this share of a column's square are rounding.
TOLERANCE = 1e-9
# A gene with less than this share of its sum of squares left has no variance left.
_NOTHING = 1e-10
# Largest gradient of the deviance, per unit of log(1 + m λ), that counts as zero.
GRADIENT = 1e-7
# Ratios of a variance to the residual variance end here.
_MOST = 1e8
_ITERATIONS, _HALVINGS, _LONGEST = 100, 30, 3.0
# At most so many starting points are shared by all genes.
_STARTS = 150
# Numbers that a batch of genes may hold at once (32 MB), and genes in it.
_BATCH, _GENES = 2**22, 512

Map = Callable[[Callable, Iterable], list]


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
        ends = np.cumsum([0, *map(len, parts)])
        c = normal.yy - (fitted**2).sum(axis=0)
        return cls(
            n=float(normal.n),
            freedom=float(normal.n) - 1 - len(fitted),
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
    scale = _reciprocal(np.sqrt(size[columns]))
    values, vectors = np.linalg.eigh(a[columns, columns] * np.outer(scale, scale))
    keep = values > TOLERANCE
    basis = (scale[:, None] * vectors[:, keep] / np.sqrt(values[keep])).T
    return basis @ a[columns], basis @ b[columns]


def _reciprocal(x: np.ndarray) -> np.ndarray:
    return np.divide(1.0, x, out=np.zeros_like(x), where=x > 0)


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
    high. Unbalanced designs lose precision against `reml`. Up to the order there is no choice
    and no iteration, so they are a check of `reml` and its starting point.

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
    valid = (absorbed.c > 0) & (freedom > 0)
    residual = np.where(valid, np.maximum(left, 0.0) / max(freedom, 1.0), np.nan)
    raw = np.full((len(blocks), len(left)), np.nan)
    if estimable.any():
        above = np.stack(squares) - np.outer(ranks, residual)
        system = np.array(traces)[:, estimable]
        solved = solve_triangular(np.triu(system), np.where(valid, above, 0.0))
        raw[estimable] = np.where(valid, solved, np.nan)
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
    names, blocks = tuple(absorbed.blocks), list(absorbed.blocks.values())
    estimable = _independent(absorbed)
    start = moments(absorbed)
    kept = np.flatnonzero(estimable)
    g = len(absorbed.c)
    freedom = absorbed.freedom
    some = absorbed.c > 0 if freedom > 0 else np.zeros(g, dtype=bool)
    genes = np.flatnonzero(some & ~_saturated(absorbed))
    if not len(kept):
        return _residual_alone(absorbed, start)
    problem = _Problem.of(absorbed, [blocks[k] for k in kept], genes)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.nan_to_num(start.variances[kept] / start.residual, posinf=_MOST)[:, genes].T
    best = problem.best_start(np.clip(ratio[:, problem.order], 0.0, 0.01 * _MOST), mapped)
    found = mapped(lambda batch: _fit(problem, batch, best[batch]), problem.batches())
    found = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    ratio, unit, fixed, covariance, deviance, converged, iterations = found

    scale = problem.scale**2
    place = kept[problem.order]
    variances = np.full((len(names), g), np.nan)
    variances[np.ix_(place, genes)] = (ratio * (unit * scale)[:, None]).T
    whole = np.full((len(names) + 1, len(names) + 1, g), np.nan)
    rows = np.append(place, len(names))
    whole[np.ix_(rows, rows, genes)] = np.moveaxis(covariance * scale[:, None, None] ** 2, 0, -1)

    def everywhere(values: np.ndarray, nothing: float | bool | int) -> np.ndarray:
        full = np.full(g, nothing)
        full[genes] = values
        return full

    return RemlComponents(
        names=names,
        estimable=estimable,
        variances=variances,
        residual=everywhere(unit * scale, np.nan),
        fixed=everywhere(fixed * scale, np.nan),
        covariance=whole,
        deviance=everywhere(deviance + freedom * np.log(scale), np.nan),
        converged=everywhere(converged, False),
        iterations=everywhere(iterations, 0),
    )


def _residual_alone(absorbed: Absorbed, start: MomentComponents) -> RemlComponents:
    """Where no factor is estimable, both methods have one answer."""
    f, g = start.variances.shape
    covariance = np.full((f + 1, f + 1, g), np.nan)
    covariance[f, f] = 2 * start.residual**2 / max(absorbed.freedom, 1.0)
    with np.errstate(divide="ignore"):
        deviance = absorbed.freedom * np.log(start.residual)
    return RemlComponents(
        names=start.names,
        estimable=start.estimable,
        variances=start.variances,
        residual=start.residual,
        fixed=start.fixed,
        covariance=covariance,
        deviance=deviance,
        converged=start.residual > 0,
        iterations=np.zeros(g, dtype=np.int64),
    )


def _fixed_at(absorbed: Absorbed, variances: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Variance of the fixed part at given components, shape (g,)."""
    value = np.where(np.isnan(residual), np.nan, 0.0)
    rank = len(absorbed.fitted)
    if not rank:
        return value
    kept = np.flatnonzero(~np.isnan(variances).all(axis=1))
    if not len(kept):
        spread = (absorbed.fitted**2).sum(axis=0) - rank * residual
        return np.maximum(spread, 0.0) / (absorbed.n - 1)
    # Without residual the ratios are infinite, and the fixed part is left open.
    some = residual > 1e-9 * absorbed.c / absorbed.freedom
    genes = np.flatnonzero(some)
    blocks = list(absorbed.blocks.values())
    problem = _Problem.of(absorbed, [blocks[k] for k in kept], genes)
    ratio = (variances[np.ix_(kept[problem.order], genes)] / residual[genes]).T
    value[~some] = np.nan
    for batch in problem.batches():
        state = problem.at(ratio[batch], batch)
        # The residual variance is given here, not the one that these ratios would call for.
        unit = residual[genes[batch]] / problem.scale[batch] ** 2
        found = problem.fixed(ratio[batch], batch, state, unit)
        value[genes[batch]] = found * problem.scale[batch] ** 2
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
    size = np.array([absorbed.size[block].max(initial=0.0) for block in blocks])
    there = np.sqrt(np.diag(inner)[1:]) > TOLERANCE * np.maximum(size, 1e-300)
    scale = _reciprocal(np.sqrt(np.diag(inner)))
    inner = inner * np.outer(scale, scale)
    kept = [0]
    for i in np.flatnonzero(there) + 1:
        chosen = [*kept, i]
        if np.linalg.eigvalsh(inner[np.ix_(chosen, chosen)])[0] > TOLERANCE:
            kept = chosen
    estimable = np.zeros(f, dtype=bool)
    estimable[np.array(kept[1:], dtype=np.int64) - 1] = True
    return estimable


def _saturated(absorbed: Absorbed) -> np.ndarray:
    """Genes that the factors explain without residual although they leave freedom."""
    a, b, left = absorbed.a, absorbed.b, absorbed.c
    loading, score = _basis(a, b, absorbed.size, slice(None))
    if len(loading) >= absorbed.freedom:
        return np.zeros(len(left), dtype=bool)
    return left - (score**2).sum(axis=0) <= 1e-9 * left


@dataclass(frozen=True)
class _State:
    """Deviance and what its derivatives are made of, at one vector of ratios per gene.

    ``trace`` is tr C_jj (g, K), ``norm`` |C_jk|² (g, K, K), ``square`` |u_j|² (g, K), ``form``
    u_j'C_jk u_k (g, K, K), ``rest`` y'Py (g,), ``u`` (g, q).
    """

    deviance: np.ndarray
    trace: np.ndarray
    norm: np.ndarray
    square: np.ndarray
    form: np.ndarray
    rest: np.ndarray
    u: np.ndarray
    inner: np.ndarray  # Λ(I + CΛ)⁻¹ of the factors that are not eliminated
    shrunk: np.ndarray  # 1 / (1 + λd) of the factor that is


@dataclass(frozen=True)
class _Problem:
    """The likelihood of all genes, each factor in its eigenbasis, the largest factor last.

    Genes are scaled to ``c = df``, so that the residual variance without any factor is 1.
    """

    freedom: float
    order: np.ndarray  # positions of the factors as they stand here
    a: np.ndarray  # (q, q)
    b: np.ndarray  # (g, q)
    owner: np.ndarray  # factor of each column, (q,)
    last: int  # first column of the eliminated factor
    d: np.ndarray  # its eigenvalues
    pairs: np.ndarray  # products of the others' columns with each of its, (q_last, r * r)
    mean: np.ndarray  # mean eigenvalue of each factor, (K,)
    loading: np.ndarray  # (rank X, q)
    fitted: np.ndarray  # (g, rank X)
    scale: np.ndarray  # what the genes were divided by, (g,)
    n: float

    @classmethod
    def of(cls, absorbed: Absorbed, blocks: list[slice], genes: np.ndarray) -> _Problem:
        turns, mean = [], []
        for block in blocks:
            values, vectors = np.linalg.eigh(absorbed.a[block, block])
            keep = values > TOLERANCE * absorbed.size[block].max()
            turns.append((block, vectors[:, keep]))
            mean.append(values[keep].mean())
        ranks = np.array([turn.shape[1] for _, turn in turns], dtype=np.int64)
        order = np.argsort(ranks, kind="stable")
        q = int(ranks.sum())
        turn = np.zeros((len(absorbed.a), q))
        ends = np.cumsum([0, *ranks[order]])
        for k, start in zip(order, ends, strict=False):
            block, vectors = turns[k]
            turn[block, start : start + vectors.shape[1]] = vectors
        a = turn.T @ absorbed.a @ turn
        last = int(ends[-2]) if len(order) else 0
        side = a[:last, last:]
        scale = np.sqrt(absorbed.c[genes] / max(absorbed.freedom, 1.0))
        return cls(
            freedom=absorbed.freedom,
            order=order,
            a=a,
            b=(absorbed.b[:, genes] / scale).T @ turn,
            owner=np.repeat(np.arange(len(order)), ranks[order]),
            last=last,
            d=np.diag(a)[last:].copy(),
            pairs=(side.T[:, :, None] * side.T[:, None, :]).reshape(q - last, last * last),
            mean=np.array(mean)[order] if mean else np.ones(0),
            loading=absorbed.loading @ turn,
            fitted=(absorbed.fitted[:, genes] / scale).T,
            scale=scale,
            n=absorbed.n,
        )

    def batches(self) -> list[np.ndarray]:
        """Genes in batches that bound the memory."""
        per_gene = 12 * self.last**2 + 8 * len(self.a) + 8
        most = int(np.clip(_BATCH // per_gene, 4, _GENES))
        return np.array_split(np.arange(len(self.b)), max(1, -(-len(self.b) // most)))

    def best_start(self, ratio: np.ndarray, mapped: Map) -> np.ndarray:
        """Per gene the better of its own start and of a grid that all genes share, (g, K)."""
        factors = ratio.shape[1]
        if not factors:
            return ratio
        steps = int(np.floor(_STARTS ** (1 / factors) + 1e-9))
        steps = min(steps, 12)
        if steps < 2:
            return ratio
        top = np.log1p(10 * self.mean)
        axes = [np.expm1(np.linspace(0, t, steps)) / m for t, m in zip(top, self.mean, strict=True)]
        points = np.array(list(product(*axes)))
        deviance = np.stack(mapped(self.shared_deviance, points))
        best = deviance.argmin(axis=0)
        own = mapped(lambda batch: self.at(ratio[batch], batch).deviance, self.batches())
        lower = deviance[best, np.arange(len(ratio))] < np.concatenate(own)
        return np.where(lower[:, None], points[best], ratio)

    def shared_deviance(self, ratio: np.ndarray) -> np.ndarray:
        """Deviance of all genes at one vector of ratios, shape (g,)."""
        root = np.sqrt(ratio)[self.owner]
        lower = np.linalg.cholesky(np.eye(len(root)) + self.a * np.outer(root, root))
        solved = solve_triangular(lower, root[:, None] * self.b.T, lower=True, check_finite=False)
        rest = self._positive(self.freedom - (solved**2).sum(axis=0))
        return 2 * np.log(np.diag(lower)).sum() + self.freedom * np.log(rest / self.freedom)

    def _positive(self, rest: np.ndarray) -> np.ndarray:
        return np.maximum(rest, 1e-14 * self.freedom)

    def at(self, ratio: np.ndarray, genes: np.ndarray) -> _State:
        """Everything at the ratios of each of these genes, shape (len(genes), K).

        Subscript r is for the factors that stay, e for the one that is eliminated.
        """
        r, k = self.last, len(self.order) - 1
        side, d, b = self.a[:r, r:], self.d, self.b[genes]
        lam_e, lam_r = ratio[:, k:], ratio[:, self.owner[:r]]
        shrunk = 1 / (1 + lam_e * d)

        def weighted(weights: np.ndarray) -> np.ndarray:
            """A_re diag(weights) A_er of each gene."""
            return (weights @ self.pairs).reshape(-1, r, r)

        # What stays, once the last factor is eliminated; then the inverse over it.
        c_r = self.a[:r, :r] - lam_e[:, :, None] * weighted(shrunk)
        b_r = b[:, :r] - lam_e * ((shrunk * b[:, r:]) @ side.T)
        root = np.sqrt(lam_r)
        lower = np.linalg.cholesky(np.eye(r) + c_r * root[:, :, None] * root[:, None, :])
        inverse = np.linalg.inv(np.eye(r) + c_r * lam_r[:, None, :])
        inner = lam_r[:, :, None] * inverse
        u_r = _times(inverse, b_r)
        u_e = shrunk * (b[:, r:] - (lam_r * u_r) @ side)
        u = np.concatenate([u_r, u_e], axis=1)
        rest = self._positive(self.freedom - (ratio[:, self.owner] * b * u).sum(axis=1))
        logs = 2 * np.log(np.einsum("gii->gi", lower)).sum(axis=1) + np.log1p(lam_e * d).sum(axis=1)

        # Blocks of C, as far as their traces and norms go.
        member = (self.owner[:r, None] == np.arange(k)).astype(float)
        second = weighted(shrunk**2)
        c_rr = inverse @ c_r
        reached = inner @ second
        trace = np.empty_like(ratio)
        trace[:, :k] = np.einsum("gii->gi", c_rr) @ member
        trace[:, k] = (d * shrunk).sum(axis=1) - np.einsum("gii->g", reached)
        norm = np.empty((len(genes), k + 1, k + 1))
        norm[:, :k, :k] = member.T @ (c_rr**2) @ member
        crossed = ((inverse @ second) * inverse).sum(axis=2) @ member
        norm[:, :k, k] = norm[:, k, :k] = crossed
        norm[:, k, k] = (
            ((d * shrunk) ** 2).sum(axis=1)
            - 2 * (inner * weighted(d * shrunk**3)).sum(axis=(1, 2))
            + (reached * reached.transpose(0, 2, 1)).sum(axis=(1, 2))
        )
        spread = u_r[:, :, None] * member
        form = np.empty_like(norm)
        form[:, :k, :k] = spread.transpose(0, 2, 1) @ c_rr @ spread
        seen = (shrunk * u_e) @ side.T
        form[:, :k, k] = form[:, k, :k] = (u_r * _times(inverse, seen)) @ member
        form[:, k, k] = (d * shrunk * u_e**2).sum(axis=1) - (seen * _times(inner, seen)).sum(axis=1)
        square = np.concatenate([(u_r**2) @ member, (u_e**2).sum(axis=1)[:, None]], axis=1)
        deviance = logs + self.freedom * np.log(rest / self.freedom)
        return _State(deviance, trace, norm, square, form, rest, u, inner, shrunk)

    def fixed(
        self, ratio: np.ndarray, genes: np.ndarray, state: _State, unit: np.ndarray
    ) -> np.ndarray:
        """Variance of the fixed part at residual variances ``unit``, shape (len(genes),).

        With F the products of an orthonormal basis of X and Z, the fit is ``h - FΛu`` in that
        basis and its variance ``σ²(rank + tr FHF')``, H = Λ(I + AΛ)⁻¹.
        """
        r, f = self.last, len(self.loading)
        if not f:
            return np.zeros(len(genes))
        weight, lam_e = ratio[:, self.owner], ratio[:, -1:]
        fit = self.fitted[genes] - (weight * state.u) @ self.loading.T
        load_r, load_e = self.loading[:, :r], self.loading[:, r:]
        pairs = (load_e.T[:, :, None] * self.a[:r, r:].T[:, None, :]).reshape(-1, f * r)
        left = load_r - ((lam_e * state.shrunk) @ pairs).reshape(-1, f, r)
        spread = ((left @ state.inner) * left).sum(axis=(1, 2))
        spread += ((lam_e * state.shrunk) * (load_e**2).sum(axis=0)).sum(axis=1)
        return np.maximum((fit**2).sum(axis=1) - unit * (f + spread), 0.0) / (self.n - 1)

    def covariance(self, ratio: np.ndarray, state: _State) -> np.ndarray:
        """Inverse expected information of the K components and the residual, (g, K+1, K+1).

        Entries ``½ tr(P V_j P V_k)``; those with the residual follow from ``PVP = P``.
        """
        k = ratio.shape[1]
        information = np.empty((len(ratio), k + 1, k + 1))
        along = _times(state.norm, ratio)
        information[:, :k, :k] = state.norm
        information[:, :k, k] = information[:, k, :k] = state.trace - along
        information[:, k, k] = self.freedom + (ratio * (along - 2 * state.trace)).sum(axis=1)
        root = _reciprocal(np.sqrt(np.einsum("gii->gi", information)))
        scaled = information * root[:, :, None] * root[:, None, :]
        inverse = np.linalg.pinv(scaled, hermitian=True, rcond=1e-12)
        unit = (state.rest / self.freedom) ** 2
        return 2 * unit[:, None, None] * inverse * root[:, :, None] * root[:, None, :]


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (matrices @ vectors[:, :, None])[:, :, 0]


def _fit(problem: _Problem, genes: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, ...]:
    """Ratios of some genes at the optimum, and all that is told about them."""
    ratio, converged, iterations = _minimise(problem, genes, start)
    state = problem.at(ratio, genes)
    unit = state.rest / problem.freedom
    return (
        ratio,
        unit,
        problem.fixed(ratio, genes, state, unit),
        problem.covariance(ratio, state),
        state.deviance,
        converged,
        iterations,
    )


def _minimise(
    problem: _Problem, genes: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratios at the lowest deviance, whether the conditions of an optimum hold, steps taken."""
    mean = problem.mean
    top = np.log1p(mean * _MOST)
    at = np.log1p(mean * start)
    iterations = np.zeros(len(genes), dtype=np.int64)
    converged = np.zeros(len(genes), dtype=bool)
    open_ = np.arange(len(genes))
    value, slope, curvature = _derivatives(problem, genes, at)
    for _ in range(_ITERATIONS):
        slack = np.where((at[open_] > 0) | (slope < 0), np.abs(slope), 0.0).max(axis=1)
        done = slack <= GRADIENT
        converged[open_[done]] = True
        open_, value = open_[~done], value[~done]
        slope, curvature = slope[~done], curvature[~done]
        if not len(open_):
            break
        step = _step(at[open_], slope, curvature)
        step = np.minimum(step, top - at[open_])
        iterations[open_] += 1
        fall = (slope * step).sum(axis=1)
        # Deviances of a thousand rows are sums of a thousand terms: equal up to rounding.
        rounding = 1e-13 * (problem.freedom + np.abs(value))
        moved = np.zeros(len(open_), dtype=bool)
        waiting, length = np.arange(len(open_)), 1.0
        for _ in range(_HALVINGS):
            chosen = open_[waiting]
            trial = np.maximum(at[chosen] + length * step[waiting], 0.0)
            new = _derivatives(problem, genes[chosen], trial)
            bound = value[waiting] + 1e-4 * length * fall[waiting] + rounding[waiting]
            good = new[0] <= bound
            taken = waiting[good]
            at[open_[taken]] = trial[good]
            value[taken], slope[taken], curvature[taken] = (part[good] for part in new)
            moved[taken] = True
            waiting, length = waiting[~good], length / 2
            if not len(waiting):
                break
        # A gene that cannot move has an open slope: it is left as not converged.
        open_, value = open_[moved], value[moved]
        slope, curvature = slope[moved], curvature[moved]
    return np.expm1(at) / mean, converged, iterations


def _derivatives(
    problem: _Problem, genes: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deviance, gradient and Hessian in ``log(1 + m λ)``: (g,), (g, K), (g, K, K)."""
    mean, freedom = problem.mean, problem.freedom
    state = problem.at(np.expm1(at) / mean, genes)
    speed = np.exp(at) / mean  # dλ/dt, and its own derivative
    share = state.square / state.rest[:, None]
    slope = (state.trace - freedom * share) * speed
    curvature = freedom * (
        2 * state.form / state.rest[:, None, None] - share[:, :, None] * share[:, None, :]
    )
    curvature = (curvature - state.norm) * speed[:, :, None] * speed[:, None, :]
    np.einsum("gii->gi", curvature)[:] += slope
    return state.deviance, slope, curvature


def _step(at: np.ndarray, slope: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """A Newton step that descends and stays at or above 0, shape (g, K).

    Components at 0 that the slope keeps there do not move. Negative curvature is turned
    around. What would fall below 0 ends at 0, and the others are solved again.
    """
    k = at.shape[1]
    free = (at > 0) | (slope < 0)
    slope = np.where(free, slope, 0.0)
    pair = free[:, :, None] & free[:, None, :]
    values, vectors = np.linalg.eigh(np.where(pair, curvature, np.eye(k)))
    values = np.abs(values)
    values = np.maximum(values, np.maximum(1e-8 * values.max(axis=1, keepdims=True), 1e-8))
    positive = (vectors * values[:, None, :]) @ vectors.transpose(0, 2, 1)
    ended = ~free  # components whose step is settled
    step = np.zeros_like(at)
    for _ in range(k):
        rest = np.where(ended, -step, slope + _times(positive, np.where(ended, step, 0.0)))
        pair = ~ended[:, :, None] & ~ended[:, None, :]
        step = -np.linalg.solve(np.where(pair, positive, np.eye(k)), rest[:, :, None])[:, :, 0]
        below = ~ended & (at + step < 0)
        if not below.any():
            break
        step = np.where(below, -at, step)
        ended |= below
    step = np.maximum(step, -at)
    longest = np.abs(step).max(axis=1, keepdims=True)
    step *= np.minimum(1.0, _LONGEST / np.maximum(longest, 1e-300))
    diagonal = np.einsum("gii->gi", positive)
    plain = np.clip(-slope / diagonal, -np.minimum(at, _LONGEST), _LONGEST)
    descends = (slope * step).sum(axis=1) < 0
    return np.where(descends[:, None], step, plain)
