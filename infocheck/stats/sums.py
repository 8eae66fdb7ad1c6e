"""Additive sums over rows: what everything else is computed from.

Values are shifted by a pilot mean before they are summed, so that nothing is
lost to cancellation; sums of disjoint rows can be added in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class CrossSums:
    """Sums of p leading columns against all g columns of a block of rows.

    Attributes
    ----------
    n
        Number of rows.
    total, squares
        Sum and sum of squares of each column, shape (g,).
    gram
        Leading columns times all columns, shape (p, g).
    fourth, third
        ``(x∘x)'(x∘x)`` and ``(x∘x)'x`` of the leading columns, shape (p, p), or
        None: the sampling variance of their correlations needs them.
    """

    n: int
    total: np.ndarray
    squares: np.ndarray
    gram: np.ndarray
    fourth: np.ndarray | None = None
    third: np.ndarray | None = None

    @classmethod
    def zeros(cls, p: int, g: int, *, fourth: bool = False) -> CrossSums:
        """Sums of no rows."""
        square = (np.zeros((p, p)), np.zeros((p, p))) if fourth else (None, None)
        return cls(0, np.zeros(g), np.zeros(g), np.zeros((p, g)), *square)

    @classmethod
    def of(cls, rows: np.ndarray, p: int, *, fourth: bool = False) -> CrossSums:
        """Sums of these rows, shape (n, g), of which the first p columns lead."""
        sums = cls.zeros(p, rows.shape[1], fourth=fourth)
        sums.update(rows)
        return sums

    def update(self, rows: np.ndarray) -> None:
        """Add rows, shape (n, g)."""
        if not len(rows):
            return
        p = len(self.gram)
        self.n += len(rows)
        self.total += rows.sum(axis=0)
        self.squares += np.einsum("ij,ij->j", rows, rows)
        lead = np.ascontiguousarray(rows[:, :p])
        self.gram += lead.T @ rows
        if self.fourth is not None and self.third is not None:
            squared = lead * lead
            self.fourth += squared.T @ squared
            self.third += squared.T @ lead

    def __add__(self, other: CrossSums) -> CrossSums:
        return self._combine(other, 1)

    def __sub__(self, other: CrossSums) -> CrossSums:
        return self._combine(other, -1)

    def _combine(self, other: CrossSums, sign: int) -> CrossSums:
        def both(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
            return None if a is None or b is None else a + sign * b

        return CrossSums(
            self.n + sign * other.n,
            self.total + sign * other.total,
            self.squares + sign * other.squares,
            self.gram + sign * other.gram,
            both(self.fourth, other.fourth),
            both(self.third, other.third),
        )

    def take(self, targets: np.ndarray) -> CrossSums:
        """The leading columns, followed by these columns and no others."""
        columns = np.concatenate([np.arange(len(self.gram)), targets])
        return CrossSums(self.n, self.total[columns], self.squares[columns], self.gram[:, columns])

    def mean(self) -> np.ndarray:
        """Column means (of the shifted values), shape (g,)."""
        return self.total / self.n

    def variance(self) -> np.ndarray:
        """Column variances with divisor n, shape (g,); exact zeros for constant columns."""
        mean = self.mean()
        raw = self.squares / self.n
        variance = raw - mean * mean
        # Rounding leaves about 1e-16 of the second moment in a constant column.
        return np.where(variance > 1e-12 * raw, variance, 0.0)

    def correlation(self) -> np.ndarray:
        """Correlations of the leading columns with all columns, shape (p, g).

        Columns without variance get 0: they say nothing.
        """
        p = len(self.gram)
        mean, sd = self.mean(), np.sqrt(self.variance())
        scale = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
        covariance = self.gram / self.n - np.outer(mean[:p], mean)
        return np.clip(covariance * scale[:p, None] * scale, -1.0, 1.0)

    def correlation_noise(self) -> float:
        """Sum of the sampling variances of the correlations between leading columns.

        ``Var(r_ij) ≈ (mean(z_i² z_j²) - r_ij²) / (n - 1)`` (Schäfer & Strimmer
        2005), over i ≠ j, from sums alone.
        """
        if self.fourth is None or self.third is None:
            raise ValueError("sums were taken without fourth moments")
        p, n = len(self.gram), self.n
        mean, sd = self.mean()[:p], np.sqrt(self.variance()[:p])
        second = self.squares[:p] / n
        product = self.gram[:, :p] / n
        third = self.third / n  # [i, j] = mean(x_i² x_j)
        # mean((x_i - a_i)² (x_j - a_j)²), multiplied out.
        a = mean
        fourth = (
            self.fourth / n
            - 2 * third * a[None, :]
            - 2 * third.T * a[:, None]
            + np.outer(second, a * a)
            + np.outer(a * a, second)
            + 4 * np.outer(a, a) * product
            - 3 * np.outer(a * a, a * a)
        )
        scale = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
        standard = fourth * np.outer(scale**2, scale**2)
        r = self.correlation()[:, :p]
        variance = np.maximum(standard - r * r, 0.0) / (n - 1)
        return float(variance.sum() - np.trace(variance))
