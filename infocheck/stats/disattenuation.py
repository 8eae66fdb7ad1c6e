"""Correlations without the noise of either side, with intervals from groups left out."""

from __future__ import annotations

import numpy as np

from infocheck.stats.resampling import half_interval

# A signal or a response is told from noise at this many standard errors.
READABLE = 2.0


def left_out(x: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Covariances of matching variables: of all observations, then without each group.

    Parameters
    ----------
    x, y
        Variables × observations that are sorted by group, shape (k, n).
    start
        First observation of each group, shape (groups,).

    Returns
    -------
    numpy.ndarray
        Divisor n, shape (1 + groups, k).
    """
    size = np.diff(start, append=x.shape[1]).astype(float)[:, None]
    parts = [np.add.reduceat(part, start, axis=1).T for part in (x * y, x, y)]
    xy, sx, sy = (np.vstack([s.sum(axis=0), s.sum(axis=0) - s]) for s in parts)
    n = np.vstack([[size.sum()], size.sum() - size])
    return xy / n - sx / n * (sy / n)


def jackknife_variance(values: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Jackknife variance of the first row from the others, one per group left out, (k,).

    With ``others`` of the same shape the covariance of the two.
    """
    parts = [part[1:] - part[1:].mean(axis=0) for part in (values, others) if part is not None]
    groups = len(values) - 1
    return (groups - 1) / groups * (parts[0] * parts[-1]).sum(axis=0)


def root(mrna: np.ndarray, activity: np.ndarray) -> np.ndarray:
    """Root of the product of two variances; 0 where an estimate of one is not above 0."""
    return np.sqrt(np.maximum(mrna, 0) * np.maximum(activity, 0))


def half_width(error: np.ndarray, groups: int) -> np.ndarray:
    """Half of a 95 % interval, with Student's t for so many independent groups."""
    return half_interval(groups - 1) * error


def correlation_interval(
    top: np.ndarray,
    bottom: np.ndarray,
    variances: tuple[np.ndarray, np.ndarray, np.ndarray],
    groups: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratio, and the 95 % interval of all ratios that the two parts do not contradict.

    The values r for which ``top - r · bottom`` is no further from 0 than its standard error
    allows (Fieller 1954). Unlike an interval of the ratio itself it is right where the lower
    part is badly known; where that cannot be told from 0 every ratio is possible.

    Parameters
    ----------
    top, bottom
        Of the ratio, any shape.
    variances
        Of the upper part, of the lower part, and their covariance.
    groups
        Independent groups behind the variances, for Student's t.

    Returns
    -------
    tuple of numpy.ndarray
        Ratio, low and high, cut at -1 and 1; all NaN where every ratio is possible.
    """
    t2 = half_interval(groups - 1) ** 2
    above, below, both = variances
    a, b, c = bottom**2 - t2 * below, top * bottom - t2 * both, top**2 - t2 * above
    bounded = (a > 0) & (bottom > 0)
    a = np.where(bounded, a, np.nan)
    spread = np.sqrt(np.maximum(b * b - a * c, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(bounded, top / np.where(bounded, bottom, 1), np.nan)
    return tuple(np.clip(x, -1, 1) for x in (middle, (b - spread) / a, (b + spread) / a))
