"""Which effects of a design can be told apart: from labels alone, before any fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Separation:
    """Can an effect be told from a nuisance factor in this design?

    Attributes
    ----------
    usable
        Per level of the effect, the share of its variation that is left after the
        nuisance factor: 1 is crossed, 0 is aliased.
    aliased
        Pairs of effect levels whose difference cannot be estimated.
    """

    usable: np.ndarray
    aliased: list[tuple[int, int]]


def separate(
    effect: np.ndarray, nuisance: np.ndarray, weight: np.ndarray, levels: int
) -> Separation:
    """Audit the design of an effect against a nuisance factor.

    Parameters
    ----------
    effect, nuisance
        Integer codes of the distinct design units, shape (units,).
    weight
        Weight of each unit, shape (units,).
    levels
        Number of levels of the effect. One without any unit has nothing to use (0)
        and is part of no aliased pair.
    """
    table = np.zeros((levels, nuisance.max(initial=0) + 1))
    np.add.at(table, (effect, nuisance), weight)
    total, per_level, per_batch = table.sum(), table.sum(axis=1), table.sum(axis=0)
    # Variation of a level's indicator between and within the nuisance levels.
    share = np.divide(table, per_batch, out=np.zeros_like(table), where=per_batch > 0)
    within = (table * (1 - share)).sum(axis=1)
    whole = per_level * (1 - per_level / max(total, 1e-300))
    usable = np.divide(within, whole, out=np.zeros_like(whole), where=whole > 0)
    return Separation(usable, _aliased_pairs(table > 0))


def _aliased_pairs(present: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows whose difference is not estimable beside the column effects."""
    rows, columns = present.shape
    cells = np.argwhere(present)
    if not len(cells):
        return []
    design = np.zeros((len(cells), rows + columns))
    design[np.arange(len(cells)), cells[:, 0]] = 1
    design[np.arange(len(cells)), rows + cells[:, 1]] = 1
    free = null_space(design)[:rows]  # what the data leave open about the effects
    distance = np.abs(free[:, None, :] - free[None, :, :]).max(axis=2, initial=0.0)
    seen = present.any(axis=1)
    i, j = np.nonzero(np.triu((distance > 1e-6) & np.outer(seen, seen), 1))
    return list(zip(i.tolist(), j.tolist(), strict=True))


def usable_beside(indicator: np.ndarray, others: np.ndarray, weight: np.ndarray) -> float:
    """Share of the variation of one column that other columns leave, in [0, 1].

    ``1 - R²`` of the weighted regression on the other columns and an intercept; its
    inverse is the variance inflation factor. 0 for a column that does not vary.

    Parameters
    ----------
    indicator
        The column, shape (units,).
    others
        Columns that it stands beside, of any rank, shape (units, k).
    weight
        Of each unit, above 0, shape (units,).
    """
    root = np.sqrt(weight)
    known = np.column_stack([np.ones(len(weight)), others]) * root[:, None]
    centred = (indicator - np.average(indicator, weights=weight)) * root
    whole = float(centred @ centred)
    if whole <= TOLERANCE * float(weight.sum()):
        return 0.0
    left = centred - known @ np.linalg.lstsq(known, centred, rcond=TOLERANCE)[0]
    return min(float(left @ left) / whole, 1.0)


def dependencies(columns: np.ndarray) -> dict[int, dict[int, float]]:
    """Columns that are combinations of columns before them, and of which.

    Parameters
    ----------
    columns
        Design columns in the order in which they are stated, shape (units, k); an
        intercept stands before them all.

    Returns
    -------
    dict
        For each dependent column the coefficients of the independent ones before it,
        without the intercept and without zeros.
    """
    found, kept = {}, []
    basis = np.ones((len(columns), 1))
    for k in range(columns.shape[1]):
        weights, *_ = np.linalg.lstsq(basis, columns[:, k], rcond=TOLERANCE)
        left = columns[:, k] - basis @ weights
        scale = max(float(np.abs(columns[:, k]).max(initial=0.0)), 1e-300)
        if np.abs(left).max(initial=0.0) > 1e-7 * scale:
            basis = np.column_stack([basis, columns[:, k]])
            kept.append(k)
            continue
        used = {j: float(w) for j, w in zip(kept, weights[1:], strict=True) if abs(w) > 1e-7}
        found[k] = used
    return found


def relation(present: np.ndarray) -> str:
    """How two factors stand to each other, by which combinations of levels occur.

    Parameters
    ----------
    present
        Does the combination occur? Shape (levels of the first, levels of the second);
        every level occurs somewhere.

    Returns
    -------
    str
        ``same`` (one level for one), ``first in second`` or ``second in first`` (nested),
        ``crossed`` (all combinations), ``connected`` (some are missing, but every
        difference can be estimated beside the other factor) or ``separate`` (it falls
        into parts that share nothing).
    """
    one_second = bool((present.sum(axis=1) == 1).all())
    one_first = bool((present.sum(axis=0) == 1).all())
    if one_first and one_second:
        return "same"
    if one_second:
        return "first in second"
    if one_first:
        return "second in first"
    if present.all():
        return "crossed"
    return "separate" if _aliased_pairs(present) else "connected"
