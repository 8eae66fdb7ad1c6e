"""Did the perturbed gene itself change, and by how much?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from infocheck.perturbations.cells import Targets, shares_of_targets
from infocheck.perturbations.deltas import Deltas
from infocheck.stats import guide_power
from infocheck.stats.false_discovery import adjusted
from infocheck.stats.weighted_difference import within_strata

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

_Z = norm.ppf(0.975)
_MOST_CELLS = 1e6


def table(data: Dataset, deltas: Deltas, targets: Targets) -> pd.DataFrame:
    """The own gene of each perturbation, one row each, in the order of ``deltas.names``.

    Columns: ``target`` (names that were found among the genes), ``own_change`` (scale of the
    analysis) with its interval, ``share_of_control`` (mean of c/s over that of the rows it is
    compared with) with its interval, ``standardised_change`` (in standard deviations of rows),
    ``own_p_value``, ``own_q_value``. A perturbation of several genes has their mean.

    Where no row is replicated there is no interval: the change is then held against how the
    same gene differs in all other perturbations, and the p-value is a rank among them.
    """
    change, error, sd = (np.full(len(deltas.names), np.nan) for _ in range(3))
    for i, aimed in enumerate(deltas.targets):
        if len(aimed):
            change[i] = deltas.delta[i, aimed].mean()
            error[i] = np.sqrt((deltas.error[i, aimed] ** 2).sum()) / len(aimed)
            sd[i] = np.sqrt(deltas.variance[aimed].mean())
    standard = np.divide(change, sd, out=np.full_like(change, np.nan), where=sd > 0)
    z = np.divide(change, error, out=np.full_like(change, np.nan), where=error > 0)
    p = 2 * norm.sf(np.abs(z))
    if not np.isfinite(error).any():
        standard, p = _among_others(deltas)
    left, left_low, left_high = _ratio(targets, deltas, positive=data.size_factors is not None)
    return pd.DataFrame(
        {
            "perturbation": deltas.names,
            "target": [", ".join(data.names(aimed)) or None for aimed in deltas.targets],
            "cells": deltas.rows.astype(int),
            "own_change": change,
            "own_change_low": change - _Z * error,
            "own_change_high": change + _Z * error,
            "share_of_control": left,
            "share_of_control_low": left_low,
            "share_of_control_high": left_high,
            "standardised_change": standard,
            "own_p_value": p,
            "own_q_value": adjusted(p),
        }
    )


def _among_others(deltas: Deltas) -> tuple[np.ndarray, np.ndarray]:
    """Robust z, and rank p-value, of each own change among all perturbations."""
    z, p = np.full((2, len(deltas.names)), np.nan)
    for i, aimed in enumerate(deltas.targets):
        others = np.isfinite(deltas.delta).all(axis=1)
        if not len(aimed) or not others[i] or others.sum() < 3:
            continue
        all_of = deltas.delta[others][:, aimed].mean(axis=1)
        own = deltas.delta[i, aimed].mean()
        others[i] = False
        rest = deltas.delta[others][:, aimed].mean(axis=1)
        centre = np.median(rest)
        spread = 1.4826 * np.median(np.abs(rest - centre))
        z[i] = (own - centre) / spread if spread > 0 else np.nan
        far = np.abs(all_of - centre) >= np.abs(own - centre) - 1e-12
        p[i] = far.sum() / len(all_of)
    return z, p


def _ratio(
    targets: Targets, deltas: Deltas, *, positive: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of c/s over that of the rows it is compared with, within strata; NaN elsewhere.

    Interval by the delta method, cut at 0. The variance of perturbed rows is averaged with
    that of one row of the others, so that a gene that is silent in few rows is not taken for
    one without noise.
    """
    k = len(deltas.names)
    if not positive or not len(targets.genes):
        return tuple(np.full((3, k), np.nan))
    aim = shares_of_targets(deltas, targets.genes)
    reference_n = np.repeat(targets.n[:, None], k, axis=1)
    reference = targets.total @ aim.T
    if deltas.compared != "control":
        reference_n, reference = reference_n - targets.own_n, reference - targets.own_total
    nothing = np.zeros((*reference.shape, 1))
    whole = within_strata(targets.own_n, targets.own_total[..., None], reference_n, nothing)
    apart = within_strata(targets.own_n, nothing, reference_n, reference[..., None])
    own, other = whole.delta[:, 0], -apart.delta[:, 0]
    variance = _variances(targets)
    of_reference = (aim**2) @ variance
    inside = targets.own_squares - _over(targets.own_total**2, targets.own_n).sum(axis=0)
    freedom = np.maximum(targets.own_n - 1, 0).sum(axis=0)
    of_rows = (np.maximum(inside, 0) + of_reference) / (freedom + 1)
    ratio = _over(own, other, np.nan)
    noise = of_rows * whole.per_row + ratio**2 * of_reference * whole.per_reference
    half = _Z * _over(np.sqrt(noise), other, np.nan)
    known = np.array([len(aimed) > 0 for aimed in deltas.targets]) & (other > 0)
    half = np.where(np.isfinite(deltas.error).any(), half, np.nan)
    found = ratio, np.maximum(ratio - half, 0.0), ratio + half
    return tuple(np.where(known, part, np.nan) for part in found)


def _variances(targets: Targets) -> np.ndarray:
    """Of each target in the rows that others are compared with, within strata, shape (t,)."""
    means = _over(targets.total**2, targets.n[:, None]).sum(axis=0)
    freedom = np.maximum(targets.n - 1, 0).sum()
    return np.maximum(targets.squares - means, 0.0) / max(freedom, 1.0)


def _over(a: np.ndarray, b: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    return np.divide(a, b, out=np.full(shape, otherwise), where=np.broadcast_to(b, shape) > 0)


def halving(targets: Targets, deltas: Deltas) -> np.ndarray:
    """Perturbed cells with which a halved target is found in 80 % of studies, shape (k,).

    At a level of .05, two-sided, with the controls there are, from the mean and dispersion of
    counts in these; NaN for several targets or none, and for a gene without counts there;
    ``inf`` where a million cells are not enough.
    """
    n = targets.n.sum()
    mean = targets.total.sum(axis=0) / max(n, 1)
    noise = targets.noise / max(n, 1)
    dispersion = np.maximum(_over(_variances(targets) - noise, mean**2), 0.0)
    found = np.full(len(deltas.names), np.nan)
    single = [i for i, aimed in enumerate(deltas.targets) if len(aimed) == 1]
    place = np.searchsorted(targets.genes, [deltas.targets[i][0] for i in single])
    heard = mean[place] > 0
    single, place = np.array(single, dtype=np.int64)[heard], place[heard]
    if not len(single):
        return found
    cells = np.unique(np.geomspace(2, _MOST_CELLS, 600).round())
    reached = guide_power.power(
        mean[place, None], dispersion[place, None], 0.5, cells, n, 0.05, "both"
    )
    enough = reached >= 0.8
    # The first number from which on power stays.
    first = np.where(enough.any(axis=1), enough.argmax(axis=1), 0)
    found[single] = np.where(enough.any(axis=1), cells[first], np.inf)
    return found
