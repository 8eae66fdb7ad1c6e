"""Which share of the perturbed cells responds, and what their own gene does."""

from __future__ import annotations

import numpy as np
import pandas as pd

from infocheck.arms import PARTS
from infocheck.perturbations.cells import Cells
from infocheck.perturbations.deltas import Deltas
from infocheck.stats.groups import centred
from infocheck.stats.responses import responding_share
from infocheck.stats.weighted_difference import within_strata

# Fewer rows in either group give no share worth an interval.
LEAST_ROWS = 20
_COLUMNS = (
    "perturbation",
    "cells",
    "responding_share",
    "responding_share_low",
    "responding_share_high",
    "own_change_of_responding",
    "own_change_of_others",
)


def table(deltas: Deltas, cells: Cells, chosen: np.ndarray) -> pd.DataFrame:
    """Responding and escaping cells of the chosen perturbations.

    Each row is scored along the mean response that rows of the other half show, without the
    perturbed gene. ``responding_share`` is the share beyond the 95 % quantile of controls, less
    the 5 % of these that are there as well: a lower limit. ``own_change_of_responding`` and
    ``own_change_of_others`` are the mean change of the perturbed gene (scale of the analysis)
    in cells beyond and below that quantile.
    """
    found = (_one(deltas, cells, i) for i in chosen)
    return pd.DataFrame([row for row in found if row is not None], columns=list(_COLUMNS))


def _one(deltas: Deltas, cells: Cells, i: int) -> dict[str, object] | None:
    rows = cells.compared(i)
    treated, stratum = cells.level[rows] == i, cells.stratum[rows]
    both = np.isin(stratum, stratum[treated]) & np.isin(stratum, stratum[~treated])
    rows, treated, stratum = rows[both], treated[both], stratum[both]
    half = cells.part[rows] >= PARTS // 2
    if min(np.bincount(2 * half + treated, minlength=4)) < LEAST_ROWS // 2:
        return None
    scores = centred(cells.without(rows, i, deltas.targets[i]), group=stratum)
    along = np.empty(len(rows))
    for side in (False, True):
        here = half == side
        direction = _direction(scores[~here], treated[~here], stratum[~here])
        if direction is None:
            return None
        along[here] = _standard(scores[here] @ direction, ~treated[here])
    share, low, high = responding_share(along[treated], along[~treated])
    beyond = along > np.quantile(along[~treated], 0.95)
    own = _own(deltas, cells, i, rows, treated, stratum)
    values = (
        deltas.names[i],
        int(treated.sum()),
        share,
        low,
        high,
        _mean(own[treated & beyond]),
        _mean(own[treated & ~beyond]),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _direction(scores: np.ndarray, treated: np.ndarray, stratum: np.ndarray) -> np.ndarray | None:
    """Difference of means within strata."""
    code = np.unique(stratum, return_inverse=True)[1]
    n, total = np.zeros((2, code.max() + 1, 1)), np.zeros((2, code.max() + 1, 1, scores.shape[1]))
    for arm, inside in enumerate((treated, ~treated)):
        np.add.at(n[arm][:, 0], code[inside], 1)
        np.add.at(total[arm][:, 0], code[inside], scores[inside])
    delta = within_strata(n[0], total[0], n[1], total[1]).delta[0]
    return delta if np.isfinite(delta).all() else None


def _standard(along: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Both halves on one scale: that of their controls."""
    sd = along[control].std()
    return (along - along[control].mean()) / (sd if sd > 0 else 1.0)


def _own(
    deltas: Deltas,
    cells: Cells,
    i: int,
    rows: np.ndarray,
    treated: np.ndarray,
    stratum: np.ndarray,
) -> np.ndarray:
    """The perturbed gene of each row less the controls of its stratum; NaN where unmeasured."""
    if not len(deltas.targets[i]):
        return np.full(len(rows), np.nan)
    values = cells.perturbed(rows, i, deltas.targets[i]).mean(axis=1)
    code = np.unique(stratum, return_inverse=True)[1]
    sums = np.bincount(code[~treated], values[~treated], minlength=code.max() + 1)
    return values - (sums / np.bincount(code[~treated], minlength=code.max() + 1))[code]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
