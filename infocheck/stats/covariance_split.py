"""Which part of a covariance lies between the levels of a factor, and which within them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infocheck.stats.sums import CrossSums
from infocheck.stats.variance import TOLERANCE


@dataclass(frozen=True)
class Split:
    """Covariances as the sum of a part between the levels of factors and one within them.

    ``cov(x, y) = Σ_b w_b cov_b(x, y) + cov_b(mean_b x, mean_b y)`` for the levels b of one
    factor (law of total covariance, divisor n); for several factors, and for numbers, what
    linear regression on all of them explains and what it leaves. The parts are signed: the
    share between may be below 0 or above 1 where they point in opposite directions.

    A factor without any effect is expected to take ``rank / (n - 1)`` of every covariance, as
    it does of every variance; correlations within levels are free of that.

    Attributes
    ----------
    n, rank
        Rows, and dimensions that the factors span.
    total, between
        Covariances and their part between, of any shape.
    x, x_between, y, y_between
        Variances of both genes and their parts between, broadcast against the covariances.
    """

    n: float
    rank: int
    total: np.ndarray
    between: np.ndarray
    x: np.ndarray
    x_between: np.ndarray
    y: np.ndarray
    y_between: np.ndarray

    @classmethod
    def of(cls, sums: CrossSums, load: np.ndarray) -> Split:
        """All leading columns against all columns, shape (p, g), by matrix products.

        Parameters
        ----------
        sums
            Sums over the rows that ``load`` was taken from.
        load
            Of :meth:`infocheck.stats.variance.Normal.loadings`, shape (rank, g).
        """
        p, n = len(sums.gram), float(sums.n)
        mean, variance, between = sums.mean(), sums.variance(), (load**2).sum(axis=0) / n
        return cls(
            n,
            len(load),
            sums.gram / n - np.outer(mean[:p], mean),
            load[:, :p].T @ load / n,
            variance[:p, None],
            between[:p, None],
            variance,
            between,
        )

    @classmethod
    def of_pairs(
        cls, sums: CrossSums, load: np.ndarray, lead: np.ndarray, other: np.ndarray
    ) -> Split:
        """The same for chosen pairs of a leading column and any column, shape (pairs,)."""
        n, mean, variance = float(sums.n), sums.mean(), sums.variance()
        between = (load**2).sum(axis=0) / n
        return cls(
            n,
            len(load),
            sums.gram[lead, other] / n - mean[lead] * mean[other],
            np.einsum("re,re->e", load[:, lead], load[:, other]) / n,
            variance[lead],
            between[lead],
            variance[other],
            between[other],
        )

    @property
    def within(self) -> np.ndarray:
        """Covariances within the levels."""
        return self.total - self.between

    @property
    def x_within(self) -> np.ndarray:
        """Variances of the first gene within the levels; exact zeros where nothing is left."""
        return _left(self.x, self.x_between)

    @property
    def y_within(self) -> np.ndarray:
        """Variances of the second gene within the levels."""
        return _left(self.y, self.y_between)

    @property
    def freedom(self) -> float:
        """Rows that are left when every dimension of the factors has taken one."""
        return self.n - 1 - self.rank

    @property
    def share(self) -> np.ndarray:
        """Part of each covariance that lies between; NaN for genes that do not vary."""
        # Of a constant gene rounding leaves some covariance.
        return np.where(self.x * self.y > 0, _ratio(self.between, self.total, np.nan), np.nan)

    @property
    def correlation(self) -> np.ndarray:
        """Correlations over all rows; 0 for genes that do not vary."""
        return np.clip(_ratio(self.total, np.sqrt(self.x * self.y)), -1.0, 1.0)

    @property
    def within_correlation(self) -> np.ndarray:
        """Correlations once the factors are removed; 0 for genes that vary between alone.

        NaN where the factors leave fewer than two rows to vary.
        """
        if self.freedom < 2:
            return np.full(np.shape(self.total), np.nan)
        scale = np.sqrt(self.x_within * self.y_within)
        return np.clip(_ratio(self.within, scale), -1.0, 1.0)


def largest_correlation(x_share: np.ndarray, y_share: np.ndarray) -> np.ndarray:
    """Largest correlation that a factor alone can create between genes, all pairs.

    ``sqrt(R²_x R²_y)``, from the inequality of Cauchy and Schwarz: the covariance between is
    at most the product of the standard deviations between. Reached when level means of both
    genes are proportional. Shares below 0, as adjusted ones may be, count as 0.

    Parameters
    ----------
    x_share, y_share
        R² of genes on the factor, shapes (p,) and (g,).
    """
    root = [np.sqrt(np.maximum(np.nan_to_num(share), 0.0)) for share in (x_share, y_share)]
    return np.outer(*root)


def _left(total: np.ndarray, between: np.ndarray) -> np.ndarray:
    left = total - between
    return np.where(left > TOLERANCE * total, left, 0.0)


def _ratio(top: np.ndarray, bottom: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    top, bottom = np.broadcast_arrays(np.asarray(top, float), np.asarray(bottom, float))
    return np.divide(top, bottom, out=np.full(top.shape, otherwise), where=bottom != 0)
