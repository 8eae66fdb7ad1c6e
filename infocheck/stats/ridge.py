"""Cross-validated ridge regression of all targets on all regulators, from sums by fold.

Rows are never needed: training sums are the total less the held-out fold, and the
penalty of each target is chosen inside the training folds. All targets share one
eigendecomposition per training set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from infocheck.stats.sums import CrossSums

# Penalties per row, on the scale of correlations: shrinkage s² / (s² + λ n).
PENALTIES = np.geomspace(0.003, 100.0, 10)

Map = Callable[[Callable, Iterable], list]


@dataclass(frozen=True)
class Scores:
    """Out-of-sample errors of m targets over F folds.

    Attributes
    ----------
    residual
        Squared errors of each held-out fold at the penalty chosen without it, shape (F, m).
    total
        Squared errors of the training mean, shape (F, m).
    penalty
        Position in ``PENALTIES`` that was chosen for each fold, shape (F, m).
    without
        R² when a fold takes no part at all, shape (F, m): replicates of a jackknife.
    """

    residual: np.ndarray
    total: np.ndarray
    penalty: np.ndarray
    without: np.ndarray

    @property
    def r2(self) -> np.ndarray:
        """``1 - Σ(y-ŷ)² / Σ(y-ȳ_train)²`` over the folds, shape (m,); NaN without variance."""
        return _explained(self.residual.sum(axis=0), self.total.sum(axis=0))


@dataclass(frozen=True)
class Unique:
    """What single regulators predict, out of sample.

    Attributes
    ----------
    alone
        R² of a target on this regulator alone, shape (p, m).
    lost
        R² that is lost when this regulator alone leaves the ridge model, shape (p, m).
    """

    alone: np.ndarray
    lost: np.ndarray


def cross_validated(
    folds: Sequence[CrossSums],
    targets: np.ndarray,
    own: np.ndarray | None = None,
    mapped: Map = lambda f, tasks: [f(t) for t in tasks],
) -> Scores:
    """Ridge with nested cross-validation, for all targets at once.

    Parameters
    ----------
    folds
        Sums of each fold; the leading columns are the predictors.
    targets
        Columns of the m targets.
    own
        For each target its position among the predictors, or -1. It is dropped
        from its own predictors.
    mapped
        Runs independent training sets.

    Notes
    -----
    The inner choice leaves out one training fold at a time, which sums can do; leaving
    out one row at a time (PRESS) needs rows and is the reference in the tests. Generalised
    cross-validation is not used: with about as many rows as predictors it fails.

    Misleads when folds are not independent: cells of one donor in two folds share
    what the donor shares.
    """
    count = len(folds)
    own = np.full(len(targets), -1) if own is None else own
    folds = [fold.take(targets) for fold in folds]
    whole = _sum(folds)
    held = [_Held.of(fold) for fold in folds]
    tasks = [(k,) for k in range(count)] + list(combinations(range(count), 2))

    def one(left_out: tuple[int, ...]) -> list[np.ndarray]:
        train = _Training.of(whole, [folds[k] for k in left_out], own)
        return [train.errors(held[k]) for k in left_out]

    errors = dict(zip(tasks, mapped(one, tasks), strict=True))
    total = np.stack([_baseline(whole, fold) for fold in folds])
    pairs = np.zeros((count, count, len(PENALTIES), len(targets)))
    for a, b in combinations(range(count), 2):
        # Trained without both; [held out of the outer loop, predicted].
        pairs[a, b], pairs[b, a] = errors[a, b][1], errors[a, b][0]
    inner = pairs.sum(axis=1)
    penalty = inner.argmin(axis=1)
    residual = np.stack(
        [np.take_along_axis(errors[(k,)][0], penalty[k][None], axis=0)[0] for k in range(count)]
    )
    variance = np.stack(
        [
            sum(_baseline(whole - folds[k], folds[j]) for j in range(count) if j != k)
            for k in range(count)
        ]
    )
    return Scores(residual, total, penalty, _explained(inner.min(axis=1), variance))


def unique(
    folds: Sequence[CrossSums],
    targets: np.ndarray,
    own: np.ndarray,
    penalty: float,
    mapped: Map = lambda f, tasks: [f(t) for t in tasks],
) -> Unique:
    """What each regulator predicts alone, and what is lost without it, for all pairs.

    Dropping predictor i from a ridge solution b is a rank-one change,
    ``b - P_i b_i / P_ii`` with P the inverse of the penalised Gram matrix, so all
    p leave-one-regulator-out models are evaluated by matrix products. One penalty
    for all targets. NaN for a regulator and itself.
    """
    folds = [fold.take(targets) for fold in folds]
    whole = _sum(folds)

    def one(fold: CrossSums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        train = _Training.of(whole, [fold], own)
        held = _Held.of(fold)
        return *train.single(held, penalty), train.baseline(held)

    parts = mapped(one, folds)
    alone, lost, total = (sum(part[i] for part in parts) for i in range(3))
    scale = np.divide(1.0, total, out=np.full_like(total, np.nan), where=total > 0)
    alone, lost = 1 - alone * scale, lost * scale
    inside = np.flatnonzero(own >= 0)
    alone[own[inside], inside] = lost[own[inside], inside] = np.nan
    return Unique(alone, lost)


@dataclass(frozen=True)
class _Held:
    """A held-out fold: moments about its own means, and a root of its Gram matrix."""

    n: int
    mean: np.ndarray
    root: np.ndarray
    cross: np.ndarray
    target_mean: np.ndarray
    target_squares: np.ndarray

    @classmethod
    def of(cls, fold: CrossSums) -> _Held:
        p, n = len(fold.gram), max(fold.n, 1)
        mean = fold.total / n
        centred = fold.gram - n * np.outer(mean[:p], mean)
        squares = np.maximum(fold.squares - n * mean**2, 0.0)[p:]
        return cls(
            fold.n, mean[:p], _root(centred[:, :p], fold.n), centred[:, p:], mean[p:], squares
        )


@dataclass(frozen=True)
class _Training:
    """Standardised training sums in the eigenbasis of the predictors."""

    mean: np.ndarray
    scale: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    cross: np.ndarray
    target_mean: np.ndarray
    own: np.ndarray

    @classmethod
    def of(cls, whole: CrossSums, left_out: list[CrossSums], own: np.ndarray) -> _Training:
        sums = whole
        for fold in left_out:
            sums = sums - fold
        p = len(sums.gram)
        mean, sd = sums.mean(), np.sqrt(sums.variance()[:p])
        scale = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
        cross = sums.gram[:, p:] / sums.n - np.outer(mean[:p], mean[p:])
        values, vectors = np.linalg.eigh(sums.correlation()[:, :p])
        return cls(
            mean[:p],
            scale,
            np.maximum(values, 0.0),
            vectors,
            cross * scale[:, None],
            mean[p:],
            own,
        )

    def baseline(self, held: _Held) -> np.ndarray:
        """Squared errors of the training mean, shape (m,)."""
        return held.target_squares + held.n * (held.target_mean - self.target_mean) ** 2

    def _seen(self, held: _Held) -> tuple[np.ndarray, np.ndarray]:
        """The held-out fold about the training means: root of its Gram, and products."""
        away = (held.mean - self.mean) * self.scale
        root = np.vstack([held.root * self.scale, math.sqrt(held.n) * away])
        cross = held.cross * self.scale[:, None]
        return root, cross + held.n * np.outer(away, held.target_mean - self.target_mean)

    def errors(self, held: _Held) -> np.ndarray:
        """Squared errors in a held-out fold at every penalty, shape (penalties, m)."""
        root, cross = self._seen(held)
        root, cross = root @ self.vectors, self.vectors.T @ cross
        slope, base = self.vectors.T @ self.cross, self.baseline(held)
        errors = np.empty((len(PENALTIES), len(base)))
        for i, penalty in enumerate(PENALTIES):
            b = self._coefficients(slope, penalty)
            fitted = root @ b
            quadratic = np.einsum("ij,ij->j", fitted, fitted)
            errors[i] = base - 2 * np.einsum("ij,ij->j", b, cross) + quadratic
        return np.maximum(errors, 0.0)

    def _coefficients(self, slope: np.ndarray, penalty: float) -> np.ndarray:
        """Ridge coefficients in the eigenbasis, without a target among its own predictors."""
        weight = 1 / (self.values + penalty)
        inside = np.flatnonzero(self.own >= 0)
        if len(inside):
            row = self.vectors[self.own[inside]]
            taken = (row * weight * slope[:, inside].T).sum(axis=1)
            pivot = (row * weight * row).sum(axis=1)
            slope = slope.copy()
            slope[:, inside] -= row.T * (taken / pivot)
        return weight[:, None] * slope

    def single(self, held: _Held, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """Errors of every regulator alone, and errors gained without it, each (p, m)."""
        root, cross = self._seen(held)
        spread = np.einsum("ij,ij->j", root, root)
        constant = self.scale == 0
        alone = self.baseline(held) - 2 * self.cross * cross + self.cross**2 * spread[:, None]
        inverse = (self.vectors / (self.values + penalty)) @ self.vectors.T
        b = self.vectors @ self._coefficients(self.vectors.T @ self.cross, penalty)
        change = b / np.diag(inverse)[:, None]
        unexplained = inverse @ (cross - root.T @ (root @ b))
        bent = root @ inverse
        curvature = np.einsum("ij,ij->j", bent, bent)
        lost = 2 * change * unexplained + change**2 * curvature[:, None]
        lost[constant] = 0.0
        return alone, lost


def _baseline(whole: CrossSums, fold: CrossSums) -> np.ndarray:
    """Squared distance of a fold's targets from the mean of all other rows."""
    p = len(fold.gram)
    rest = (whole.total - fold.total)[p:] / max(whole.n - fold.n, 1)
    squares, total = fold.squares[p:], fold.total[p:]
    return np.maximum(squares - 2 * rest * total + fold.n * rest**2, 0.0)


def _root(gram: np.ndarray, n: int) -> np.ndarray:
    """A matrix with at most min(n, p) rows whose Gram matrix is this one."""
    values, vectors = np.linalg.eigh(gram)
    rows = min(n, len(gram))
    kept = slice(len(gram) - rows, None)
    return np.sqrt(np.maximum(values[kept], 0.0))[:, None] * vectors[:, kept].T


def _sum(folds: Sequence[CrossSums]) -> CrossSums:
    whole = folds[0]
    for fold in folds[1:]:
        whole = whole + fold
    return whole


def _explained(residual: np.ndarray, total: np.ndarray) -> np.ndarray:
    ratio = np.divide(residual, total, out=np.full_like(total, np.nan), where=total > 0)
    return 1 - ratio
