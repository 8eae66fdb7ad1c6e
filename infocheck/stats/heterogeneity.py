"""Do groups of rows agree on correlations, and do edges of some show in the others?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

# Two-sided 5 %.
_CRITICAL = float(norm.ppf(0.975))


@dataclass(frozen=True)
class LevelSums:
    """Sums of p regulators and m targets within every level of a factor.

    Attributes
    ----------
    n
        Rows, shape (levels,).
    x, xx, y, yy
        Sums and sums of squares, shapes (levels, p) and (levels, m).
    xy
        Products, shape (levels, p, m).
    """

    n: np.ndarray
    x: np.ndarray
    xx: np.ndarray
    y: np.ndarray
    yy: np.ndarray
    xy: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, level: np.ndarray, levels: int) -> LevelSums:
        """From rows, shapes (n, p), (n, m) and (n,); columns should have means near 0."""
        rows = [np.flatnonzero(level == one) for one in range(levels)]
        blocks = [(x[chosen], y[chosen]) for chosen in rows]
        sums = [
            (
                left.sum(axis=0),
                np.einsum("ij,ij->j", left, left),
                right.sum(axis=0),
                np.einsum("ij,ij->j", right, right),
                left.T @ right,
            )
            for left, right in blocks
        ]
        n = np.array([float(len(chosen)) for chosen in rows])
        return cls(n, *(np.stack(part) for part in zip(*sums, strict=True)))

    def __sub__(self, other: LevelSums) -> LevelSums:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return LevelSums(*(a - b for a, b in pairs))

    def fisher(self, taken: np.ndarray | float = 0.0) -> Fisher:
        """Fisher's z of all correlations in all levels, with their weights ``n - 3 - taken``.

        ``taken`` are dimensions beside the mean that were removed from the rows of a level,
        one number or one a level. Correlations of ±1 count as 1e-6 less.
        """
        n = np.maximum(self.n, 1.0).astype(self.xy.dtype)[:, None]
        mean_x, mean_y = self.x / n, self.y / n
        spread_x, varies_x = _spread(self.xx / n, mean_x)
        spread_y, varies_y = _spread(self.yy / n, mean_y)
        r = self.xy / n[:, :, None] - mean_x[:, :, None] * mean_y[:, None, :]
        r *= spread_x[:, :, None]
        r *= spread_y[:, None, :]
        z = np.arctanh(np.clip(r, -1 + 1e-6, 1 - 1e-6, out=r), out=r)
        weight = np.maximum(self.n - 3 - taken, 0.0).astype(r.dtype)[:, None, None]
        return Fisher(z, weight * (varies_x[:, :, None] & varies_y[:, None, :]))


@dataclass(frozen=True)
class Fisher:
    """Correlations as Fisher's z, by level.

    Attributes
    ----------
    z
        ``atanh r``, shape (levels, ...).
    weight
        One over its variance for normal values, ``n - 3`` of the level; 0 where a gene does
        not vary. Of the shape of z.
    """

    z: np.ndarray
    weight: np.ndarray

    def only(self, keep: np.ndarray) -> Fisher:
        """The same with a weight of 0 for pairs that do not count, ``keep`` as one level."""
        return Fisher(self.z, self.weight * keep)

    def flat(self) -> Fisher:
        """All pairs in one axis, shape (levels, pairs)."""
        levels = len(self.z)
        return Fisher(self.z.reshape(levels, -1), self.weight.reshape(levels, -1))


@dataclass(frozen=True)
class Disagreement:
    """How far the levels of a factor disagree on each correlation.

    Attributes
    ----------
    squares
        Weighted squares around the mean of the levels, ``Σ w (z - z̄)²`` (Cochran's Q).
        Divided by ``freedom`` it is the mean of ``(z_a - z_b)² / (1/w_a + 1/w_b)`` over all
        pairs of levels, each pair weighted by ``w_a + w_b``: the variance of the
        standardised difference of two levels, 1 where correlations are the same and values
        are normal.
    freedom
        Levels with a weight, less one.
    weight
        ``Σw - Σw² / Σw``: what a variance of 1 between levels adds to the squares.
    """

    squares: np.ndarray
    freedom: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, fisher: Fisher) -> Disagreement:
        """Of each pair of genes over the levels, shape of one level.

        Heavy tails and clustered rows make the squares larger too: compare them with those
        of shuffled labels (:func:`shuffled`). Source: Cochran (1954).
        """
        z, w = fisher.z, fisher.weight
        total = w.sum(axis=0)
        some = np.where(total > 0, total, 1.0)
        first = np.einsum("l...,l...->...", w, z)
        squares = np.einsum("l...,l...,l...->...", w, z, z) - first * first / some
        freedom = np.maximum((w > 0).sum(axis=0) - 1, 0)
        known = freedom > 0
        weight = np.where(known, total - np.einsum("l...,l...->...", w, w) / some, 0.0)
        return cls(np.where(known, np.maximum(squares, 0.0), 0.0), freedom, weight)

    def over(self, axis: int | None = None) -> Disagreement:
        """Sums over the pairs, over all of them or along one axis."""
        parts = (self.squares, self.freedom, self.weight)
        return Disagreement(*(np.sum(part, axis=axis, dtype=float) for part in parts))

    @property
    def variance(self) -> np.ndarray:
        """Mean squared standardised difference of two levels; NaN where nothing is compared."""
        freedom = np.asarray(self.freedom, dtype=float)
        nothing = np.full(freedom.shape, np.nan)
        return np.divide(self.squares, freedom, out=nothing, where=freedom > 0)

    def spread(self, expected: np.ndarray | float = 1.0) -> np.ndarray:
        """Standard deviation of Fisher's z between levels, beyond what chance makes.

        By the method of moments: 0 where the squares are not above ``expected`` (the
        variance that shuffled labels give) times the degrees of freedom. Below .3 it reads
        as a standard deviation of the correlation. Source: DerSimonian & Laird (1986).
        """
        more = np.maximum(np.asarray(self.squares - expected * self.freedom, dtype=float), 0.0)
        weight = np.asarray(self.weight, dtype=float)
        return np.sqrt(np.divide(more, weight, out=np.zeros_like(more), where=weight > 0))


def shuffled(
    level: np.ndarray,
    rng: np.random.Generator,
    *,
    unit: np.ndarray | None = None,
    stratum: np.ndarray | None = None,
) -> np.ndarray:
    """Labels at random: among rows of a stratum, or among whole units.

    Parameters
    ----------
    level
        Level of each row, shape (n,).
    unit
        Units that keep together, each within one level, shape (n,), numbered from 0; the
        numbers of units per level stay.
    stratum
        Rows that may exchange labels; all of them where it is None. Not used with ``unit``.
    """
    if unit is not None:
        of_unit = np.zeros(int(unit.max()) + 1, dtype=level.dtype)
        of_unit[unit] = level
        return rng.permutation(of_unit)[unit]
    if stratum is None:
        return rng.permutation(level)
    target = np.argsort(stratum, kind="stable")
    source = np.lexsort((rng.random(len(level)), stratum))
    drawn = np.empty_like(level)
    drawn[target] = level[source]
    return drawn


@dataclass(frozen=True)
class Edges:
    """The strongest edges of each level, and of all other levels together.

    Attributes
    ----------
    own, others
        Positions of the k strongest edges, shape (levels, k).
    own_sign, others_sign
        The signs that they have there.
    """

    own: np.ndarray
    others: np.ndarray
    own_sign: np.ndarray
    others_sign: np.ndarray

    @classmethod
    def of(cls, fisher: Fisher, k: int) -> Edges:
        """The k largest |z| of each level, and of the weighted mean of all others.

        ``fisher`` has its pairs in one axis, shape (levels, pairs).
        """
        z, w = fisher.z, fisher.weight
        weighted = w * z
        rest = w.sum(axis=0) - w
        pooled = weighted.sum(axis=0) - weighted
        pooled = np.divide(pooled, rest, out=np.zeros_like(pooled), where=rest > 0)
        own, others = _strongest(np.where(w > 0, z, 0.0), k), _strongest(pooled, k)
        signs = (
            np.sign(np.take_along_axis(values, chosen, axis=1))
            for values, chosen in ((z, own), (pooled, others))
        )
        return cls(own, others, *signs)

    def found_again(self, fisher: Fisher) -> tuple[np.ndarray, np.ndarray]:
        """Shares of edges with the same sign, and significant, in a level.

        Significant at the 5 % level, two-sided, by the rows of the level.

        Returns
        -------
        from_others
            Edges of all other levels together, in each level, shape (levels,).
        pairs
            Edges of level a (row) in level b (column), shape (levels, levels); NaN on the
            diagonal.
        """
        seen = self._seen(fisher)
        levels = np.arange(len(seen))
        from_others = (seen[levels[:, None], self.others] == self.others_sign).mean(axis=1)
        pairs = np.stack(
            [
                (seen[:, own] == sign).mean(axis=1)
                for own, sign in zip(self.own, self.own_sign, strict=True)
            ]
        )
        np.fill_diagonal(pairs, np.nan)
        return from_others, pairs

    def same_sign(self, fisher: Fisher) -> np.ndarray:
        """Share of the edges of all other levels that have the same sign, shape (levels,)."""
        levels = np.arange(len(fisher.z))
        sign = np.sign(fisher.z[levels[:, None], self.others])
        return (sign == self.others_sign).mean(axis=1)

    @staticmethod
    def _seen(fisher: Fisher) -> np.ndarray:
        """Sign of every significant correlation, else 2, which is no sign."""
        significant = np.abs(fisher.z) * np.sqrt(fisher.weight) > _CRITICAL
        return np.where(significant, np.sign(fisher.z), 2.0)


def _strongest(values: np.ndarray, k: int) -> np.ndarray:
    return np.argpartition(-np.abs(values), k - 1, axis=1)[:, :k]


def _spread(second: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One over the standard deviation, 0 for constant columns, and which vary."""
    variance = second - mean**2
    varies = variance > 1e-10 * np.maximum(second, 1e-300)
    root = np.sqrt(np.where(varies, variance, 1.0))
    return np.where(varies, 1.0 / root, 0.0), varies
