"""Does a nominal false discovery rate hold on these regulators?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import adjustment, plotting, thresholds
from infocheck.calibration import (
    KNOCKOFFS,
    LINEAR,
    STEPS,
    TREE_SELECTOR,
    Setting,
    curves,
    discoveries,
)
from infocheck.check import Check, Tables, require_rows
from infocheck.hidden import headline
from infocheck.plotting import Chart
from infocheck.result import Stage, Status, Verdict
from infocheck.stats.knockoff_filter import discovery_floor

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

FDR = thresholds.NOMINAL_FDR


@dataclass(frozen=True, kw_only=True)
class FalseDiscoveries(Check):
    """Share of false discoveries of common selectors at their nominal rate.

    Targets with known regulators are simulated on the real regulators, and selectors
    are run on them as they would be on real targets. Misleads when read as the rate on
    real targets: a factor that moves regulators and targets and was not recorded is in
    none of these tests, which is why its effect is simulated beside them.
    """

    name = "fdr"
    title = "False discoveries"
    question = "Does a nominal false discovery rate hold here?"
    stage = Stage.CONFOUNDING
    at_most = True
    unit = f"share of false discoveries at a nominal {FDR:.0%}"
    references = (
        "kernfeld2024",
        "candes2018",
        "barber2015",
        "spector2022",
        "benjamini1995",
        "schafer2005",
        "strimmer2008",
        "geurts2006",
    )
    computed = (
        "Targets are simulated on the real rows of the regulators: linear ones with as much "
        "explained variance as real targets seem to have, step functions of a few regulators, and "
        "those step functions that break the assumptions of knockoffs most. The selectors that "
        "people use look for the regulators at nominal rates from 1% to 50%, and what they find "
        "is held against the truth. Gaussian knockoffs are drawn row by row from the shrunken "
        "correlations of the regulators; only sums of products are kept. Then a factor that "
        "nobody recorded moves the targets as well, as much as it moves real ones: the strongest "
        "labelled factor, or one, five or ten principal components of the regulators. The "
        "selector of the headline is the one that finds most linear edges among those that keep "
        f"the rate within {thresholds.REALISED_FDR_NEED:.0%}; where none does, the one that is "
        "wrong least."
    )
    misleads = (
        "Passing says nothing about hidden factors, and no test on these data can: the curves with "
        "a hidden factor are examples, not estimates, since nobody knows whether there is one and "
        "how strong it is. Noise is added row by row, so that cells of one donor count as "
        "independent here and do not in fact. Targets depend on the mRNA that is measured. A "
        "direct edge is one that no other measured regulator explains; regulators that were not "
        "measured are hidden factors."
    )

    need: float = thresholds.REALISED_FDR_NEED
    floor: None = None

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        require_rows(data, "to tell regulators of a target from others")
        setting = Setting.of(data, rng)
        factor = headline(setting.hidden)
        rows = adjustment.Rows.of(data, factor, rng)
        engine_map = data.engine.map
        tables = {
            "curves": pd.concat(
                [curves(setting, rng, engine_map), adjustment.trees(rows, rng, engine_map)],
                ignore_index=True,
            ),
            "discoveries": (
                discoveries(setting, rng, engine_map)
                if len(data.panel.targets)
                else adjustment.among_regulators(rows, rng)
            ),
        }
        statistic = _statistic(tables["curves"])
        tables["adjustment"] = adjustment.adjustment_curve(rows, statistic, FDR, rng, engine_map)
        tables["decoys"] = adjustment.decoys(rows, statistic, rng)
        tables["swaps"] = adjustment.swap_test(rows, rng)
        return {"summary": self._summary(tables, factor.name), **tables}

    def _summary(self, tables: Tables, factor: str) -> pd.DataFrame:
        """The selector of the headline: what it keeps, what it finds, what a factor would do."""
        at = tables["curves"][tables["curves"]["nominal"] == FDR]
        selector = _recommended(at[at["selector"] != TREE_SELECTOR], self.need)
        own = at[at["selector"] == selector]
        plain = own[own["hidden"] == ""].set_index("targets").loc[[LINEAR, STEPS]]
        worst = plain.loc[plain["realised"].idxmax()]
        hidden = own[own["hidden"] == factor].iloc[0]
        real = tables["discoveries"]
        real = real[(real["selector"] == selector) & (real["nominal"] == FDR)]
        return pd.DataFrame(
            [
                {
                    "selector": selector,
                    "nominal": FDR,
                    "realised": worst["realised"],
                    "realised_low": worst["realised_low"],
                    "realised_high": worst["realised_high"],
                    "worst_targets": worst.name,
                    "power": plain.loc[LINEAR, "power"],
                    "hidden_factor": factor,
                    "hidden_realised": hidden["realised"],
                    "hidden_realised_low": hidden["realised_low"],
                    "hidden_realised_high": hidden["realised_high"],
                    "hidden_empty": hidden["empty"],
                    "discoveries": int(real["found"].iloc[0]),
                    "real_targets": int(real["targets"].iloc[0]),
                    "floor": discovery_floor(FDR) if selector.startswith(KNOCKOFFS) else 1,
                }
            ]
        )

    def judge(self, tables: Tables) -> Verdict:
        row = tables["summary"].iloc[0]
        verdict = Verdict.against(
            estimate=row["realised"],
            low=row["realised_low"],
            high=row["realised_high"],
            need=self.need,
            floor=None,
            at_most=True,
            unit=self.unit,
            possible=(0.0, 1.0),
            reason=f"At a nominal {FDR:.0%}, {{estimate:.0%}} ({{low:.0%}}–{{high:.0%}}) of what "
            f"{_called(row['selector'])} find among simulated targets is false; at most "
            f"{{need:.0%}} is wanted. {_hidden(row)}, and no test on these data could tell.",
        )
        few = _too_few(row)
        if verdict.status is Status.ENOUGH and few:
            return replace(
                verdict,
                status=Status.BORDERLINE,
                reason=f"{verdict.reason} No more than borderline, because {few}.",
            )
        return verdict

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        return {
            "fdr": _selectors_chart(tables),
            "hidden": _hidden_chart(tables),
            "adjustment": _adjustment_chart(tables),
        }


def _recommended(at: pd.DataFrame, need: float) -> str:
    """The selector that finds most linear edges among those that keep the rate.

    Of those whose whole interval keeps it, if there are any that find something; else of
    those whose mean does; else the one that is wrong least.
    """
    plain = at[at["hidden"] == ""]
    both = plain[plain["targets"].isin((LINEAR, STEPS))].groupby("selector")
    power = plain[plain["targets"] == LINEAR].set_index("selector")["power"].astype(float)
    # One that finds nothing keeps every promise.
    finds = power[power > 0]
    for worst in (both["realised_high"].max(), both["realised"].max()):
        kept = finds[worst[finds.index] <= need]
        if len(kept):
            return str(kept.idxmax())
    worst = both["realised"].max()
    return str(worst[finds.index].idxmin() if len(finds) else worst.idxmin())


def _statistic(table: pd.DataFrame) -> str:
    """Which statistic of knockoffs the adjustments are shown with."""
    at = table[(table["nominal"] == FDR) & table["selector"].str.startswith(KNOCKOFFS)]
    return _recommended(at, thresholds.REALISED_FDR_NEED).removeprefix(KNOCKOFFS)


_STATISTICS = {
    "marginal": "correlations",
    "ridge": "ridge coefficients",
    "lasso": "lasso entries",
    "coefficient": "lasso coefficients",
}


def _called(selector: str) -> str:
    """A selector inside a sentence, plural."""
    name, _, detail = selector.partition(", ")
    if selector.startswith(KNOCKOFFS):
        return f"knockoffs with {_STATISTICS[detail]}"
    return f"edges chosen by {name} with {detail}"


def _hidden(row: pd.Series) -> str:
    """What to expect with the hidden factor of the headline."""
    share, low, high = (row[f"hidden_realised{end}"] for end in ("", "_low", "_high"))
    factor = f"a hidden factor as strong as {row['hidden_factor']}"
    if row["hidden_empty"] > 0.5:
        return f"If {factor} exists, nothing would be found"
    return f"Expect {share:.0%} ({low:.0%}–{high:.0%}) if {factor} exists"


def _too_few(row: pd.Series) -> str:
    """Why a kept promise is worth little; empty where it is not."""
    least = thresholds.EXPECTED_DISCOVERIES
    if not row["power"] > 0:
        return "nothing is found among simulated targets"
    found = row["discoveries"]
    if found < least:
        return f"{found:.0f} pairs are found among real targets, fewer than {least}"
    return ""


def _selectors_chart(tables: Tables) -> Chart:
    """Every selector at the nominal rate, without and with a hidden factor."""
    row, table = tables["summary"].iloc[0], tables["curves"]
    at = table[table["nominal"] == FDR]
    factor = row["hidden_factor"]
    kinds = (
        ("c1", (at["targets"] == LINEAR) & (at["hidden"] == ""), 0.24),
        ("c3", at["targets"] == STEPS, 0.0),
        ("c2", at["hidden"] == factor, -0.24),
    )
    selectors = list(dict.fromkeys(at["selector"]))[::-1]

    def draw(axes, width: float) -> None:
        for colour, chosen, offset in kinds:
            for one in at[chosen].itertuples():
                y = selectors.index(one.selector) + offset
                ends = one.realised_low, one.realised_high
                plotting.whisker(axes, y, one.realised, *ends, colour)
        plotting.across(axes, FDR, f"Nominal {FDR:.0%}", dashed=True)
        axes.set_yticks(range(len(selectors)), [_short(name) for name in selectors])
        axes.set_ylim(-0.6, len(selectors) - 0.4)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel("False among what is found")

    plain = at[kinds[0][1]]
    wrong = plain.loc[plain["realised"].astype(float).idxmax()]
    return Chart(
        title=f"At a nominal {FDR:.0%}, {_called(wrong['selector'])} are wrong in "
        f"{wrong['realised']:.0%} even where nothing is hidden; {_called(row['selector'])} in "
        f"{row['realised']:.0%}, and in {row['hidden_realised']:.0%} with a hidden factor as "
        f"strong as {factor}.",
        caption="Share of false discoveries among simulated targets of the real regulators with "
        "95% intervals: linear targets (blue), step functions (grey), and linear targets that a "
        f"hidden factor as strong as {factor} moves as well (orange). A point at 0 can mean that "
        "nothing is found.",
        draw=draw,
        height=1.3 + 0.62 * len(selectors),
    )


def _hidden_chart(tables: Tables) -> Chart:
    """Realised against nominal rate of the selector of the headline."""
    row, table = tables["summary"].iloc[0], tables["curves"]
    own = table[(table["selector"] == row["selector"]) & (table["targets"] == LINEAR)]
    factors = [name for name in dict.fromkeys(own["hidden"]) if name]
    at = own[own["nominal"] == FDR].set_index("hidden")["realised"].astype(float)
    strongest = max(factors, key=lambda name: at[name])
    drawn = {"": ("c1", "Nothing hidden"), row["hidden_factor"]: ("c2", "Hidden factor")}
    if strongest != row["hidden_factor"]:
        drawn[strongest] = ("c3", "Strongest")

    def draw(axes, width: float) -> None:
        for name, (colour, label) in drawn.items():
            part = own[own["hidden"] == name]
            ends = (part[f"realised{end}"].to_numpy(float) for end in ("", "_low", "_high"))
            plotting.curve(axes, part["nominal"].to_numpy(float), *ends, colour, label)
        top = float(own["nominal"].max())
        plotting.diagonal(axes, 0.0, top, "")  # a label would meet that of a kept rate
        axes.set(xlim=(0, top * 1.25), ylim=(0, 1))
        axes.xaxis.set_major_formatter(plotting.percent())
        axes.yaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel("Nominal rate")
        axes.set_ylabel("False among what is found")

    shown = "; ".join(f"{at[name]:.0%} with {name}" for name in factors)
    return Chart(
        title=f"What a hidden factor would do to {_called(row['selector'])} at a nominal "
        f"{FDR:.0%}: {at['']:.0%} false without one; {shown}.",
        caption="Realised against nominal share of false discoveries on linear targets: nothing "
        f"hidden (blue), a factor as strong as {row['hidden_factor']} (orange)"
        + (f", and one as strong as {strongest} (grey)" if len(drawn) > 2 else "")
        + ". The broken line is what is promised; bands are 95% intervals of the simulation. No "
        "test of exchangeability or calibration sees the difference between these curves.",
        draw=draw,
        height=4.6,
    )


def _adjustment_chart(tables: Tables) -> Chart:
    """Power, realised rate and real discoveries by what is removed."""
    row, table = tables["summary"].iloc[0], tables["adjustment"]
    at = table[table["selector"].str.startswith(KNOCKOFFS)]
    steps = list(dict.fromkeys(at["removed"]))
    simulated = at[at["targets"] == adjustment.SIMULATED]
    factor = row["hidden_factor"]
    plain = simulated[simulated["hidden"] == ""].set_index("removed")
    moved = simulated[simulated["hidden"] == factor].set_index("removed")
    found = (
        at[at["targets"] == adjustment.REAL].set_index("removed")["found_per_target"].astype(float)
    )
    most = max(float(found.max()), 1e-12)

    def draw(axes, width: float) -> None:
        for y, name in enumerate(steps[::-1]):
            for part, value, colour, offset in (
                (plain, "power", "c1", 0.2),
                (moved, "realised", "c2", -0.2),
            ):
                one = part.loc[name]
                ends = (one[f"{value}{end}"] for end in ("", "_low", "_high"))
                plotting.whisker(axes, y + offset, *ends, colour)
            plotting.strip(axes, y, [found[name] / most], "c3", marker="D")
        plotting.across(axes, FDR, f"Nominal {FDR:.0%}", dashed=True)
        axes.set_yticks(range(len(steps)), [step.capitalize() for step in steps[::-1]])
        axes.set_ylim(-0.6, len(steps) - 0.4)
        axes.set_xlim(0, 1.02)
        axes.xaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel("Share")

    first, last = steps[0], steps[-1]
    return Chart(
        title=f"Removing {last} leaves {found[last]:.2g} discoveries per real target of "
        f"{found[first]:.2g}, and {plain.loc[last, 'power']:.0%} of simulated edges are found "
        f"instead of {plain.loc[first, 'power']:.0%}.",
        caption="By what is removed from regulators, knockoffs and targets: simulated edges that "
        "are found where nothing is hidden (blue), false ones among what is found with a hidden "
        f"factor as strong as {factor} (orange), and discoveries among real targets, as a share "
        f"of {most:.2g} per target (grey diamonds). Where orange stays high too little is "
        "removed; where blue falls, signal goes.",
        draw=draw,
        height=1.3 + 0.55 * len(steps),
    )


def _short(selector: str) -> str:
    name, _, detail = selector.partition(", ")
    return f"{name.capitalize()},\n{_STATISTICS.get(detail, detail)}"
