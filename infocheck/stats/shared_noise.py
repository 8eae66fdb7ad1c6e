"""Do rows share measurement noise, as after pooling, smoothing, imputation or denoising?

Neighbours are chosen on one part of the genes and compared on the other, so that
being chosen does not make them alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from infocheck.stats.resampling import jackknife_error
from infocheck.stats.standard import standardised

GROUPS = 20
# Rows whose distances are held in memory at a time.
CHUNK = 512
# More directions than this share of rows or genes would take noise for biology.
ROWS_PER_DIRECTION = 8
SHARE_OF_GENES = 0.75
# Standard deviation of a column of rounding errors, at most.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Ratio:
    """A ratio of sums over rows with its jackknife standard error."""

    value: float
    error: float


def nearest(values: np.ndarray, count: int) -> np.ndarray:
    """The nearest rows of every row, itself left out, nearest first; shape (n, count).

    Euclidean distance in single precision, for rows of shape (n, genes).
    """
    x = np.ascontiguousarray(values - values.mean(axis=0), dtype=np.float32)
    square = np.einsum("ij,ij->i", x, x)
    parts = []
    for start in range(0, len(x), CHUNK):
        block = x[start : start + CHUNK]
        distance = square - 2 * (block @ x.T)  # up to a constant of the row
        own = np.arange(len(block))
        distance[own, start + own] = np.inf
        chosen = np.argpartition(distance, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distance, chosen, axis=1), axis=1, kind="stable")
        parts.append(np.take_along_axis(chosen, order, axis=1))
    return np.concatenate(parts)


def counting_noise_ratio(
    counts: np.ndarray, size: np.ndarray, totals: np.ndarray, neighbour: np.ndarray
) -> Ratio:
    """Squared difference of neighbours over what counting noise alone would make of it.

    For independent Poisson rows ``E(c1/s1 - c2/s2)² = (difference of rates)² +
    E(c1/s1² + c2/s2²)``, so the ratio is 1 or more whatever the biology. Rows that
    share reads differ by less. ``1 - c/total`` turns Poisson into multinomial noise,
    since size factors come from the totals.

    Parameters
    ----------
    counts
        Counts of genes that had no part in the choice of neighbours, shape (n, g).
    size, totals
        Size factor and total count of each row, shape (n,).
    neighbour
        Another row for each row, shape (n,).

    Returns
    -------
    Ratio
        NaN without any count.

    Notes
    -----
    Genes weigh the inverse of their mean, so that abundant ones, in which biology
    outweighs noise, do not decide. Above 1 it says nothing: biology hides what is
    shared. Misleads when size factors are wrong.
    """
    share = counts / size[:, None]
    mean = share.mean(axis=0)
    weight = np.divide(1.0, mean, out=np.zeros_like(mean), where=mean > 0)
    noise = (share / size[:, None] * (1 - counts / totals[:, None])) @ weight
    seen = np.square(share - share[neighbour]) @ weight
    return _ratio(seen, noise + noise[neighbour])


def shared_residuals(chosen: np.ndarray, tested: np.ndarray, neighbours: np.ndarray) -> Ratio:
    """Correlation between neighbouring rows of what other genes do not explain.

    The leading directions of the chosen genes are regressed out of the tested ones.
    What is left is mostly the own noise of each gene, which independent rows do not
    share: about 0. After smoothing over neighbours or denoising they do.

    Parameters
    ----------
    chosen, tested
        Disjoint sets of genes, standardised, shapes (n, a) and (n, b).
    neighbours
        Rows next to each row in the chosen genes, shape (n, k).

    Returns
    -------
    Ratio
        At most 1; NaN where nothing is left.

    Notes
    -----
    Misleads where many rows repeat one condition almost without noise, and in dense
    trajectories without noise: such rows are alike and may still be independent.
    """
    n, a = chosen.shape
    count = max(1, min(n // ROWS_PER_DIRECTION, int(a * SHARE_OF_GENES)))
    leading = _leading(chosen, count)
    rest = standardised(tested - leading @ (leading.T @ tested), _ROUNDING)
    together = sum(np.einsum("ij,ij->i", rest, rest[column]) for column in neighbours.T)
    return _ratio(together / neighbours.shape[1], np.einsum("ij,ij->i", rest, rest))


def numerical_rank(values: np.ndarray, tolerance: float) -> int:
    """Directions of standardised columns above ``tolerance`` times the largest one."""
    n, g = values.shape
    gram = values @ values.T if n < g else values.T @ values
    spectrum = np.linalg.eigvalsh(gram)
    return int((spectrum > tolerance**2 * spectrum[-1]).sum())


def varying(values: np.ndarray) -> np.ndarray:
    """Columns that vary, with mean 0 and variance 1."""
    low, high = values.min(axis=0), values.max(axis=0)
    return standardised(values[:, high > low], _ROUNDING)


def _leading(values: np.ndarray, count: int) -> np.ndarray:
    """Orthonormal leading left directions, shape (n, count)."""
    n, g = values.shape
    if n < g:
        return np.linalg.eigh(values @ values.T)[1][:, -count:]
    vectors = np.linalg.eigh(values.T @ values)[1][:, -count:]
    return np.linalg.qr(values @ vectors)[0]


def _ratio(top: np.ndarray, bottom: np.ndarray) -> Ratio:
    """Ratio of sums over rows, with a jackknife over sets of rows."""
    group = np.arange(len(top)) % GROUPS
    tops, bottoms = (np.bincount(group, part, GROUPS) for part in (top, bottom))
    if not bottoms.sum() > 0:
        return Ratio(math.nan, math.nan)
    rest = bottoms.sum() - bottoms
    without = np.divide(tops.sum() - tops, rest, out=np.zeros(GROUPS), where=rest > 0)
    return Ratio(float(tops.sum() / bottoms.sum()), float(jackknife_error(without)))
