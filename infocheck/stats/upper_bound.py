"""What the tested methods reach on simulated targets of the real regulators."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from infocheck.stats.heritability import Heritability
from infocheck.stats.partial import Shrunken
from infocheck.stats.resampling import t_interval
from infocheck.stats.spike_in import Regulators, replicate

Map = Callable[[Callable, Iterable], list]


def simulated(
    gram: np.ndarray,
    explained: Heritability,
    n: float,
    shrinkage: float,
    *,
    replicates: int,
    targets: int,
    rng: np.random.Generator,
    mapped: Map,
) -> list[dict[str, tuple[float, float]]]:
    """Networks of few random parents with targets as predictable as the real ones.

    Parameters
    ----------
    gram
        Correlations of the regulators, shape (p, p).
    explained
        How predictable real targets are. Their distribution is used: posterior means of
        single targets are pulled together and towards one half, which with few rows would
        make the bound too low.
    n
        Observations.
    shrinkage
        Weight of the identity in the shrunken correlations.
    replicates, targets
        Networks, and targets in each.
    rng
        Spawns one generator for each network.
    mapped
        Runs them.

    Returns
    -------
    list
        For each network and method the normalised precision over all pairs, and the mean
        over regulators; see :func:`infocheck.stats.spike_in.replicate`.
    """
    model = Shrunken.of(gram, shrinkage)
    regulators = Regulators.of(gram, n)

    def one(draw: np.random.Generator) -> dict[str, tuple[float, float]]:
        r2 = draw.choice(explained.grid, targets, p=explained.prior)
        return replicate(regulators, model, r2, draw)

    return mapped(one, rng.spawn(replicates))


def one_more(values: np.ndarray, margin: float) -> tuple[float, float, float]:
    """Mean plus a margin, and where one more network would fall (95 %), each at most 1.

    Not only how well the mean is known: the interval is one for a single further network.
    """
    values = np.minimum(values + margin, 1.0)
    estimate, error = values.mean(), values.std(ddof=1) * np.sqrt(1 + 1 / len(values))
    return (estimate, *t_interval(estimate, error, len(values), (-1.0, 1.0)))
