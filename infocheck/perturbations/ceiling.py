"""How well any model could predict noisy responses at most, and how well their mean does.

Halves of the data that share no row share no noise. So the product of a response in one half
with itself in the other has its true size for an expectation, and the product with the mean of
the other perturbations what the two have in common. The best model knows the true response; it
is still scored against a noisy one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from infocheck.perturbations.baselines import known, lists
from infocheck.stats.normal_means import NormalMeans
from infocheck.stats.profiles import products
from infocheck.stats.resampling import half_interval, jackknife_error

# What is scored against, in rows of a half.
HALF, ALL_ROWS = 1.0, 2.0
# The three ways to halve share products of parts: six independent ones, each in two of them. So
# the variance of their mean is this multiple of their sample variance.
_WAYS = 4 / 3
# Draws of truth and noise, and values to draw at most.
_DRAWS, _VALUES = 20, 4e6


@dataclass(frozen=True)
class Shared:
    """What responses in two halves share: mean products over genes, for each way to halve.

    Attributes
    ----------
    own
        Of a response with itself in the other half: its true size, shape (3, k).
    cross
        Of a response with the mean of the others in the other half.
    mean
        Of that mean with itself in the other half.
    size
        Of a response with itself in the same half: its true size and its noise.
    """

    own: np.ndarray
    cross: np.ndarray
    mean: np.ndarray
    size: np.ndarray

    @classmethod
    def of(
        cls, halves: np.ndarray, others: np.ndarray, counted: np.ndarray, *, centred: bool
    ) -> Shared:
        """From responses and means of the others in two halves.

        Parameters
        ----------
        halves, others
            Shape (3, 2, k, g).
        counted
            Which genes count for each perturbation, shape (k, g).
        centred
            Take the mean over genes out, as correlations do?
        """

        def each(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            pairs = zip(a, b, strict=True)
            return np.stack([products(x, y, counted, centred=centred) for x, y in pairs])

        (a, b), (m, n) = halves.swapaxes(0, 1), others.swapaxes(0, 1)
        return cls(
            own=each(a, b),
            cross=(each(m, b) + each(n, a)) / 2,
            mean=each(m, n),
            size=(each(a, a) + each(b, b)) / 2,
        )

    def ways(self) -> list[Ceiling]:
        """Ceilings from each way to halve alone."""
        chance = self._chance()
        return [Ceiling(*(x[i] for x in vars(self).values()), chance) for i in range(len(self.own))]

    def averaged(self) -> Ceiling:
        """Ceilings from the mean over the ways to halve that a perturbation has rows for."""
        there = np.isfinite(self.own)
        n = there.sum(axis=0)
        means = [
            np.divide(
                np.where(there, x, 0.0).sum(axis=0), n, where=n > 0, out=np.full(n.shape, np.nan)
            )
            for x in vars(self).values()
        ]
        return Ceiling(*means, self._chance())

    def _chance(self) -> np.ndarray:
        """Standard deviation that noise alone gives the true size of a response, shape (k,).

        It is a multiple of the noise that depends on how many genes vary independently, so
        the multiple is pooled over perturbations.
        """
        whole = np.isfinite(self.own).all(axis=0)
        noise = np.full(whole.shape, np.nan)
        noise[whole] = np.maximum((self.size - self.own)[:, whole].mean(axis=0), 0.0)
        used = whole & (noise > 0)
        if not used.any():
            return np.zeros(whole.shape)
        spread = _WAYS * self.own[:, used].var(axis=0, ddof=1)
        return np.nan_to_num(noise) * np.sqrt((spread / noise[used] ** 2).mean())


@dataclass(frozen=True)
class Ceiling:
    """What the best model and the mean of the others score, one value a perturbation.

    ``own``, ``cross``, ``mean`` and ``size`` as in :class:`Shared`, shape (k,); ``chance`` is
    the standard deviation of ``own`` without any response. ``rows`` of the methods is what is
    scored against, in rows of a half.
    """

    own: np.ndarray
    cross: np.ndarray
    mean: np.ndarray
    size: np.ndarray
    chance: np.ndarray

    def observed(self, rows: float) -> np.ndarray:
        """Size of a response as it is seen in so many rows: its true size, and noise.

        A true size that is negative by chance counts by its absolute value, so that a
        reliability around zero errs to both sides alike.
        """
        true = np.abs(self.own)
        return true + np.maximum(self.size - true, 0.0) / rows

    def reliability(self, rows: float = ALL_ROWS) -> np.ndarray:
        """Share of the observed size that is no noise; for all rows 2r/(1 + r) of halves.

        Spearman (1910). Below 0 by chance only. Misleads where halves share noise.
        """
        return _over(self.own, self.observed(rows))

    def best_correlation(self, rows: float = ALL_ROWS) -> np.ndarray:
        """Correlation of the true response with the observed one: the root of reliability.

        The root keeps the sign of an estimate below zero, so that pure noise averages to
        nothing over perturbations; it is somewhat low where the reliability is small.
        """
        found = self.reliability(rows)
        return np.sign(found) * np.sqrt(np.abs(found))

    def mean_correlation(self, rows: float = ALL_ROWS) -> np.ndarray:
        """Correlation of the observed response with the mean of the others, known exactly.

        The noise of the mean is divided out: more rows would bring the mean closer to it, and
        nobody would know more of the perturbation. A mean that is smaller than chance makes it
        is divided by chance instead, and one that is not reproduced at all scores 0; so the
        best correlation exceeds this one in expectation only where responses differ.
        """
        known = np.where(self.mean > 0, np.maximum(self.mean, self.chance), 0.0)
        return np.clip(_over(self.cross, np.sqrt(known * self.observed(rows))), -1.0, 1.0)

    def difference(self, rows: float = ALL_ROWS) -> np.ndarray:
        """By how much the best correlation exceeds that of the mean."""
        return self.best_correlation(rows) - self.mean_correlation(rows)

    def best_error(self, rows: float = ALL_ROWS) -> np.ndarray:
        """Squared error of the true response over that of no change, where not centred.

        What is left is the noise of what is scored against.
        """
        return 1.0 - self.reliability(rows)

    def mean_error(self, rows: float = ALL_ROWS) -> np.ndarray:
        """Squared error of the mean of the others, known exactly, over that of no change."""
        return 1.0 - _over(2 * self.cross - self.mean, self.observed(rows))


def _over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    nothing = np.where(np.isfinite(b), 0.0, np.nan)
    return np.divide(a, b, out=nothing, where=np.isfinite(b) & (b > 0))


def split_error(values: np.ndarray) -> float:
    """Standard error of a mean over the three ways to halve, from where the rows were cut.

    Holds the noise that all perturbations share, such as that of a common control, which
    their spread does not show. 0 unless all three values are finite, shape (3,).
    """
    return float(np.sqrt(_WAYS * values.var(ddof=1))) if np.isfinite(values).all() else 0.0


def reliability_interval(
    ceiling: Ceiling, halves: np.ndarray, counted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of the reliability of each response in all rows, shapes (k,).

    Leaves out each of the four parts in turn, with Student's t for four groups, so it is
    wide. Parts are worked out from the halves, which takes them for equally large; rough
    where a perturbation has few rows, and NaN where a part has none.
    """
    ab, cd, ac, bd, ad, bc = halves.reshape(6, *halves.shape[2:])
    parts = (ac + ad - cd, ab + bc - ac, bc + cd - bd, ad + cd - ac)
    size = [products(part, part, counted, centred=True) for part in parts]
    shared = {
        pair: products(parts[pair[0]], parts[pair[1]], counted, centred=True)
        for pair in combinations(range(4), 2)
    }
    without = []
    for left in range(4):
        own = sum(value for pair, value in shared.items() if left not in pair) / 3
        whole = sum(value for part, value in enumerate(size) if part != left) / 3
        rest = Ceiling(own, own, own, whole, own)
        without.append(rest.reliability(rows=4.0))
    half = half_interval(3) * jackknife_error(np.stack(without))
    middle = ceiling.reliability()
    return np.maximum(middle - half, -1.0), np.minimum(middle + half, 1.0)


