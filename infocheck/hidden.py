"""What a factor that nobody recorded could do: as much as one that the data show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infocheck.confounders.factors import FACTORS

if TYPE_CHECKING:
    from infocheck.dataset import Dataset


@dataclass(frozen=True)
class Hidden:
    """A factor that moves regulators and targets.

    Values are in standard deviations of each gene; a factor has q columns, one for each
    level or component.

    Attributes
    ----------
    name
        As it follows "as strong as".
    level
        Level of every kept row, shape (n,), or None for components.
    projection
        Makes components from standardised regulators, shape (p, q), or None for levels.
    cross, spread
        Covariance of the regulators with the columns, shape (p, q), and the mean squares
        of the columns, which are uncorrelated with each other or exclude each other, (q,).
    loadings
        What each sampled target gets from each column, shape (q, m).
    """

    name: str
    level: np.ndarray | None
    projection: np.ndarray | None
    cross: np.ndarray
    spread: np.ndarray
    loadings: np.ndarray

    @property
    def shared(self) -> np.ndarray:
        """Covariance of the regulators with its part in each sampled target, shape (p, m)."""
        return self.cross @ self.loadings

    @property
    def strength(self) -> np.ndarray:
        """Variance of its part in each sampled target, shape (m,)."""
        return self.spread @ self.loadings**2

    def part(self, z: np.ndarray, rows: np.ndarray, like: np.ndarray) -> np.ndarray:
        """What it adds in these rows to targets that are moved like these, shape (b, len(like)).

        ``z`` are the standardised regulators of the rows, shape (b, p).
        """
        if self.level is not None:
            return self.loadings[:, like][self.level[rows]]
        return (z @ self.projection) @ self.loadings[:, like]


def headline(factors: Sequence[Hidden]) -> Hidden:
    """The labelled factor, if there is one, else the one of most columns."""
    labelled = [factor for factor in factors if factor.level is not None]
    return labelled[0] if labelled else max(factors, key=lambda factor: len(factor.spread))


def strongest(data: Dataset) -> Hidden:
    """The labelled factor that moves the median target most, else the first component."""
    found = [_of_factor(data, name) for name in FACTORS if name in data.roles]
    if found:
        return max(found, key=lambda factor: float(np.median(factor.strength)))
    return next(components(data, (1,)))


def components(data: Dataset, numbers: tuple[int, ...]) -> Iterator[Hidden]:
    """The leading principal components of the regulators, each of these numbers of them."""
    panel = data.panel
    correlation = data.moments.total().correlation()
    values, vectors = np.linalg.eigh(correlation[:, : panel.p])
    values, vectors = values[::-1], vectors[:, ::-1]
    for number in numbers:
        kept = slice(0, min(number, int((values > 1e-10 * values[0]).sum())))
        scale = np.sqrt(values[kept])
        projection = vectors[:, kept] / scale
        loadings = projection.T @ correlation[:, panel.sampled]
        words = f"first {number} principal components"
        words = "first principal component" if number == 1 else words
        yield Hidden(
            name=f"the {words} of the regulators",
            level=None,
            projection=projection,
            cross=vectors[:, kept] * scale,
            spread=np.ones(len(scale)),
            loadings=loadings * _beyond_chance((loadings**2).sum(axis=0), len(scale), data.n),
        )


def _of_factor(data: Dataset, name: str) -> Hidden:
    """From the means of its levels."""
    sums, total = data.moments.levels[name], data.moments.total()
    n = sums.n.sum(axis=0)
    sd = np.sqrt(total.variance())
    used = n > 0
    centred = sums.total.sum(axis=0)[used] / n[used, None] - total.mean()
    means = np.divide(centred, sd, out=np.zeros_like(centred), where=sd > 0)
    weight = n[used] / n.sum()
    regulators, targets = means[:, : data.panel.p], means[:, data.panel.sampled]
    role = data.roles[name]
    return Hidden(
        name=role.column,
        level=(np.cumsum(used) - 1)[role.complete()],
        projection=None,
        cross=(regulators * weight[:, None]).T,
        spread=weight,
        loadings=targets * _beyond_chance(weight @ targets**2, len(weight) - 1, data.n),
    )


def _beyond_chance(raw: np.ndarray, columns: int, n: int) -> np.ndarray:
    """By how much to shrink loadings: level means and components fit by chance as well."""
    chance = min(columns / max(n - 1, 1), 1.0)
    strength = np.maximum((raw - chance) / max(1 - chance, 1e-12), 0.0)
    return np.sqrt(np.divide(strength, raw, out=np.zeros_like(raw), where=raw > 0))
