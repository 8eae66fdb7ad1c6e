"""What would lift a stage, and what other studies of the same system would find.

Reads tables of results, never the data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from infocheck import thresholds
from infocheck.result import Result, Stage

if TYPE_CHECKING:
    import pandas as pd

REMEDIES = {
    Stage.MEASUREMENT: "More reads per cell, or pooled profiles per donor and cell type.",
    Stage.SAMPLING: "More independent observations: donors, conditions or perturbations. "
    "More cells of the same donors help less.",
    Stage.PREDICTABILITY: "Conditions in which the regulators vary more.",
    Stage.SPECIFICITY: "Evidence other than co-expression: perturbations, binding or motifs.",
    Stage.CONFOUNDING: "Spread conditions and donors over batches; two samples of each "
    "condition in a common batch are the least.",
    Stage.PROXY: "Protein, activity or perturbation data for the regulators.",
}
# Of a check that sets a stage beside another one.
REMEDIES_OF_CHECKS = {
    "fdr": "A selector that keeps its rate on these regulators, with labelled factors or "
    "components removed from regulators and targets alike; fewer regulators that resemble each "
    "other; more independent observations.",
    "response": "More cells of each perturbation and of the control, and perturbations that share "
    "no mechanism.",
}
PERTURB = "Perturb regulators, and label the perturbation of each observation."
# The number of a stage is forecast only where a closed form exists.
NOT_FORECAST = "The effect is not forecast."
# What is doubled, by what the halves of the stability check keep whole.
_DOUBLED = {
    "donors": "donors",
    "blocks": "time points",
    "cells": "observations",
    "shared": "cells of the same donors",
}


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What twice the data of one kind would bring to a statistic of a stage.

    Attributes
    ----------
    doubled
        What there would be twice as much of.
    statistic
        Name of what is forecast, to follow "the".
    now, then, low, high
        Its value now, with twice the data, and the 95 % band of the latter.
    share
        Is it a share, to be shown in per cent?
    caveat
        What the figure does not cover; follows the band.
    """

    doubled: str
    statistic: str
    now: float
    then: float
    low: float
    high: float
    share: bool
    caveat: str = ""

    def shown(self, value: float) -> str:
        return f"{value:.0%}" if self.share else f"{value:.2f}"

    @property
    def band(self) -> str:
        # Negative ends read badly with a dash between them.
        join = " to " if self.low < 0 else "–"
        low = f"{100 * self.low:.0f}" if self.share and join == "–" else self.shown(self.low)
        return f"{low}{join}{self.shown(self.high)}"

    @property
    def sentence(self) -> str:
        if self.share:
            return (
                f"Twice the {self.doubled} would bring {self.shown(self.then)} ({self.band}) of "
                f"regulators to a reliability of {thresholds.READABLE}, from "
                f"{self.shown(self.now)}."
            )
        return (
            f"Twice the {self.doubled} would bring the {self.statistic} from "
            f"{self.shown(self.now)} to {self.shown(self.then)} ({self.band}){self.caveat}; that "
            "of partial correlations is not forecast."
        )


def sentence(stage: Stage, results: Mapping[str, Result], check: str = "") -> str:
    """The remedy of a stage, and what twice of it would bring.

    ``check`` is the check that set the stage, where it matters.
    """
    remedy = REMEDIES_OF_CHECKS.get(check, REMEDIES[stage])
    if check == "response":
        return f"{remedy} {_ceiling_with_more_rows(results.get(check))}"
    found = gain(stage, results)
    return f"{remedy} {found.sentence if found else NOT_FORECAST}"


def _ceiling_with_more_rows(result: Result | None) -> str:
    """What four times the rows would do to the ceiling and to the mean it is held against."""
    if result is None or "cells" not in result.tables:
        return NOT_FORECAST
    rows = result.tables["cells"].set_index("times_the_rows")
    values = [rows.loc[times, name] for name in ("ceiling", "mean_baseline") for times in (1, 4)]
    if not all(value is not None and math.isfinite(value) for value in values):
        return NOT_FORECAST
    best, then, mean, mean_then = values
    return (
        f"Four times the cells would bring the best possible correlation from {best:z.2f} to "
        f"{then:z.2f}, and that of the mean from {mean:z.2f} to {mean_then:z.2f}."
    )


