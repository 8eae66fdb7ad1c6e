"""Do groups of rows agree on correlations, and are edges of some found again in others?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.confounders.factors import FACTORS, Factors
from infocheck.confounders.words import words
from infocheck.plotting import Chart
from infocheck.stats.heterogeneity import Disagreement, Edges, LevelSums, shuffled
from infocheck.stats.resampling import jackknife_error, t_interval

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Levels that are compared: the largest of those with so many rows in the row sample.
LEVELS, ROWS = 8, 30
# Targets, and pairs of a regulator and a target.
TARGETS, PAIRS = 300, 20_000
# Edges that are looked for again: so many, and at most this share of all pairs.
EDGES, STRONGEST = 1000, 0.05
# Shuffled labels; with them a p-value is at least 1 / 40.
DRAWS = 39
# Parts of every level that are left out in turn.
PARTS = 10
# Regulators that are named for each factor.
NAMED = 20
# A regulator differs between groups from so many standard errors on (convention).
CLEAR = 3.0
# Rows may exchange labels within another factor if so many of them then still can, and the
# stratum of the average row has so many: within a few rows whose means were removed labels
# make too little difference (2 % in strata of 12).
_FREE, _CROWD = 0.5, 30


@dataclass(frozen=True)
class _Rows:
    """Rows of one factor, within its levels free of all others, and what may be shuffled.

    ``taken`` are the dimensions that the other factors took in each level.
    """

    x: np.ndarray
    y: np.ndarray
    level: np.ndarray
    taken: np.ndarray
    names: list[str]
    part: np.ndarray
    unit: np.ndarray | None
    stratum: np.ndarray | None
    keeps: str

    @property
    def levels(self) -> int:
        return len(self.names)

    def sums(self, level: np.ndarray) -> LevelSums:
        return LevelSums.of(self.x, self.y, level, self.levels)

    def shuffled(self, rng: np.random.Generator) -> np.ndarray:
        return shuffled(self.level, rng, unit=self.unit, stratum=self.stratum)


@dataclass(frozen=True)
class _Found:
    """What is measured once with the labels and again with every shuffling of them."""

    variance: float
    regulators: np.ndarray
    again: np.ndarray
    pairs: np.ndarray


def of(data: Dataset, factors: Factors | None, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Tables of how far the levels of each factor agree on correlations and on edges.

    Up to 8 levels with 30 rows or more in the row sample, all regulators and up to 300
    targets (20,000 pairs at most). What all other recorded factors explain is removed level by
    level, so what is compared is correlation within groups. Labels are shuffled 39 times: among
    whole donors where a factor is constant within them and there are six or more, else among
    rows of the same donor, batch, condition and cell type as far as that leaves enough rows
    to exchange.
    What the shuffled labels give is expected where all levels have the same correlations,
    for these numbers of rows, these distributions and this choice of the strongest edges.

    Parameters
    ----------
    data
        With moments.
    factors
        ``Factors.of(data)``; None gives no tables.
    rng
        Draws targets and shuffles labels.

    Returns
    -------
    dict
        Empty where no factor has two levels of 30 rows. ``heterogeneity``: one row a factor;
        ``variance`` of the standardised differences between levels, what is ``expected`` of
        shuffled labels with 95 % of their values, the ``excess`` and its ``p_value``, and
        ``spread``, the standard deviation of a correlation (Fisher's z) between levels
        beyond chance.

        ``replication``: one row a level; of the edges that are strongest in all other levels
        together, the share with the ``same_sign`` and the share ``found_again``, with the
        same sign and significant, beside what is ``expected`` at equal correlations.

        ``replication_pairs``: the same from one level to another.

        ``replication_summary``: means over the levels of each factor.

        ``changing_regulators``: regulators with the largest excess for each factor;
        ``regulators``: for each regulator the ``spread_between_groups`` of the factor that
        stands out most, and its name in ``differs_between`` from 3 standard errors on.

    Notes
    -----
    Intervals of found_again are 95 %, from leaving out each of ten parts of the rows of a
    level (whole donors where it has ten or more), with the same edges. Misleads where levels
    differ in depth: noise weakens correlations, and then they differ without any change of
    regulation.
    """
    if factors is None:
        return {}
    targets = _targets(data, rng)
    found = {}
    for name in (name for name in FACTORS if name in data.roles):
        rows = _rows(data, factors, name, targets, rng)
        if rows is not None:
            found[name] = _compared(data, rows, targets, rng)
    if not found:
        return {}
    tables: dict[str, pd.DataFrame] = {}
    for key in next(iter(found.values())):
        parts = [tables_of[key].assign(factor=name) for name, tables_of in found.items()]
        joined = pd.concat(parts, ignore_index=True)
        tables[key] = joined[["factor", *joined.columns.drop("factor")]]
    every = tables.pop("all_regulators")
    tables["changing_regulators"] = _changing(every)
    tables["regulators"] = _regulators(every)
    return tables


