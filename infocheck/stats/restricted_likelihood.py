"""The restricted likelihood of many genes in one design, and where it is highest.

The profile deviance in ratios of variances and its derivatives are made of small matrices; a batch
of genes goes through each operation together. `infocheck.stats.variance_components` says which
model this is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

if TYPE_CHECKING:
    from infocheck.stats.variance_components import Absorbed

# Directions of a design below this share of a column's square are rounding.
TOLERANCE = 1e-9
# Largest gradient of the deviance, per unit of log(1 + m λ), that counts as zero.
GRADIENT = 1e-6
# Ratios of a variance to the residual variance end here.
_MOST = 1e8
_ITERATIONS, _HALVINGS, _LONGEST = 50, 30, 3.0
# At most so many starting points are shared by all genes.
_STARTS = 150
# Numbers that a batch of genes may hold at once (1 MB: it stays in cache), and genes in it.
_BATCH, _GENES = 2**17, 512

Map = Callable[[Callable, Iterable], list]


def reciprocal(x: np.ndarray) -> np.ndarray:
    """``1 / x``, and 0 where x is not positive."""
    return np.divide(1.0, x, out=np.zeros_like(x), where=x > 0)


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
class Optimum:
    """Where the likelihood is highest; genes are rows, factors in the order of the likelihood.

    Attributes
    ----------
    ratio
        Variances over the residual variance, shape (g, K).
    residual, fixed
        Variances of the residual and of the fixed part, shape (g,).
    covariance
        Sampling covariance of the components, the residual last, shape (g, K + 1, K + 1).
    deviance, converged, iterations
        As in `RemlComponents`, shape (g,).
    """

    ratio: np.ndarray
    residual: np.ndarray
    fixed: np.ndarray
    covariance: np.ndarray
    deviance: np.ndarray
    converged: np.ndarray
    iterations: np.ndarray

    @classmethod
    def joined(cls, parts: list[Optimum]) -> Optimum:
        """Batches one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of all genes, each factor in its eigenbasis, the largest factor last.

    Genes are scaled to ``c = df``, so that the residual variance without any factor is 1.
    """

    n: float
    freedom: float
    genes: np.ndarray  # where they stand among all genes
    scale: np.ndarray  # what they were divided by, (g,)
    order: np.ndarray  # positions of the factors as they stand here
    a: np.ndarray  # (q, q)
    b: np.ndarray  # (g, q)
    solved: np.ndarray  # A⁺b, (g, q)
    core: np.ndarray  # what is left of c beyond the span of all factors, (g,)
    owner: np.ndarray  # factor of each column, (q,)
    last: int  # first column of the eliminated factor
    d: np.ndarray  # its eigenvalues
    beyond: np.ndarray  # a and b of the other factors outside its span, (r, r) and (g, r)
    b_beyond: np.ndarray
    mean: np.ndarray  # mean eigenvalue of each factor, (K,)
    loading: np.ndarray  # (rank X, q)
    fitted: np.ndarray  # (g, rank X)

    @classmethod
    def of(cls, absorbed: Absorbed, kept: np.ndarray, genes: np.ndarray) -> Likelihood:
        """Of these factors and genes; genes that the factors explain to the end are left out."""
        blocks = list(absorbed.blocks.values())
        turns, mean = [], []
        for block in (blocks[k] for k in kept):
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
        last = int(ends[-2])
        scale = np.sqrt(absorbed.c[genes] / absorbed.freedom)
        b = (absorbed.b[:, genes] / scale).T @ turn
        solved, rank = _solved(a, b)
        core = absorbed.freedom - (b * solved).sum(axis=1)
        if rank < absorbed.freedom:  # or else there is no residual to look for
            some = core > TOLERANCE * absorbed.freedom
            genes, scale, b, solved, core = (x[some] for x in (genes, scale, b, solved, core))
        beyond, b_beyond = _outside(a, b, last)
        return cls(
            n=absorbed.n,
            freedom=absorbed.freedom,
            genes=genes,
            scale=scale,
            order=order,
            a=a,
            b=b,
            solved=solved,
            core=np.maximum(core, 0.0),
            owner=np.repeat(np.arange(len(order)), ranks[order]),
            last=last,
            d=np.diag(a)[last:].copy(),
            beyond=beyond,
            b_beyond=b_beyond,
            mean=np.array(mean)[order],
            loading=absorbed.loading @ turn,
            fitted=(absorbed.fitted[:, genes] / scale).T,
        )

    def batches(self) -> list[np.ndarray]:
        """Genes in batches that bound the memory."""
        per_gene = 12 * self.last**2 + 8 * len(self.a) + 8
        most = int(np.clip(_BATCH // per_gene, 4, _GENES))
        return np.array_split(np.arange(len(self.b)), max(1, -(-len(self.b) // most)))

    def best_start(self, ratio: np.ndarray, mapped: Map) -> np.ndarray:
        """Per gene the better of its own start and of a grid that all genes share, (g, K)."""
        steps = min(12, int(_STARTS ** (1 / ratio.shape[1])))
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
        r, lam_e = self.last, ratio[-1]
        side, root = self.a[:r, r:], np.sqrt(ratio)[self.owner[:r]]
        shrunk = 1 / (1 + lam_e * self.d)
        c_r = self.beyond + (side * (shrunk / self.d)) @ side.T
        lower = np.linalg.cholesky(np.eye(r) + c_r * np.outer(root, root))
        b_e = self.b[:, r:]
        b_r = self.b_beyond + b_e @ (side * (shrunk / self.d)).T
        solved = solve_triangular(lower, (root * b_r).T, lower=True, check_finite=False)
        explained = lam_e * (b_e**2 @ shrunk) + (solved**2).sum(axis=0)
        rest = np.maximum(self.freedom - explained, 1e-14 * self.freedom)
        logs = 2 * np.log(np.diag(lower)).sum() + np.log1p(lam_e * self.d).sum()
        return logs + self.freedom * np.log(rest / self.freedom)

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
            return (side * weights[:, None, :]) @ side.T

        # What stays, once the last factor is eliminated; then the inverse over it. Written as a
        # sum, because with next to no residual the difference would be of nearly equal terms.
        c_r = self.beyond + weighted(shrunk / d)
        b_r = self.b_beyond[genes] + (shrunk / d * b[:, r:]) @ side.T
        root = np.sqrt(lam_r)
        lower = np.linalg.cholesky(np.eye(r) + c_r * root[:, :, None] * root[:, None, :])
        inverse = np.linalg.inv(np.eye(r) + c_r * lam_r[:, None, :])
        inner = lam_r[:, :, None] * inverse  # Λ(I + CΛ)⁻¹, symmetric
        u_r = _times(inverse, b_r)
        u_e = shrunk * (b[:, r:] - (lam_r * u_r) @ side)
        u = np.concatenate([u_r, u_e], axis=1)
        # c - b'Λu = core + b'A⁺u, without the cancellation.
        rest = self.core[genes] + (self.solved[genes] * u).sum(axis=1)
        logs = 2 * np.log(np.einsum("gii->gi", lower)).sum(axis=1) + np.log1p(lam_e * d).sum(axis=1)

        # Blocks of C, as far as their traces and norms go.
        member = (self.owner[:r, None] == np.arange(k)).astype(float)
        second = weighted(shrunk**2)
        c_rr = inverse @ c_r
        between = inverse @ second
        reached = lam_r[:, :, None] * between
        trace = np.empty_like(ratio)
        trace[:, :k] = np.einsum("gii->gi", c_rr) @ member
        trace[:, k] = (d * shrunk).sum(axis=1) - np.einsum("gii->g", reached)
        norm = np.empty((len(genes), k + 1, k + 1))
        norm[:, :k, :k] = member.T @ (c_rr**2) @ member
        crossed = (between * inverse).sum(axis=2) @ member
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

    def fit(self, genes: np.ndarray, start: np.ndarray) -> Optimum:
        """The optimum of some genes, from these ratios."""
        ratio, converged, iterations = _minimise(self, genes, start)
        state = self.at(ratio, genes)
        unit = state.rest / self.freedom
        return Optimum(
            ratio=ratio,
            residual=unit,
            fixed=self.fixed(ratio, genes, state, unit),
            covariance=self.covariance(ratio, state),
            deviance=state.deviance,
            converged=converged,
            iterations=iterations,
        )

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
        weights = (lam_e * state.shrunk)[:, None, :]
        left = load_r - (load_e * weights) @ self.a[:r, r:].T
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
        root = reciprocal(np.sqrt(np.einsum("gii->gi", information)))
        scaled = information * root[:, :, None] * root[:, None, :]
        inverse = np.linalg.pinv(scaled, hermitian=True, rcond=1e-12)
        unit = (state.rest / self.freedom) ** 2
        return 2 * unit[:, None, None] * inverse * root[:, :, None] * root[:, None, :]


def _solved(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, int]:
    """``A⁺b`` for rows of b in the span of A, and the rank of A."""
    size = np.sqrt(np.diag(a))
    values, vectors = np.linalg.eigh(a / np.outer(size, size))
    keep = values > TOLERANCE
    scaled = vectors[:, keep] / size[:, None]
    return (b @ scaled / values[keep]) @ scaled.T, int(keep.sum())


def _outside(a: np.ndarray, b: np.ndarray, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the leading columns, what the diagonal rest of A does not span; without rounding."""
    d, size = np.diag(a)[last:], np.sqrt(np.diag(a)[:last])
    side = a[:last, last:] / size[:, None]
    left = a[:last, :last] / np.outer(size, size) - (side / d) @ side.T
    values, vectors = np.linalg.eigh(left)
    keep = values > TOLERANCE
    vectors = vectors[:, keep]
    b_left = (b[:, :last] / size - (b[:, last:] / d) @ side.T) @ vectors @ vectors.T
    return (vectors * values[keep]) @ vectors.T * np.outer(size, size), b_left * size


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (matrices @ vectors[:, :, None])[:, :, 0]


