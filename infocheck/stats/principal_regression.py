"""Leading components of a matrix, and how much of them a recorded factor explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln
from sklearn.utils.extmath import randomized_svd

from infocheck.stats.standard import standardised
from infocheck.stats.variance import adjusted

# Sums of the components by level are rounded; equal statistics must count as equal.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Leading:
    """The leading principal components of standardised columns.

    Attributes
    ----------
    scores
        Orthonormal, centred, largest first, shape (n, k).
    eigenvalues
        Of the correlation matrix (divisor n), shape (k,); they sum to ``total`` over all
        components.
    loadings
        Orthonormal, shape (g, k); 0 for columns without variance.
    total
        Number of columns that vary.
    """

    scores: np.ndarray
    eigenvalues: np.ndarray
    loadings: np.ndarray
    total: float

    @classmethod
    def of(cls, values: np.ndarray, count: int, seed: int) -> Leading:
        """By a randomised decomposition (Halko, Martinsson & Tropp 2011), shape (n, g)."""
        standard = standardised(values)
        varies = standard.any(axis=0)
        count = min(count, len(standard) - 1, int(varies.sum()))
        if count < 1:
            none = np.empty((len(standard), 0))
            return cls(none, np.empty(0), np.empty((standard.shape[1], 0)), 0.0)
        left, values_, right = randomized_svd(standard, count, n_iter=4, random_state=seed)
        return cls(left, values_**2 / len(standard), right.T, float(varies.sum()))


def explained(scores: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Adjusted R² of every component on orthonormal centred columns, shape (k,).

    Parameters
    ----------
    scores
        Orthonormal centred components, shape (n, k).
    basis
        Orthonormal centred columns, shape (n, f).
    """
    r2 = ((basis.T @ scores) ** 2).sum(axis=0)
    return adjusted(r2, len(scores), basis.shape[1])


def regression(r2: np.ndarray, eigenvalues: np.ndarray) -> np.ndarray:
    """Share of the variance of the leading components that a factor explains.

    ``Σ_k R²_k λ_k / Σ_k λ_k`` along the last axis of R² (Büttner et al. 2019).

    Notes
    -----
    With R² as it is, the mean without an effect is ``(levels - 1) / (n - 1)``, not 0, and
    with donors inside batches a multiple of it; with adjusted R² it is 0 for independent
    rows alone. Hence the null of :class:`Shuffle`.
    """
    return r2 @ eigenvalues / eigenvalues.sum()


@dataclass(frozen=True)
class Shuffle:
    """Units whose labels are exchangeable within blocks if the factor has no effect.

    Rows of a unit share their label: a donor, or the cells of a donor at one level.
    Permuting rows where whole units were labelled would take every cell for independent
    evidence.

    Attributes
    ----------
    unit
        Unit of each row, from 0 without gaps, shape (n,).
    label
        Level of each unit, from 0 without gaps, shape (units,).
    block
        Block of each unit; labels move within blocks, shape (units,).
    """

    unit: np.ndarray
    label: np.ndarray
    block: np.ndarray

    @classmethod
    def across(cls, level: np.ndarray, cluster: np.ndarray) -> Shuffle:
        """Labels of whole clusters (donors), where a level is constant within each."""
        unit = np.unique(cluster, return_inverse=True)[1]
        first = np.unique(unit, return_index=True)[1]
        return cls(unit, _codes(level[first]), np.zeros(len(first), np.int64))

    @classmethod
    def within(cls, level: np.ndarray, cluster: np.ndarray) -> Shuffle:
        """Labels of samples, the rows of a cluster at one level, within their cluster."""
        pairs = np.stack([_codes(cluster), _codes(level)], axis=1)
        units, unit = np.unique(pairs, axis=0, return_inverse=True)
        return cls(unit.ravel(), units[:, 1], units[:, 0])

    @classmethod
    def rows(cls, level: np.ndarray, block: np.ndarray | None = None) -> Shuffle:
        """Labels of single rows, within blocks if given."""
        n = len(level)
        block = np.zeros(n, np.int64) if block is None else _codes(block)
        return cls(np.arange(n), _codes(level), block)

    @property
    def log_arrangements(self) -> float:
        """Log of the number of arrangements that can differ in the statistic, at least.

        Levels of equal size within a single block may change names, and with several blocks
        one of them may be held still: the partition of the rows stays the same.
        """
        table = np.zeros((self.block.max() + 1, self.label.max() + 1))
        np.add.at(table, (self.block, self.label), 1)
        each = gammaln(table.sum(axis=1) + 1) - gammaln(table + 1).sum(axis=1)
        if len(table) > 1:
            return float(each.sum() - each.max())
        sizes = np.unique(table[0], return_counts=True)[1]
        return float(each[0] - gammaln(sizes + 1).sum())

    def r2(self, scores: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
        """R² of every centred component on the labels, not adjusted, shape (k,)."""
        return self._r2(self._sums(scores), self.label if label is None else label)

    def null(self, scores: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
        """R² with permuted labels, not adjusted, shape (draws, k)."""
        sums = self._sums(scores)
        return np.stack([self._r2(sums, self._permuted(rng)) for _ in range(draws)])

    def _sums(self, scores: np.ndarray) -> np.ndarray:
        """Rows of each unit, and sums of its scores, shape (units, 1 + k)."""
        n = len(scores)
        member = sp.csr_matrix((np.ones(n), (self.unit, np.arange(n))))
        return member @ np.column_stack([np.ones(n), scores])

    def _r2(self, sums: np.ndarray, label: np.ndarray) -> np.ndarray:
        member = sp.csr_matrix((np.ones(len(label)), (label, np.arange(len(label)))))
        size, total = np.split(member @ sums, [1], axis=1)
        return (total**2 / np.maximum(size, 1.0)).sum(axis=0)

    def _permuted(self, rng: np.random.Generator) -> np.ndarray:
        home = np.argsort(self.block, kind="stable")
        drawn = np.lexsort((rng.random(len(self.block)), self.block))
        label = np.empty_like(self.label)
        label[home] = self.label[drawn]
        return label


def numeric_null(
    basis: np.ndarray,
    scores: np.ndarray,
    block: np.ndarray | None,
    draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """R² of every component on numeric covariates whose rows are permuted within blocks.

    Parameters
    ----------
    basis
        Orthonormal centred columns of the covariates, shape (n, f).
    scores
        Components, shape (n, k).
    block
        Block of each row, or None for a single one.
    draws, rng
        How many permutations, and what draws them.

    Returns
    -------
    numpy.ndarray
        Not adjusted, shape (draws, k). What differs between blocks stays in it.
    """
    n = len(basis)
    block = np.zeros(n, np.int64) if block is None else block
    home = np.argsort(block, kind="stable")
    r2 = np.empty((draws, scores.shape[1]))
    for i in range(draws):
        permuted = np.empty_like(basis)
        permuted[home] = basis[np.lexsort((rng.random(n), block))]
        r2[i] = ((permuted.T @ scores) ** 2).sum(axis=0)
    return r2


def p_values(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """``(1 + b) / (1 + m)`` with b of m draws as large as the observed statistic.

    Along the first axis of the null. Never 0: the observed arrangement is one of those that
    are possible (Phipson & Smyth 2010).
    """
    larger = null >= observed - _ROUNDING * np.maximum(np.abs(observed), 1e-3)
    return (1 + larger.sum(axis=0)) / (1 + len(null))


def _codes(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1]
