"""The common format of evidence: one row for each regulator and kind of evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd

ESTIMATE, CEILING = "estimate", "ceiling"
COLUMNS = (
    "regulator",
    "evidence",
    "kind",
    "coupling",
    "coupling_low",
    "coupling_high",
    "observations",
)


def evidence_table(
    regulator: np.ndarray,
    evidence: str,
    kind: str,
    coupling: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    observations: np.ndarray,
) -> pd.DataFrame:
    """Rows of one kind of evidence.

    Parameters
    ----------
    regulator
        Names, shape (r,); none is allowed.
    evidence
        Short key of what this rests on.
    kind
        ``estimate`` of the correlation of mRNA and activity, or ``ceiling`` of it.
    coupling, low, high
        In [-1, 1], with the ends of its interval, shape (r,).
    observations
        Rows that it rests on; 0 for what was not measured here, shape (r,).
    """
    values = (regulator, evidence, kind, coupling, low, high, observations)
    table = pd.DataFrame(dict(zip(COLUMNS, values, strict=True)), index=range(len(regulator)))
    return table.astype({"regulator": object, "evidence": object, "kind": object})


def no_evidence() -> pd.DataFrame:
    """The table without rows."""
    nothing = np.empty(0)
    return evidence_table(nothing.astype(object), "", "", nothing, nothing, nothing, nothing)
