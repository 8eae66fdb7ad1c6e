"""Intervals: leave-one-group-out jackknife and proportions."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom, t

LEVEL = 0.95


def jackknife_error(leave_one_out: np.ndarray) -> np.ndarray:
    """Standard error from leave-one-group-out values along the first axis (Quenouille 1956).

    Groups are independent units: donors, blocks of a time series, or random sets
    of cells. Misleads when units that are dependent sit in different groups.
    """
    groups = len(leave_one_out)
    spread = leave_one_out - leave_one_out.mean(axis=0)
    return np.sqrt((groups - 1) / groups * (spread**2).sum(axis=0))


def half_interval(freedom: float) -> float:
    """Half a 95 % interval in standard errors: Student's t, the normal for infinity.

    Fewer than one degree of freedom count as one.
    """
    return float(t.ppf((1 + LEVEL) / 2, max(freedom, 1)))


def t_interval(
    estimate: float,
    error: float,
    groups: int,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """95 % interval with Student's t for ``groups`` independent groups, cut at ``bounds``."""
    half = half_interval(groups - 1) * error
    low, high = estimate - half, estimate + half
    return max(low, bounds[0]), min(high, bounds[1])


def fisher_interval(r: np.ndarray, size: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of correlations over so many independent observations (Fisher 1921).

    From -1 to 1 for fewer than four, and where their number is not known. With the effective
    number of clustered rows it covers 95 % within 1.5 points from 8 donors on, for genes that
    are unrelated and for genes whose correlation is the same between and within donors; a
    correlation within donors alone in 92 to 95 % (``benchmarks/effective_size.py``).
    """
    size = np.asarray(size, dtype=float)
    half = np.where(size >= 4, half_interval(math.inf) / np.sqrt(np.fmax(size, 4.0) - 3), 99.0)
    z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    return np.tanh(z - half), np.tanh(z + half)


def share_interval(share: float, n: int, extra_error: float = 0.0) -> tuple[float, float]:
    """Wilson interval of a proportion of n units, widened by an extra standard error.

    The extra error (for instance, from the cells by which each unit was judged)
    lowers the effective number of units until both sources are in the binomial
    variance (Wilson 1927 for the form of the interval).
    """
    binomial = share * (1 - share) / n
    total = binomial + extra_error**2
    effective = n * binomial / total if total > 0 and binomial > 0 else n
    low, high = wilson(np.array(share * effective), np.array(effective))
    return min(float(low), share), max(float(high), share)


def wilson(count: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of many proportions (Wilson 1927); from 0 to 1 where n is 0."""
    z2 = half_interval(math.inf) ** 2
    n = np.asarray(n, dtype=float)
    some = np.where(n > 0, n, 1.0)
    share = count / some
    centre = (share + z2 / (2 * some)) / (1 + z2 / some)
    half = np.sqrt(z2 * share * (1 - share) / some + (z2 / (2 * some)) ** 2) / (1 + z2 / some)
    # The share lies inside; rounding must not put it outside.
    low = np.minimum(np.maximum(centre - half, 0.0), share)
    high = np.maximum(np.minimum(centre + half, 1.0), share)
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)


def median_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Median with a 95 % interval between order statistics, whatever the distribution.

    Takes the values for an independent sample; NaN throughout without values, and from the
    smallest to the largest where there are too few for an interval.
    """
    ordered = np.sort(values[np.isfinite(values)])
    n = len(ordered)
    if not n:
        return np.nan, np.nan, np.nan
    below = int(binom.ppf((1 - LEVEL) / 2, n, 0.5))
    low, high = max(below - 1, 0), min(n - below, n - 1)
    return float(np.median(ordered)), float(ordered[low]), float(ordered[high])


def some(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of at most so many of n, drawn without replacement, in order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def finite_quantile(values: np.ndarray, q: float = 0.5) -> float:
    """Quantile of the finite values; NaN where there are none."""
    finite = values[np.isfinite(values)]
    return float(np.quantile(finite, q)) if len(finite) else math.nan
