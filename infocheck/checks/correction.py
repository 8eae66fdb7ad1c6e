"""What does removing confounders gain, and what does it cost?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.check import Check, Tables, require_rows
from infocheck.confounders import corrections
from infocheck.confounders.factors import Factors
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Verdict

if TYPE_CHECKING:
    from infocheck.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Correction(Check):
    """What is left of the data after each correction that people use.

    Variance, reliability, agreement of halves, what regulators add to decoys, and the upper
    bound, all from the same code on corrected values. Evidence on whether corrections help
    conflicts, so it explains and decides no goal.
    """

    name = "correction"
    title = "Cost of correction"
    question = "What would removing confounders gain, and what would it cost?"
    stage = None
    gate = False
    unit = "agreement of halves on edges, without correction"
    references = ("halko2011", "spearman1910", "schafer2005", "hoerl1970")
    computed = (
        "On a sample of rows, regulators and targets, values are corrected as people do: recorded "
        "nuisance factors and depth, or all recorded factors, are regressed out; values are "
        "centred within donors or within cell types; only the largest cell type is kept; 1 to 20 "
        "principal components are removed. Of what is left: the share of the variance, what "
        "recorded batch and donor still explain, the reliability of regulators (counts dealt to "
        "two halves, each corrected on its own), the agreement of halves of the rows (each "
        "corrected on its own), the gain in R² of regulators over matched decoys, and the upper "
        "bound. All corrections see the same rows, genes and draws."
    )
    misleads = (
        "Components may be the network itself, and published evidence on removing them "
        "conflicts: no verdict comes from this table. Less agreement after a correction can mean "
        "that it removed what made halves agree for the wrong reason. The bound stands on a "
        "sample and is compared down its column only. Centring within cell types removes the "
        "differences that make cell types, regulated ones among them."
    )

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        require_rows(data, "to correct and to split")
        return corrections.of(data, Factors.of(data), rng)

    def judge(self, tables: Tables) -> Verdict:
        table = tables.get("corrections")
        if table is None or table.empty:
            raise NotAssessed("Nothing could be corrected. Bring more observations.")
        row = table.iloc[0]
        if not np.isfinite(pd.to_numeric(row[["stab_pc", "stab_pc_low", "stab_pc_high"]])).all():
            raise NotAssessed(
                "Halves of the rows cannot be compared here, so what a correction costs is "
                "unknown. Bring more observations or more candidate regulators."
            )
        return Verdict.against(
            estimate=row["stab_pc"],
            low=row["stab_pc_low"],
            high=row["stab_pc_high"],
            need=None,
            floor=None,
            unit=self.unit,
            possible=(-1.0, 1.0),
            reason=corrections.finding(table),
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        return corrections.charts(tables)
