"""Which edges belong to recorded factors, and how strong an unrecorded one would have to be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from infocheck import plotting
from infocheck.confounders.factors import NUISANCE, Factors
from infocheck.independence import effective_size
from infocheck.plotting import Chart
from infocheck.splits import FOLDS
from infocheck.stats import robustness
from infocheck.stats.covariance_split import Split, largest_correlation
from infocheck.stats.resampling import jackknife_error, t_interval
from infocheck.stats.variance import Normal

if TYPE_CHECKING:
    from infocheck.dataset import Dataset
    from infocheck.stats.sums import CrossSums

# The strongest edges: so many, and at most this share of all pairs.
EDGES, STRONGEST = 1000, 0.1
# Of these so many stand in the tables; shares are of all.
SHOWN = 200
# Names of several factors at once.
JOINT, ALL = "batch_and_donor", "all_factors"
# An edge vanishes when less than this part of its correlation is left.
LEFT = 0.5
# Factors that take so much of what the largest takes are as large.
NEARLY = 0.9
_CRITICAL = float(norm.ppf(0.975))


@dataclass(frozen=True)
class _Edges:
    """Strongest pairs of a regulator and another gene, panel positions."""

    lead: np.ndarray
    other: np.ndarray

    @classmethod
    def of(cls, correlation: np.ndarray) -> _Edges:
        """Largest |r| above the diagonal: no gene with itself, two regulators once."""
        size = np.abs(np.triu(correlation, 1)).ravel()
        p, g = correlation.shape
        pairs = _pairs(p, g)
        most = min(EDGES, max(math.ceil(STRONGEST * pairs), 1), int((size > 0).sum()))
        if not most:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64))
        chosen = np.argpartition(-size, most - 1)[:most]
        chosen = chosen[np.lexsort((chosen, -size[chosen]))]
        return cls(*np.divmod(chosen, g))

    def __len__(self) -> int:
        return len(self.lead)


@dataclass(frozen=True)
class _Part:
    """Edges split by a factor, or by several; what the other factors leave of them."""

    split: Split
    with_regulator: np.ndarray
    with_target: np.ndarray
    reach: np.ndarray


def of(data: Dataset, factors: Factors | None, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Tables of the strongest edges and of what recorded factors do to them.

    Parameters
    ----------
    data
        With moments.
    factors
        ``Factors.of(data)``; None gives no tables.
    rng
        Not used: nothing is drawn.

    Returns
    -------
    dict
        ``edges``: of the 200 strongest edges, regulator, target, ``r``; for every factor
        (and batch and donor, and all) ``FACTOR_share`` of the covariance between its levels
        and ``FACTOR_within_r``; ``vanishes_within`` and ``flips_within``, names of factors.

        ``edge_robustness``: of the same edges ``partial_r`` given all recorded factors,
        ``robustness`` with interval, the recorded factor that reaches farthest
        (``strongest_factor``), its adjusted ``partial_r2_with_regulator`` and
        ``partial_r2_with_target``, the largest robustness that it can null (``reach``) and
        whether a hidden one like it ``could_null`` the edge.

        ``edge_factors``: one row a factor; of all strongest edges the share that vanishes
        (less than half of the correlation is left) and flips, the mean share of the
        covariance between levels (``chance_share`` of which a factor without effect takes),
        the share that a hidden factor like it could null, medians of its partial R²; of all
        pairs the number that it could correlate significantly on its own, and how much.

        ``edge_summary``: one row; how many edges, the median robustness, and the share that a
        hidden factor like the strongest recorded one of each edge could null.

    Notes
    -----
    Intervals are 95 %, from leaving out each of five folds of the rows, which keep donors
    and time series whole, with the same edges. That they were chosen as the strongest is
    not in them. Correlations count as beyond their sampling error by the effective number
    of rows (:func:`infocheck.independence.effective_size`), less what the factor takes.
    """
    if factors is None:
        return {}
    sums = data.moments.total()
    correlation = sums.correlation()
    edges = _Edges.of(correlation)
    if not len(edges):
        return {}
    effective = effective_size(data)
    normal = factors.normal()
    designs = _designs(factors)
    others = {name: _others(name, normal, designs) for name in designs}
    whole = _parts(normal, sums, designs, others, edges)
    tasks = data.engine.map(
        lambda part: _statistics(_parts(*part, designs, others, edges), effective),
        _without_folds(data, factors),
    )
    estimate = _statistics(whole, effective)
    intervals = {key: _interval(estimate[key], [t[key] for t in tasks], key) for key in estimate}
    names = data.names(np.arange(sums.gram.shape[1]))
    bounds = _bounds(normal, designs, sums, _critical_correlation(effective))
    return {
        "edges": _edge_table(edges, whole, names, effective),
        "edge_robustness": _robustness_table(edges, whole, names, effective),
        "edge_factors": _factor_table(factors, whole, intervals, bounds, effective),
        "edge_summary": _summary(correlation, edges, factors, intervals, effective),
    }


