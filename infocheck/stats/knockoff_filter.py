"""Which pairs does the knockoff filter keep, at which false discovery rate?"""

from __future__ import annotations

import math

import numpy as np

# Rounding in a nominal rate must not lose the pairs whose q-value is that rate.
_ROUNDING = 1e-12


def q_values(w: np.ndarray, *, per_target: bool = False) -> np.ndarray:
    """Least nominal false discovery rate at which the knockoff filter keeps each pair.

    A statistic W that is as often below 0 as above where a regulator has nothing to say
    lets the pairs at ``W <= -t`` stand for the false ones among those at ``W >= t``:
    ``(1 + #{W <= -t}) / #{W >= t}`` (knockoff+, Barber & Candès 2015). The q-value of a
    pair is the least of that over thresholds ``0 < t <= W``.

    Parameters
    ----------
    w
        Statistics of p regulators (rows) and m targets, shape (p, m), or of one target.
        NaN for pairs that are none.
    per_target
        Filter each column alone, which controls the rate within every target. By default
        all pairs are one pool, which controls the rate over all of them.

    Returns
    -------
    numpy.ndarray
        As ``w``, in (0, 1]; 1 where W is 0 or below, NaN where it is NaN.

    Notes
    -----
    Below ``discovery_floor`` discoveries there are none. Without the 1 that is added
    something weaker than the false discovery rate would be controlled. Proved for the
    pairs of one target; over a pool the targets share their knockoffs, so that false
    discoveries come together: right on average over draws, with more spread than a
    binomial one.
    """
    w = np.asarray(w, dtype=float)
    if per_target and w.ndim > 1:
        return np.column_stack([_filtered(column) for column in w.T])
    return _filtered(w)


def _filtered(w: np.ndarray) -> np.ndarray:
    flat = w.ravel()
    q = np.where(np.isnan(flat), np.nan, 1.0)
    kept = np.flatnonzero(flat > 0)
    if not len(kept):
        return q.reshape(w.shape)
    # Between two values of W the ratio only falls with the threshold, so that the values
    # themselves are all the thresholds that matter.
    threshold, rank, number = np.unique(flat[kept], return_inverse=True, return_counts=True)
    negative = np.sort(-flat[flat < 0])
    false = 1 + len(negative) - np.searchsorted(negative, threshold, side="left")
    found = np.cumsum(number[::-1])[::-1]
    least = np.minimum.accumulate(false / found)
    q[kept] = np.minimum(least[rank], 1.0)
    return q.reshape(w.shape)


def discovery_floor(nominal: float) -> int:
    """Fewest discoveries that the knockoff filter can make at a nominal rate: ``⌈1/q⌉``.

    Raises
    ------
    ValueError
        If the rate is not in (0, 1].
    """
    if not 0 < nominal <= 1:
        raise ValueError("the nominal false discovery rate must be above 0 and at most 1")
    return math.ceil(1 / nominal - _ROUNDING / nominal)


def realised(
    q: np.ndarray, truth: np.ndarray, nominal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Discoveries at each nominal rate, and how many of them are true.

    Parameters
    ----------
    q, truth
        Values of any selector and whether a pair is an edge, of one shape. Pairs with NaN
        are left out.
    nominal
        False discovery rates, shape (k,).

    Returns
    -------
    found, true
        Counts, each shape (k,).
    """
    q, truth = np.asarray(q).ravel(), np.asarray(truth, dtype=bool).ravel()
    levels = np.asarray(nominal, dtype=float) * (1 + _ROUNDING)
    kept = np.isfinite(q)
    every, those = np.sort(q[kept]), np.sort(q[kept & truth])
    return np.searchsorted(every, levels, "right"), np.searchsorted(those, levels, "right")


def fdp(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """False discovery proportion, ``(found - true) / max(found, 1)``; 0 without discoveries."""
    return (np.asarray(found) - true) / np.maximum(found, 1)
