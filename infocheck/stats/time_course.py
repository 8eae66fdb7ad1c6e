"""Changes between one sample in time and the next, against what noise would show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

# Neighbouring interpolation residuals share values: three of them hold about two.
_INDEPENDENT = 2 / 3


@dataclass(frozen=True)
class Noise:
    """Standard deviation of the noise of one sample.

    Attributes
    ----------
    sd
        Of every gene, 0 or more, shape (genes,).
    degrees
        Degrees of freedom behind it.
    """

    sd: np.ndarray
    degrees: float


def interpolation_noise(times: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> Noise:
    """Noise of series from how far samples lie off the line between their neighbours.

    For a sample between two others, ``x - (1-w) x_before - w x_after`` with w its place in the
    interval has variance ``σ² (1 + w² + (1-w)²)`` where the course is straight (Gasser,
    Sroka & Jennen-Steinmetz 1986).

    Parameters
    ----------
    times, values
        Of every series, rising times, shape (T,), and values, shape (T, genes).

    Notes
    -----
    Curvature between samples counts as noise: an upper limit. Where genes change about as
    fast as they are sampled, all of their dynamics is taken for noise.
    """
    total, count = 0.0, 0
    for time, value in zip(times, values, strict=True):
        if len(time) < 3:
            continue
        place = ((time[1:-1] - time[:-2]) / (time[2:] - time[:-2]))[:, None]
        off = value[1:-1] - (1 - place) * value[:-2] - place * value[2:]
        total = total + (off**2 / (1 + place**2 + (1 - place) ** 2)).sum(axis=0)
        count += len(off)
    if not count:
        raise ValueError("no series has three samples")
    return Noise(np.sqrt(total / count), max(count * _INDEPENDENT, 1.0))


def series_steps(value: np.ndarray, noise: Noise) -> np.ndarray:
    """Two-sided p-values of every step of a series, shape (T - 1, genes).

    A step of noise alone has variance ``2 σ²``.
    """
    z = _ratio(np.diff(value, axis=0), math.sqrt(2) * noise.sd)
    return 2 * t.sf(np.abs(z), noise.degrees)


def mean_steps(mean: np.ndarray, error: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Two-sided p-values of the change between neighbouring means, shape (T - 1, genes).

    Welch's test with Satterthwaite's degrees of freedom.

    Parameters
    ----------
    mean, error
        Of every gene at every time and their standard errors, shape (T, genes).
    degrees
        Degrees of freedom of the errors, shape (T,).
    """
    first, second = error[:-1] ** 2, error[1:] ** 2
    both = first + second
    degrees = np.maximum(np.asarray(degrees, dtype=float), 1.0)[:, None]
    spare = _ratio(both**2, first**2 / degrees[:-1] + second**2 / degrees[1:])
    z = _ratio(np.diff(mean, axis=0), np.sqrt(both))
    return 2 * t.sf(np.abs(z), np.where(spare > 0, spare, 1.0))


def common_removed(times: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Series without what all of them do at the same time.

    The mean over series is taken out at every time that all of them share, and the rest is
    scaled by ``sqrt(S / (S - 1))`` so that independent series keep their variance. Series on
    different grids are returned as they are.
    """
    same = all(np.array_equal(time, times[0]) for time in times)
    if not same or len(values) < 2:
        return list(values)
    cube = np.stack(values)
    scale = math.sqrt(len(cube) / (len(cube) - 1))
    return list((cube - cube.mean(axis=0)) * scale)


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    bottom = np.broadcast_to(bottom, np.shape(top))
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)
