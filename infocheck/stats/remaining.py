"""What a correction leaves: agreement of thinned halves, and medians with intervals."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from infocheck.stats.resampling import LEVEL


def halves_reliability(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Reliability of whole measurements from two halves of them, by column, shape (g,).

    Their correlation r gives ``2r / (1 + r)`` (Spearman 1910, Brown 1910).

    Parameters
    ----------
    first, second
        The same rows measured with half the molecules each, and corrected each on its own,
        shape (n, g).

    Returns
    -------
    numpy.ndarray
        In [0, 1]; 0 where halves do not vary or do not agree.

    Notes
    -----
    Approximate on a logarithmic scale: half a small count is more than half as noisy there.
    """
    a, b = (half - half.mean(axis=0) for half in (first, second))
    scale = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    r = np.divide((a * b).sum(axis=0), scale, out=np.zeros_like(scale), where=scale > 1e-12)
    r = np.maximum(r, 0.0)
    return 2 * r / (1 + r)


def thinned_halves(
    counts: np.ndarray, size: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """``log1p(2c/s)`` of two halves to which every molecule is dealt at random, each (n, g).

    Independent given the rate if counts are Poisson.
    """
    first = rng.binomial(counts, 0.5)
    a, b = (np.log1p(2 * part / size[:, None]) for part in (first, counts - first))
    return a, b


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