def _targets(data: Dataset, rng: np.random.Generator) -> np.ndarray:
    """Panel positions of the targets: a random part of those that vary most, and others."""
    panel = data.panel
    pool = np.union1d(panel.targets, panel.sampled)
    most = min(TARGETS, max(PAIRS // panel.p, 1), len(pool))
    return np.sort(rng.choice(pool, most, replace=False))


def _rows(
    data: Dataset, factors: Factors, name: str, targets: np.ndarray, rng: np.random.Generator
) -> _Rows | None:
    """Rows of the largest levels; None where fewer than two are large enough."""
    role, sample = data.roles[name], data.moments.sample
    codes = role.codes[sample.rows]
    count = np.bincount(codes[codes >= 0], minlength=role.n_levels)
    genes = np.concatenate([np.arange(data.panel.p), targets])
    blocks, names, taken = [], [], []
    for one in np.sort(np.argsort(-count, kind="stable")[:LEVELS]):
        rows = np.flatnonzero(codes == one)
        if len(rows) < ROWS:
            continue
        basis = factors.basis(sample.rows[rows])
        if len(rows) - basis.shape[1] >= ROWS:
            blocks.append((rows, _left(sample.values[np.ix_(rows, genes)], basis)))
            names.append(role.levels[one])
            taken.append(basis.shape[1])
    if len(blocks) < 2:
        return None
    chosen = np.concatenate([rows for rows, _ in blocks])
    level = np.repeat(np.arange(len(blocks)), [len(rows) for rows, _ in blocks])
    others = {
        other: data.roles[other].complete()[sample.rows[chosen]]
        for other in ("donor", "batch", "condition", "cell_type")
        if other in data.roles and other != name
    }
    values = _scaled(np.concatenate([part for _, part in blocks]))
    part = _dealt(level, others.get("donor"), rng)
    p = data.panel.p
    return _Rows(
        np.ascontiguousarray(values[:, :p]),
        np.ascontiguousarray(values[:, p:]),
        level,
        np.array(taken, dtype=float),
        names,
        part,
        *_exchangeable(level, others),
    )


def _left(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Values of one level without what all other factors explain in it.

    Level by level: with common slopes a gene that is silent in a level would inherit there
    what it owes to depth or batch elsewhere, and correlate with all others that are.
    """
    values = values - values.mean(axis=0)
    rest = values - basis @ (basis.T @ values)
    before, after = (np.einsum("ij,ij->j", part, part) for part in (values, rest))
    # Rounding is no variation.
    return np.where(after > 1e-12 * np.maximum(before, 1e-300), rest, 0.0)


def _scaled(values: np.ndarray) -> np.ndarray:
    """Variance 1 over all levels, in single precision, which is enough and twice as fast.

    Scales of single levels stay: with those put to 1 as well, shuffled labels would give too
    little variance where values have heavy tails.
    """
    sd = np.sqrt(np.einsum("ij,ij->j", values, values) / len(values))
    return (values * np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)).astype(np.float32)


def _exchangeable(
    level: np.ndarray, others: Mapping[str, np.ndarray]
) -> tuple[np.ndarray | None, np.ndarray | None, str]:
    """What may exchange labels: units, or else strata of rows, and both in words."""
    donor = others.get("donor")
    if donor is not None:
        unit = np.unique(donor, return_inverse=True)[1]
        constant = len(np.unique(np.stack([unit, level]), axis=1).T) == unit.max() + 1
        if constant and unit.max() + 1 >= thresholds.MIN_DONORS:
            return unit, None, "donors"
    stratum, within = np.zeros(len(level), np.int64), []
    for name, codes in others.items():
        finer = np.unique(np.stack([stratum, codes]), axis=1, return_inverse=True)[1].ravel()
        if _free(level, finer) >= _FREE and np.bincount(finer)[finer].mean() >= _CROWD:
            stratum, within = finer, [*within, name.replace("_", " ")]
    return None, stratum, "rows" + (f" within {', '.join(within)}" if within else "")


def _free(level: np.ndarray, stratum: np.ndarray) -> float:
    """Share of rows in strata that hold more than one level."""
    cells = np.unique(np.stack([stratum, level]), axis=1)[0]
    return float((np.bincount(cells)[stratum] > 1).mean())


def _dealt(level: np.ndarray, donor: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Part of each row within its level: whole donors where there are enough, else rows."""
    part = np.empty(len(level), np.int64)
    for one in range(int(level.max()) + 1):
        rows = np.flatnonzero(level == one)
        unit = np.arange(len(rows))
        if donor is not None:
            donors = np.unique(donor[rows], return_inverse=True)[1]
            unit = donors if donors.max() + 1 >= PARTS else unit
        order = rng.permutation(int(unit.max()) + 1)
        part[rows] = order[unit] % PARTS
    return part


def _compared(
    data: Dataset, rows: _Rows, targets: np.ndarray, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    keep = _pairs(data.panel.p, targets)
    edges = min(EDGES, max(int(STRONGEST * keep.sum()), 1))

    def measured(level: np.ndarray, taken: np.ndarray | float):
        fisher = rows.sums(level).fisher(taken).only(keep)
        every, chosen = Disagreement.of(fisher), Edges.of(fisher.flat(), edges)
        again = chosen.found_again(fisher.flat())
        return (
            _Found(float(every.over().variance), every.over(axis=1).variance, *again),
            every,
            chosen,
        )

    # Donors take along what was removed from them; rows at random are free of it.
    along = 0.0 if rows.unit is None else rows.taken
    seeds = rng.spawn(DRAWS)
    null = data.engine.map(lambda one: measured(rows.shuffled(one), along)[0], seeds)
    seen, every, chosen = measured(rows.level, rows.taken)
    again = _left_out(rows, chosen)
    return {
        "heterogeneity": _heterogeneity(seen, null, every.over(), rows),
        "replication": _replication(seen, null, again, rows, chosen),
        "replication_pairs": _pair_table(seen, null, rows),
        "replication_summary": _summary(seen, null, again, rows, edges),
        "all_regulators": _regulator_table(data, seen, null, every.over(axis=1)),
    }


def _pairs(p: int, targets: np.ndarray) -> np.ndarray:
    """Pairs that count: no gene with itself, and two regulators once."""
    regulator = np.arange(p)[:, None]
    twice = np.isin(regulator, targets) & (targets < p)
    return np.where(twice, regulator < targets, regulator != targets)


def _left_out(rows: _Rows, chosen: Edges) -> np.ndarray:
    """Shares of the same edges that are found again without each part, (parts, levels)."""
    whole = rows.sums(rows.level)
    shares = []
    for part in range(PARTS):
        inside = rows.part == part
        few = LevelSums.of(rows.x[inside], rows.y[inside], rows.level[inside], rows.levels)
        shares.append(chosen.found_again((whole - few).fisher(rows.taken).flat())[0])
    return np.array(shares)


def _heterogeneity(
    seen: _Found, null: list[_Found], all_pairs: Disagreement, rows: _Rows
) -> pd.DataFrame:
    drawn = np.array([one.variance for one in null])
    expected = float(drawn.mean())
    row = {
        "levels": rows.levels,
        "rows": len(rows.level),
        "smallest_level": int(np.bincount(rows.level).min()),
        "variance": seen.variance,
        **_expected(drawn),
        "excess": seen.variance - expected,
        "p_value": (1 + int((drawn >= seen.variance).sum())) / (1 + len(drawn)),
        "spread": float(all_pairs.spread(expected)),
        "shuffled": rows.keeps,
    }
    return pd.DataFrame([row])


def _expected(drawn: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {
        "expected": float(drawn.mean()),
        "expected_low": float(low),
        "expected_high": float(high),
    }


def _interval(estimate: float, left_out: np.ndarray) -> tuple[float, float]:
    return t_interval(estimate, float(jackknife_error(left_out)), PARTS, (0.0, 1.0))


def _replication(
    seen: _Found,
    null: list[_Found],
    again: np.ndarray,
    rows: _Rows,
    chosen: Edges,
) -> pd.DataFrame:
    drawn = np.array([one.again for one in null])
    same = chosen.same_sign(rows.sums(rows.level).fisher().flat())
    records = []
    for i, name in enumerate(rows.names):
        low, high = _interval(seen.again[i], again[:, i])
        records.append(
            {
                "level": name,
                "rows": int((rows.level == i).sum()),
                "edges": chosen.others.shape[1],
                "same_sign": same[i],
                "found_again": seen.again[i],
                "found_again_low": low,
                "found_again_high": high,
                **_expected(drawn[:, i]),
            }
        )
    return pd.DataFrame(records)


def _pair_table(seen: _Found, null: list[_Found], rows: _Rows) -> pd.DataFrame:
    expected = np.mean([one.pairs for one in null], axis=0)
    records = [
        {
            "found_in": rows.names[a],
            "looked_for_in": rows.names[b],
            "found_again": seen.pairs[a, b],
            "expected": expected[a, b],
        }
        for a in range(rows.levels)
        for b in range(rows.levels)
        if a != b
    ]
    return pd.DataFrame(records)


def _summary(
    seen: _Found, null: list[_Found], again: np.ndarray, rows: _Rows, edges: int
) -> pd.DataFrame:
    drawn = np.array([one.again.mean() for one in null])
    share = float(seen.again.mean())
    low, high = _interval(share, again.mean(axis=1))
    row = {
        "levels": rows.levels,
        "edges": edges,
        "found_again": share,
        "found_again_low": low,
        "found_again_high": high,
        **_expected(drawn),
        "p_value": (1 + int((drawn <= share).sum())) / (1 + len(drawn)),
    }
    return pd.DataFrame([row])


def _regulator_table(
    data: Dataset, seen: _Found, null: list[_Found], every: Disagreement
) -> pd.DataFrame:
    drawn = np.array([one.regulators for one in null])
    expected, sd = drawn.mean(axis=0), drawn.std(axis=0, ddof=1)
    excess = seen.regulators - expected
    return pd.DataFrame(
        {
            "regulator": data.names(np.arange(data.panel.p)),
            "variance": seen.regulators,
            "expected": expected,
            "excess": excess,
            "standard_errors": np.divide(excess, sd, out=np.full_like(sd, np.nan), where=sd > 0),
            "spread": every.spread(np.nan_to_num(expected, nan=1.0)),
        }
    )


def _changing(every: pd.DataFrame) -> pd.DataFrame:
    ordered = every.sort_values("excess", ascending=False, kind="stable")
    named = ordered.groupby("factor", sort=False).head(NAMED)
    order = {name: i for i, name in enumerate(every["factor"].unique())}
    return named.sort_values("factor", key=lambda f: f.map(order), kind="stable").reset_index(
        drop=True
    )


def _regulators(every: pd.DataFrame) -> pd.DataFrame:
    ordered = every.sort_values("standard_errors", ascending=False, kind="stable")
    best = ordered.drop_duplicates("regulator").set_index("regulator")
    best = best.loc[every["regulator"].unique()].reset_index()
    clear = best["standard_errors"] >= CLEAR
    groups = best["factor"].str.replace("_", " ").astype(object)
    return pd.DataFrame(
        {
            "regulator": best["regulator"],
            "spread_between_groups": best["spread"],
            "differs_between": groups.where(clear, None),
        }
    )


def charts(tables: Mapping[str, pd.DataFrame]) -> dict[str, Chart]:
    """Charts of the tables of :func:`of`: edges that are found again in other groups."""
    summary = tables.get("replication_summary")
    row = None if summary is None else headline(summary)
    if row is None:
        return {}
    levels = tables["replication"].loc[lambda table: table["factor"] == row["factor"]]

    def draw(axes, width: float) -> None:
        for y, level in enumerate(levels[::-1].itertuples()):
            plotting.span(axes, y, level.expected_low, level.expected_high)
            ends = (level.found_again_low, level.found_again_high)
            plotting.whisker(axes, y, level.found_again, *map(_number, ends))
        names = [f"{level} ({n:,.0f} rows)" for level, n in zip(*_columns(levels), strict=True)]
        axes.set_yticks(range(len(levels)), names[::-1])
        axes.set_ylim(-0.6, len(levels) - 0.4)
        axes.set_xlim(0, min(1.02, 1.1 * max(levels["expected_high"].max(), _end(levels))))
        axes.set_xlabel("Share of edges that are found again")
        axes.xaxis.set_major_formatter(plotting.percent())

    return {
        "replication": Chart(
            title=finding(row),
            caption=f"The {row['edges']:,.0f} strongest edges of all other levels of "
            f"{words(row['factor'])} together, looked for in each level: the share with the same "
            "sign and significant there, with 95% intervals. Grey: 95% of what equal correlations "
            "would give with so many rows. What other recorded factors explain is removed.",
            draw=draw,
            height=1.3 + 0.42 * len(levels),
        )
    }


def headline(summary: pd.DataFrame) -> pd.Series | None:
    """The factor that is furthest below what equal correlations would give; None without one."""
    gap = pd.to_numeric(summary["expected"]) - pd.to_numeric(summary["found_again"])
    return None if gap.isna().all() else summary.loc[gap.idxmax()]


def finding(row: pd.Series) -> str:
    """What a row of the summary says, in one sentence."""
    share = f"{row['found_again']:.0%}"
    if pd.notna(row["found_again_low"]) and pd.notna(row["found_again_high"]):
        share += f" ({row['found_again_low']:.0%}–{row['found_again_high']:.0%})"
    expected = f"{row['expected']:.0%} ({row['expected_low']:.0%}–{row['expected_high']:.0%})"
    # With the interval of the share as well: the factor was chosen for its gap.
    fewer = pd.notna(row["found_again_high"]) and row["found_again_high"] < row["expected_low"]
    verdict = (
        f"fewer than the {expected} that equal correlations would give"
        if fewer
        else f"not clearly fewer than the {expected} that equal correlations would give"
    )
    return (
        f"{share} of the strongest edges of all other levels of {words(row['factor'])} are found "
        f"again in one that is left out, {verdict}."
    )


def _end(levels: pd.DataFrame) -> float:
    ends = pd.to_numeric(levels["found_again_high"]).fillna(levels["found_again"])
    return max(float(ends.max()), 0.1)


def _columns(levels: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return levels["level"], levels["rows"]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
