"""How probable is it that an edge is found: one test, and many tests at a false discovery rate."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

# Levels below count as none: a test at such a level needs more edges than there are to
# find one, and the normal approximation has nothing to say so far out.
LEAST_LEVEL = 1e-30
# Correlations of 1 have no finite Fisher z.
LARGEST = 1 - 1e-15
# Designs that are solved together, so that their arrays stay in the cache.
BATCH = 1024
# Steps of the search, and the one below which it ends: each squares the error of the last.
STEPS = 80
TOLERANCE = 1e-6
# One in so many edges of a mixture gives the search its start.
THINNING = 8

Numbers = np.ndarray | float


def attenuated(
    effect: Numbers, reliability_a: Numbers, reliability_b: Numbers, coupling: Numbers = 1.0
) -> np.ndarray:
    """Correlation that is seen of a true one, broadcast.

    ``coupling · effect · sqrt(reliability_a · reliability_b)``.

    Parameters
    ----------
    effect
        True correlation of regulator and target, in [-1, 1].
    reliability_a, reliability_b
        Share of variance that is not noise of measurement, in [0, 1].
    coupling
        Correlation of what is measured of the regulator (its mRNA) with what acts on
        the target (its activity), in [-1, 1].

    Returns
    -------
    numpy.ndarray
        In [-1, 1].

    Notes
    -----
    Exact for correlations of values with independent additive noise. Misleads where
    noise is shared by both genes (depth, ambient RNA, smoothing), which adds correlation,
    and on ranks or logarithms of small counts. For the coupling it assumes that mRNA and
    target are unrelated given the activity. Source: Spearman (1904).
    """
    return np.asarray(coupling) * effect * np.sqrt(np.multiply(reliability_a, reliability_b))


def power(effect: Numbers, n: Numbers, level: Numbers, adjusters: Numbers = 0) -> np.ndarray:
    """Probability that a correlation is found by a two-sided test, broadcast.

    On the Fisher z scale: with ``δ = sqrt(n - adjusters - 3) · atanh|effect|`` and the
    normal quantile z of ``level / 2`` it is ``Φ(δ - z) + Φ(-δ - z)``.

    Parameters
    ----------
    effect
        Correlation as observed (:func:`attenuated`), partial if there are adjusters.
    n
        Effective observations, not rows.
    level
        Of the test, in [0, 1].
    adjusters
        Variables that the correlation is adjusted for.

    Returns
    -------
    numpy.ndarray
        From ``level`` (effect 0, or no more than ``adjusters + 3`` observations: a test
        without information still rejects by chance) up to 1. Finding with the wrong sign
        counts as found; it matters only where power is near the level.

    Notes
    -----
    Power for association, which need not be regulation. Of t tests of normal rows it is
    within .02 from 50 observations on at levels down to .001, and from 300 on at 1e-5
    (``reports/design/analytic.md``). Misleads below: at 1e-5 it promises .04 too much with
    50 observations and .1 with 20. Misleads for skewed values, whose correlations spread
    more: for lognormal counts it is an upper end (``reports/design/rule.md``). Source:
    Fisher (1921).
    """
    z = -ndtri(np.asarray(level, dtype=float) / 2)
    return _found(z, _root(n, adjusters) * _fisher_z(effect))


def minimum_effect(
    n: Numbers, level: Numbers, power: Numbers = 0.8, adjusters: Numbers = 0
) -> np.ndarray:
    """Smallest observed correlation that is found with that power, broadcast.

    The inverse of :func:`power`, both tails included; ``tanh((z_level/2 + z_power) /
    sqrt(n - adjusters - 3))`` unless the level is large.

    Returns
    -------
    numpy.ndarray
        In [0, 1]; 0 where chance alone has that power, 1 where nothing short of a perfect
        correlation has it: at level 0 and up to ``adjusters + 3`` observations.

    Notes
    -----
    As for :func:`power`. An edge of this size is still missed in one of five studies.
    """
    level, power = np.broadcast_arrays(np.asarray(level, dtype=float), power)
    z = -ndtri(level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = _shift(z, power)
        effect = np.tanh(shift / _root(n, adjusters))
    return np.where(level >= power, 0.0, np.where(np.isnan(effect), 1.0, effect))


def level_at_fdr(
    effects: np.ndarray,
    weights: np.ndarray,
    n: Numbers,
    share: Numbers,
    fdr: Numbers,
    adjusters: Numbers = 0,
) -> np.ndarray:
    """Level at which tests of many pairs have this false discovery rate, broadcast.

    Solves ``fdr = (1 - share) α / ((1 - share) α + share · power(α))``, with the power
    averaged over the edges. Power divided by level falls with the level, because the
    probability ratio of edge and non-edge rises with the statistic; a mean over edges
    keeps that. So there is one root at most, and the largest is the only one.

    Parameters
    ----------
    effects
        Observed correlations of the edges, shape (..., e): the mixture over pairs of
        genes, of which each design has its own or all have the same.
    weights
        Weight of each of them in the mixture, shape (e,); scaled to sum to 1.
    n
        Effective observations, shape (...).
    share
        Share of tested pairs that are edges, in [0, 1].
    fdr
        Share of non-edges among what is found, in (0, 1).
    adjusters
        Variables that correlations are adjusted for.

    Returns
    -------
    numpy.ndarray
        Shape (...). 0 where no level above 1e-30 will do, 1 where even all pairs
        together hold few enough non-edges, NaN for effects or sizes that are not numbers.

    Notes
    -----
    Benjamini and Hochberg (1995) at rate q knows no share of edges and has the false
    discovery rate ``(1 - share) q``: give that as ``fdr`` for exactly their threshold. It
    is where the threshold settles over many tests; misleads where
    ``tests · α`` is below about 1, since the number found then varies from none to a few.
    Every pair that is no edge counts as uncorrelated: hidden factors, indirect edges and
    siblings are found as well, and the true rate is then far higher.
    """
    return power_at_fdr(effects, weights, n, share, fdr, adjusters)[1]


def power_at_fdr(
    effects: np.ndarray,
    weights: np.ndarray,
    n: Numbers,
    share: Numbers,
    fdr: Numbers,
    adjusters: Numbers = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Share of edges that are found at this false discovery rate, and the level.

    Parameters and notes as for :func:`level_at_fdr`; the power is 0 where the level is.
    """
    effects = np.asarray(effects, dtype=float)
    # Kept once each: designs mostly share their pairs.
    fisher = _fisher_z(effects).reshape(-1, effects.shape[-1])
    row = np.arange(len(fisher)).reshape(effects.shape[:-1])
    row, n, share, fdr, adjusters = np.broadcast_arrays(row, n, share, fdr, adjusters)
    shape = row.shape
    weights = np.asarray(weights, dtype=float) / np.sum(weights)
    root, row = _root(n, adjusters).ravel(), row.ravel()
    with np.errstate(divide="ignore"):
        ratio = np.divide((1 - share) * (1 - fdr), share * fdr).ravel()
    found, level = np.empty(len(row)), np.empty(len(row))
    for start in range(0, len(row), BATCH):
        part = slice(start, start + BATCH)
        shift = root[part, None] * fisher[row[part]]
        found[part], level[part] = _where_ratio(shift, weights, ratio[part])
    return found.reshape(shape), level.reshape(shape)


