"""Information bound: bits that observations hold, bits that a choice of regulators takes."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, logsumexp


def bits_per_observation(r2: np.ndarray | float) -> np.ndarray:
    """Most that one observation can say of which regulators a target has, in bits.

    ``½ log2(1 / (1 - r2))``, the capacity of a Gaussian channel (Shannon 1948), for a
    linear target of which its regulators explain the share ``r2`` as observed.
    Infinite at 1.
    """
    with np.errstate(divide="ignore"):
        return -0.5 * np.log1p(-np.asarray(r2, dtype=float)) / math.log(2)


def choice_bits(p: int, d: int, wrong: int = 0) -> float:
    """Bits to name d of p regulators with at most ``wrong`` of them wrong.

    ``log2 C(p, d)``, less ``log2 Σ_{l≤wrong} C(d, l) C(p-d, l)``: the number of answers
    that are as good as the truth. 0 where any answer is good enough.

    Raises
    ------
    ValueError
        Unless 0 <= wrong <= d <= p.
    """
    if not 0 <= wrong <= d <= p:
        raise ValueError(f"cannot name {d} of {p} regulators with {wrong} wrong")
    exchanged = np.arange(min(wrong, p - d) + 1)
    good = logsumexp(_log_binomial(d, exchanged) + _log_binomial(p - d, exchanged))
    # Rounding must not make a choice among one cost more or less than nothing.
    return max(float(_log_binomial(p, d) - good) / math.log(2), 0.0)


def required_bits(choice: float, error: float) -> float:
    """Bits that any method needs to be wrong with probability ``error`` at most.

    ``(1 - error) choice - 1`` (Fano 1961). At or below 0 the bound says nothing.
    """
    return (1 - error) * choice - 1


def required_observations(required: float, per_observation: float) -> float:
    """Independent observations that hold so many bits; infinite when each holds none."""
    if required <= 0:
        return 0.0
    return required / per_observation if per_observation > 0 else math.inf


def _log_binomial(n: int, k: np.ndarray | int) -> np.ndarray:
    return gammaln(n + 1) - gammaln(np.asarray(k) + 1) - gammaln(n - np.asarray(k) + 1)
