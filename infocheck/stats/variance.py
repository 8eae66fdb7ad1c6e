"""Which share of a gene's variance belongs to which factor, and is the design separable?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infocheck.stats.resampling import half_interval, jackknife_error

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Normal:
    """Centred normal equations of all genes on all factors.

    Attributes
    ----------
    n
        Observations.
    xx
        Centred products of the k design columns, shape (k, k).
    xy
        Centred products of design columns and genes, shape (k, g).
    yy
        Centred sum of squares of each gene, shape (g,).
    """

    n: float
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

    def adjusted(self, columns: np.ndarray) -> np.ndarray:
        """Adjusted R² of every gene on these design columns, shape (g,).

        ``1 - (1 - R²)(n - 1) / (n - 1 - rank)``; below 0 when the columns explain
        less than chance, NaN for genes without variance. Rank-deficient designs
        are solved in the space that they span.
        """
        loadings = self.loadings(columns)
        with np.errstate(invalid="ignore", divide="ignore"):
            r2 = np.minimum((loadings**2).sum(axis=0) / self.yy, 1.0)
        return np.where(self.yy > 0, adjusted(r2, self.n, len(loadings)), np.nan)

    def loadings(self, columns: np.ndarray) -> np.ndarray:
        """Products of all genes with an orthonormal basis of these columns, shape (rank, g).

        With ``W`` these products, ``W'W`` is the part of the centred products of the genes
        that the columns explain: ``Y'P Y`` for the projection P on them. Columns may be
        linearly dependent; the rank is that of what they span.
        """
        return self._basis(columns).T @ self.xy[columns]

    def rank(self, columns: np.ndarray) -> int:
        """Dimensions that these design columns span beside the intercept."""
        return self._basis(columns).shape[1]

    def _basis(self, columns: np.ndarray) -> np.ndarray:
        """Weights of the columns that make them orthonormal, shape (columns, rank)."""
        xx = self.xx[np.ix_(columns, columns)]
        scale = np.sqrt(np.maximum(np.diag(xx), 0.0))
        scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        values, vectors = np.linalg.eigh(xx * np.outer(scale, scale))
        keep = values > TOLERANCE * max(values.max(initial=0.0), 1e-300)
        return scale[:, None] * vectors[:, keep] / np.sqrt(values[keep])


def adjusted(r2: np.ndarray, n: float, rank: float) -> np.ndarray:
    """``1 - (1 - R²)(n - 1) / (n - 1 - rank)``, 0 on average without an effect; NaN if full."""
    freedom = n - 1 - rank
    if freedom <= 0:
        return np.full(np.shape(r2), np.nan)
    return 1 - (1 - np.minimum(r2, 1.0)) * (n - 1) / freedom


def unique_and_total(
    normal: Normal, factors: dict[str, np.ndarray]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Per factor the adjusted share it alone adds, and the share it has on its own.

    Correlated factors share variance: one number per factor would hand it to
    whichever is named first, so both ends are given. ``unique`` is R² of all
    factors less R² without this one; ``total`` is R² of this one alone.
    """
    everything = np.concatenate(list(factors.values()))
    full = normal.adjusted(everything)
    shares = {}
    for name, columns in factors.items():
        others = np.setdiff1d(everything, columns)
        unique = full - normal.adjusted(others)
        # An aliased factor adds nothing; rounding must not say otherwise.
        unique = np.where(np.abs(unique) < 1e-12, 0.0, unique)
        shares[name] = (unique, normal.adjusted(columns))
    return shares


def jackknife_interval(
    share: np.ndarray, left_out: np.ndarray, n: float, rank: int
) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of shares of variance, from leave-one-group-out values.

    The jackknife is taken of ``log((share + chance) / (1 - share))``, a ratio of mean
    squares but for a constant: its sampling error hardly depends on the share, where that
    of the share itself does.

    Parameters
    ----------
    share
        Adjusted shares, any shape.
    left_out
        The same without one group of rows each, shape (groups, ...).
    n
        Observations.
    rank
        Degrees of freedom of the factor.

    Returns
    -------
    low, high
        NaN where the share is.

    Notes
    -----
    What is drawn at random are the groups: donors, where they are labelled. The levels of a
    factor that every donor has, such as crossed batches, are the ones at hand, and the
    interval says nothing of other batches. Misleads with few groups, where one donor
    changes much.
    """

    # What a factor of so many degrees of freedom explains by chance, over what it leaves. A
    # factor of one degree counts as many as there are groups: its own ratio, near 0, has a
    # logarithm without bounds.
    freedom = max(rank, len(left_out))
    chance = freedom / max(n - 1 - freedom, 1.0)

    def ratio(value: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(value + chance, 1e-6) / np.maximum(1 - value, 1e-6))

    with np.errstate(invalid="ignore"):
        error = jackknife_error(ratio(left_out))
    middle = ratio(share)
    half = half_interval(len(left_out) - 1) * error
    low, high = (np.exp(middle + side * half) for side in (-1, 1))
    low, high = (low - chance) / (1 + low), (high - chance) / (1 + high)
    return np.minimum(low, share), np.maximum(high, share)