def minimum_effect_at_fdr(
    n: Numbers,
    share: Numbers,
    fdr: Numbers,
    reliability_a: Numbers = 1.0,
    reliability_b: Numbers = 1.0,
    coupling: Numbers = 1.0,
    power: Numbers = 0.8,
    adjusters: Numbers = 0,
    level: Numbers | None = None,
) -> np.ndarray:
    """Smallest true correlation that is found with that power at a false discovery rate.

    Parameters
    ----------
    n, share, fdr, adjusters
        As for :func:`level_at_fdr`, broadcast.
    reliability_a, reliability_b, coupling
        Of the pair, as for :func:`attenuated`; median reliabilities for a median pair.
    power
        To be reached, 0.8 by convention.
    level
        At which is tested, from :func:`level_at_fdr`, for an edge among others; ``share``
        and ``fdr`` are not used then. None: all edges are as strong as this one, so that
        the level is ``share · power · fdr / ((1 - share)(1 - fdr))``.

    Returns
    -------
    numpy.ndarray
        In [0, 1], or infinite where no correlation is found with that power.

    Notes
    -----
    As for :func:`minimum_effect`. True refers to values without noise of measurement,
    not to causes.
    """
    if level is None:
        with np.errstate(divide="ignore"):
            level = np.divide(
                np.multiply(share, power) * fdr, (1 - np.asarray(share)) * (1 - np.asarray(fdr))
            )
    level = np.minimum(level, 1.0)
    seen = minimum_effect(n, level, power, adjusters)
    whole = np.abs(attenuated(1.0, reliability_a, reliability_b, coupling))
    seen, whole = np.broadcast_arrays(seen, whole)
    true = np.divide(seen, whole, out=np.full(seen.shape, np.inf), where=whole > 0)
    return np.where(seen == 0, 0.0, np.where((true > 1) | (seen >= 1), np.inf, true))


