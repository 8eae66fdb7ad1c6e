"""Many noisy effects: their distribution, and draws of the true ones given the noisy ones.

Empirical Bayes with scale mixtures of normals around zero (Stephens 2017). Effects are in units
of their standard errors, so that one table of likelihoods serves all profiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import norm

# Widths of the normals, in standard errors of the observations; the first is no effect.
WIDTHS = np.concatenate([[0.0], 2.0 ** np.arange(-1.5, 6.01, 0.25)])
# What is left of an observed effect where its true one has that width.
_SHRINK = WIDTHS**2 / (1 + WIDTHS**2)
# Shares of effects that are not zero.
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85, 1.0)
# Of a distribution with long tails, what the weight of a width is times that of the next
# narrower one, and below the main width, of the next wider one.
_TAIL, _CORE = 0.75, 0.5
# Values beyond are taken for this one: no width explains them worse than another.
_LARGEST = 200.0
_EDGES = np.concatenate([np.linspace(0.0, 8.0, 161), np.geomspace(8.0, _LARGEST, 61)[1:]])
_BINS = len(_EDGES) - 1
_ROUNDS = 200


@dataclass(frozen=True)
class NormalMeans:
    """Distribution of the effects of each profile.

    Attributes
    ----------
    weights
        Of each width in :data:`WIDTHS`, shape (profiles, widths); rows sum to 1.
    """

    weights: np.ndarray

    @classmethod
    def fit(cls, z: np.ndarray, counted: np.ndarray) -> NormalMeans:
        """From all profiles, and then for each of them.

        A share of the effects is zero, the others have a width and a normal or a long tail.
        How often each of these combinations occurs is estimated over profiles (EM); the
        distribution of a profile is their mean given its effects. Weights that are free for
        every profile would take noise for effects. Misleads where errors are rough or noise
        has heavy tails: both pass for effects. Takes effects for symmetric around zero.

        Parameters
        ----------
        z
            Effects in units of their standard errors, shape (profiles, g).
        counted
            Which genes count, shape (profiles, g).
        """
        shapes = _shapes()
        log = _histogram(z, counted) @ np.log(shapes @ _likelihood().T).T
        likelihood = np.exp(log - log.max(axis=1, keepdims=True))
        often = np.full(len(shapes), 1 / len(shapes))
        for _ in range(_ROUNDS):
            belongs = likelihood * often
            belongs /= belongs.sum(axis=1, keepdims=True)
            often = belongs.mean(axis=0)
        return cls(belongs @ shapes)

    def draws(self, z: np.ndarray, times: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """True effects in standard errors, drawn given the observed ones; each of shape ``z``."""
        profiles, bins = len(z), _BINS
        joint = self.weights[:, None, :] * _likelihood()  # (profiles, bins, widths)
        upto = np.cumsum(joint, axis=2)
        upto /= upto[:, :, -1:]
        # One rising sequence for all profiles and bins, so that one search serves all effects.
        start = np.arange(profiles * bins)
        rising = (upto.reshape(profiles * bins, -1) + start[:, None]).ravel()
        bin_of = _bin(z) + bins * np.arange(profiles)[:, None]
        for _ in range(times):
            found = np.searchsorted(rising, bin_of + rng.random(z.shape))
            width = np.minimum(found - bin_of * len(WIDTHS), len(WIDTHS) - 1)
            shrink = _SHRINK[width]
            yield shrink * z + np.sqrt(shrink) * rng.standard_normal(z.shape)


def _bin(z: np.ndarray) -> np.ndarray:
    place = np.searchsorted(_EDGES, np.minimum(np.abs(z), _LARGEST), side="right") - 1
    return np.minimum(place, _BINS - 1)


def _histogram(z: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """How many effects of each profile lie in each bin of size, shape (profiles, bins)."""
    bins = _BINS
    place = _bin(z) + bins * np.arange(len(z))[:, None]
    return np.bincount(place[counted], minlength=bins * len(z)).reshape(len(z), bins).astype(float)


@cache
def _likelihood() -> np.ndarray:
    """Of each bin under each width, shape (bins, widths)."""
    spread = np.sqrt(1 + WIDTHS**2)
    within = 2 * (norm.sf(_EDGES[:-1, None] / spread) - norm.sf(_EDGES[1:, None] / spread))
    return np.maximum(within, 1e-300)


@cache
def _shapes() -> np.ndarray:
    """Distributions that a profile may have, as weights of the widths, shape (shapes, widths)."""
    steps = np.arange(1, len(WIDTHS)) - np.arange(1, len(WIDTHS))[:, None]
    tails = np.where(steps >= 0, _TAIL ** np.abs(steps), _CORE ** np.abs(steps))
    found = [np.eye(len(WIDTHS))[0]]
    for kernel in (*(steps == 0).astype(float), *tails):
        beside = np.concatenate([[0.0], kernel / kernel.sum()])
        found += [share * beside + (1 - share) * found[0] for share in SHARES]
    return np.stack(found)
