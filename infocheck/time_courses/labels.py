"""Moments in time from the labels of a column: numbers, and their unit where it is told."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

# Hours of a unit, by the ways to write it.
_UNITS = {
    "s|secs?|seconds?": 1 / 3600,
    "m|mins?|minutes?": 1 / 60,
    "h|hrs?|hours?|hpi|hpf|hps": 1.0,
    "d|days?|dpi|dpf|dps": 24.0,
    "w|wks?|weeks?": 168.0,
}
_NAMES = {1 / 3600: "seconds", 1 / 60: "minutes", 1.0: "hours", 24.0: "days", 168.0: "weeks"}
# A number with a unit, or the word time, on either side: "6h", "day 3", "t=0.5", "12".
_LABEL = re.compile(
    r"(?P<before>[a-z]*)[\s_.:=-]*?(?P<number>[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?)[\s_]*"
    r"(?P<after>[a-z]*)\.?",
    re.IGNORECASE,
)
_PLAIN = ("", "t", "time", "timepoint", "tp")
_PSEUDO = re.compile(r"pseudo|(^|_)dpt|latent_?time|diffusion_?time", re.IGNORECASE)


@dataclass(frozen=True)
class Moments:
    """Labels as numbers.

    Attributes
    ----------
    value
        Of every level in the unit, NaN where a label is no number, shape (levels,).
    unit
        ``hours``, ``days`` and so on; empty where nothing tells.
    hours
        Hours of one unit; NaN where it is unknown.
    source
        What told the unit, in words.
    """

    value: np.ndarray
    unit: str
    hours: float
    source: str


def read(column: str, levels: tuple[str, ...]) -> Moments:
    """Numbers and unit of the levels of a column.

    Units in the labels come first, then one in the name of the column (``time_h``, ``hours``).
    Labels of several units are brought to hours. A bare 0 needs no unit.
    """
    parsed = [_parse(level) for level in levels]
    told = [hours for number, hours in parsed if hours is not None]
    bare = [number for number, hours in parsed if number is not None and hours is None and number]
    if told and not bare:
        kinds = set(told)
        hours = kinds.pop() if len(kinds) == 1 else 1.0
        value = [
            np.nan if number is None else number * (own or hours) / hours for number, own in parsed
        ]
        return Moments(np.array(value), _NAMES[hours], hours, "the labels")
    # Some labels with a unit and some without: those with are not comparable to the rest.
    value = np.array(
        [np.nan if number is None or own is not None else number for number, own in parsed]
    )
    hours = _of_column(column)
    if hours is None:
        return Moments(value, "", np.nan, "")
    return Moments(value, _NAMES[hours], hours, f"the name of the column {column!r}")


def is_pseudotime(column: str) -> bool:
    """Does the name of a column say that its times were inferred from expression?"""
    return _PSEUDO.search(re.sub(r"[\s.\-]+", "_", column)) is not None


def _parse(level: str) -> tuple[float | None, float | None]:
    """Number and hours of its unit; None for what is not there."""
    found = _LABEL.fullmatch(level.strip())
    if found is None:
        return None, None
    before, after = found["before"].lower(), found["after"].lower()
    if before in _PLAIN:
        unit = after
    elif not after:
        unit = before
    else:
        return None, None
    hours = None if unit in _PLAIN else _hours(unit)
    if unit not in _PLAIN and hours is None:
        return None, None
    return float(found["number"]), hours


def _of_column(column: str) -> float | None:
    # "m" alone may be months; a column is only taken at a word.
    words = [word for word in re.split(r"[\W_\d]+", column.lower()) if word not in ("", "m", "s")]
    return next((hours for word in words if (hours := _hours(word)) is not None), None)


def _hours(unit: str) -> float | None:
    return next((h for names, h in _UNITS.items() if re.fullmatch(names, unit)), None)
