"""All evidence of how far the mRNA of a regulator stands for its activity, as one range."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from infocheck import thresholds
from infocheck.proxies import half_life, protein, regulon, response
from infocheck.proxies.table import CEILING, COLUMNS, ESTIMATE, no_evidence
from infocheck.result import INFINITY
from infocheck.stats.resampling import median_interval

if TYPE_CHECKING:
    from infocheck.dataset import Dataset


class Kind(NamedTuple):
    """One kind of evidence.

    ``details(data, rng)`` gives the table that the page shows, or None; ``evidence(details)`` what
    of it says something of a regulator, with these COLUMNS.
    """

    key: str
    details: Callable[[Dataset, np.random.Generator], pd.DataFrame | None]
    evidence: Callable[[pd.DataFrame], pd.DataFrame]


EVIDENCE = (
    Kind(half_life.KEY, lambda data, rng: half_life.ceilings(data), half_life.evidence),
    Kind(protein.KEY, protein.compared, protein.evidence),
    Kind(regulon.KEY, regulon.couplings, regulon.evidence),
    Kind(response.KEY, response.responses, response.evidence),
)
# Computed from the same correlations of mRNA that the network is made of.
SAME_DATA = frozenset({"regulon"})
SEED = 0
# Where more of the ranges than this lie wholly above their ceiling, which chance brings about
# in one of forty, half-lives are not those of these data and no range is cut (a convention).
MOST_ABOVE = 0.10
# Fewer regulators than this say nothing of all.
FEWEST = thresholds.MIN_REGULATORS


@dataclass(frozen=True)
class Summary:
    """The regulator in the middle.

    Attributes
    ----------
    estimate, low, high
        Median over assessed regulators of the coupling, and of the ends of its ranges, each
        widened by the 95 % interval of that median; NaN where none is assessed.
    assessed, regulators
        Regulators with an estimate, and all that vary.
    other
        Regulators with an estimate that rests on more than correlations of mRNA.
    """

    estimate: float
    low: float
    high: float
    assessed: int
    regulators: int
    other: int


@dataclass(frozen=True)
class Coupling:
    """Correlation of mRNA and activity of the regulators of a data set.

    The correlation lies in [-1, 1]. A negative one is kept: mRNA then says where activity is
    low, and signs of edges come out reversed. How many more samples it costs depends on its
    square alone.

    Attributes
    ----------
    by_evidence
        One row for each regulator and kind of evidence, see :mod:`infocheck.proxies.table`.
    regulators
        One row for each regulator with an estimate: ``regulator``, ``coupling`` (mean of its
        estimates, inside the range), ``coupling_low``, ``coupling_high``, ``inflation_low``,
        ``inflation_high`` (1/ρ² at both ends, "infinity" where the range holds 0), ``evidence``
        (keys, joined by commas), ``above_ceiling`` (does the whole range lie above the kinetic
        ceiling? None without one).
    summary
        The regulator in the middle.
    details
        What stands behind ``by_evidence``, by key of the kind of evidence.
    """

    by_evidence: pd.DataFrame
    regulators: pd.DataFrame
    summary: Summary
    details: Mapping[str, pd.DataFrame | None] = field(default_factory=dict)

    @property
    def is_assessed(self) -> bool:
        """Do enough regulators have an estimate?"""
        return self.summary.assessed >= FEWEST

    @property
    def strength(self) -> tuple[float, float, float]:
        """Absolute correlation of the middle regulator: at least, about, at most."""
        low, high = strength(self.summary.low, self.summary.high)
        return float(low), abs(self.summary.estimate), float(high)


def of(data: Dataset, seed: int = SEED) -> Coupling:
    """Everything that the evidence beside expression says of the coupling.

    Parameters
    ----------
    data
        With moments.
    seed
        Each kind of evidence draws from a stream keyed by this and its own name, so that all
        checks see the same numbers and one more kind changes no other.

    Notes
    -----
    Estimates of one regulator are joined as the hull of their intervals. A kinetic ceiling
    cuts the upper end, unless it lies below the lower one: the ceiling is that of fluctuations
    around a steady state, so measured differences between cell states may exceed it, and the
    estimate is kept. Where that is so for more than one regulator in ten, no range is cut.
    """
    return data.once(f"coupling {seed}", lambda: _of(data, seed))


def _of(data: Dataset, seed: int) -> Coupling:
    details = {kind.key: kind.details(data, stream(seed, kind.key)) for kind in EVIDENCE}
    tables = [kind.evidence(details[kind.key]) for kind in EVIDENCE]
    tables = [table for table in tables if len(table)]
    joined = pd.concat(tables, ignore_index=True) if tables else no_evidence()
    found = combined(joined[list(COLUMNS)], len(data.panel.expressed))
    return replace(found, details=details)


def stream(seed: int, key: str) -> np.random.Generator:
    """The generator of one kind of evidence."""
    return np.random.default_rng([seed, zlib.crc32(key.encode())])


def combined(by_evidence: pd.DataFrame, regulators: int) -> Coupling:
    """One range for each regulator, from rows of any evidence.

    Parameters
    ----------
    by_evidence
        Rows in the common format.
    regulators
        Number of regulators that vary, with evidence or without.
    """
    known = by_evidence.dropna(subset=["coupling", "coupling_low", "coupling_high"])
    found = known[known["kind"] == ESTIMATE].groupby("regulator", sort=True)
    table = pd.DataFrame(
        {
            "coupling": found["coupling"].mean(),
            "coupling_low": found["coupling_low"].min(),
            "coupling_high": found["coupling_high"].max(),
            "evidence": found["evidence"].agg(lambda keys: ", ".join(dict.fromkeys(keys))),
        }
    )
    ceiling = known[known["kind"] == CEILING].groupby("regulator")["coupling_high"].min()
    limit = ceiling.reindex(table.index)
    above = (limit < table["coupling_low"]).to_numpy()
    given = limit.notna().to_numpy()
    if given.any() and above.sum() <= MOST_ABOVE * given.sum():
        cut = np.fmin(table["coupling_high"], limit)
        table["coupling_high"] = np.where(above, table["coupling_high"], cut)
    table["coupling"] = table["coupling"].clip(table["coupling_low"], table["coupling_high"])
    table["inflation_low"], table["inflation_high"] = inflation(
        table["coupling_low"].to_numpy(float), table["coupling_high"].to_numpy(float)
    )
    table["above_ceiling"] = np.where(given, above.astype(object), None)
    table = table.rename_axis("regulator").reset_index()
    order = ["regulator", "coupling", "coupling_low", "coupling_high"]
    table = table[[*order, "inflation_low", "inflation_high", "evidence", "above_ceiling"]]
    return Coupling(by_evidence, table, _summary(table, regulators))


def strength(low: np.ndarray | float, high: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest absolute value inside a range; the least is 0 where it holds 0."""
    ends = np.abs(low), np.abs(high)
    least = np.where(np.multiply(low, high) <= 0, 0.0, np.minimum(*ends))
    return least, np.maximum(*ends)


def inflation(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many times the samples it takes, 1/ρ², at the least and at the most.

    Of a target that its regulators' mRNA is independent of, given their activity: all its
    correlations shrink by ρ. Infinite values are the word that stands for them in a table.
    """
    least, most = strength(low, high)
    return tuple(
        np.array([1 / s**2 if s > 0 else INFINITY for s in ends], dtype=object)
        for ends in (most, least)
    )


def _summary(table: pd.DataFrame, regulators: int) -> Summary:
    columns = ("coupling", "coupling_low", "coupling_high")
    middle, lows, highs = (median_interval(table[name].to_numpy(float)) for name in columns)
    only = table["evidence"].map(lambda keys: set(keys.split(", ")) <= SAME_DATA)
    other = int((~only.astype(bool)).sum()) if len(table) else 0
    return Summary(middle[0], lows[1], highs[2], len(table), regulators, other)
