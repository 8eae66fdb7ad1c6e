"""Which share of a gene's variance belongs to which factor, and is the design separable?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space

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
        xx = self.xx[np.ix_(columns, columns)]
        scale = np.sqrt(np.diag(xx))
        scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        values, vectors = np.linalg.eigh(xx * np.outer(scale, scale))
        keep = values > TOLERANCE * max(values.max(initial=0.0), 1e-300)
        rank = int(keep.sum())
        rotated = vectors[:, keep].T @ (self.xy[columns] * scale[:, None])
        explained = (rotated**2 / values[keep][:, None]).sum(axis=0)
        freedom = self.n - 1 - rank
        if freedom <= 0:
            return np.full(len(self.yy), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            unexplained = 1 - np.minimum(explained / self.yy, 1.0)
            value = 1 - unexplained * (self.n - 1) / freedom
        return np.where(self.yy > 0, value, np.nan)


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
        shares[name] = (full - normal.adjusted(others), normal.adjusted(columns))
    return shares


@dataclass(frozen=True)
class Separation:
    """Can an effect be told from a nuisance factor in this design?

    Attributes
    ----------
    usable
        Per level of the effect, the share of its variation that is left after the
        nuisance factor: 1 is crossed, 0 is aliased.
    aliased
        Pairs of effect levels whose difference cannot be estimated.
    """

    usable: np.ndarray
    aliased: list[tuple[int, int]]


def separate(
    effect: np.ndarray, nuisance: np.ndarray, weight: np.ndarray, levels: int
) -> Separation:
    """Audit the design of an effect against a nuisance factor.

    Parameters
    ----------
    effect, nuisance
        Integer codes of the distinct design units, shape (units,).
    weight
        Weight of each unit, shape (units,).
    levels
        Number of levels of the effect. One without any unit has nothing to use (0)
        and is part of no aliased pair.
    """
    table = np.zeros((levels, nuisance.max(initial=0) + 1))
    np.add.at(table, (effect, nuisance), weight)
    total, per_level, per_batch = table.sum(), table.sum(axis=1), table.sum(axis=0)
    # Variation of a level's indicator between and within the nuisance levels.
    share = np.divide(table, per_batch, out=np.zeros_like(table), where=per_batch > 0)
    within = (table * (1 - share)).sum(axis=1)
    whole = per_level * (1 - per_level / max(total, 1e-300))
    usable = np.divide(within, whole, out=np.zeros_like(whole), where=whole > 0)
    return Separation(usable, _aliased_pairs(table > 0))


def _aliased_pairs(present: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows whose difference is not estimable beside the column effects."""
    rows, columns = present.shape
    cells = np.argwhere(present)
    if not len(cells):
        return []
    design = np.zeros((len(cells), rows + columns))
    design[np.arange(len(cells)), cells[:, 0]] = 1
    design[np.arange(len(cells)), rows + cells[:, 1]] = 1
    free = null_space(design)[:rows]  # what the data leave open about the effects
    distance = np.abs(free[:, None, :] - free[None, :, :]).max(axis=2, initial=0.0)
    seen = present.any(axis=1)
    i, j = np.nonzero(np.triu((distance > 1e-6) & np.outer(seen, seen), 1))
    return list(zip(i.tolist(), j.tolist(), strict=True))
