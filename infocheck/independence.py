"""How many independent observations do the rows amount to?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

from infocheck import thresholds
from infocheck.stats import clustering
from infocheck.stats.resampling import LEVEL, jackknife_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from infocheck.dataset import Dataset
    from infocheck.roles import Role

GROUPINGS = ("donor", "batch")
QUANTILES = (0.1, 0.5, 0.9)
GROUPS = 20
# Genes of each kind that an autocorrelated size, and its error, are computed on.
SERIES_GENES, ERROR_GENES, ERROR_GROUPS = 100, 20, 10
# Added to the excess of the design effect before its logarithm is taken.
_SMALLEST_EXCESS = 0.01

# A row is fingerprinted only with this many values other than 0, or with no 0 at all.
MIN_FILLED = 20


@dataclass(frozen=True)
class Size:
    """Effective observations under one source of dependence between rows.

    Attributes
    ----------
    role, column
        What groups or orders the rows, and its column in obs.
    levels, rows
        Labelled levels and rows; for time, series and rows.
    icc
        Median intraclass correlation of the genes of the pairs; NaN for time.
    tenth, median, ninetieth
        Effective observations of the pair that 10, 50 and 90 % of all pairs stay below.
    low, high
        95 % interval of the median.
    contrast
        The same for the median target and an effect that is constant within a level;
        NaN for time.
    """

    role: str
    column: str
    levels: int
    rows: int
    icc: float
    tenth: float
    median: float
    ninetieth: float
    low: float
    high: float
    contrast: float

    @property
    def is_known(self) -> bool:
        """Are there enough levels to estimate it well?"""
        return self.role == "time" or self.levels >= thresholds.MIN_DONORS


def effective_size(data: Dataset) -> float:
    """Effective observations for the correlation of the median regulator-target pair.

    The smallest over donors, batches and time series that are labelled, and never
    more than the rows that do not repeat another. Of fewer than six donors or
    batches the upper end of the interval counts: so few say little, and checks that
    call something impossible must not rest on them. Without labels the distinct rows
    count as independent.
    """
    found = [size.median if size.is_known else size.high for size in sizes(data)]
    return min([float(distinct_rows(data)), *found])


def effective_interval(data: Dataset) -> tuple[float, float]:
    """95 % interval of :func:`effective_size`; of no width where nothing is labelled."""
    found, distinct = sizes(data), float(distinct_rows(data))
    if not found:
        return distinct, distinct
    size = deciding(found)
    return min(size.low, distinct), min(size.high, distinct)


def with_more_cells(data: Dataset, times: float) -> float:
    """Effective observations with ``times`` the rows in the same donors.

    From the design effect of the median pair, ``1 + (m0 - 1) d``: the product d of
    intraclass correlations stays, the rows m0 of the typical donor grow. Donors that are
    not labelled do not count. Never more than ``times`` as many.
    """
    now = effective_size(data)
    size = _clustered(data, "donor") if "donor" in data.roles else None
    if size is None:
        return times * now
    typical = clustering.mean_size(data.moments.levels["donor"].n.sum(axis=0)[:-1])
    effect = data.n / size.median
    product = (effect - 1) / max(typical - 1, 1.0)
    return now * times * effect / (1 + (times * typical - 1) * product)


def deciding(found: list[Size]) -> Size:
    """The source of dependence to name: the smallest size, of those that are known if any."""
    return min(found, key=lambda size: (not size.is_known, size.median))


def sizes(data: Dataset) -> list[Size]:
    """The effective size under every labelled source of dependence."""
    found = [_clustered(data, name) for name in GROUPINGS if name in data.roles]
    found.append(_ordered(data))
    return [size for size in found if size is not None]


def distinct_rows(data: Dataset) -> int:
    """Rows that do not repeat another; near-empty rows repeat by chance and count."""
    judged = fingerprinted(data)
    repeated = int(judged.sum()) - len(np.unique(data.moments.prints.fingerprint[judged]))
    return data.n - repeated


def fingerprinted(data: Dataset) -> np.ndarray:
    """Rows that hold enough values to be known again."""
    filled = data.moments.prints.filled
    full = not data.scan.integer and len(data.panel.genes) > 2
    return (filled >= MIN_FILLED) | (full & (filled == len(data.panel.genes)))


def _clustered(data: Dataset, name: str) -> Size | None:
    """Donors or batches: product of intraclass correlations of regulator and target."""
    role, sums = data.roles[name], data.moments.levels[name]
    genes, pairs = _pairs(data)
    # Rows that repeat others weigh less: each distinct row counts once.
    weight = distinct_rows(data) / data.n
    n = sums.n.sum(axis=0)[:-1] * weight
    total = sums.total.sum(axis=0)[:-1][:, genes] * weight
    squares = sums.squares[:-1][:, genes] * weight
    labelled = n.sum()
    if not labelled > len(n) >= 2:
        return None
    # Rows without a label are taken to be spread over the labelled levels.
    spread = weight * data.n / labelled

    def products(kept: np.ndarray, probability: float = 0.5) -> np.ndarray:
        plain = clustering.intraclass_correlation(n[kept], total[kept], squares[kept].sum(axis=0))
        return pairs(np.maximum(clustering.corrected(plain, n[kept], probability), 0.0))

    def of_median(product: np.ndarray) -> float:
        if not len(product):  # without this part no gene has an intraclass correlation
            return float("nan")
        return float(clustering.effective_size(scaled, 1.0, np.median(product))[0, 0])

    everything = np.arange(len(n))
    whole = products(everything)
    if not len(whole):
        return None
    icc = clustering.corrected(clustering.intraclass_correlation(n, total, squares.sum(axis=0)), n)
    scaled = n * spread
    values = clustering.effective_size(scaled, 1.0, np.quantile(whole, QUANTILES[::-1]))[0]
    if len(n) < thresholds.MIN_DONORS:
        # Too few for a jackknife: the errors of all genes are taken to be the same one.
        low, high = (of_median(products(everything, (1 + s * LEVEL) / 2)) for s in (1, -1))
    else:
        low, high = _jackknife(
            float(values[1]),
            lambda kept: of_median(products(kept)),
            everything % GROUPS,
            bounds=(scaled.sum() / clustering.mean_size(scaled), scaled.sum()),
        )
    return Size(
        name,
        role.column,
        len(n),
        int((role.codes >= 0).sum()),
        float(np.nanmedian(icc)),
        *values.tolist(),
        low,
        high,
        float(np.nanmedian(clustering.effective_size_of_contrast(scaled, icc[data.panel.p :]))),
    )


def _ordered(data: Dataset) -> Size | None:
    """A time series: autocorrelation of regulator and target, on the rows in order."""
    role, sample = data.roles.get("time"), data.moments.sample
    if role is None or not role.is_series or len(sample.rows) < data.n:
        return None
    panel, series = data.panel, _runs(role)
    chosen = _spaced(np.arange(panel.p), SERIES_GENES)
    regulators, targets = sample.values[:, chosen], sample.values[:, panel.sampled]
    size = clustering.autocorrelated_size(regulators, targets, series)
    size[chosen[:, None] == panel.own] = np.nan
    values = np.nanquantile(size, QUANTILES)
    few = [
        part[:, _spaced(np.arange(part.shape[1]), ERROR_GENES)] for part in (regulators, targets)
    ]

    def without(kept: np.ndarray) -> float:
        # A gap ends a series.
        gap = np.concatenate([[0], np.cumsum(np.diff(kept) > 1)])
        runs = series[kept] + gap * (series[-1] + 1)
        part = clustering.autocorrelated_size(few[0][kept], few[1][kept], runs)
        return float(np.median(part)) * data.n / len(kept)

    group = data.splits.group % ERROR_GROUPS
    low, high = _jackknife(float(values[1]), without, group, bounds=(1.0, float(data.n)))
    count = int(series.max()) + 1
    nothing = math.nan
    return Size("time", role.column, count, data.n, nothing, *values.tolist(), low, high, nothing)


def _runs(role: Role) -> np.ndarray:
    """Series of each row: a new one starts where time does not go on."""
    ends = (np.diff(role.codes) <= 0) | (role.codes[1:] < 0)
    return np.concatenate([[0], np.cumsum(ends)])


def _spaced(values: np.ndarray, count: int) -> np.ndarray:
    """At most that many of the values, evenly spaced."""
    return values[np.unique(np.linspace(0, len(values) - 1, count).astype(int))]


def _pairs(data: Dataset) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Panel genes of the pairs, and what multiplies their values over all pairs.

    Pairs of regulators and the targets that stability is judged on, without those of
    a gene with itself and those of genes that are not defined.
    """
    panel = data.panel
    own = np.flatnonzero(panel.own >= 0)

    def products(value: np.ndarray) -> np.ndarray:
        table = np.outer(value[: panel.p], value[panel.p :])
        table[panel.own[own], own] = np.nan
        return table[np.isfinite(table)]

    return np.concatenate([np.arange(panel.p), panel.sampled]), products


def _jackknife(
    estimate: float,
    without: Callable[[np.ndarray], float],
    group: np.ndarray,
    bounds: tuple[float, float],
) -> tuple[float, float]:
    """95 % interval of a size: leave-one-group-out on the log excess of the design effect.

    On that scale errors are of one size whatever the clustering.
    """
    groups = np.unique(group)
    most = bounds[1]

    def scale(size: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(most / size - 1, 0.0) + _SMALLEST_EXCESS)

    left = np.array([without(np.flatnonzero(group != g)) for g in groups])
    half = t.ppf((1 + LEVEL) / 2, len(groups) - 1) * float(jackknife_error(scale(left)))
    middle = float(scale(np.array(estimate)))
    largest, smallest = (
        max(math.exp(min(middle + step, 700.0)) - _SMALLEST_EXCESS, 0.0) for step in (half, -half)
    )
    low, high = (min(max(most / (1 + x), bounds[0]), most) for x in (largest, smallest))
    return min(low, estimate), max(high, estimate)
