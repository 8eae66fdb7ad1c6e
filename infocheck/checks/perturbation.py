"""Which regulators were moved, how far, and how reproducibly?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import thresholds
from infocheck.check import Check, Tables
from infocheck.errors import NotAssessed
from infocheck.perturbations import charts, energy, labels, responders, shifts, similarity
from infocheck.perturbations.cells import COMPONENTS, MOST_ROWS, SKETCH, Cells
from infocheck.perturbations.deltas import Deltas
from infocheck.perturbations.energy import DRAWS, FDR
from infocheck.plotting import Chart
from infocheck.result import Stage, Status, Verdict
from infocheck.stats.resampling import wilson

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Fewer perturbations are no sample of any.
_FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class Perturbation(Check):
    """Share of the perturbations that move expression beyond their own gene.

    Where regulators are perturbed and cells answer, the effect of their activity is seen
    itself, and their mRNA need not stand in for it. Misleads when perturbed rows differ from
    controls in something else: batch, depth, cell cycle, selection.
    """

    name = "perturbation"
    title = "Perturbations"
    question = "Which regulators were moved, how far, and how reproducibly?"
    stage = Stage.PROXY
    unit = "share of perturbations that respond"
    needs = ("perturbation of regulators",)
    references = (
        "szekely2013",
        "peidli2024",
        "papalexi2021",
        "benjamini1995",
        "phipson2010",
        "cochran1954",
        "wilson1927",
        "spearman1910",
        "fisher1921",
        "johnson1984",
        "roy2007",
        "satterthwaite1946",
        "bergsma2013",
    )
    computed = (
        "Rows of each perturbation are compared with control rows of the same batch, donor, "
        "condition and time where both are there; without 10 controls, with all other "
        "perturbations. A response is an energy distance (squared, without self pairs) "
        f"over the panel or over its {COMPONENTS} leading components, the perturbed gene left "
        f"out, at an FDR of {FDR:.0%} over {DRAWS} shuffles of labels within those groups, with "
        f"at most {MOST_ROWS:,} rows a side; what lies outside the components is read from "
        f"{SKETCH} random combinations of genes. The own change is a difference of means with "
        "its interval; 'share of control' is the ratio of mean counts. Agreement is the "
        "correlation of the response between halves that share no row, not of controls either; "
        "the ceiling is the best correlation that a prediction could reach. Likeness is between "
        "halves as well, so that shared controls make none. 'Cells needed' gives 80 % power at a "
        "level of 5 %. The headline is the share of testable perturbations that respond, "
        "with a Wilson interval; the need is a convention."
    )
    misleads = (
        "A knock-out can stop the protein and leave the mRNA as it was: no own change is no "
        "proof of failure. Whatever else sets perturbed rows apart looks like a response: depth, "
        "viability, cell type, a guide's other targets. Differences of means are seen, not of "
        "spread. Shuffled cells stand for these donors and wells, not for others. A response is "
        "no direct target."
    )

    need: float = thresholds.RESPONDING_NEED
    floor: float | None = None
    regulators: int = thresholds.MIN_MOVED_REGULATORS

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        deltas = Deltas.of(data)
        cells = Cells.of(data, deltas, rng)
        found = energy.responses(data, deltas, cells, rng)
        control = energy.calibration(data, cells, rng)
        genes = similarity.independent_genes(data, rng)
        agreement = similarity.agreement(deltas, genes)
        table = pd.concat(
            [shifts.table(data, deltas, cells.targets), found.table(), agreement], axis=1
        )
        table["note"] = list(found.note)
        order = np.lexsort([deltas.names.astype(str), -_known(table), _first(found.q)])
        chosen = np.flatnonzero(found.responds)
        chosen = chosen[np.argsort(-found.of("distance")[chosen], kind="stable")]
        pairs, number = similarity.similar(deltas, chosen, genes)
        moved = _regulators(data, deltas, table)
        halved = shifts.halving(cells.targets, deltas) if data.is_counts else None
        tables = {
            "perturbations": table.iloc[order].reset_index(drop=True),
            "audit": labels.audit(data, deltas, control),
            "summary": pd.DataFrame(
                [
                    {
                        **_counted(table, found),
                        **_of_regulators(moved),
                        **similarity.summary(agreement),
                        **number,
                        "compared_with": deltas.compared,
                        "not_held_constant": ", ".join(deltas.aliased).replace("_", " "),
                        "control_guides": labels.Counts.of(data).control,
                        "guides_calibrated": None
                        if control is None
                        else labels.calibrated(control)[1],
                        "variance_on_components": cells.share,
                        "independent_genes": genes,
                    }
                ]
            ),
            "cells": responders.table(deltas, cells, chosen),
            "similarity": pairs,
            "cells_needed": energy.cells_needed(deltas, found, halved).iloc[order],
            "regulators": moved,
        }
        if control is not None:
            tables["control_guides"] = control
        return {name: part for name, part in tables.items() if len(part)}

    def judge(self, tables: Tables) -> Verdict:
        row = tables["summary"].iloc[0]
        if not row["tested"] >= row["perturbations"] / 2 or not row["tested"]:
            raise NotAssessed(_untested(tables, row))
        verdict = Verdict.against(
            estimate=row["responding_share"],
            low=row["responding_share_low"],
            high=row["responding_share_high"],
            need=self.need,
            floor=self.floor,
            unit=self.unit,
            possible=(0.0, 1.0),
            reason=f"{{estimate:.0%}} ({{low:.0%}}–{{high:.0%}}) of {_few(row['tested'])} "
            f"moved expression beyond the own gene; {{need:.0%}} are needed. {_moved(row)}",
        )
        cause = self._doubts(row)
        if verdict.status is not Status.ENOUGH or not cause:
            return verdict
        said = f" No more than borderline: {' and '.join(cause)}."
        return replace(verdict, status=Status.BORDERLINE, reason=verdict.reason + said)

    def _doubts(self, row: pd.Series) -> list[str]:
        """Why a large share would not be enough."""
        found = []
        if row["tested"] < _FEWEST:
            found.append(f"{_few(row['tested'])} cannot stand for others")
        if row["compared_with"] != "control":
            found.append("without controls what does nothing differs from what acts")
        if row["regulators_moved"] < self.regulators:
            found.append(
                f"fewer than {self.regulators} known regulators are among those that respond"
            )
        apart = [name for name in str(row["not_held_constant"] or "").split(", ") if name]
        if set(apart) - {"donor"}:  # donors are shuffled whole then
            found.append(f"{' and '.join(apart)} could not be held constant")
        if row["control_guides"] == 1:
            found.append("with one control guide nothing shows what happens by chance")
        if row["guides_calibrated"] is not None and not row["guides_calibrated"]:
            found.append("control guides differ from each other more often than by chance")
        return found

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        return charts.charts(tables)


def _known(table: pd.DataFrame) -> np.ndarray:
    """What untested perturbations are ordered by: the size of their own change."""
    return np.nan_to_num(np.abs(table["standardised_change"].to_numpy(float)), nan=-1.0)


def _first(q: np.ndarray) -> np.ndarray:
    return np.nan_to_num(q, nan=2.0)


def _counted(table: pd.DataFrame, found: energy.Responses) -> dict[str, float]:
    tested = int(np.isfinite(found.q).sum())
    responding = int(found.responds.sum())
    low, high = wilson(np.array(responding), np.array(tested))
    own = table["own_q_value"].to_numpy(float)
    return {
        "perturbations": len(table),
        "tested": tested,
        "responding": responding,
        "responding_share": responding / tested if tested else np.nan,
        "responding_share_low": float(low) if tested else np.nan,
        "responding_share_high": float(high) if tested else np.nan,
        "own_measured": int(np.isfinite(own).sum()),
        "own_changed": int((own <= FDR).sum()),
    }


def _regulators(data: Dataset, deltas: Deltas, table: pd.DataFrame) -> pd.DataFrame:
    """Candidate regulators that were perturbed alone; of several labels that with most rows."""
    candidates = np.isin(np.arange(len(data.panel.genes)), data.panel.expressed)
    single = [
        (i, aimed[0])
        for i, aimed in enumerate(deltas.targets)
        if len(aimed) == 1 and candidates[aimed[0]] and len(deltas.parts[i]) == 1
    ]
    rows = table.iloc[[i for i, _ in single]]
    out = pd.DataFrame(
        {
            "regulator": data.names(np.array([gene for _, gene in single], dtype=np.int64)),
            "on_target_change": rows["own_change"].to_numpy(float),
            "on_target_change_low": rows["own_change_low"].to_numpy(float),
            "on_target_change_high": rows["own_change_high"].to_numpy(float),
            "responds": rows["responds"].to_numpy(object),
        }
    )
    most = np.argsort(-rows["cells"].to_numpy(), kind="stable")
    return out.iloc[most].drop_duplicates("regulator").reset_index(drop=True)


def _of_regulators(moved: pd.DataFrame) -> dict[str, int]:
    return {
        "regulators_perturbed": len(moved),
        "regulators_moved": int(moved["responds"].eq(True).sum()),
    }


def _few(count: float) -> str:
    return f"{count:.0f} perturbation" + ("" if count == 1 else "s")


def _moved(row: pd.Series) -> str:
    """Regulators that respond, and perturbed genes that change themselves."""
    found = "None of them is aimed at a known regulator that is measured"
    if row["regulators_perturbed"]:
        found = (
            f"{row['regulators_moved']:.0f} of {row['regulators_perturbed']:.0f} perturbed "
            "regulators do so"
        )
    return f"{found}{_changed(row, ', and ')}."


def _changed(row: pd.Series, joined: str) -> str:
    if not row["own_measured"]:
        return ""
    return (
        f"{joined}{row['own_changed']:.0f} of {row['own_measured']:.0f} perturbed genes that are "
        "measured change their own expression"
    )


def _untested(tables: Tables, row: pd.Series) -> str:
    notes = tables["perturbations"]["note"].astype(str)
    notes = notes[~notes.isin(["", "None", "nan"])]
    why = notes.mode().iloc[0] if len(notes) else "nothing to compare with"
    return (
        f"The response to {row['perturbations'] - row['tested']:.0f} of "
        f"{_few(row['perturbations'])} cannot be tested ({why}){_changed(row, '; ')}. "
        "Bring replicates of each perturbation, and of its controls, "
        "that share their batches and donors."
    )
