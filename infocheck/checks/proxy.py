"""Does mRNA stand in for the regulator's protein?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from infocheck.check import Check, Tables
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Stage, Verdict
from infocheck.stats.kinetics import coupling_ceiling

if TYPE_CHECKING:
    import numpy as np

    from infocheck.dataset import Dataset

# Medians in mouse fibroblasts, hours (Schwanhäusser et al. 2011).
MRNA_HOURS, PROTEIN_HOURS = 9.0, 46.0
_GRID = (1.0, 3.0, 9.0, 24.0, PROTEIN_HOURS, 100.0)


@dataclass(frozen=True, kw_only=True)
class Proxy(Check):
    """What a regulator's mRNA can at most say of its protein.

    Expression alone cannot answer: the check is not assessed, and shows the
    kinetic ceiling as context. Misleads when taken for a measurement.
    """

    name = "proxy"
    title = "mRNA as a proxy"
    question = "Does mRNA stand in for the regulator's protein?"
    stage = Stage.PROXY
    unit = "correlation of mRNA and activity"
    needs = ("protein", "perturbation of regulators")
    references = ("schwanhausser2011",)
    computed = (
        "When transcription fluctuates around a steady state, the correlation between the mRNA "
        "and the protein of a gene is at most the square root of protein decay over the sum of "
        "both decays. The table shows this ceiling for an mRNA half-life of "
        f"{MRNA_HOURS:g} hours, the median in mouse fibroblasts, and a range of protein "
        "half-lives. It is context, computed from the literature and not from these data."
    )
    misleads = (
        "The ceiling holds for fluctuations within one state, not for differences between cell "
        "types. Half-lives differ between cells, and activity needs more than protein: "
        "modification, location, partners."
    )

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        rows = [
            {
                "mrna_half_life_hours": MRNA_HOURS,
                "protein_half_life_hours": hours,
                "ceiling": (ceiling := coupling_ceiling(MRNA_HOURS, hours)),
                "sample_inflation": 1 / ceiling**2,
            }
            for hours in _GRID
        ]
        return {"ceiling": pd.DataFrame(rows)}

    def judge(self, tables: Tables) -> Verdict:
        rows = tables["ceiling"].set_index("protein_half_life_hours")
        raise NotAssessed(
            "Expression alone cannot tell whether a regulator's mRNA follows its activity; "
            f"at median half-lives the correlation is at most "
            f"{rows.loc[PROTEIN_HOURS, 'ceiling']:.2f}. Bring protein levels, or perturbations "
            "of the regulators."
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        return {}
