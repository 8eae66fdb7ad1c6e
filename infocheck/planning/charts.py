"""Figures of a planned study, drawn from its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from infocheck import plotting
from infocheck.planning.model import MULTIPLES
from infocheck.plotting import C1, C2, INK, LINE, MUTED, NARROW, Chart
from infocheck.report.digits import about
from infocheck.report.words import plural

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.planning.study import Study

# Assumptions that move the optimum most stand in the figure; all are in the table.
MOST_BARS = 12
# Values of an axis that a panel of the map has room for.
MOST_VALUES = 11
_CAUTION = "An upper bound, to compare designs of one system: it holds if the assumptions do."
# Weak, asked for, strong: colour and dashes.
_STYLES = (("c2", (0, (2, 2))), ("c1", "-"), ("c2", (0, (6, 2))))


def charts(study: Study) -> dict[str, Chart]:
    """All figures by name."""
    found = {}
    curves = study.tables["curves"]
    for axis in dict.fromkeys(curves["axis"]):
        found[str(axis)] = _curve(study, str(axis), curves[curves["axis"] == axis])
    if len(set(study.tables["designs"]["cells"])) > 1:
        found["map"] = _map(study)
    found["sensitivity"] = _sensitivity(study)
    if "perturbation" in study.tables:
        found["perturbation"] = _perturbation(study)
    return found


# --- curves --------------------------------------------------------------------------------


def _axis_title(study: Study, axis: str) -> str:
    one, row = study.system.donor, study.system.row
    titles = {
        "donors": plural(one).capitalize(),
        "cells": f"{plural(row).capitalize()} per {one}",
        "depth": f"Reads per {row}",
    }
    return titles[axis]


def _curve(study: Study, axis: str, table: pd.DataFrame) -> Chart:
    best = study.best
    asked = table[table["multiple"] == 1.0]
    first, last = asked.iloc[0], asked.iloc[-1]
    what = _axis_title(study, axis)

    def draw(axes, width: float) -> None:
        narrow = width <= NARROW
        if narrow:
            axes.figure.set_size_inches(width, 4.4)
        for multiple, (colour, dashes) in zip(MULTIPLES, _STYLES, strict=True):
            part = table[table["multiple"] == multiple]
            ink = plotting.PALETTE[colour][0]
            x = part["value"].to_numpy(float)
            if multiple == 1.0:
                ends = (part["power_low"].to_numpy(float), part["power_high"].to_numpy(float))
                axes.fill_between(x, *ends, color=ink, alpha=0.16, linewidth=0)
            label = f"edges of {part['effect'].iloc[0]:.2g}"
            axes.plot(x, part["power"], color=ink, linewidth=2.6, linestyle=dashes, label=label)
        beside = asked["power_beside_rivals"]
        axes.plot(
            asked["value"],
            beside,
            color=MUTED,
            linewidth=1.6,
            linestyle=(0, (1, 1.5)),
            label=f"{asked['effect'].iloc[0]:.2g}, given all other regulators",
        )
        axes.axvline(best[axis], color=MUTED, linewidth=1.2)
        axes.set(xscale="log", ylim=(-0.02, 1.02), xlim=(first["value"], last["value"]))
        _plain_ticks(axes, first["value"], last["value"])
        axes.yaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel(what)
        axes.set_ylabel("Edges found, at most")
        axes.legend(
            loc="lower center" if narrow else "center left",
            bbox_to_anchor=(0.5, 1.0) if narrow else (1.01, 0.5),
            ncols=1,
            title="True correlation",
            alignment="left",
        )

    return Chart(
        title=f"From {first['value']:,.0f} to {last['value']:,.0f} "
        f"{_lower(what)} the edges found rise from at most {first['power']:.0%} "
        f"to at most {last['power']:.0%}.",
        caption=f"Share of edges found at an FDR of {100 * study.plan.fdr:g}%, with the other "
        "numbers as in the best design (upright line). Lines: edges as strong as asked for, half "
        "and one and a half times as strong. Band: 95% over the ranges of what is uncertain, for "
        f"edges as asked for. Dotted: ordinary partial correlation given all others. {_CAUTION}",
        draw=draw,
        height=3.4,
    )


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def _plain_ticks(axes, low: float, high: float) -> None:
    """Ticks at 1, 2 and 5 of each decade, in plain numbers."""
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = np.array([step * 10**power for power in decades for step in (1, 2, 5)])
    ticks = ticks[(ticks >= low * 0.999) & (ticks <= high * 1.001)]
    if len(ticks) > 7:
        ticks = ticks[[str(int(tick))[0] == "1" for tick in ticks]]
    axes.set_xticks(ticks, [short(tick) for tick in ticks])
    axes.set_xticks([], minor=True)


def short(value: float) -> str:
    """``16M``, ``16k`` or ``160``: for ticks."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


