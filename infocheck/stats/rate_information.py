"""What a sampling grid can say of rates: the Cramér-Rao bound of a two-stage response.

A stimulus at time 0 switches transcription to another level:

    dm/dt = s - k_m m,    dp/dt = k_s m - k_p p,

from the old steady state to the new one. Both responses are scaled to go from 0 to 1. Samples
carry independent noise of one standard deviation, in units of the response.
"""

from __future__ import annotations

import math

import numpy as np

from infocheck.stats.resampling import half_interval

# Equal rates make the formula of the protein 0/0; this far apart it is smooth and exact.
_APART = 1e-4


def mrna_response(times: np.ndarray, half_life: float) -> np.ndarray:
    """``1 - exp(-k_m t)``, 0 before the stimulus, shape (T,)."""
    return -np.expm1(-math.log(2) / half_life * np.maximum(times, 0.0))


def protein_response(times: np.ndarray, mrna: float, protein: float) -> np.ndarray:
    """``1 - (k_m exp(-k_p t) - k_p exp(-k_m t)) / (k_m - k_p)``, shape (T,).

    Parameters
    ----------
    times
        Since the stimulus.
    mrna, protein
        Half-lives in the same unit, above 0.
    """
    k_m, k_p = _rates(mrna, protein)
    t = np.maximum(times, 0.0)
    return 1 - (k_m * np.exp(-k_p * t) - k_p * np.exp(-k_m * t)) / (k_m - k_p)


def information(
    times: np.ndarray,
    replicates: np.ndarray,
    noise: float,
    mrna: float,
    protein: float | None = None,
) -> np.ndarray:
    """Fisher information of baseline, amplitude and log rate.

    Parameters
    ----------
    times
        Since the stimulus, shape (T,).
    replicates
        Independent samples at each of them, shape (T,).
    noise
        Standard deviation of a sample over the size of the response, above 0.
    mrna, protein
        Half-lives. Without ``protein`` mRNA alone is measured.

    Returns
    -------
    numpy.ndarray
        Of (baseline, amplitude, ln k_m), shape (3, 3), or of these and the same of the
        protein, measured in the same samples with the same noise, shape (6, 6).
    """
    slopes = _mrna_slopes(times, mrna)
    total = _weighted(slopes, replicates, noise)
    if protein is None:
        return total
    both = np.zeros((6, 6))
    both[:3, :3] = total
    k_m, k_p = _rates(mrna, protein)
    of_protein = np.zeros((len(times), 6))
    of_protein[:, 3] = 1
    of_protein[:, 4] = protein_response(times, mrna, protein)
    of_protein[:, 2], of_protein[:, 5] = _protein_slopes(np.maximum(times, 0.0), k_m, k_p)
    return both + _weighted(of_protein, replicates, noise)


def log_rate_errors(information: np.ndarray) -> np.ndarray:
    """Smallest standard errors of ln k that an unbiased estimate can have, one per rate.

    Every third parameter is a log rate. Infinite where the samples cannot tell the rate from
    baseline and amplitude.
    """
    scale = np.sqrt(np.diag(information))
    if not (scale > 0).all():
        return np.full(len(information) // 3, math.inf)
    # By eigenvalues, of which none may be lost in rounding.
    spread, axes = np.linalg.eigh(information / np.outer(scale, scale))
    if not spread[0] > 1e-12 * spread[-1]:
        return np.full(len(information) // 3, math.inf)
    variance = (axes**2 / spread).sum(axis=1) / scale**2
    return np.sqrt(variance[2::3])


def fold(error: np.ndarray | float) -> np.ndarray:
    """Factor to either side of a 95 % interval of a rate whose logarithm has this error."""
    with np.errstate(over="ignore"):
        return np.exp(half_interval(math.inf) * np.asarray(error, dtype=float))


def mrna_fold(
    times: np.ndarray, replicates: np.ndarray, noise: float, half_lives: np.ndarray
) -> np.ndarray:
    """The factor for the decay of mRNA at each of many half-lives, from mRNA alone."""
    errors = [log_rate_errors(information(times, replicates, noise, h))[0] for h in half_lives]
    return fold(np.array(errors))


def best_duration(
    samples: int, replicates: float, noise: float, half_life: float, tried: int = 200
) -> tuple[float, float]:
    """Length of an even grid that bounds the decay of mRNA best, and its factor.

    Parameters
    ----------
    samples
        Times, of which the first is that of the stimulus, at least three.
    replicates
        Samples at each time.
    noise, half_life
        As in :func:`information`.
    tried
        Lengths that are tried, from a twentieth to fifty half-lives.

    Returns
    -------
    tuple
        Length in the unit of the half-life, and factor to either side.
    """
    lengths = half_life * np.geomspace(0.05, 50.0, tried)
    weight = np.full(samples, float(replicates))
    errors = [
        log_rate_errors(information(np.linspace(0, d, samples), weight, noise, half_life))[0]
        for d in lengths
    ]
    best = int(np.argmin(errors))
    return float(lengths[best]), float(fold(errors[best]))


def _rates(mrna: float, protein: float) -> tuple[float, float]:
    if not (mrna > 0 and protein > 0):
        raise ValueError("half-lives must be above 0")
    k_m, k_p = math.log(2) / mrna, math.log(2) / protein
    if abs(k_m / k_p - 1) < _APART:
        k_p = k_m * (1 + _APART)
    return k_m, k_p


def _mrna_slopes(times: np.ndarray, half_life: float) -> np.ndarray:
    """Derivatives of the mRNA by baseline, amplitude and ln k_m, shape (T, 3)."""
    if not half_life > 0:
        raise ValueError("half-lives must be above 0")
    past = math.log(2) / half_life * np.maximum(times, 0.0)
    one = np.ones(len(times))
    return np.column_stack([one, mrna_response(times, half_life), past * np.exp(-past)])


def _protein_slopes(t: np.ndarray, k_m: float, k_p: float) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the protein by ln k_m and ln k_p, shape (T,) each."""
    slow, fast = np.exp(-k_p * t), np.exp(-k_m * t)
    apart = k_m - k_p
    top = k_m * slow - k_p * fast
    by_m = -((slow + k_p * t * fast) * apart - top) / apart**2
    by_p = -((-k_m * t * slow - fast) * apart + top) / apart**2
    return k_m * by_m, k_p * by_p


def _weighted(slopes: np.ndarray, replicates: np.ndarray, noise: float) -> np.ndarray:
    if not noise > 0:
        raise ValueError("noise must be above 0")
    weight = np.asarray(replicates, dtype=float) / noise**2
    return slopes.T @ (slopes * weight[:, None])
