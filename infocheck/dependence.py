"""Do rows share noise, as after repeating, pooling, smoothing, imputing or denoising?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infocheck import thresholds
from infocheck.independence import distinct_rows, fingerprinted
from infocheck.moments import sampled_counts
from infocheck.stats import shared_noise

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.dataset import Dataset

# Neighbours of a row that must share its noise; one or two replicates are not enough.
NEIGHBOURS = slice(1, 5)
MIN_ROWS, MIN_GENES, MIN_RANK = 100, 80, 40
NEIGHBOUR_GENES = 800
# Genes that a numerical rank is computed on, and what counts as zero in single precision.
RANK_GENES, TOLERANCE = 400, 1e-5


@dataclass(frozen=True)
class Finding:
    """One test of whether rows share reads or noise.

    Attributes
    ----------
    test
        What was looked at.
    value, expected, limit
        What was seen, what independent rows show, and from where on it is a finding.
    found
        Was the limit passed, sampling error included?
    reason
        A finding in words, as a clause; empty where nothing was found.
    """

    test: str
    value: float
    expected: float
    limit: float
    found: bool
    reason: str

    @classmethod
    def of(
        cls, test: str, value: float, expected: float, limit: float, found: bool, reason: str
    ) -> Finding:
        return cls(test, value, expected, limit, found, reason if found else "")


def dependence(data: Dataset) -> list[Finding]:
    """Tests for rows that are repeated, pooled, smoothed, imputed or denoised.

    Each is made only where data of this kind and size can answer. Nothing found is no
    proof: after light smoothing, or in few rows, nothing is seen. Misleads where many
    nearly noiseless rows repeat one condition.
    """
    found = [_repeated(data), _rank(data)]
    halves = _halves(data)
    if halves is not None:
        found[1:1] = [_reads(data, halves), _residuals(data, halves)]
    return [finding for finding in found if finding is not None]


def dependence_table(data: Dataset) -> pd.DataFrame:
    """The findings as a tidy table, one row a test; see :class:`Finding`."""
    import pandas as pd

    columns = ["test", "value", "expected", "limit", "found", "reason"]
    return pd.DataFrame([vars(finding) for finding in dependence(data)], columns=columns)


def _repeated(data: Dataset) -> Finding | None:
    """Rows that repeat another."""
    if not fingerprinted(data).any():
        return None
    share = 1 - distinct_rows(data) / data.n
    limit = thresholds.REPEATED_ROWS
    return Finding.of(
        "Rows that repeat another",
        share,
        0.0,
        limit,
        share > limit,
        f"{share:.0%} of the rows repeat another row value for value",
    )


@dataclass(frozen=True)
class _Halves:
    """Neighbours of every sampled row in one half of the genes, and the other half."""

    chosen: np.ndarray
    tested: np.ndarray
    neighbours: np.ndarray


def _halves(data: Dataset) -> _Halves | None:
    values = data.moments.sample.values
    columns = _mixed(data)[:NEIGHBOUR_GENES]
    if len(values) < MIN_ROWS or len(columns) < MIN_GENES:
        return None
    middle = len(columns) // 2
    chosen = shared_noise.varying(values[:, columns[:middle]])
    return _Halves(chosen, columns[middle:], shared_noise.nearest(chosen, NEIGHBOURS.stop))


def _mixed(data: Dataset) -> np.ndarray:
    """Panel columns of regulators and stability targets, in the same mixed order always."""
    return np.random.default_rng(0).permutation(data.panel.half_columns)


def _reads(data: Dataset, halves: _Halves) -> Finding | None:
    """Counts: do neighbours differ by at least their counting noise?"""
    counted = sampled_counts(data, genes=halves.tested)
    if counted is None:
        return None
    counts, size = counted
    totals = data.scan.totals[data.kept][data.moments.sample.rows]
    ratio = shared_noise.counting_noise_ratio(counts, size, totals, halves.neighbours[:, 0])
    if not math.isfinite(ratio.value):
        return None
    limit = thresholds.SHARED_READS
    return Finding.of(
        "Difference of neighbouring rows over counting noise",
        ratio.value,
        1.0,
        limit,
        ratio.value + 2 * ratio.error < limit,
        f"neighbouring rows differ by only {ratio.value:.0%} of what counting noise makes of "
        "independent rows, so they share reads, as after pooling or smoothing",
    )


def _residuals(data: Dataset, halves: _Halves) -> Finding | None:
    """Any values: is what other genes do not explain alike in neighbouring rows?"""
    time = data.roles.get("time")
    if time is not None and time.is_series:
        return None  # neighbours in time are alike by themselves
    tested = shared_noise.varying(data.moments.sample.values[:, halves.tested])
    shared = shared_noise.shared_residuals(halves.chosen, tested, halves.neighbours[:, NEIGHBOURS])
    if not math.isfinite(shared.value):
        return None
    limit = thresholds.SHARED_NOISE
    return Finding.of(
        "Noise shared by neighbouring rows",
        shared.value,
        0.0,
        limit,
        shared.value - 2 * shared.error > limit,
        f"neighbouring rows share {max(shared.value, 0):.0%} of their measurement noise, as after "
        "smoothing, imputation or pooling",
    )


def _rank(data: Dataset) -> Finding | None:
    """Any values: do the rows fill all directions, as measurement noise does?"""
    columns = _mixed(data)[:RANK_GENES]
    values = shared_noise.varying(data.moments.sample.values[:, columns])
    most = min(len(values) - 1, values.shape[1])
    if most < MIN_RANK:
        return None
    rank = shared_noise.numerical_rank(values, TOLERANCE)
    limit = thresholds.FILLED_DIRECTIONS
    return Finding.of(
        "Directions that the rows fill",
        rank / most,
        1.0,
        limit,
        rank / most < limit,
        f"{len(values):,} rows of {values.shape[1]:,} genes fill only {rank} of {most} "
        "directions, as after denoising by a few components",
    )
