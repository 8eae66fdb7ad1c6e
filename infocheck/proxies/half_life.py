"""Half-lives: how closely the protein of a regulator can follow its mRNA at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.proxies.table import CEILING, evidence_table
from infocheck.stats.kinetics import ceiling_interval, coupling_ceiling

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

KEY = "half_life"
# Half-lives come without errors, and from other cells: the ratio of both is taken to be off by
# up to this factor (a convention).
FOLD = 2.0


def ceilings(data: Dataset) -> pd.DataFrame:
    """Half-lives and ceilings of each regulator whose half-lives the user gave.

    The observable ceiling is that of the correlation which these data can show: counting noise
    of the mRNA lowers it (unknown without counts, and empty then). The protein is taken to be
    measured without noise.
    """
    names, mrna, protein, positions = _given(data)
    ceiling = coupling_ceiling(mrna, protein)
    low, high = ceiling_interval(mrna, protein, FOLD)
    noise = data.moments.technical
    seen = np.full(len(names), np.nan) if noise is None else noise.reliability()[positions]
    return pd.DataFrame(
        {
            "regulator": names,
            "mrna_half_life_hours": mrna,
            "protein_half_life_hours": protein,
            "ceiling": ceiling,
            "ceiling_low": low,
            "ceiling_high": high,
            "observable_ceiling": ceiling * np.sqrt(seen),
            "least_inflation": 1 / ceiling**2,
        }
    )


def evidence(table: pd.DataFrame) -> pd.DataFrame:
    """The ceilings in the common format."""
    ends = (table[name].to_numpy(float) for name in ("ceiling", "ceiling_low", "ceiling_high"))
    names = table["regulator"].to_numpy(object)
    return evidence_table(names, KEY, CEILING, *ends, np.zeros(len(names)))


def _given(data: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Names, both half-lives and panel positions of regulators that have both."""
    regulators = data.panel.expressed
    lives = data.evidence.half_lives
    if lives is None:
        return np.empty(0, dtype=object), np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)
    genes = data.panel.genes[regulators]
    mrna, protein = lives.mrna[genes], lives.protein[genes]
    both = np.isfinite(mrna) & np.isfinite(protein)
    return data.names(regulators[both]), mrna[both], protein[both], regulators[both]