# --- map -----------------------------------------------------------------------------------


def _map(study: Study) -> Chart:
    """Donors × rows at three depths, the budget line, and the optimum."""
    best, table = study.best, study.tables["designs"]
    table = table[table["batches"] == best["batches"]]
    for axis in ("donors", "cells"):
        table = table[table[axis].isin(_some(table[axis], best[axis]))]
    depths = sorted({int(d) for d in table["depth"].quantile([0, 1])} | {int(best["depth"])})
    budget = study.plan.budget
    limit = best["cost"] if budget is None else budget

    def draw(axes, width: float) -> None:
        axes.set_axis_off()
        narrow, count = width <= NARROW, len(depths)
        if narrow:
            axes.figure.set_size_inches(width, 3.7 * count)
        for i, depth in enumerate(depths):
            if narrow:
                box = (0.13, 1 - (i + 1) / count + 0.24 / count, 0.85, 0.66 / count)
            else:
                box = (i / count + 0.05, 0.17, 1 / count - 0.06, 0.73)
            _panel(study, axes.inset_axes(box), table[table["depth"] == depth], depth, limit)

    money = "the budget" if budget is not None else "what the best design costs"
    return Chart(
        title=f"{study.describe(best)} find at most {best['power']:.0%} of the edges"
        + ("." if study.reached else ", the most that this grid offers."),
        caption=f"Share of edges found, in per cent, over {plural(study.system.donor)} (upright) "
        f"and {plural(study.system.row)} of each"
        + (f", at {len(depths)} depths" if len(depths) > 1 else "")
        + f". Fuller colour is more; the frame marks the best design; faint numbers cost more than "
        f"{money}, {limit:,.0f}. {_CAUTION}",
        draw=draw,
        height=4.6 if len(depths) > 1 else 4.2,
    )


def _some(values: pd.Series, kept: int) -> list[int]:
    """Values of an axis that a panel has room for, among them the one to be kept."""
    every = sorted({*values})
    chosen = np.unique(np.linspace(0, len(every) - 1, MOST_VALUES).astype(int))
    return sorted({*(every[i] for i in chosen), int(kept)})


def _panel(study: Study, axes, table: pd.DataFrame, depth: int, limit: float) -> None:
    best = study.best
    donors, cells = sorted(table["donors"].unique()), sorted(table["cells"].unique())
    row = {value: i for i, value in enumerate(donors)}
    column = {value: i for i, value in enumerate(cells)}
    for one in table.itertuples():
        x, y = column[one.cells], row[one.donors]
        inside = one.cost <= limit * (1 + 1e-9)
        plotting.tile(axes, x, y, one.power)
        axes.text(
            x,
            y,
            f"{100 * one.power:.0f}",
            ha="center",
            va="center",
            fontsize=10,
            color=INK,
            alpha=1.0 if inside else 0.45,
            fontweight="semibold" if inside else "normal",
        )
    if depth == best["depth"]:
        x, y = column[best["cells"]], row[best["donors"]]
        plotting.frame(axes, x, y)
    axes.set(xlim=(-0.5, len(cells) - 0.5), ylim=(-0.5, len(donors) - 0.5))
    axes.set_xticks(range(len(cells)), [short(value) for value in cells], fontsize=10, rotation=45)
    axes.set_yticks(range(len(donors)), [short(value) for value in donors], fontsize=10)
    axes.tick_params(length=0)
    axes.set_xlabel(_axis_title(study, "cells"), fontsize=12)
    axes.set_ylabel(_axis_title(study, "donors"), fontsize=12)
    for side in axes.spines.values():
        side.set_visible(False)
    if study.system.has_depth:
        axes.set_title(f"{short(depth)} reads", fontsize=12, color=INK, loc="left")
    # The line between what the money buys and what it does not.
    inside = np.zeros((len(donors), len(cells)), dtype=bool)
    inside[table["donors"].map(row), table["cells"].map(column)] = table["cost"] <= limit * (
        1 + 1e-9
    )
    for y in range(len(donors)):
        for x in range(len(cells)):
            if x + 1 < len(cells) and inside[y, x] != inside[y, x + 1]:
                axes.plot([x + 0.5] * 2, [y - 0.5, y + 0.5], color=INK, linewidth=2)
            if y + 1 < len(donors) and inside[y, x] != inside[y + 1, x]:
                axes.plot([x - 0.5, x + 0.5], [y + 0.5] * 2, color=INK, linewidth=2)


# --- sensitivity ---------------------------------------------------------------------------


