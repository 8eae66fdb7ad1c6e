"""Do regulators predict targets better than matched genes that are no regulators?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from infocheck.stats.resampling import half_interval
from infocheck.stats.ridge import cross_validated
from infocheck.stats.sums import CrossSums

Map = Callable[[Callable, Iterable], list]


def predicted(
    rows: np.ndarray,
    fold: np.ndarray,
    folds: int,
    predictors: np.ndarray,
    targets: np.ndarray,
    mapped: Map,
) -> np.ndarray:
    """Out-of-sample R² of every target by ridge regression on these predictors, shape (m,).

    Parameters
    ----------
    rows
        Values, shape (n, g).
    fold, folds
        Cross-validation fold of each row, shape (n,), and how many there are.
    predictors, targets
        Columns of the predictors and of the m targets; none is both.
    mapped
        Runs independent training sets.
    """
    p, m = len(predictors), len(targets)
    values = rows[:, np.concatenate([predictors, targets])]
    sums = [CrossSums.of(values[fold == k], p) for k in range(folds)]
    return cross_validated(sums, np.arange(p, p + m), mapped=mapped).r2


def z_over_targets(gains: np.ndarray) -> tuple[float, float, float]:
    """z of the mean gain over targets, averaged over sets of decoys, with its interval.

    Parameters
    ----------
    gains
        R² from regulators less R² from decoys, shape (targets, draws), at least two of each.

    Returns
    -------
    z, low, high
        95 %.

    Notes
    -----
    Over targets z has a standard error of 1 by construction. Over sets of genes the
    regulators are one more draw: sets differ in what they happen to hold. Targets depend on
    each other, so z is no p-value.
    """
    error = gains.std(axis=0, ddof=1) / math.sqrt(len(gains))
    z = np.divide(gains.mean(axis=0), error, out=np.zeros_like(error), where=error > 0)
    estimate = float(z.mean())
    half = math.hypot(half_interval(math.inf), half_interval(len(z) - 1) * _among(z))
    return estimate, estimate - half, estimate + half


def mean_gain(gains: np.ndarray) -> tuple[float, float, float]:
    """Mean gain in R² over targets and sets of decoys, with its interval.

    As :func:`z_over_targets`, in units of R²; shape (targets, draws), at least two of each.
    """
    by_target = gains.mean(axis=1)
    error = float(by_target.std(ddof=1)) / math.sqrt(len(gains))
    among = _among(gains.mean(axis=0))
    estimate = float(by_target.mean())
    half = math.hypot(half_interval(math.inf) * error, half_interval(gains.shape[1] - 1) * among)
    return estimate, estimate - half, estimate + half


def _among(values: np.ndarray) -> float:
    """Standard error of one more draw around the mean of these."""
    return float(values.std(ddof=1)) * math.sqrt(1 + 1 / len(values))