def best_lists(
    delta: np.ndarray,
    error: np.ndarray,
    counted: np.ndarray,
    sizes: tuple[int, ...],
    rows: Sequence[float],
    rng: np.random.Generator,
) -> list[dict[str, np.ndarray]]:
    """What the true response scores on lists of the strongest genes, and on their direction.

    True responses are drawn given the observed ones, and observed again with new noise. No
    prediction does better in expectation: the larger a true change is in standard errors, the
    likelier it is among the largest observed ones.

    Parameters
    ----------
    delta, error
        Responses in all rows and their standard errors, shape (k, g).
    counted
        Which genes count, shape (k, g).
    sizes
        Lengths of the lists; the direction is that of the longest. Without any, no score.
    rows
        What is scored against, in rows of a half.

    Returns
    -------
    list of dict
        For each of ``rows`` the scores by name of the metric, each of shape (k,).
    """
    found: list[dict[str, np.ndarray]] = [{} for _ in rows]
    if not sizes:
        return found
    listed = known(error, counted)
    z = np.divide(delta, error, out=np.zeros(delta.shape), where=listed)
    times = int(np.clip(_VALUES / z.size, 1, _DRAWS))
    for true in NormalMeans.fit(z, listed).draws(z, times, rng):
        for scores, against in zip(found, rows, strict=True):
            noise = math.sqrt(ALL_ROWS / against) * rng.standard_normal(z.shape)
            for name, values in lists(true, true + noise, listed, sizes).items():
                scores[name] = scores.get(name, 0.0) + values / times
    return found
