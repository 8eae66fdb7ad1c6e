"""Measurement reliability of counts."""

from __future__ import annotations

import numpy as np


def closed_form(n: float, total: np.ndarray, squares: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Share of the variance of normalised counts that is not counting noise.

    ``1 - mean(c/s²) / var(c/s)``, clipped to [0, 1]. The variance has divisor
    n - 1: with divisor n a gene of pure Poisson noise would come out below 0 on
    average by 1/n.

    Parameters
    ----------
    n
        Number of cells.
    total, squares
        Sums over cells of c/s and (c/s)², any shape; c counts, s size factor.
    noise
        Sum over cells of c/s², the Poisson variance of c/s.

    Returns
    -------
    numpy.ndarray
        Reliability in [0, 1]; NaN for genes without variance.

    Notes
    -----
    Only Poisson noise is subtracted: errors in size factors, ambient RNA and
    doublets count as signal. Idea: Zhang, Ntranos & Tse (2020).
    """
    variance = (squares - total**2 / n) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = 1 - (noise / n) / variance
    return np.where(variance > 0, np.clip(value, 0.0, 1.0), np.nan)


def at_depth(reliability: np.ndarray | float, times: float) -> np.ndarray | float:
    """Reliability of the same genes when ``times`` as many molecules are counted per cell.

    ``k·rel / (1 + (k-1)·rel)``: the signal stays, the variance of the Poisson noise
    relative to the mean falls as 1/k, so this is exact for Poisson counts.

    Parameters
    ----------
    reliability
        In [0, 1], any shape.
    times
        k, above 0, in counted molecules (UMIs), not in reads: once a library is
        saturated more reads count no new molecules.

    Notes
    -----
    The formula of Spearman (1904) and Brown (1910) for lengthened tests. Misleads
    where the noise is not Poisson, and for a gene whose estimate was cut to 0: it
    stays there.
    """
    return times * reliability / (1 + (times - 1) * reliability)


def within_groups(
    n: np.ndarray, total: np.ndarray, squares: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """The same with differences between groups taken out of the variance.

    Parameters
    ----------
    n
        Cells per group, shape (groups,).
    total, squares, noise
        As in :func:`closed_form`, shape (groups, genes).

    Returns
    -------
    numpy.ndarray
        Shape (genes,). Groups of fewer than two cells are left out.
    """
    keep = n >= 2
    if not keep.any():
        return np.full(total.shape[1], np.nan)
    n, total, squares, noise = n[keep], total[keep], squares[keep], noise[keep]
    within = (squares - total**2 / n[:, None]).sum(axis=0) / (n.sum() - len(n))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = 1 - noise.sum(axis=0) / n.sum() / within
    return np.where(within > 0, np.clip(value, 0.0, 1.0), np.nan)


def thinned(counts: np.ndarray, size: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Reliability of ``log1p(c/s)`` by binomial thinning, shape (genes,).

    Every count is dealt at random to two halves, which are independent given the
    rate if counts are Poisson; their correlation r gives ``2r / (1 + r)`` for the
    whole (Spearman 1910). Beside :func:`closed_form` because
    correlations are taken on the log scale, where noise weighs differently.

    Parameters
    ----------
    counts
        Whole numbers, shape (n, genes).
    size
        Size factors, shape (n,).
    rng
        Deals the counts.

    Notes
    -----
    In [0, 1]; 0 for genes whose halves do not vary or do not agree. Misleads at low
    counts, where the logarithm of half a count is not half as noisy.
    """
    return halves_reliability(*thinned_halves(counts, size, rng))


def thinned_halves(
    counts: np.ndarray, size: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """``log1p(2c/s)`` of two halves to which every molecule is dealt at random, each (n, g).

    Independent given the rate if counts are Poisson.
    """
    first = rng.binomial(counts, 0.5)
    a, b = (np.log1p(2 * part / size[:, None]) for part in (first, counts - first))
    return a, b


def halves_reliability(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Reliability of whole measurements from two halves of them, by column, shape (g,).

    Their correlation r gives ``2r / (1 + r)`` (Spearman 1910, Brown 1910).

    Parameters
    ----------
    first, second
        The same rows measured with half the molecules each, and corrected each on its own,
        shape (n, g).

    Returns
    -------
    numpy.ndarray
        In [0, 1]; 0 where halves do not vary or do not agree.

    Notes
    -----
    Approximate on a logarithmic scale: half a small count is more than half as noisy there.
    """
    a, b = (half - half.mean(axis=0) for half in (first, second))
    scale = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    r = np.divide((a * b).sum(axis=0), scale, out=np.zeros_like(scale), where=scale > 1e-12)
    r = np.maximum(r, 0.0)
    return 2 * r / (1 + r)
