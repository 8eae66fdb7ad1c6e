"""The third pass over rows: knockoffs of the regulators beside real and simulated targets.

Knockoffs are drawn row by row from noise that belongs to the row, so neither the size of
a block nor the number of workers changes them, and only sums of products are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from infocheck.moments import on_scale, panel_blocks
from infocheck.stats.knockoff_statistics import Products
from infocheck.stats.knockoffs import Gaussian, keyed_normal
from infocheck.stats.sums import CrossSums

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Streams of noise that belong to rows.
_KNOCKOFFS, _TARGETS = 0, 1


class Targets(Protocol):
    """Targets that can be computed row by row."""

    @property
    def m(self) -> int:
        """How many they are."""

    def values(self, z: np.ndarray, rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Their values, shape (b, m).

        ``z`` are the standardised regulators of the rows, (b, p), ``rows`` their
        positions among the kept rows, and ``noise`` is standard normal, (b, m).
        """


@dataclass(frozen=True)
class RegulatorScale:
    """Brings panel values of the regulators to mean 0 and variance 1."""

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, data: Dataset) -> RegulatorScale:
        moments, p = data.moments, data.panel.p
        total = moments.total()
        return cls((moments.shift + total.mean())[:p], np.sqrt(total.variance()[:p]))

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """Of panel values, shape (b, g); regulators lead. Shape (b, p)."""
        centred = values[:, : len(self.mean)] - self.mean
        return np.divide(centred, self.sd, out=np.zeros_like(centred), where=self.sd > 0)


@dataclass
class TargetSums:
    """Sums of m targets and of their products with regulators and knockoffs.

    ``n`` rows; ``total`` and ``squares`` (m,); ``cross`` (2p, m).
    """

    n: int
    total: np.ndarray
    squares: np.ndarray
    cross: np.ndarray

    @classmethod
    def zeros(cls, p: int, m: int) -> TargetSums:
        return cls(0, np.zeros(m), np.zeros(m), np.zeros((2 * p, m)))

    def update(self, both: np.ndarray, values: np.ndarray) -> None:
        """Add rows of [X, X̃], shape (b, 2p), and of the targets, (b, m)."""
        self.n += len(values)
        self.total += values.sum(axis=0)
        self.squares += np.einsum("ij,ij->j", values, values)
        self.cross += both.T @ values


@dataclass(frozen=True)
class KnockoffSums:
    """What the pass keeps.

    Attributes
    ----------
    halves
        Sums of regulators and knockoffs for the two halves of the first split.
    targets
        Sums of each kind of targets, over all rows.
    steps
        For the two halves: sums of the p step functions of single regulators, 1 where a
        regulator is above its mean.
    """

    halves: tuple[CrossSums, CrossSums]
    targets: Mapping[str, TargetSums]
    steps: tuple[TargetSums, TargetSums]

    def products(self, kind: str) -> Products:
        """Correlations of regulators and knockoffs with each other and with these targets."""
        return products(self.halves[0] + self.halves[1], self.targets[kind])


def products(lead: CrossSums, targets: TargetSums) -> Products:
    """On the correlation scale; targets without variance get 0."""
    n, two_p = lead.n, len(lead.gram)
    mean, sd = lead.mean(), np.sqrt(lead.variance())
    average = targets.total / n
    spread = np.sqrt(np.maximum(targets.squares / n - average**2, 0.0))
    scale = np.outer(sd, spread)
    cross = targets.cross / n - np.outer(mean, average)
    cross = np.divide(cross, scale, out=np.zeros_like(cross), where=scale > 1e-12)
    gram = lead.correlation()[:, :two_p]
    return Products(gram=gram, cross=np.clip(cross, -1.0, 1.0), rows=n)


def knockoff_pass(
    data: Dataset, knockoffs: Gaussian, kinds: Mapping[str, Targets], real: np.ndarray, seed: int
) -> KnockoffSums:
    """Read the kept rows once more.

    Parameters
    ----------
    data
        With the sums of the second pass.
    knockoffs
        Of the regulators of the panel.
    kinds
        Simulated targets by name.
    real
        Panel positions of the targets that are called ``"real"``.
    seed
        Of the noise of knockoffs and targets.
    """
    p = data.panel.p
    scale = RegulatorScale.of(data)
    shift = data.moments.shift
    half = data.splits.half[0].astype(int)
    halves = tuple(CrossSums.zeros(2 * p, 2 * p) for _ in range(2))
    steps = tuple(TargetSums.zeros(p, p) for _ in range(2))
    sums = {name: TargetSums.zeros(p, kind.m) for name, kind in kinds.items()}
    sums["real"] = TargetSums.zeros(p, len(real))
    widest = max((kind.m for kind in kinds.values()), default=0)

    for rows, raw in panel_blocks(data, step="Reading rows for knockoffs"):
        values = on_scale(data, raw, rows)
        z = scale.standardise(values)
        copies = knockoffs.draw(z, keyed_normal((seed, _KNOCKOFFS), rows[0], len(rows), p))
        noise = keyed_normal((seed, _TARGETS), rows[0], len(rows), widest)
        both = np.hstack([z, copies])

        def of_half(side: int, z=z, both=both, here=half[rows]) -> None:
            chosen = here == side
            halves[side].update(both[chosen])
            steps[side].update(both[chosen], (z[chosen] > 0).astype(float))

        def of_kind(name: str, z=z, both=both, rows=rows, noise=noise, values=values) -> None:
            if name == "real":
                made = values[:, real] - shift[real]
            else:
                made = kinds[name].values(z, rows, noise[:, : kinds[name].m])
            sums[name].update(both, made)

        tasks = [lambda side=side: of_half(side) for side in (0, 1)]
        tasks += [lambda name=name: of_kind(name) for name in sums]
        data.engine.map(lambda task: task(), tasks)
    return KnockoffSums(halves, sums, steps)
