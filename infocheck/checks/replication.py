"""Do batches, donors, cell types and conditions agree on correlations, and on edges?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.check import Check, Tables, require_rows
from infocheck.confounders import replication
from infocheck.confounders.factors import Factors
from infocheck.confounders.words import listed, words
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Verdict

if TYPE_CHECKING:
    from infocheck.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Replication(Check):
    """Share of the strongest edges of all other groups that are found again in one group.

    Regressing a factor out corrects means; groups can still disagree on correlations. The
    share stands beside what equal correlations would give with as few rows, so that few rows
    are not taken for disagreement. Explains, and decides no goal.
    """

    name = "replication"
    title = "Agreement between groups"
    question = "Once means are corrected, do batches, donors and conditions agree on edges?"
    stage = None
    gate = False
    unit = "share of the strongest edges found again in a group left out"
    references = ("fisher1921", "cochran1954", "dersimonian1986", "quenouille1956")
    computed = (
        "What all recorded factors explain is removed; within each level of a factor, what the "
        "other factors explain as well. Differences between the correlations of two levels, on "
        "Fisher's scale and in units of their standard errors, would have variance 1 in "
        "independent normal rows; here they are held against shuffled labels: whole donors where "
        "a factor is constant within them, rows of the same donor, batch and cell type elsewhere. "
        "The strongest edges of all other levels together are then looked for in the level left "
        "out: found again means the same sign, and significant. Up to 8 levels of 30 rows of the "
        "sample, and up to 300 targets. The factor of the headline is the one that is furthest "
        "from what shuffled labels give."
    )
    misleads = (
        "Groups that differ in depth differ in noise, which weakens correlations without any "
        "change of regulation. Cell types may well differ in their networks: then a network of "
        "all of them is an average that holds in none. Agreement is no proof: what confounds all "
        "groups alike is found again in each."
    )

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        require_rows(data, "to compare correlations of groups")
        return replication.of(data, Factors.of(data), rng)

    def judge(self, tables: Tables) -> Verdict:
        if "replication_summary" not in tables:
            raise NotAssessed(
                "No labelled factor has two levels with 30 observations each, so no groups can "
                "be compared. Bring labels of batch, donor, cell type or condition."
            )
        row = replication.headline(tables["replication_summary"])
        if row is None:
            raise NotAssessed(
                "No group has an edge that could be found again. Bring more observations per group."
            )
        differing = _differing(tables["heterogeneity"])
        return Verdict.against(
            estimate=row["found_again"],
            low=row["found_again_low"],
            high=row["found_again_high"],
            need=None,
            floor=None,
            unit=self.unit,
            possible=(0.0, 1.0),
            reason=f"{replication.finding(row)} {differing}",
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        return replication.charts(tables)


def _differing(table: pd.DataFrame) -> str:
    """Which factors' levels disagree on correlations beyond chance."""
    p_values = pd.to_numeric(table["p_value"])
    known = table[p_values.notna()]
    seen = [words(name) for name in known.loc[p_values[known.index] <= 0.05, "factor"]]
    rest = [words(name) for name in known["factor"]]
    if not rest:
        return "Too few labels can be shuffled to say whether correlations differ between groups."
    if not seen:
        return f"Correlations do not differ between levels of {listed(rest)} beyond chance."
    return f"Correlations differ between levels of {listed(seen)} beyond chance."
