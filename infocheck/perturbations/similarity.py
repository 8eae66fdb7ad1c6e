"""How far halves repeat a response, which responses are alike, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck.perturbations.deltas import Deltas
from infocheck.stats import responses as stats
from infocheck.stats.groups import centred
from infocheck.stats.profiles import correlation
from infocheck.stats.resampling import fisher_interval, median_interval, some

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Responses that are compared with each other, the largest first, and pairs in the table: all
# of 40 responses.
MOST_COMPARED = 200
MOST_PAIRS = 780
_NOISE_ROWS = 1000
_GENE_GROUPS = 20


def independent_genes(data: Dataset, rng: np.random.Generator) -> float:
    """As how many independent genes the noise of the panel counts; NaN in few rows."""
    arms, sample = data.arms, data.moments.sample
    chosen = some(len(sample.rows), _NOISE_ROWS, rng)
    rows = sample.rows[chosen]
    group = arms.stratum[arms.block[rows]] * (arms.level.max() + 1) + arms.level[rows]
    inside = centred(
        sample.values[chosen] - data.moments.shift, group=np.unique(group, return_inverse=True)[1]
    )
    return stats.effective_columns(inside, len(rows) - len(np.unique(group)))


def agreement(deltas: Deltas, genes: float) -> pd.DataFrame:
    """Correlation between halves, per perturbation, and the ceiling that follows from it.

    Means over three ways to halve; the perturbed gene is left out. The interval is Fisher's
    for as many independent genes as the noise of rows has. Columns ``agreement``, ``ceiling``
    with intervals.
    """
    kept = deltas.without_targets()
    each = np.array([correlation(a, b, kept, constant=np.nan) for a, b in deltas.halves])
    r = each.mean(axis=0)
    low, high = fisher_interval(r, genes)
    return pd.DataFrame(
        {
            "agreement": r,
            "agreement_low": np.where(np.isfinite(r), low, np.nan),
            "agreement_high": np.where(np.isfinite(r), high, np.nan),
            "ceiling": stats.ceiling(r),
            "ceiling_low": stats.ceiling(np.where(np.isfinite(r), low, np.nan)),
            "ceiling_high": stats.ceiling(np.where(np.isfinite(r), high, np.nan)),
        }
    )


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Median agreement over perturbations, with an interval between order statistics."""
    value, low, high = median_interval(table["agreement"].to_numpy(float))
    return {"agreement": value, "agreement_low": low, "agreement_high": high}


def similar(
    deltas: Deltas, chosen: np.ndarray, genes: float
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Likeness of the chosen perturbations, and how many different responses they are.

    Parameters
    ----------
    deltas
        Responses.
    chosen
        Positions of the perturbations to compare, the largest response first.
    genes
        Independent genes, for the intervals.

    Returns
    -------
    table
        One row a pair, the most alike first, at most 780: ``first``, ``second``,
        ``correlation`` between halves with its interval, ``corrected`` for their noise.
    number
        ``effective_number`` with its interval, and ``compared``.
    """
    whole = np.isfinite(deltas.halves[:, :, chosen]).all(axis=(0, 1, 3))
    chosen = np.asarray(chosen)[whole][:MOST_COMPARED]
    halves, kept = deltas.halves[:, :, chosen], deltas.without_targets()[chosen]
    columns = ["first", "second", "correlation", "correlation_low", "correlation_high", "corrected"]
    number = {"effective_number": np.nan, "effective_number_low": np.nan}
    number |= {"effective_number_high": np.nan, "compared": len(chosen)}
    if len(chosen) < 2:
        return pd.DataFrame(columns=columns), number
    raw, corrected = stats.similarity(halves, kept)
    first, second = np.triu_indices(len(chosen), 1)
    order = np.argsort(-np.abs(np.nan_to_num(raw[first, second])), kind="stable")
    first, second = first[order][:MOST_PAIRS], second[order][:MOST_PAIRS]
    r = raw[first, second]
    low, high = fisher_interval(r, genes)
    names = deltas.names[chosen]
    values = names[first], names[second], r, low, high, corrected[first, second]
    group = np.arange(kept.shape[1]) % _GENE_GROUPS
    found = stats.effective_number(halves, kept, group)
    keys = ("effective_number", "effective_number_low", "effective_number_high")
    number |= dict(zip(keys, found, strict=True))
    return pd.DataFrame(dict(zip(columns, values, strict=True))), number
