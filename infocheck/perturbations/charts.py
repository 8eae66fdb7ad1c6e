"""Charts of perturbations, drawn from the tables of the check."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from infocheck import plotting
from infocheck.plotting import Chart

Tables = Mapping[str, pd.DataFrame]

MOST_ROWS = 30
MOST_TILES = 40
_INCH = 0.3


def charts(tables: Tables) -> dict[str, Chart]:
    """All charts that the tables have numbers for."""
    found = {
        "response": _response(tables),
        "own_change": _own(tables),
        "similarity": _similarity(tables),
    }
    return {name: chart for name, chart in found.items() if chart is not None}


def _numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    return pd.to_numeric(table[column], errors="coerce").to_numpy(float)


def _largest(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows with a known number, the 30 largest in absolute value, largest last."""
    known = table[np.isfinite(_numbers(table, column))]
    order = np.argsort(np.abs(_numbers(known, column)), kind="stable")[-MOST_ROWS:]
    return known.iloc[order]


def _response(tables: Tables) -> Chart | None:
    table, row = _largest(tables["perturbations"], "distance"), tables["summary"].iloc[0]
    if not len(table) or not row["tested"] >= row["perturbations"] / 2:
        return None

    def draw(axes, width: float) -> None:
        _whiskers(axes, table, "distance", table["responds"].eq(True).to_numpy())
        plotting.across(axes, 0, "No response", dashed=True)
        axes.set_xlabel("Energy distance, own gene left out")

    return Chart(
        title=f"{row['responding']:.0f} of {row['tested']:.0f} perturbations move expression "
        "beyond their own gene at an FDR of 5%.",
        caption="Energy distance from the controls with 95% intervals"
        f"{_only(tables, table, 'distance')}. Blue: responds; grey: not shown.",
        draw=draw,
        height=1.3 + _INCH * len(table),
    )


def _own(tables: Tables) -> Chart | None:
    whole, row = tables["perturbations"], tables["summary"].iloc[0]
    intervals = np.isfinite(_numbers(whole, "own_change_low")).any()
    column = "own_change" if intervals else "standardised_change"
    table = _largest(whole, column)
    if not len(table):
        return None
    changed = np.nan_to_num(_numbers(table, "own_q_value"), nan=1.0) <= 0.05

    def draw(axes, width: float) -> None:
        _whiskers(axes, table, column, changed)
        plotting.across(axes, 0, "Unchanged", dashed=True)
        axes.set_xlabel(
            "Change of the perturbed gene, scale of the analysis"
            if intervals
            else "Change of the perturbed gene against all other perturbations, robust z"
        )

    return Chart(
        title=f"{row['own_changed']:.0f} of {row['own_measured']:.0f} perturbed genes that are "
        "measured change their own expression at an FDR of 5%.",
        caption=("Means with 95% intervals" if intervals else "One value each: no replicates")
        + f"{_only(tables, table, column)}. Blue: changed; grey: not shown. A knock-out can stop "
        "the protein and leave the mRNA as it was.",
        draw=draw,
        height=1.3 + _INCH * len(table),
    )


def _only(tables: Tables, table: pd.DataFrame, column: str) -> str:
    known = np.isfinite(_numbers(tables["perturbations"], column)).sum()
    return f"; the {MOST_ROWS} largest" if known > len(table) else ""


def _whiskers(axes, table: pd.DataFrame, column: str, marked: np.ndarray) -> None:
    value = _numbers(table, column)
    low, high = (
        _numbers(table, f"{column}_{end}") if f"{column}_{end}" in table else value
        for end in ("low", "high")
    )
    for y, (v, a, b, mark) in enumerate(zip(value, low, high, marked, strict=True)):
        plotting.whisker(axes, y, v, a, b, "c1" if mark else "c3")
    axes.set_yticks(range(len(table)), [str(name) for name in table["perturbation"]])
    axes.set_ylim(-0.7, len(table) - 0.3)


def _similarity(tables: Tables) -> Chart | None:
    table, row = tables.get("similarity"), tables["summary"].iloc[0]
    if table is None or not 3 <= row["compared"] <= MOST_TILES:
        return None
    names, matrix = _matrix(table)
    order = _leaves(matrix)
    place = {names[i]: y for y, i in enumerate(order)}

    def draw(axes, width: float) -> None:
        for first, second, r in zip(
            table["first"], table["second"], _numbers(table, "correlation"), strict=True
        ):
            colour = "c1" if r > 0 else "c2"
            for x, y in ((place[first], place[second]), (place[second], place[first])):
                plotting.tile(axes, x, y, min(abs(np.nan_to_num(r)), 1.0), colour)
        size = len(names)
        labels = [str(names[i]) for i in order]
        axes.set_xticks(range(size), labels, rotation=90)
        axes.set_yticks(range(size), labels)
        axes.set(xlim=(-0.6, size - 0.4), ylim=(size - 0.4, -0.6))
        axes.set_aspect("equal")

    return Chart(
        title=f"{row['compared']:.0f} responses amount to "
        f"{_text(row['effective_number'])} ({_text(row['effective_number_low'])} to "
        f"{_text(row['effective_number_high'])}) different ones.",
        caption="Correlation between the response to one perturbation and that to another, "
        "from rows and controls that they do not share. Blue: alike; orange: opposite; the "
        "fuller the stronger.",
        draw=draw,
        height=max(3.6, 1.6 + 0.28 * len(names)),
    )


def _text(number: object) -> str:
    value = pd.to_numeric(number, errors="coerce")
    return f"{value:.1f}" if np.isfinite(value) else "unknown"


def _matrix(table: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    names = list(dict.fromkeys([*table["first"], *table["second"]]))
    place: Mapping[str, int] = {name: i for i, name in enumerate(names)}
    matrix = np.eye(len(names))
    a, b = table["first"].map(place).to_numpy(), table["second"].map(place).to_numpy()
    matrix[a, b] = matrix[b, a] = np.nan_to_num(_numbers(table, "correlation"))
    return names, matrix


def _leaves(matrix: np.ndarray) -> np.ndarray:
    """An order in which like ones stand side by side (average linkage)."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    apart = np.clip(1 - matrix, 0, 2)
    np.fill_diagonal(apart, 0)
    return leaves_list(linkage(squareform(apart, checks=False), "average"))