def _sensitivity(study: Study) -> Chart:
    table = study.tables["sensitivity"]
    base = float(study.best["power"])
    spans = table.groupby("assumption", sort=False)["power_of_optimum"].agg(["min", "max"])
    spans["span"] = np.maximum(spans["max"] - base, 0) + np.maximum(base - spans["min"], 0)
    spans = spans[spans["span"] > 5e-4].sort_values("span", ascending=False).head(MOST_BARS)[::-1]
    largest = str(spans.index[-1]) if len(spans) else "nothing"

    def draw(axes, width: float) -> None:
        narrow = width <= NARROW
        if narrow:
            axes.figure.set_size_inches(width, max(2.4, 0.62 * len(spans) + 1.2))
        for y, name in enumerate(spans.index):
            for end, colour in (("low", C1), ("high", C2)):
                one = table[(table["assumption"] == name) & (table["end"] == end)]
                if not len(one):
                    continue
                value = float(one["power_of_optimum"].iloc[0])
                axes.barh(y, value - base, left=base, height=0.55, color=colour, alpha=0.75)
        axes.axvline(base, color=MUTED, linewidth=1.4)
        if not narrow:
            _best_then(study, axes, table, list(spans.index))
        labels = [_wrapped(str(name), 26 if narrow else 48) for name in spans.index]
        axes.set_yticks(range(len(labels)), labels, fontsize=10.5 if narrow else 12)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel("Edges found, at most")
        for colour, label in ((C1, "low end"), (C2, "high end")):
            axes.barh([0], [0], color=colour, alpha=0.75, label=label)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        axes.grid(axis="x", color=LINE)
        axes.set_axisbelow(True)

    return Chart(
        title=f"Most rests on this: {_lower(largest)}.",
        caption="What the best design would find if one assumption at a time stood at an end of "
        "its range; the line is the design as planned. On wide screens the numbers at the right "
        f"are the {plural(study.system.donor)} that would be best then. {_CAUTION}",
        draw=draw,
        height=max(2.4, 0.46 * len(spans) + 1.2),
    )


def _best_then(study: Study, axes, table: pd.DataFrame, names: list[str]) -> None:
    """Beside each bar how many donors would be best at either end of the range."""
    place = axes.get_yaxis_transform()
    style = {"transform": place, "va": "center", "ha": "center", "fontsize": 12, "color": INK}
    for x, end in ((1.04, "low"), (1.105, "high")):
        axes.text(x, len(names) - 0.1, end, **{**style, "color": MUTED})
        part = table[table["end"] == end].set_index("assumption")
        for y, name in enumerate(names):
            if name not in part.index:
                continue
            row = part.loc[name]
            axes.text(x, y, f"{row['donors']:,.0f}" if row["reached"] else "none", **style)
    many = plural(study.system.donor)
    head = {**style, "fontweight": "semibold", "ha": "right"}
    axes.text(1.125, len(names) + 0.6, f"best {many}", **head)


def _wrapped(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


# --- perturbations -------------------------------------------------------------------------


def _perturbation(study: Study) -> Chart:
    table = study.tables["perturbation"]
    changes = list(dict.fromkeys(table["fold_change"]))
    last = table[table["fold_change"] == changes[0]].iloc[-1]

    def draw(axes, width: float) -> None:
        narrow = width <= NARROW
        if narrow:
            axes.figure.set_size_inches(width, 4.2)
        colours = ("c1", "c2", "c3")
        for i, change in enumerate(changes):
            part = table[table["fold_change"] == change]
            ink = plotting.PALETTE[colours[i % 3]][0]
            style = "-" if i == 0 else (0, (5, 2))
            axes.plot(
                part["cells_per_perturbation"],
                part["power"],
                color=ink,
                marker="o",
                linewidth=2.4,
                linestyle=style,
                label=f"fold change {change:g}",
            )
        part = table[table["fold_change"] == changes[0]]
        axes.plot(
            part["cells_per_perturbation"],
            part["testable_share"],
            color=MUTED,
            linestyle=(0, (1, 1.5)),
            label=f"targets with counts enough ({changes[0]:g})",
        )
        low, high = (float(end) for end in table["cells_per_perturbation"].agg(["min", "max"]))
        axes.set(ylim=(-0.02, 1.02))
        if low < high:
            axes.set(xscale="log", xlim=(low * 0.95, high * 1.05))
            _plain_ticks(axes, low, high)
        axes.yaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel("Cells per perturbation")
        axes.set_ylabel("Targets found, at most")
        axes.legend(
            loc="lower center" if narrow else "center left",
            bbox_to_anchor=(0.5, 1.0) if narrow else (1.01, 0.5),
        )

    return Chart(
        title=f"With {last['cells_per_perturbation']:,.0f} cells per perturbation at most "
        f"{last['power']:.0%} of targets with a fold change of {changes[0]:g} are found.",
        caption=f"Power over all targets of the system at {about(study.best['umis'])} UMI per cell "
        f"and an FDR of {100 * study.plan.fdr:g}%; dotted: share of targets with at least 7 cells "
        f"with a count in either arm. {_CAUTION}",
        draw=draw,
        height=3.4,
    )
