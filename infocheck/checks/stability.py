"""Do two halves of the data tell the same network?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables, optimism, require_rows
from infocheck.dependence import dependence_table
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Stage, Status, Verdict, findings
from infocheck.splits import SPLITS
from infocheck.stats import learning
from infocheck.stats.partial import shrinkage_weight
from infocheck.stats.resampling import t_interval
from infocheck.stats.stability import (
    RANKED,
    Edges,
    Rows,
    Split,
    permuted,
    standard_errors,
    summary,
)

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# In the study that set the gate, values that are no counts were cut to this many rows.
GATE_ROWS = 800
DRAWS = 40
JACKKNIFE_GROUPS = 10
MIN_EDGES = 20
_UNITS = {
    "donors": "donors",
    "blocks": "blocks of the time series",
    "cells": "observations",
}


@dataclass(frozen=True, kw_only=True)
class Stability(Check):
    """Rank agreement of edge scores between halves of the data.

    Shrinkage partial correlations of regulators with a random sample of targets
    are computed in each half; the statistic is the rank correlation of their
    sizes. Stable is not true: a batch effect is stable too.
    """

    name = "stability"
    title = "Sampling stability"
    question = "Do two halves of the data tell the same network?"
    stage = Stage.SAMPLING
    unit = "rank agreement of partial correlations"
    references = ("schafer2005", "spearman1904", "quenouille1956")
    computed = (
        "Rows are split at random into halves, three times. In each half the partial "
        "correlations of all regulators with up to 150 random targets are estimated with "
        "shrinkage, and the statistic is the rank correlation of their sizes between the "
        "halves, averaged over the splits. Donors stay whole when at least six are labelled, "
        "time series stay in blocks. The interval joins a jackknife over groups of rows with "
        "the choice of targets. The null is the same statistic after the targets' rows were "
        "permuted against the regulators. How the agreement of plain correlations grows from "
        "eighths over quarters to halves of the data is carried on to twice the data; that of "
        "partial correlations is not forecast. Where rows share reads or noise, as after pooling "
        "or smoothing, the status is at most borderline."
    )
    misleads = (
        "Stable is not true: batch effects and mixtures of cell types are stable too. Without "
        "donor labels, cells of one donor fall into both halves and the value is optimistic. "
        "The value depends on the number of rows and can fall as rows are added, because the "
        "shrinkage falls: compare it with its need, not between studies. It ranks all edges, so "
        "a very sparse network keeps it low: if 5% of the edges are real, all are found and all "
        "others are noise, it is about 0.14."
    )

    need: float = thresholds.STABILITY_NEED
    floor: float = thresholds.STABILITY_FLOOR

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        _refuse(data)
        row_rng, target_rng, null_rng, cell_rng = rng.spawn(4)
        mapped, panel = data.engine.map, data.panel
        edges = Edges(panel.p, panel.half_targets, panel.own, panel.candidates)
        rows = _rows(data, row_rng)
        streamed = [(data.moments.half(s, 0), data.moments.half(s, 1)) for s in range(SPLITS)]
        capped = len(rows) < data.n and not data.is_counts
        halves = rows.sums(edges.p)
        splits = _scored(halves if capped else streamed, edges, data)
        _require_edges(splits)

        table = self._table(
            summary(splits),
            standard_errors(rows, halves, edges, splits, target_rng, mapped),
            null := permuted(rows, halves, edges, DRAWS, null_rng, mapped),
            groups=rows.n_groups,
            facts={
                "rows": sum(splits[0].rows),
                "halves": data.splits.kind,
                "labelled_donors": data.labelled_donors,
            },
        )
        context = {}
        if capped:
            context["stab_pc_all_rows"] = _scored(streamed, edges, data)
        if data.splits.kind == "donors":
            mixed = np.stack([cell_rng.permutation(len(rows)) % 2 == 1 for _ in range(SPLITS)])
            context["stab_pc_cells"] = _scored(rows.sums(edges.p, mixed), edges, data)
        return {
            "summary": _with_context(table, context, _strongest(data, edges)),
            "splits": _split_table(splits),
            "null": pd.DataFrame({"stab_pc": null}),
            "learning": _learning(table, edges, data, capped=capped),
            "dependence": dependence_table(data),
        }

    def _table(
        self,
        values: Mapping[str, float],
        errors: Mapping[str, float],
        null: np.ndarray,
        *,
        groups: int,
        facts: Mapping[str, object],
    ) -> pd.DataFrame:
        needs = {
            "stab_pc": (self.need, self.floor),
            "stab_c": (thresholds.MODULES_NEED, thresholds.MODULES_FLOOR),
        }
        records = []
        for name, estimate in values.items():
            low, high = t_interval(estimate, errors.get(name, math.nan), groups, (-1.0, 1.0))
            need, floor = needs.get(name, (math.nan, math.nan))
            record = {"statistic": name, "estimate": estimate, "low": low, "high": high}
            drawn = float(np.quantile(null, 0.95)) if name == "stab_pc" else math.nan
            records.append({**record, "null_95": drawn, "need": need, "floor": floor, **facts})
        return pd.DataFrame(records)

    def judge(self, tables: Tables) -> Verdict:
        row = tables["summary"].set_index("statistic").loc["stab_pc"]
        verdict = Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=self.need,
            floor=self.floor,
            unit=self.unit,
            possible=(-1.0, 1.0),
            reason=f"Two halves of the {_UNITS[row['halves']]} agree on the ranking of edges at "
            "{estimate:z.3f} ({low:z.3f}–{high:z.3f}); "
            "the need is {need:.2f}, the floor {floor:.2f}."
            + optimism(row["halves"], row["labelled_donors"], "halves"),
        )
        undecided = verdict.status in (Status.ENOUGH, Status.BORDERLINE)
        if undecided and (cause := findings(tables.get("dependence"))):
            # Shared noise makes halves agree without any network.
            said = f" No more than borderline, because {cause}: halves agree on that noise too."
            verdict = replace(verdict, status=Status.BORDERLINE, reason=verdict.reason + said)
        if undecided and not row["estimate"] > row["null_95"]:
            nothing = f" Without any edge it would reach {row['null_95']:.2f}, so it shows nothing."
            return replace(verdict, status=Status.BORDERLINE, reason=verdict.reason + nothing)
        return verdict

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        row = tables["summary"].set_index("statistic").loc["stab_pc"]
        null = tables["null"]["stab_pc"].to_numpy(float)
        splits = tables["splits"]
        per_split = splits.loc[splits["statistic"] == "stab_pc", "value"].to_numpy(float)

        def draw(axes, width: float) -> None:
            plotting.strip(axes, 0, null, "c3", marker="|")
            plotting.strip(axes, 1, per_split, "c2", marker="D")
            plotting.whisker(axes, 2, row["estimate"], row["low"], row["high"])
            plotting.across(axes, self.need, f"Need {self.need:.2f}", dashed=True)
            plotting.across(axes, self.floor, f"Floor {self.floor:.2f} ", dashed=False, side="left")
            axes.set_yticks([0, 1, 2], ["No edges\n(permuted)", "Each split", "Estimate, 95%"])
            axes.set_ylim(-0.6, 2.6)
            axes.set_xlabel("Rank agreement of edges between halves")

        return {
            "stability": Chart(
                title=f"Two halves agree on edges at {row['estimate']:.3f} "
                f"({row['low']:.3f} to {row['high']:.3f}); {self.need:.2f} is needed, and "
                f"targets without any edge reach up to {np.max(null):.3f}.",
                caption="Agreement of the ranking of all edges between halves of the data: "
                "estimate with 95% interval, each of the three splits, and draws in which "
                "the targets were permuted so that no edge is left.",
                draw=draw,
                height=2.9,
            )
        }


def _rows(data: Dataset, rng: np.random.Generator) -> Rows:
    """The row sample; cut to 800 rows for values that are no counts."""
    sample, splits, columns = data.moments.sample, data.splits, data.panel.half_columns
    chosen = np.arange(len(sample.rows))
    if not data.is_counts and data.n > GATE_ROWS:
        chosen = np.sort(rng.choice(chosen, GATE_ROWS, replace=False))
    rows = sample.rows[chosen]
    values = sample.values[np.ix_(chosen, columns)] - data.moments.shift[columns]
    group = np.unique(splits.group[rows] % JACKKNIFE_GROUPS, return_inverse=True)[1]
    return Rows(values, splits.half[:, rows], group)


def _scored(halves: list, edges: Edges, data: Dataset) -> list[Split]:
    return data.engine.map(lambda pair: Split.of(pair, edges), halves)


def _refuse(data: Dataset) -> None:
    require_rows(data, "to be split into halves")
    share = _unreplicated(data)
    if share > 0.5:
        raise NotAssessed(
            f"{share:.0%} of the observations are perturbations without a replicate in the other "
            "half, so halves cannot agree by design. Bring replicates of the perturbations, or "
            "judge the panel by the perturbation effects themselves."
        )


def _unreplicated(data: Dataset) -> float:
    """Share of rows that are perturbed and have no replicate in the other half."""
    role = data.roles.get("perturbation")
    if role is None:
        return 0.0
    perturbed = role.codes >= 0
    if role.control is not None:
        perturbed &= role.codes != role.levels.index(role.control)
    alone = 0.0
    for half in data.splits.half:
        table = np.zeros((role.n_levels + 1, 2), dtype=np.int64)
        np.add.at(table, (role.complete(), half.astype(np.int64)), 1)
        other = table[role.complete(), 1 - half.astype(np.int64)]
        alone += float((perturbed & (other == 0)).mean())
    return alone / len(data.splits.half)


def _require_edges(splits: list[Split]) -> None:
    count = int(np.isfinite(splits[0].halves[0].partial).sum())
    if count < MIN_EDGES:
        raise NotAssessed(
            f"{count} possible edges are too few for a ranking; at least {MIN_EDGES} are needed. "
            "Bring more genes or more candidate regulators."
        )


def _strongest(data: Dataset, edges: Edges) -> float:
    """Mean over targets of the largest partial correlation, on all rows."""
    total = data.moments.half(0, 0) + data.moments.half(0, 1)
    scores = edges.scores(total, shrinkage_weight(total)).partial
    return float(np.nanmax(scores, axis=0).mean())


def _with_context(
    table: pd.DataFrame, context: Mapping[str, list[Split]], strongest: float
) -> pd.DataFrame:
    """Values that are shown beside the gate and judge nothing."""
    records = [
        {
            "statistic": name,
            "estimate": summary(splits)["stab_pc"],
            "rows": sum(splits[0].rows),
            "halves": "cells" if name.endswith("cells") else table["halves"].iloc[0],
            "labelled_donors": table["labelled_donors"].iloc[0],
        }
        for name, splits in context.items()
    ]
    first = table.iloc[0][["rows", "halves", "labelled_donors"]].to_dict()
    records.append({"statistic": "maxpc", "estimate": strongest, **first})
    return pd.concat([table, pd.DataFrame(records)], ignore_index=True)


def _learning(table: pd.DataFrame, edges: Edges, data: Dataset, *, capped: bool) -> pd.DataFrame:
    """Agreement of plain correlations between smaller parts, and forecast for twice the data.

    Never of partial correlations: their shrinkage falls as rows are added, and the
    agreement can fall with it. Where the gate reads a sample of the rows, more rows
    would not change it, and nothing is forecast. Nor for time series: a longer one is cut
    into as many blocks, which are then longer, so that the curve is not one of rows alone
    (its forecast was off by more than that of no change).
    """
    row = table.set_index("statistic").loc["stab_c"]
    now = {name: math.nan if capped else row[name] for name in ("estimate", "low", "high")}
    found = learning.points(data.moments.patterns, edges, data.engine.map)
    records = [
        {"data": "observed", "rows_per_part": p.rows, "pairs": p.pairs, "estimate": p.value}
        for p in found
    ]
    if records and not capped:
        records[-1] |= now
    ahead = None if data.splits.kind == "blocks" else learning.forecast(found, **now)
    if ahead is not None:
        records.append(
            {
                "data": "forecast",
                "rows_per_part": ahead.times * found[-1].rows,
                "estimate": ahead.estimate,
                "low": ahead.low,
                "high": ahead.high,
                "exponent": ahead.exponent,
            }
        )
    columns = ["data", "rows_per_part", "pairs", "estimate", "low", "high", "exponent"]
    return pd.DataFrame(records, columns=columns)


def _split_table(splits: list[Split]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "split": number,
                "statistic": name,
                "value": split.agreement(name),
                "rows_a": split.rows[0],
                "rows_b": split.rows[1],
                "shrinkage_a": split.shrinkage[0],
                "shrinkage_b": split.shrinkage[1],
            }
            for number, split in enumerate(splits)
            for name in RANKED
        ]
    )