def gain(stage: Stage | None, results: Mapping[str, Result]) -> Gain | None:
    """What twice the depth or twice the independent rows would bring; None elsewhere.

    Read from the tables ``depth`` of reliability and ``learning`` of stability.
    Never the agreement of partial correlations: it can fall as rows are added.
    """
    if stage is Stage.MEASUREMENT:
        return _depth_gain(results.get("reliability"))
    if stage is Stage.SAMPLING:
        return _rows_gain(results.get("stability"))
    return None


def _depth_gain(result: Result | None) -> Gain | None:
    if result is None or "depth" not in result.tables:
        return None
    table = result.tables["depth"]
    now, then = table[table["depth"] == 1], table[table["depth"] == 2]
    return _gain(
        now, then, doubled="UMIs per cell", statistic="share of readable regulators", share=True
    )


def _rows_gain(result: Result | None) -> Gain | None:
    if result is None or not {"learning", "summary"} <= set(result.tables):
        return None
    table = result.tables["learning"]
    row = result.tables["summary"].set_index("statistic").loc["stab_c"]
    shared = row["halves"] == "cells" and (row["labelled_donors"] or 0) > 0
    return _gain(
        table[table["data"] == "observed"].tail(1),
        table[table["data"] == "forecast"],
        doubled=_DOUBLED["shared" if shared else row["halves"]],
        statistic="agreement of plain correlations",
        share=False,
        caveat=" between halves that share donors" if shared else "",
    )


def _gain(now: pd.DataFrame, then: pd.DataFrame, **words: str | bool) -> Gain | None:
    """From one row each; None where either is missing or holds no number."""
    if len(now) != 1 or len(then) != 1:
        return None
    values = [now["estimate"].iloc[0], *then[["estimate", "low", "high"]].iloc[0]]
    # A document has null where a number was not finite.
    if not all(value is not None and math.isfinite(value) for value in values):
        return None
    names = ("now", "then", "low", "high")
    return Gain(**words, **dict(zip(names, map(float, values), strict=True)))


class Worth(StrEnum):
    """Is another study worth doing, by the interval of what it would find more?"""

    MORE = "worth considering"
    LITTLE = "not worth doing"
    OPEN = "too close to tell"
    UNKNOWN = "not forecast"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a study that differs in one thing would find, by a power simulation.

    ``now``, ``then`` and ``gain`` are shares of the simulated edges with 95 %
    intervals of the simulation; ``missing`` says why there are none.
    """

    study: str
    method: str
    now: tuple[float, float, float] | None
    then: tuple[float, float, float] | None
    gain: tuple[float, float, float] | None
    missing: str = ""

    @property
    def worth(self) -> Worth:
        if self.gain is None:
            return Worth.UNKNOWN
        _, low, high = self.gain
        if high < thresholds.WORTH_GAIN:
            return Worth.LITTLE
        return Worth.MORE if low >= thresholds.WORTH_GAIN else Worth.OPEN


def changes(results: Mapping[str, Result], kind: str) -> list[Change]:
    """Other studies of a kind, the largest gain first and those without a number last.

    Read from the table ``gains`` of the check ``power``. Its kinds are ``do``, what one
    can do, and ``may be``, what may be so without being seen.
    """
    result = results.get("power")
    if result is None or "gains" not in result.tables:
        return []
    table = result.tables["gains"]
    found = [_change(row) for row in table[table["kind"] == kind].to_dict("records")]
    return sorted(found, key=lambda one: -one.gain[0] if one.gain else math.inf)


def _change(row: Mapping[str, object]) -> Change:
    def triple(name: str) -> tuple[float, float, float] | None:
        values = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
        # A document has null where a number was not finite.
        if not all(value is not None and math.isfinite(value) for value in values):
            return None
        return tuple(map(float, values))

    return Change(
        study=str(row["study"]),
        method=str(row["method"]),
        now=triple("now"),
        then=triple("then"),
        gain=triple("gain"),
        missing=str(row["missing"] or ""),
    )