def _designs(factors: Factors) -> dict[str, np.ndarray]:
    """Design columns of each factor, of batch and donor, and of all."""
    designs = dict(factors.columns)
    if all(name in designs for name in NUISANCE):
        designs[JOINT] = factors.of_names(*NUISANCE)
    designs[ALL] = factors.of_names(*factors.columns)
    return designs


def _parts(
    normal: Normal,
    sums: CrossSums,
    designs: Mapping[str, np.ndarray],
    others: Mapping[str, np.ndarray],
    edges: _Edges,
) -> dict[str, _Part]:
    def split(columns: np.ndarray) -> Split:
        return Split.of_pairs(sums, normal.loadings(columns), edges.lead, edges.other)

    parts = {}
    for name, columns in designs.items():
        whole = split(np.union1d(others[name], columns))
        x, y = robustness.partial_shares(whole, split(others[name]))
        own = whole if name == ALL else split(columns)
        parts[name] = _Part(own, x, y, robustness.reach(x, y))
    return parts


def _others(name: str, normal: Normal, designs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Columns of all other factors but those that determine this one, as donors do batches.

    Beside a factor that determines it nothing would be left of it.
    """
    own = designs[name]
    beside = [np.empty(0, np.int64)]
    for other, columns in designs.items():
        if other in (JOINT, ALL) or np.isin(columns, own).any():
            continue
        both = np.union1d(columns, own)
        if normal.rank(both) > normal.rank(columns):
            beside.append(columns)
    return np.concatenate(beside)


def _without_folds(data: Dataset, factors: Factors) -> list[tuple[Normal, CrossSums]]:
    """Normal equations and sums of all rows but those of each fold."""
    by_fold, total = _by_fold(factors), data.moments.total()
    return [
        (by_fold.normal(fold), total - data.moments.folds[fold]) for fold in range(len(by_fold.n))
    ]


def _by_fold(factors: Factors) -> Factors:
    """The same sums by fold: folds are made of whole groups, group g in fold g modulo 5."""
    groups = len(factors.n)
    folds = [np.arange(groups) % FOLDS == fold for fold in range(min(FOLDS, groups))]

    def add(parts: np.ndarray) -> np.ndarray:
        return np.stack([parts[fold].sum(axis=0) for fold in folds])

    names = ("n", "x", "xx", "xy", "y", "yy")
    return replace(factors, **{name: add(getattr(factors, name)) for name in names})


# What is said of all edges, each from a list of parts and its own bounds.
_RANGES = {"between_share": (-math.inf, math.inf)}


def _statistics(parts: Mapping[str, _Part], effective: float) -> dict[tuple[str, str], float]:
    """What is said of all strongest edges, by factor and statistic."""
    found = {}
    for name, part in parts.items():
        found[name, "vanish_share"] = _mean(_vanishes(part.split), part.split)
        found[name, "flip_share"] = _mean(_flips(part.split, effective), part.split)
        found[name, "between_share"] = _average(part.split.share)
        strength = robustness.of_correlation(parts[ALL].split.within_correlation)
        found[name, "could_null_share"] = _mean(strength <= part.reach, parts[ALL].split)
        for end in ("with_regulator", "with_target"):
            found[name, f"partial_r2_{end}"] = _median(getattr(part, end))
    found[ALL, "robustness"] = _median(strength)
    farthest = np.nanmax([_known(parts[name].reach) for name in _single(parts)], axis=0)
    found[ALL, "strongest_could_null"] = _mean(strength <= farthest, parts[ALL].split)
    return found


def _mean(flag: np.ndarray, split: Split) -> float:
    """Share of the edges; NaN where the factors leave no rows to see it in."""
    return float(flag.mean()) if split.freedom >= 2 else math.nan


def _known(reach: np.ndarray) -> np.ndarray:
    """What a factor reaches; nothing where that is unknown."""
    return np.nan_to_num(reach, nan=0.0)


def _average(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else math.nan


def _interval(estimate: float, left_out: list[float], key: tuple[str, str]) -> tuple:
    """Estimate with its 95 % interval over the folds."""
    bounds = _RANGES.get(key[1], (0.0, 1.0))
    error = float(jackknife_error(np.array(left_out))) if len(left_out) > 1 else math.nan
    return (estimate, *t_interval(estimate, error, len(left_out), bounds))


def _vanishes(split: Split) -> np.ndarray:
    return np.abs(split.within_correlation) < LEFT * np.abs(split.correlation)


def _flips(split: Split, effective: float) -> np.ndarray:
    """Another sign within, with both correlations beyond their sampling error."""
    inside = split.within_correlation
    beyond = _beyond(split.correlation, effective) & _beyond(inside, _left(split, effective))
    return beyond & (np.sign(inside) != np.sign(split.correlation))


def _beyond(r: np.ndarray, rows: float) -> np.ndarray:
    return np.abs(r) > _critical_correlation(rows)


def _left(split: Split, effective: float) -> float:
    """Effective rows that are left when the factor has taken its share."""
    return effective * max(split.freedom, 0.0) / (split.n - 1)


def _critical_correlation(rows: float) -> float:
    """Significant at the 5 % level, two-sided."""
    return math.tanh(_CRITICAL / math.sqrt(rows - 3)) if rows > 3 else 1.0


def _bounds(
    normal: Normal, designs: Mapping[str, np.ndarray], sums: CrossSums, critical: float
) -> dict[str, tuple[int, float]]:
    """Per factor the pairs that it could correlate significantly alone, and the largest |r|."""
    p = len(sums.gram)
    found = {}
    for name, columns in designs.items():
        share = normal.adjusted(columns)
        bound = np.triu(largest_correlation(share[:p], share), 1)
        found[name] = int((bound > critical).sum()), float(bound.max(initial=0.0))
    return found


def _names(parts: Mapping[str, _Part], flag: Callable[[Split], np.ndarray]) -> np.ndarray:
    """For each edge the factors of which this is so, or all if only of all; None of none."""
    single = np.array([words(name) for name in _single(parts)])
    table = np.stack([flag(parts[name].split) for name in _single(parts)], axis=1)
    together = [words(ALL) if row else None for row in flag(parts[ALL].split)]
    joined = [", ".join(single[row]) or more for row, more in zip(table, together, strict=True)]
    return np.array(joined, dtype=object)


def _single(names: Iterable[str]) -> list[str]:
    """Factors of their own, without those that are several at once."""
    return [name for name in names if name not in (JOINT, ALL)]


def _edge_table(
    edges: _Edges, parts: Mapping[str, _Part], names: np.ndarray, effective: float
) -> pd.DataFrame:
    columns = {"regulator": names[edges.lead], "target": names[edges.other]}
    columns["r"] = parts[ALL].split.correlation
    for name, part in parts.items():
        columns[f"{name}_share"] = part.split.share
        columns[f"{name}_within_r"] = part.split.within_correlation
    columns["vanishes_within"] = _names(parts, _vanishes)
    columns["flips_within"] = _names(parts, lambda split: _flips(split, effective))
    return pd.DataFrame(columns).head(SHOWN)


def _robustness_table(
    edges: _Edges, parts: Mapping[str, _Part], names: np.ndarray, effective: float
) -> pd.DataFrame:
    split = parts[ALL].split
    r = split.within_correlation
    low, high = _size_interval(r, _left(split, effective))
    single = _single(parts)

    def of_strongest(values: list[np.ndarray]) -> np.ndarray:
        return np.take_along_axis(np.stack(values), best[None], axis=0)[0]

    reach = [_known(parts[name].reach) for name in single]
    best = np.argmax(np.stack(reach), axis=0)
    strength, farthest = robustness.of_correlation(r), of_strongest(reach)
    table = {
        "regulator": names[edges.lead],
        "target": names[edges.other],
        "partial_r": r,
        "robustness": strength,
        "robustness_low": robustness.of_correlation(low),
        "robustness_high": robustness.of_correlation(high),
        "strongest_factor": np.array([words(name) for name in single], dtype=object)[best],
        "partial_r2_with_regulator": of_strongest([parts[name].with_regulator for name in single]),
        "partial_r2_with_target": of_strongest([parts[name].with_target for name in single]),
        "reach": farthest,
        "could_null": strength <= farthest,
    }
    return pd.DataFrame(table).head(SHOWN)


def _size_interval(r: np.ndarray, rows: float) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of |r|, from 0 where that of r holds 0."""
    z = np.arctanh(np.minimum(np.abs(r), 1 - 1e-15))
    half = _CRITICAL / math.sqrt(max(rows - 3, 1.0))
    return np.tanh(np.maximum(z - half, 0.0)), np.tanh(z + half)


def _factor_table(
    factors: Factors,
    parts: Mapping[str, _Part],
    intervals: Mapping[tuple[str, str], tuple],
    bounds: Mapping[str, tuple[int, float]],
    effective: float,
) -> pd.DataFrame:
    records = []
    for name, part in parts.items():
        row = {"factor": name, "dimensions": part.split.rank, "edges": len(part.reach)}
        for statistic in ("vanish_share", "flip_share", "between_share", "could_null_share"):
            keys = (statistic, f"{statistic}_low", f"{statistic}_high")
            row |= dict(zip(keys, intervals[name, statistic], strict=True))
        row["flips"] = int(_flips(part.split, effective).sum())
        row["chance_share"] = part.split.rank / (part.split.n - 1)
        for end in ("partial_r2_with_regulator", "partial_r2_with_target"):
            row[end] = intervals[name, end][0]
        row["pairs_it_could_create"], row["largest_it_could_create"] = bounds[name]
        records.append(row)
    return pd.DataFrame(records)


def _summary(
    correlation: np.ndarray,
    edges: _Edges,
    factors: Factors,
    intervals: Mapping[tuple[str, str], tuple],
    effective: float,
) -> pd.DataFrame:
    p, g = correlation.shape
    middle, low, high = intervals[ALL, "robustness"]
    row = {
        "edges": len(edges),
        "pairs": _pairs(p, g),
        "weakest_r": float(abs(correlation[edges.lead[-1], edges.other[-1]])),
        "rows": int(factors.n.sum()),
        "effective_rows": effective,
        "critical_r": _critical_correlation(effective),
        "robustness": middle,
        "robustness_low": low,
        "robustness_high": high,
    }
    keys = ("could_null_share", "could_null_share_low", "could_null_share_high")
    row |= dict(zip(keys, intervals[ALL, "strongest_could_null"], strict=True))
    return pd.DataFrame([row])


def _pairs(p: int, g: int) -> int:
    """Pairs above the diagonal of p rows and g columns."""
    return p * g - p * (p + 1) // 2


def words(name: str) -> str:
    """A factor, or several, as it stands in a sentence."""
    return {ALL: "all recorded factors"}.get(name, name.replace("_", " "))


def charts(tables: Mapping[str, pd.DataFrame]) -> dict[str, Chart]:
    """Charts of the tables of :func:`of`: what factors take of edges, and robustness."""
    if not {"edges", "edge_robustness", "edge_factors", "edge_summary"} <= set(tables):
        return {}
    drawn = {"edges_within": _within_chart(tables), "edge_robustness": _robustness_chart(tables)}
    return {name: chart for name, chart in drawn.items() if chart is not None}


def _strongest(factors: pd.DataFrame, column: str) -> pd.Series | None:
    """The single factor with the largest value.

    Donors hold all that their batches hold: of factors with nearly the largest value the one
    with the fewest dimensions.
    """
    known = factors[factors["factor"].isin(_single(factors["factor"])) & factors[column].notna()]
    if known.empty:
        return None
    value = known[column].astype(float)
    near = known[value >= NEARLY * value.max()]
    return near.loc[near["dimensions"].astype(float).idxmin()]


def _within_chart(tables: Mapping[str, pd.DataFrame]) -> Chart | None:
    most = _strongest(tables["edge_factors"], "vanish_share")
    if most is None:
        return None
    edges, factor = tables["edges"], most["factor"]
    total = _numbers(edges["r"])
    inside = np.sign(total) * _numbers(edges[f"{factor}_within_r"])
    total = np.abs(total)
    lost = np.abs(inside) < LEFT * total
    turned = edges["flips_within"].fillna("").str.split(", ").map(lambda n: words(factor) in n)
    turned = turned.to_numpy(dtype=bool)

    def draw(axes, width: float) -> None:
        plotting.diagonal(axes, 0, 1, "Nothing lost")
        for flag, colour in ((~lost, "c1"), (lost, "c2")):
            plotting.dots(axes, total[flag], inside[flag], colour)
        axes.plot(total[turned], inside[turned], "x", color=plotting.INK, markersize=9)
        axes.axhline(0, color=plotting.LINE, linewidth=1.4, zorder=0)
        axes.set(xlim=(0, 1.01), ylim=(min(-0.1, 1.1 * np.nanmin(inside)), 1.04))
        axes.set_xlabel("Correlation over all rows, in its own direction")
        axes.set_ylabel(f"Within {words(factor)}")

    count = int(most["edges"])
    return Chart(
        title=f"{_range(most, 'vanish_share')} of the {count:,} strongest edges lose more than "
        f"half of their correlation once {words(factor)} is removed; "
        f"{_flipped(int(most['flips']))}.",
        caption=f"One dot an edge, the {len(edges):,} strongest of {count:,}: its correlation "
        f"over all rows against the one within {words(factor)}, below 0 where the sign is "
        "the other one. On the broken line nothing is lost; orange edges lose more than half; "
        "crosses change sign, with both correlations beyond their sampling error.",
        draw=draw,
        height=4.4,
    )


def _flipped(flips: int) -> str:
    return {0: "none changes sign", 1: "one changes sign"}.get(flips, f"{flips:,} change sign")


def _robustness_chart(tables: Mapping[str, pd.DataFrame]) -> Chart | None:
    row = tables["edge_summary"].iloc[0]
    most = _strongest(tables["edge_factors"], "could_null_share")
    if most is None or pd.isna(row["robustness"]):
        return None
    edges = tables["edge_robustness"]
    strength, reach = _numbers(edges["robustness"]), _numbers(edges["reach"])
    nulled = strength <= reach

    def draw(axes, width: float) -> None:
        end = float(np.nanmax(np.concatenate([reach, strength, [0.1]])))
        plotting.diagonal(axes, 0, end, "Just nulled")
        for flag, colour in ((~nulled, "c1"), (nulled, "c2")):
            plotting.dots(axes, reach[flag], strength[flag], colour)
        axes.set(xlim=(-0.01 * end, 1.01 * end), ylim=(-0.02 * end, 1.04 * end))
        axes.set_xlabel("Explained by the strongest factor")
        axes.set_ylabel("What would null the edge")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(plotting.percent())

    return Chart(
        title="To null the median of the strongest edges an unrecorded factor would have to "
        f"explain {_range(row, 'robustness')} of what is left of both ends; one as strong as "
        f"{words(most['factor'])} could null {_range(most, 'could_null_share')} of them.",
        caption=f"One dot an edge, the {len(edges):,} strongest of {row['edges']:,.0f}, once all "
        "recorded factors are removed. Upwards: the share of both ends that a hidden variable "
        "has to explain to null it (robustness value). To the right: what the recorded factor "
        "that is strongest for this edge explains beside the others. Orange edges, below the "
        "broken line, could be the work of a hidden factor like it.",
        draw=draw,
        height=4.4,
    )


def _range(row: pd.Series, column: str) -> str:
    """An estimate with its interval, as percentages."""
    value, low, high = (row[f"{column}{end}"] for end in ("", "_low", "_high"))
    if pd.isna(low) or pd.isna(high):
        return f"{value:.0%}"
    places = 1 if low < high and f"{low:.0%}" == f"{high:.0%}" else 0
    return f"{value:.{places}%} ({low:.{places}%}–{high:.{places}%})"


def _numbers(values: pd.Series) -> np.ndarray:
    """As numbers: from a saved table missing ones come back as None."""
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
