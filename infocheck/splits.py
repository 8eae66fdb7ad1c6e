"""Which rows belong together, and how they are split into groups, folds and halves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infocheck import thresholds
from infocheck.roles import Role

GROUPS = 20
# Sums are kept for every group × level; beyond this product groups become fewer.
MAX_CELLS = 4000
FOLDS = 5
SPLITS = 3
BLOCKS = 20
ROW_SAMPLE = 4000


@dataclass(frozen=True)
class Splits:
    """Every division of the rows that a run uses, drawn once from its seed.

    Attributes
    ----------
    kind
        What is kept whole: ``donors``, ``blocks`` of a time series, or ``cells``.
    unit
        Unit of each row, shape (n,).
    group
        Jackknife group of each row, below ``n_groups``; units are whole.
    fold
        Cross-validation fold of each row, below 5; groups are whole.
    half
        Side of each row in each of three splits into halves, shape (3, n).
    sample
        Sorted positions of at most 4,000 rows, for what needs rows.
    """

    kind: str
    unit: np.ndarray
    group: np.ndarray
    fold: np.ndarray
    half: np.ndarray
    sample: np.ndarray

    @property
    def n_groups(self) -> int:
        return int(self.group.max()) + 1

    @property
    def pattern(self) -> np.ndarray:
        """The halves of all three splits as one number below 8 for each row."""
        return self.half.T @ (1 << np.arange(len(self.half)))


def draw(n: int, roles: dict[str, Role], rng: np.random.Generator) -> Splits:
    """Draw all splits of n rows."""
    kind, unit = units(n, roles)
    units_rng, half_rng, sample_rng = rng.spawn(3)
    group = _dealt(unit, _group_count(roles), units_rng)
    half = np.stack([_dealt(unit, 2, half_rng) for _ in range(SPLITS)]).astype(bool)
    if n > ROW_SAMPLE:
        sample = np.sort(sample_rng.choice(n, ROW_SAMPLE, replace=False))
    else:
        sample = np.arange(n)
    return Splits(kind, unit, group, group % FOLDS, half, sample)


def units(n: int, roles: dict[str, Role]) -> tuple[str, np.ndarray]:
    """What must stay whole: labelled donors, else blocks of a time series, else cells."""
    donor = roles.get("donor")
    if donor is not None and donor.n_levels >= thresholds.MIN_DONORS:
        return "donors", donor.with_singletons()
    time = roles.get("time")
    if time is not None and time.is_series:
        return "blocks", _blocks(n)
    return "cells", np.arange(n)


def _group_count(roles: dict[str, Role]) -> int:
    levels = max((role.n_levels for role in roles.values()), default=1)
    return max(FOLDS, min(GROUPS, MAX_CELLS // levels))


def _blocks(n: int) -> np.ndarray:
    """Contiguous runs of rows, at most 20."""
    return np.arange(n) * min(BLOCKS, n) // n


def _dealt(unit: np.ndarray, hands: int, rng: np.random.Generator) -> np.ndarray:
    """Deal whole units at random to hands of equal numbers of units; hand of each row."""
    count = int(unit.max()) + 1
    hand = np.empty(count, dtype=np.int64)
    hand[rng.permutation(count)] = np.arange(count) % min(hands, count)
    return hand[unit]
