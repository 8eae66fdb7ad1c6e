"""Which share of a gene's variance belongs to which factor, and is the design separable?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from infocheck.stats.resampling import LEVEL, jackknife_error

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
        if not len(columns):
            return np.where(self.yy > 0, 0.0, np.nan)
        scale, values, vectors = self._space(columns)
        rotated = vectors.T @ (self.xy[columns] * scale[:, None])
        explained = (rotated**2 / values[:, None]).sum(axis=0)
        rank = len(values)
        freedom = self.n - 1 - rank
        if freedom <= 0:
            return np.full(len(self.yy), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            unexplained = 1 - np.minimum(explained / self.yy, 1.0)
            value = 1 - unexplained * (self.n - 1) / freedom
        return np.where(self.yy > 0, value, np.nan)

    def rank(self, columns: np.ndarray) -> int:
        """Degrees of freedom of these design columns beside the intercept."""
        return len(self._space(columns)[1]) if len(columns) else 0

    def _space(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scale of the columns, and eigenvalues and vectors of what they span."""
        xx = self.xx[np.ix_(columns, columns)]
        scale = np.sqrt(np.diag(xx))
        scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        values, vectors = np.linalg.eigh(xx * np.outer(scale, scale))
        keep = values > TOLERANCE * max(values.max(initial=0.0), 1e-300)
        return scale, values[keep], vectors[:, keep]


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
    half = t.ppf((1 + LEVEL) / 2, max(len(left_out) - 1, 1)) * error
    low, high = (np.exp(middle + side * half) for side in (-1, 1))
    low, high = (low - chance) / (1 + low), (high - chance) / (1 + high)
    return np.minimum(low, share), np.maximum(high, share)
