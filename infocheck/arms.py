"""Arms of a perturbation study: what is compared with what, and which rows replicate which.

Perturbed rows are compared with unperturbed ones of the same batch, donor, condition and
time, where both are there. All rows are dealt to four parts, so that two estimates of one
response share no row, neither of the perturbation nor of the control.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infocheck import thresholds
from infocheck.roles import Role

PARTS = 4
# Sums are kept for every block × level; beyond this product fewer factors are held constant.
MAX_CELLS = 4000
# A factor is held constant where so many perturbed rows have a row to compare with in the same
# level of it (convention).
COMPARABLE = 0.9
# Fewer control rows than this are no reference: all other perturbations are, then (convention).
MIN_CONTROLS = 10
_HELD = ("batch", "donor", "condition", "time")


@dataclass(frozen=True)
class Arms:
    """How the rows of a perturbation study are compared.

    Attributes
    ----------
    level
        Level of the perturbation of each row; the last one is for rows without a label, (n,).
    block
        Stratum and part of each row as one number, shape (n,).
    stratum, part
        Of each block, shape (blocks,).
    control
        Level that rows are compared with, or None: then with all other labelled rows.
    unit
        What is dealt to the parts: ``donors``, whole, or ``cells``.
    held
        Factors that are held constant.
    aliased
        Factors that are not, because too few perturbed rows have a row to compare with.
    """

    level: np.ndarray
    block: np.ndarray
    stratum: np.ndarray
    part: np.ndarray
    control: int | None
    unit: str
    held: tuple[str, ...]
    aliased: tuple[str, ...]

    @property
    def n_blocks(self) -> int:
        return len(self.part)

    @property
    def n_strata(self) -> int:
        return int(self.stratum.max()) + 1


def draw(roles: dict[str, Role], rng: np.random.Generator) -> Arms | None:
    """Deal the rows; None without labelled perturbations."""
    role = roles.get("perturbation")
    if role is None:
        return None
    level = role.complete()
    control = role.levels.index(role.control) if role.control is not None else None
    if control is not None and (level == control).sum() < MIN_CONTROLS:
        control = None
    most = max(1, MAX_CELLS // (PARTS * (role.n_levels + 1)))
    stratum = np.zeros(len(level), dtype=np.int64)
    comparable = _comparable(level, stratum, role.n_levels, control)
    held, aliased = [], []
    for name in _HELD:
        other = roles.get(name)
        if other is None or other.column == role.column or other.is_series:
            continue
        finer = np.unique(stratum * (other.n_levels + 1) + other.complete(), return_inverse=True)[1]
        kept = _comparable(level, finer, role.n_levels, control)
        if kept >= COMPARABLE * comparable and finer.max() < most:
            stratum = finer
            held.append(name)
        else:
            aliased.append(name)
    unit, part = "cells", _dealt_cells(level, stratum, rng)
    donors = roles.get("donor")
    if donors is not None and "donor" in held and donors.n_levels >= thresholds.MIN_DONORS:
        by_donor = _dealt_donors(donors.complete(), rng)
        if _replicated(level, by_donor, role.n_levels, control) >= COMPARABLE:
            unit, part = "donors", by_donor
    _, first, block = np.unique(stratum * PARTS + part, return_index=True, return_inverse=True)
    return Arms(
        level, block, stratum[first], part[first], control, unit, tuple(held), tuple(aliased)
    )


def _comparable(level: np.ndarray, stratum: np.ndarray, levels: int, control: int | None) -> float:
    """Share of perturbed rows with a row to compare with in their stratum."""
    counts = np.zeros((stratum.max() + 1, levels + 1))
    np.add.at(counts, (stratum, level), 1)
    labelled = counts[:, :levels]
    if control is not None:
        reference = np.repeat(labelled[:, [control]], levels, axis=1)
        labelled = np.delete(labelled, control, axis=1)
        reference = np.delete(reference, control, axis=1)
    else:
        reference = labelled.sum(axis=1, keepdims=True) - labelled
    total = labelled.sum()
    return float(labelled[reference > 0].sum() / total) if total else 0.0


def _dealt_cells(level: np.ndarray, stratum: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal the rows of every level and stratum evenly to the parts, from a random one on."""
    group = np.unique(stratum * (level.max() + 1) + level, return_inverse=True)[1]
    shuffled = rng.permutation(len(group))
    order = shuffled[np.argsort(group[shuffled], kind="stable")]
    sizes = np.bincount(group)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    offset = rng.integers(PARTS, size=len(sizes))
    part = np.empty(len(group), dtype=np.int64)
    part[order] = (np.arange(len(group)) - starts + offset[group[order]]) % PARTS
    return part


def _dealt_donors(donor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = int(donor.max()) + 1
    part = np.empty(count, dtype=np.int64)
    part[rng.permutation(count)] = np.arange(count) % PARTS
    return part[donor]


def _replicated(level: np.ndarray, part: np.ndarray, levels: int, control: int | None) -> float:
    """Share of perturbations with rows in all parts."""
    there = np.zeros((levels + 1, PARTS), dtype=bool)
    there[level, part] = True
    there = np.delete(there, [levels] if control is None else [control, levels], axis=0)
    return float(there.all(axis=1).mean()) if len(there) else 0.0