def _root(n: Numbers, adjusters: Numbers) -> np.ndarray:
    """One over the standard error of a Fisher z; 0 without information."""
    return np.sqrt(np.maximum(np.subtract(n, adjusters, dtype=float) - 3, 0.0))


def _fisher_z(effect: Numbers) -> np.ndarray:
    return np.arctanh(np.minimum(np.abs(effect), LARGEST))


def _found(z: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Probability of a normal value around ``shift`` beyond z or -z."""
    return ndtr(shift - z) + ndtr(-shift - z)


def _shift(z: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Shift at which a value lies beyond z or -z with that probability, by halving."""
    high = np.maximum(z + ndtri(power), 0.0)  # reaches it with one tail alone
    low = np.zeros_like(high)
    for _ in range(60):
        middle = (low + high) / 2
        enough = _found(z, middle) >= power
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _where_ratio(
    shift: np.ndarray, weights: np.ndarray, ratio: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean power and level where power is ``ratio`` times the level.

    Newton steps for the quantile z on the logarithm, which rises in z, inside a bracket
    that every step narrows; halving where a step leaves it.

    Parameters
    ----------
    shift
        Shape (designs, e).
    weights
        Shape (e,).
    ratio
        Shape (designs,).
    """
    most = -ndtri(LEAST_LEVEL / 2)
    known = np.isfinite(shift).all(axis=1) & ~np.isnan(ratio)
    z = np.where(ratio <= 1, 0.0, _start(shift, weights, ratio, most))  # at ratio 1 all is found
    low, high = np.zeros(len(z)), np.full(len(z), np.inf)
    todo = np.flatnonzero(known & (ratio > 1))
    for _ in range(STEPS):
        if not len(todo):
            break
        at, inside = z[todo], shift if len(todo) == len(z) else shift[todo]
        excess, slope = _excess(at, inside, weights)
        excess -= np.log(ratio[todo])
        low[todo] = np.where(excess < 0, at, low[todo])
        high[todo] = np.where(excess < 0, high[todo], at)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.minimum(at - excess / slope, most)
        within = (step >= low[todo]) & (step <= high[todo])
        z[todo] = np.where(within, step, (low[todo] + high[todo]) / 2)
        z[todo[low[todo] == most]] = np.inf  # the root, if any, lies beyond
        todo = todo[(np.abs(z[todo] - at) > TOLERANCE) & (z[todo] < np.inf)]
    level = np.where(known, 2 * ndtr(-z), np.nan)
    # At the root this is the mean power, without computing it once more.
    none_or_all = (level == 0) | (ratio <= 1)
    return np.where(none_or_all, level, level * np.where(none_or_all, 1.0, ratio)), level


def _start(
    shift: np.ndarray, weights: np.ndarray, ratio: np.ndarray, most: float
) -> np.ndarray | float:
    """First quantile of the search: the answer of a few of the edges, if they are many."""
    few = slice(None, None, THINNING)
    if len(weights) < 2 * THINNING or not weights[few].any():
        return most
    level = _where_ratio(shift[:, few], weights[few] / weights[few].sum(), ratio)[1]
    return np.where(level > 0, -ndtri(level / 2), most)


def _excess(z: np.ndarray, shift: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of mean power over level, and its slope in z."""
    z = z[:, None]
    found, level = _found(z, shift) @ weights, 2 * ndtr(-z[:, 0])
    density = (np.exp(-((z - shift) ** 2) / 2) + np.exp(-((z + shift) ** 2) / 2)) @ weights
    null = 2 * np.exp(-(z[:, 0] ** 2) / 2)
    slope = (null / level - density / found) / np.sqrt(2 * np.pi)
    return np.log(found / level), slope
