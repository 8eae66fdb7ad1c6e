"""Does mRNA stand in for the regulator's protein or activity?"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables
from infocheck.confounders.words import listed
from infocheck.errors import NotAssessed
from infocheck.evidence.half_lives import MRNA_HOURS, PROTEIN_HOURS, SPECIES
from infocheck.plotting import Chart
from infocheck.proxies import coupling, half_life, protein, regulon, response, splicing
from infocheck.result import INFINITY, Stage, Status, Verdict
from infocheck.stats.coupling import LEAST_RELIABILITY
from infocheck.stats.kinetics import coupling_ceiling
from infocheck.stats.resampling import median_interval

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

_GRID = (1.0, 3.0, 9.0, 24.0, PROTEIN_HOURS, 100.0)
# Kinds of evidence in a sentence.
_WORDS = {
    "protein": "protein of the same observations",
    "regulon": "targets of a prior network",
    "perturbation": "perturbations",
}
# Lines of the chart; single regulators have names on it up to so many.
_MOST_LINES, _MOST_NAMES = 60, 20
_BRING = "Bring protein levels of the regulators, or perturbations of them."


@dataclass(frozen=True, kw_only=True)
class Proxy(Check):
    """Range of the correlation between a regulator's mRNA and its protein or activity.

    From whatever stands beside expression: protein of the same observations, half-lives and
    more. Expression alone cannot answer, and half-lives alone give a ceiling, which is no
    measurement. Misleads when protein is taken for activity.
    """

    name = "proxy"
    title = "mRNA as a proxy"
    question = "Does mRNA stand in for the regulator's protein?"
    stage = Stage.PROXY
    unit = "correlation of mRNA and activity"
    needs = ("protein", "half-lives", "perturbation of regulators")
    references = (
        "schwanhausser2011",
        "spearman1904",
        "spearman1910",
        "fisher1921",
        "quenouille1956",
    )
    computed = (
        "Each kind of evidence gives a range for the correlation ρ of a regulator's mRNA with its "
        "activity; ranges of one regulator are joined. The headline is the median over regulators, "
        "with the median of the lower and of the upper ends, each widened by the 95% interval of "
        "that median. Where a target depends on the mRNA only through the activity, all its "
        "correlations shrink by ρ, and finding it takes 1/ρ² times the samples. "
        "Protein: Spearman's correlation of mRNA and protein over all observations. Counts are "
        "dealt at random into halves, and correlations between halves give the correlation "
        "without counting noise; nothing is divided by a reliability below "
        f"{LEAST_RELIABILITY:g}. Isotype controls, where a panel has them, are regressed out of "
        "log counts. Values that are no counts do not tell their noise: the end of the range near "
        "0 is as measured, the far end allows for a reliability of "
        f"{protein.UNKNOWN_RELIABILITY:g} of each (an assumption). Intervals are the wider of the "
        "jackknife over independent groups and of Fisher's. Phosphorylated and cleaved forms, "
        "isoforms, and proteins no higher than isotype controls do not count. "
        "A prior list of targets: the regulator's mRNA, from one half of its counts, against the "
        "signed mean of its targets, from the other half and without the regulator itself, beyond "
        "what random genes alike in mean and variance give; both reliabilities are taken out. "
        f"With {regulon.MIN_TARGETS} measured targets or more (a convention). Signs: the share of "
        "positive correlations among activations against that among repressions, and against "
        "random networks with the same numbers of edges. "
        "Perturbed regulators: own mRNA against the response of all other genes, learned from "
        "other cells; from inside the arms, which is like cells at rest, to over perturbed and "
        "control cells in equal parts. "
        "Half-lives: when transcription fluctuates around a steady state, the correlation is at "
        "most the square root of protein decay over the sum of both decays. Half-lives that are "
        f"given cut the upper end of a range, with the ratio taken to be off by {half_life.FOLD:g}-"
        "fold (an assumption), unless the whole measured range is higher; where that is so for "
        f"more than {coupling.MOST_ABOVE:.0%} of the regulators, none is cut. Without them the "
        f"ceiling is shown for an mRNA half-life of {MRNA_HOURS:g} hours, the median in {SPECIES}, "
        "and a range of protein half-lives, as context alone."
    )
    misleads = (
        "Activity needs more than protein: modification, location, partners. A list of targets is "
        "from other cells: a low coupling can mean a wrong list, and what moves regulator and "
        "targets alike raises it. Perturbed cells differ more than cells at rest: over both "
        "arms the coupling is a best case. What moves mRNA and "
        "protein alike in a sample, such as purity, size of a cell or batch, raises the "
        "correlation, and antibody background lowers it. The range is over all observations, so "
        "differences between cell types count; the table of proteins has them apart. Regulators "
        "with evidence stand for those without. Intervals of medians over proteins are for other "
        "proteins in the same observations, not for other observations. The kinetic ceiling holds "
        "for fluctuations within one state, not for differences between cell types or tissues, "
        "which last long enough for protein to follow; half-lives differ between cells and species."
    )

    need: float = thresholds.COUPLING_NEED

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        # Every check that uses the coupling sees the same numbers, whatever its own stream.
        found = coupling.of(data)
        signs_rng, layers_rng = rng.spawn(2)
        compared = found.details[protein.KEY]
        normalised = protein.normalisations(data, compared)
        ceilings = found.details[half_life.KEY]
        targets = found.details[regulon.KEY]
        tables = {
            "summary": _summary(data, found, compared, ceilings, normalised),
            "ceiling": _ceilings_of_medians(),
            "regulators": found.regulators[
                ["regulator", "coupling", "coupling_low", "coupling_high"]
            ],
            "inflation": found.regulators.drop(columns=["coupling"]),
            "evidence": found.by_evidence,
            "half_lives": ceilings,
            "proteins": compared,
            "normalisation": normalised,
            "regulons": targets,
            "regulon_summary": regulon.summary(targets) if len(targets) else None,
            "regulon_signs": regulon.signs(data, signs_rng),
            "few_targets": regulon.left_out(data),
            "unspliced": splicing.gain(data, layers_rng),
            "responses": found.details[response.KEY],
        }
        return {name: t for name, t in tables.items() if t is not None and len(t)}

    def judge(self, tables: Tables) -> Verdict:
        row = tables["summary"].iloc[0]
        if row["assessed"] < coupling.FEWEST:
            raise NotAssessed(_why_not(row))
        verdict = Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=self.need,
            floor=None,  # a weak proxy costs samples and rules nothing out
            unit=self.unit,
            possible=(-1.0, 1.0),
            reason=f"From {row['evidence']}, the mRNA of the median regulator "
            f"({row['assessed']:.0f} of {row['regulators']:,.0f} have evidence) correlates with "
            "its activity at {estimate:.2f} ({low:.2f} to {high:.2f}); {need:.2f} is needed at "
            f"the lower end. {_cost(row)}",
        )
        if verdict.status is Status.ERROR:
            return verdict
        reason, status = verdict.reason, verdict.status
        if row["proteins"] and row["proteins_of_regulators"] < coupling.FEWEST:
            reason += f" {_about_proteins(row)}"
        if row["above_ceiling"]:
            reason += (
                f" For {row['above_ceiling']:.0f} of them the whole range lies above the ceiling "
                "of their half-lives, which does not hold there: differences between cell states "
                "last longer than fluctuations, and half-lives may be those of other cells."
            )
        if status is Status.ENOUGH and 2 * row["other_evidence"] < row["assessed"]:
            status = Status.BORDERLINE
            reason += (
                " Most of it rests on correlations of the same mRNA that the network is made of, "
                "so this is at most borderline."
            )
        return replace(verdict, status=status, reason=reason)

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        row = tables["summary"].iloc[0]
        charts = {}
        if "regulators" in tables and row["assessed"] >= coupling.FEWEST:
            charts["coupling"] = _ranges_chart(tables["regulators"], row, self.need)
        if "proteins" in tables:
            charts |= _proteins_chart(tables["proteins"])
        if "normalisation" in tables and row["proteins"] >= coupling.FEWEST:
            charts |= _normalisation_chart(tables["normalisation"])
        return charts


def _summary(
    data: Dataset,
    found: coupling.Coupling,
    compared: pd.DataFrame | None,
    ceilings: pd.DataFrame,
    normalised: pd.DataFrame | None,
) -> pd.DataFrame:
    middle = found.summary
    low, high = coupling.inflation(np.array([middle.low]), np.array([middle.high]))
    assessed = middle.assessed > 0
    keys = sorted({key for keys in found.regulators["evidence"] for key in keys.split(", ")})
    row = {
        "statistic": "median_coupling",
        "estimate": middle.estimate,
        "low": middle.low,
        "high": middle.high,
        "inflation_low": low[0] if assessed else math.nan,
        "inflation_high": high[0] if assessed else math.nan,
        "assessed": middle.assessed,
        "regulators": middle.regulators,
        "other_evidence": middle.other,
        "evidence": listed(_WORDS.get(key, key) for key in keys) if keys else "",
        "ceilings": len(ceilings),
        "median_ceiling": ceilings["ceiling"].median(),
        "above_ceiling": int(found.regulators["above_ceiling"].eq(True).sum()),
        "observations": len(data.moments.sample.rows),
    }
    each = pd.Series(dtype=float)
    if normalised is not None:
        each = normalised.loc[normalised["comparison"] == protein.EACH, "median"]
    row |= {"least_normalised": each.min(), "most_normalised": each.max()}
    return pd.DataFrame([{**row, **_of_proteins(compared)}])


def _of_proteins(compared: pd.DataFrame | None) -> dict[str, float]:
    """How many proteins there are, how many of regulators, and their median correlations."""
    if compared is None:
        return {"proteins": 0, "proteins_of_regulators": 0}
    shown = compared[compared["flag"].isin(protein.SHOWN)]
    found: dict[str, float] = {
        "proteins": len(shown),
        "proteins_of_regulators": int(shown["is_regulator"].sum()),
    }
    for name in ("correlation", "corrected"):
        ends = (f"median_{name}", f"median_{name}_low", f"median_{name}_high")
        found |= dict(zip(ends, median_interval(shown[name].to_numpy(float)), strict=True))
    noise = shown[["mrna_reliability", "protein_reliability"]].notna().any(axis=None)
    return {**found, "noise_known": bool(noise)}


def _ceilings_of_medians() -> pd.DataFrame:
    """What half-lives of the literature allow, as context."""
    hours = np.array(_GRID)
    ceiling = coupling_ceiling(MRNA_HOURS, hours)
    return pd.DataFrame(
        {
            "mrna_half_life_hours": MRNA_HOURS,
            "protein_half_life_hours": hours,
            "ceiling": ceiling,
            "least_inflation": 1 / ceiling**2,
            "mrna_half_life_from": SPECIES,
        }
    )


def _why_not(row: pd.Series) -> str:
    """Why nothing is assessed, what the tables show all the same, and what to bring."""
    said = []
    if row["assessed"]:
        said.append(
            f"Only {row['assessed']:.0f} of {row['regulators']:,.0f} regulators "
            f"{'has' if row['assessed'] == 1 else 'have'} evidence, from {row['evidence']}; "
            f"{coupling.FEWEST} are the least."
        )
    if row["proteins"]:
        said.append(_about_proteins(row))
    if row["ceilings"]:
        said.append(
            f"Half-lives of {row['ceilings']:,.0f} regulators allow a correlation of at most "
            f"{row['median_ceiling']:.2f} in the median: a ceiling, which is no measurement."
        )
    if not said:
        typical = float(coupling_ceiling(MRNA_HOURS, PROTEIN_HOURS))
        return (
            "Expression alone cannot tell whether a regulator's mRNA follows its activity; "
            f"at median half-lives ({SPECIES}) the correlation is at most {typical:.2f}. {_BRING}"
        )
    few = row["observations"] < thresholds.MIN_OBSERVATIONS_SAMPLING
    if few and row["proteins_of_regulators"] >= coupling.FEWEST:
        least = thresholds.MIN_OBSERVATIONS_SAMPLING
        return " ".join([*said, f"Bring at least {least} observations of mRNA and protein."])
    return " ".join([*said, _BRING])


def _about_proteins(row: pd.Series) -> str:
    number, own = row["proteins"], row["proteins_of_regulators"]
    numbers = f"{row['median_correlation']:.2f}"
    ends = pd.to_numeric(row[["least_normalised", "most_normalised"]])
    least, most = (f"{end:.2f}" for end in ends)
    if least != most:
        numbers += f", {least} to {most} with other normalisations"
    if row["noise_known"]:
        numbers += f"; {_with_interval(row, 'median_corrected')} without counting noise"
    start = f"Protein of {number:,.0f} genes is there (median correlation with mRNA {numbers}), "
    if row["observations"] < thresholds.MIN_OBSERVATIONS_SAMPLING:
        return (
            f"{start}{own:,.0f} of them regulators, but {row['observations']:.0f} observations are "
            "too few to tell it for any one of them."
        )
    few = f"{own:.0f} of them regulators" if own > 1 else f"{['none', 'one'][int(own)]} of them a "
    few += "" if own > 1 else "regulator"
    return (
        f"{start}{few}: antibody panels hold almost no transcription factors, so this tests mRNA "
        "as a proxy in general and not for the regulators."
    )


def _with_interval(row: pd.Series, name: str) -> str:
    return f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"


def _cost(row: pd.Series) -> str:
    """What the range costs in samples; without an upper end where it holds 0."""
    low, high = (row[name] for name in ("inflation_low", "inflation_high"))

    def shown(value: object) -> str:
        return f"{float(value):.1f}" if float(value) < 10 else f"{float(value):,.0f}"

    start = "A network through such a proxy takes"
    if high != INFINITY:
        return f"{start} {shown(low)} to {shown(high)} times the samples."
    if shown(low) == "1.0":
        return "That leaves open how many more samples a network through such a proxy takes."
    return f"{start} at least {shown(low)} times the samples."


def _ranges_chart(regulators: pd.DataFrame, row: pd.Series, need: float) -> Chart:
    columns = ["coupling", "coupling_low", "coupling_high"]
    table = regulators.astype(dict.fromkeys(columns, float)).sort_values("coupling")
    some = np.unique(np.linspace(0, len(table) - 1, _MOST_LINES).astype(int))
    table = table.iloc[some]
    named = len(table) <= _MOST_NAMES
    above = int((table["coupling_low"] >= need).sum())

    def draw(axes, width: float) -> None:
        for y, line in enumerate(table.itertuples()):
            plotting.whisker(axes, y, line.coupling, line.coupling_low, line.coupling_high)
        plotting.across(axes, need, f"Need {need:g}", dashed=True)
        if named:
            axes.set_yticks(range(len(table)), table["regulator"])
        else:
            axes.set_yticks([])
            axes.set_ylabel("Regulators")
        axes.set_ylim(-0.8, len(table) - 0.2)
        axes.set_xlim(min(-0.05, float(table["coupling_low"].min())), 1.02)
        axes.set_xlabel("Correlation of mRNA and activity")

    some_of = (
        f" {len(table)} of {len(regulators)}, evenly spaced." if len(some) < len(regulators) else ""
    )
    return Chart(
        title=f"The median regulator's mRNA correlates with its activity at {row['estimate']:.2f} "
        f"({row['low']:.2f} to {row['high']:.2f}); {above} of {len(table)} are above the need.",
        caption="One line for each regulator with evidence: the range that it leaves, and the "
        f"estimate.{some_of}",
        draw=draw,
        height=float(np.clip(1.3 + 0.32 * len(table), 2.6, 7.0)),
    )


def _proteins_chart(proteins: pd.DataFrame) -> dict[str, Chart]:
    """Share of proteins up to each correlation, as measured and without noise."""
    shown = proteins[proteins["flag"].isin(protein.SHOWN)]
    values = {
        name: np.sort(pd.to_numeric(shown[name], errors="coerce").dropna().to_numpy(float))
        for name in ("correlation", "corrected")
    }
    if len(values["correlation"]) < coupling.FEWEST:
        return {}
    known = shown[["mrna_reliability", "protein_reliability"]].notna().any(axis=None)
    lines = [("correlation", "c2" if known else "c1", "as measured")]
    if known:
        lines.append(("corrected", "c1", "without counting noise"))
    medians = ", ".join(f"{np.median(values[name]):.2f} {label}" for name, _, label in lines)

    def draw(axes, width: float) -> None:
        for name, colour, label in lines:
            x = values[name]
            y = (np.arange(len(x)) + 1) / len(x)
            axes.step(
                x, y, where="post", color=plotting.PALETTE[colour][0], linewidth=2.6, label=label
            )
        axes.set(ylim=(0, 1.02))
        axes.set_xlabel("Spearman correlation of mRNA and protein")
        axes.set_ylabel("Share of proteins up to here")
        axes.yaxis.set_major_formatter(plotting.percent())
        if known:
            axes.legend(loc="lower right", fontsize=11)

    return {
        "proteins": Chart(
            title=f"Over {len(values['correlation']):,} proteins the median correlation with mRNA "
            f"is {medians}.",
            caption="All proteins whose gene is measured, regulators or not; without modified "
            "forms, isoforms, proteins at background and genes too noisy to tell.",
            draw=draw,
        )
    }


def _normalisation_chart(table: pd.DataFrame) -> dict[str, Chart]:
    """Median and quartiles of the correlations under each normalisation."""
    numbers = ["median", "lower_quartile", "upper_quartile"]
    table = table.astype(dict.fromkeys(numbers, float)).dropna(subset=numbers)
    each = table[table["comparison"] == protein.EACH]
    if len(each) < 2:
        return {}
    least, most = each.loc[each["median"].idxmin()], each.loc[each["median"].idxmax()]
    lines = table.iloc[::-1]
    ends = f"{least['median']:.2f}", f"{most['median']:.2f}"
    title = (
        f"The median correlation of a protein goes from {ends[0]} ({least['normalisation']}) to "
        f"{ends[1]} ({most['normalisation']})."
        if ends[0] != ends[1]
        else f"The median correlation of a protein is {ends[0]} under every normalisation."
    )

    def draw(axes, width: float) -> None:
        for y, line in enumerate(lines.itertuples()):
            colour = "c1" if line.comparison == protein.EACH else "c2"
            plotting.whisker(axes, y, line.median, line.lower_quartile, line.upper_quartile, colour)
        fold = 40 if width >= plotting.WIDE else 20
        axes.set_yticks(
            range(len(lines)), [textwrap.fill(name, fold) for name in lines["normalisation"]]
        )
        axes.set_ylim(-0.6, len(lines) - 0.4)
        axes.set_xlabel("Correlation of mRNA and protein")

    return {
        "normalisation": Chart(
            title=title,
            caption="Median and quartiles, counting noise left in. Blue: of each protein over "
            "observations, which is what a network rests on. Orange: of all proteins in each "
            "observation, where levels differ between genes far more than between observations.",
            draw=draw,
            height=1.3 + 0.42 * len(lines),
        )
    }
