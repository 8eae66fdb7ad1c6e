"""Data tables as rows of text: estimates next to their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

from infocheck.report import digits
from infocheck.report.document import plain
from infocheck.result import INFINITY

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.result import Result

# On the page; the rest is in the embedded document.
MOST_ROWS = 200
FEWEST_ROWS = 20
# All folded tables together, so that the page stays light.
MOST_CELLS = 3000

_WORDS = {
    "r2": "R²",
    "aupr": "AUPR",
    "auroc": "AUROC",
    "epr": "EPR",
    "mrna": "mRNA",
    "fdr": "FDR",
    "id": "ID",
    "sd": "SD",
    "vif": "VIF",
    "n": "n",
    "umis": "UMIs",
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column as it is shown; ``low`` and ``high`` are the columns of its interval."""

    key: str
    label: str
    numeric: bool
    low: str | None = None
    high: str | None = None
    share: bool = False
    places: int = 0

    def text(self, row: Mapping[str, object]) -> str:
        """The cell of one row."""
        value = row.get(self.key)
        if not self.numeric or value == INFINITY:
            return _words(value)
        shown = digits.number(_finite(value), self.places, share=self.share)
        if self.low is None or shown == digits.MISSING:
            return shown
        low, high = _finite(row.get(self.low)), _finite(row.get(self.high))
        interval = digits.bracket(low, high, self.places, share=self.share)
        return f"{shown} ({interval})" if interval else shown


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The part of a table that stands on the page."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    total: int


def label(key: str) -> str:
    """``median_r2`` → ``Median R²``."""
    parts = [_WORDS.get(part.lower(), part) for part in str(key).replace("_", " ").split()]
    text = " ".join(parts)
    return text if parts and parts[0] in _WORDS.values() else text[:1].upper() + text[1:]


def columns(table: pd.DataFrame, unit: str = "") -> list[Column]:
    """Columns to show: an interval stands in the column of its estimate."""
    keys = [str(column) for column in table.columns]
    bounds = {key: _bounds(key, keys) for key in keys}
    inside = {bound for pair in bounds.values() if pair for bound in pair}
    return [
        _column(table, key, bounds[key], unit)
        for key in keys
        if key not in inside and not (key.startswith("_"))
    ]


def cut(result: Result, most_rows: Mapping[str, int]) -> list[Shown]:
    """The tables of a result, each cut to the rows that it may fill."""
    return [
        show(name, table, most_rows[name], result.verdict.unit)
        for name, table in result.tables.items()
    ]


def show(name: str, table: pd.DataFrame, most_rows: int, unit: str = "") -> Shown:
    """The first rows of a table as text."""
    found = columns(table, unit)
    head = table.head(most_rows).to_dict("records")
    rows = [[column.text(row) for column in found] for row in head]
    return Shown(name=name, columns=found, rows=rows, total=len(table))


def budget(results: Mapping[str, Result]) -> dict[str, dict[str, int]]:
    """Rows that each table may fill, by check and table."""
    sizes = {
        (check, name): (len(table), max(len(table.columns), 1))
        for check, result in results.items()
        for name, table in result.tables.items()
    }
    long = [size for size in sizes.values() if size[0] > FEWEST_ROWS]
    each = MOST_CELLS // max(len(long), 1)
    allowed: dict[str, dict[str, int]] = {check: {} for check in results}
    for (check, name), (rows, width) in sizes.items():
        allowed[check][name] = min(rows, MOST_ROWS, max(FEWEST_ROWS, each // width))
    return allowed


def _bounds(key: str, keys: Sequence[str]) -> tuple[str, str] | None:
    if key == "estimate" and {"low", "high"} <= set(keys):
        return "low", "high"
    pair = (f"{key}_low", f"{key}_high")
    if set(pair) <= set(keys):
        return pair
    # One measured quantity in a table needs no prefix for its bounds.
    alone = {"low", "high"} <= set(keys) and "estimate" not in keys
    before = keys.index("low") - 1 if alone else -1
    return ("low", "high") if alone and before >= 0 and keys[before] == key else None


def _column(table: pd.DataFrame, key: str, bounds: tuple[str, str] | None, unit: str) -> Column:
    values = [plain(value) for value in table[key].tolist()]
    known = [value for value in values if value is not None and value != INFINITY]
    numeric = bool(known) and all(_is_number(value) for value in known)
    share = numeric and (digits.is_share(key.replace("_", " ")) or _headline(key, unit))
    low, high = bounds if numeric and bounds else (None, None)
    return Column(
        key=key,
        label=label(key) + (" (95%)" if low else ""),
        numeric=numeric,
        low=low,
        high=high,
        share=share,
        places=digits.column_places(known, _widths(table, low, high), share=share)
        if numeric
        else 0,
    )


def _widths(table: pd.DataFrame, low: str | None, high: str | None) -> list[float]:
    if low is None:
        return []
    bounds = [[_finite(plain(v)) for v in table[key].tolist()] for key in (low, high)]
    return [b - a for a, b in zip(*bounds, strict=True) if a is not None and b is not None]


def _headline(key: str, unit: str) -> bool:
    return key == "estimate" and digits.is_share(unit)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _finite(value: object) -> float | None:
    return float(value) if _is_number(value) and math.isfinite(value) else None


def _words(value: object) -> str:
    value = plain(value)
    if value is None:
        return digits.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
        return ", ".join(map(str, value))
    return str(value)
