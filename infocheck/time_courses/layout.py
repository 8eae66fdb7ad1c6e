"""How rows lie in time: the same unit followed, or other cells at every time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infocheck.time_courses import labels

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

SERIES, SNAPSHOTS = "series", "snapshots"
FEWEST_TIMES = 3
# Roles whose levels may be the units that are followed, the likeliest first.
_UNITS = ("donor", "perturbation", "condition", "batch")
# A unit is followed where no more than this share of its samples meets another of the same time.
_TWICE = 0.02
# So many rows, each with a time of its own at uneven steps, are an order and no clock.
_MANY_ROWS = 100


@dataclass(frozen=True)
class Layout:
    """The sampled rows in time.

    Attributes
    ----------
    kind
        ``series`` or ``snapshots``; empty where time cannot be read, for the ``reason``.
    reason
        Why not, and what to bring.
    column
        That holds the times.
    unit, hours, unit_source
        See :class:`infocheck.time_courses.labels.Moments`.
    level
        Time of every level of the role, NaN where a label is no number, shape (levels,).
    time
        Of every sampled row, NaN without one, shape (rows,).
    series
        Series of every sampled row, -1 without one, shape (rows,); all -1 for snapshots.
    by
        What tells series apart, in words.
    """

    kind: str
    reason: str
    column: str = ""
    unit: str = ""
    hours: float = np.nan
    unit_source: str = ""
    level: np.ndarray | None = None
    time: np.ndarray | None = None
    series: np.ndarray | None = None
    by: str = ""

    @property
    def unit_words(self) -> str:
        """The unit inside a sentence."""
        return self.unit or "units of the data's own time"


def read(data: Dataset) -> Layout:
    """The layout of a data set whose second pass has run."""
    role = data.roles.get("time")
    if role is None:
        return Layout(
            "",
            "No time is labelled. Bring a column with the time of each sample (--time), with at "
            "least three times.",
        )
    if labels.is_pseudotime(role.column):
        return _pseudotime(role.column, f"Column {role.column!r} is pseudotime, which")
    moments = labels.read(role.column, role.levels)
    rows = data.moments.sample.rows
    code = role.codes[rows]
    everyone = np.where(role.codes >= 0, moments.value[role.codes], np.nan)
    time = everyone[rows]
    timed = np.isfinite(time)
    labelled = code >= 0
    if labelled.any() and timed.sum() < labelled.sum() / 2:
        return Layout(
            "",
            f"Most labels of time in column {role.column!r} are no numbers "
            f"({role.levels[0]!r}, for instance). Bring times as numbers, such as hours since "
            "the start.",
            role.column,
        )
    times, count = np.unique(time[timed], return_counts=True)
    if len(times) < FEWEST_TIMES:
        return Layout(
            "",
            f"{len(times)} times in column {role.column!r} tell no rate; at least {FEWEST_TIMES} "
            "are needed. Bring further times.",
            role.column,
        )
    if _is_order(time[timed]):
        return _pseudotime(
            role.column,
            f"Each of {timed.sum()} rows has a value of its own in column {role.column!r}, at "
            "uneven steps: it is taken for pseudotime, which",
        )
    facts = (role.column, moments.unit, moments.hours, moments.source, moments.value, time)
    found = _followed(data, rows, time)
    if found is None and role.is_series:
        found = _runs(everyone)[rows], "rows in order: a series ends where time does not go on"
    if found is None and count.max() == 1:
        found = np.where(timed, 0, -1), "nothing: all rows are one series"
    if found is None:
        return Layout(SNAPSHOTS, "", *facts, np.full(len(time), -1), "")
    return Layout(SERIES, "", *facts, *found)


def _pseudotime(column: str, what: str) -> Layout:
    return Layout(
        "",
        f"{what} is inferred from the same expression values: it can tell neither rates nor "
        "which gene leads. Bring a column with the time at which each sample was taken.",
        column,
    )


def _is_order(time: np.ndarray) -> bool:
    steps = np.diff(np.unique(time))
    own = len(steps) + 1 >= 0.9 * len(time)
    uneven = len(np.unique(np.round(steps / np.median(steps), 3))) > len(steps) / 2
    return len(time) > _MANY_ROWS and own and uneven


def _followed(data: Dataset, rows: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, str] | None:
    """Series of each row by the first role of which each level has each time once."""
    for name in _UNITS:
        role = data.roles.get(name)
        if role is None:
            continue
        unit = np.where(np.isfinite(time), role.codes[rows], -1)
        used = unit >= 0
        if used.sum() < np.isfinite(time).sum() / 2:
            continue
        pairs = np.unique(np.column_stack([unit[used], time[used]]), axis=0)
        twice = used.sum() - len(pairs)
        typical = np.median(np.unique(pairs[:, 0], return_counts=True)[1])
        if twice <= _TWICE * used.sum() and typical >= FEWEST_TIMES:
            return _once(unit, time), f"column {role.column!r}"
    return None


def _once(unit: np.ndarray, time: np.ndarray) -> np.ndarray:
    """A second sample of one unit at one time is left out."""
    key = unit + 1j * np.nan_to_num(time)
    first = np.zeros(len(unit), dtype=bool)
    first[np.unique(key, return_index=True)[1]] = True
    return np.where(first, unit, -1)


def _runs(time: np.ndarray) -> np.ndarray:
    """A new series starts where time does not go on; rows without a time are in none."""
    timed = np.isfinite(time)
    series = np.full(len(time), -1)
    known = time[timed]
    series[timed] = np.concatenate([[0], np.cumsum(np.diff(known) <= 0)])
    return series