def _minimise(
    likelihood: Likelihood, genes: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratios at the lowest deviance, whether the conditions of an optimum hold, steps taken."""
    mean = likelihood.mean
    top = np.log1p(mean * _MOST)
    at = np.log1p(mean * start)
    iterations = np.zeros(len(genes), dtype=np.int64)
    converged = np.zeros(len(genes), dtype=bool)
    open_ = np.arange(len(genes))
    value, slope, curvature, zero = _derivatives(likelihood, genes, at)
    for _ in range(_ITERATIONS):
        slack = np.where((at[open_] > 0) | (slope < 0), np.abs(slope), 0.0).max(axis=1)
        done = slack <= zero
        converged[open_[done]] = True
        open_, value, slope, curvature, zero = (
            part[~done] for part in (open_, value, slope, curvature, zero)
        )
        if not len(open_):
            break
        step = _step(at[open_], slope, curvature)
        step = np.minimum(step, top - at[open_])
        iterations[open_] += 1
        fall = (slope * step).sum(axis=1)
        # Deviances of a thousand rows are sums of a thousand terms: equal up to rounding.
        rounding = 1e-13 * (likelihood.freedom + np.abs(value))
        moved = np.zeros(len(open_), dtype=bool)
        waiting, length = np.arange(len(open_)), 1.0
        for _ in range(_HALVINGS):
            chosen = open_[waiting]
            trial = np.maximum(at[chosen] + length * step[waiting], 0.0)
            new = _derivatives(likelihood, genes[chosen], trial)
            bound = value[waiting] + 1e-4 * length * fall[waiting] + rounding[waiting]
            good = new[0] <= bound
            taken = waiting[good]
            at[open_[taken]] = trial[good]
            for part, one in zip((value, slope, curvature, zero), new, strict=True):
                part[taken] = one[good]
            moved[taken] = True
            waiting, length = waiting[~good], length / 2
            if not len(waiting):
                break
        # A gene that cannot move has an open slope: it is left as not converged.
        open_, value, slope, curvature, zero = (
            part[moved] for part in (open_, value, slope, curvature, zero)
        )
    return np.expm1(at) / mean, converged, iterations


def _derivatives(
    likelihood: Likelihood, genes: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Deviance, gradient and Hessian in ``log(1 + m λ)``: (g,), (g, K), (g, K, K).

    Last, the largest gradient that counts as zero, (g,): with next to no residual, rounding.
    """
    mean, freedom = likelihood.mean, likelihood.freedom
    state = likelihood.at(np.expm1(at) / mean, genes)
    speed = np.exp(at) / mean  # dλ/dt, and its own derivative
    share = state.square / state.rest[:, None]
    slope = (state.trace - freedom * share) * speed
    curvature = freedom * (
        2 * state.form / state.rest[:, None, None] - share[:, :, None] * share[:, None, :]
    )
    curvature = (curvature - state.norm) * speed[:, :, None] * speed[:, None, :]
    np.einsum("gii->gi", curvature)[:] += slope
    zero = np.maximum(GRADIENT, 1e-12 * freedom / state.rest)
    return state.deviance, slope, curvature, zero


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
