"""Do two halves of the data tell the same network?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Stage, Status, Verdict
from infocheck.splits import SPLITS
from infocheck.stats.agreement import rank_agreement, resampled_targets, top_overlap
from infocheck.stats.partial import EdgeScores, Shrunken, edge_scores, shrinkage_weight
from infocheck.stats.resampling import jackknife_error, t_interval
from infocheck.stats.sums import CrossSums

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.dataset import Dataset

# In the study that set the gate, values that are no counts were cut to this many rows.
GATE_ROWS = 800
DRAWS = 40
JACKKNIFE_GROUPS = 10
MIN_EDGES = 20
RANKED = ("stab_c", "stab_pc", "stab_pc0")
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
        "permuted against the regulators."
    )
    misleads = (
        "Stable is not true: batch effects and mixtures of cell types are stable too. Without "
        "donor labels, cells of one donor fall into both halves and the value is optimistic. "
        "The value depends on the number of rows and can fall as rows are added, because the "
        "shrinkage falls: compare it with its need, not between studies."
    )

    need: float = thresholds.STABILITY_NEED
    floor: float = thresholds.STABILITY_FLOOR

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        _refuse(data)
        gate_rng, target_rng, null_rng, cells_rng = rng.spawn(4)
        rows = _Rows.of(data, gate_rng)
        streamed = _streamed(data)
        gate = streamed if data.is_counts or data.n <= GATE_ROWS else rows.halves()

        scores = data.engine.map(lambda pair: _scored(pair, data), gate)
        _require_edges(scores)
        summary = _summary(scores)
        errors = _errors(rows, scores, target_rng, data)
        null = _null(rows, null_rng, data)
        table = self._table(summary, errors, null, data, rows)
        extra = []
        if gate is not streamed:
            extra.append(("stab_pc_all_rows", streamed, data.n))
        if data.splits.kind == "donors":
            extra.append(("stab_pc_cells", rows.halves(_cell_halves(rows, cells_rng)), len(rows)))
        table = _with_context(table, extra, data)
        return {"summary": table, "splits": _splits(scores), "null": null}

    def _table(
        self,
        summary: Mapping[str, float],
        errors: Mapping[str, tuple[float, int]],
        null: pd.DataFrame,
        data: Dataset,
        rows: _Rows,
    ) -> pd.DataFrame:
        import pandas as pd

        needs = {
            "stab_pc": (self.need, self.floor),
            "stab_c": (thresholds.MODULES_NEED, thresholds.MODULES_FLOOR),
        }
        records = []
        for name, estimate in summary.items():
            error, groups = errors.get(name, (math.nan, 0))
            low, high = t_interval(estimate, error, groups, (-1.0, 1.0))
            need, floor = needs.get(name, (math.nan, math.nan))
            drawn = null[name].quantile(0.95) if name in null else math.nan
            records.append(
                {
                    "statistic": name,
                    "estimate": estimate,
                    "low": low,
                    "high": high,
                    "null_95": drawn,
                    "need": need,
                    "floor": floor,
                    "rows": data.n if data.is_counts else len(rows),
                    "halves": data.splits.kind,
                    "labelled_donors": _labelled_donors(data),
                }
            )
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
            "{estimate:.3f} ({low:.3f}–{high:.3f}); the need is {need:.2f}, the floor {floor:.2f}."
            + _optimism(row),
        )
        if not row["estimate"] > row["null_95"]:
            return verdict.at_most(
                Status.BORDERLINE,
                f"Without any edge it would reach {row['null_95']:.2f}, so it proves nothing.",
            )
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
            plotting.across(axes, self.floor, f"Floor {self.floor:.2f}", dashed=False)
            axes.set_yticks([0, 1, 2], ["No edges\n(permuted)", "Each split", "Estimate, 95%"])
            axes.set_ylim(-0.6, 2.9)
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


@dataclass(frozen=True)
class _Rows:
    """Rows of regulators and sampled targets, with what is needed to split them."""

    values: np.ndarray
    group: np.ndarray
    half: np.ndarray
    p: int

    @classmethod
    def of(cls, data: Dataset, rng: np.random.Generator) -> _Rows:
        """The row sample; cut to 800 rows for values that are no counts."""
        sample, splits, panel = data.moments.sample, data.splits, data.panel
        chosen = np.arange(len(sample.rows))
        if not data.is_counts and data.n > GATE_ROWS:
            chosen = np.sort(rng.choice(chosen, GATE_ROWS, replace=False))
        rows = sample.rows[chosen]
        columns = panel.half_columns
        values = sample.values[np.ix_(chosen, columns)] - data.moments.shift[columns]
        group = splits.group[rows] % JACKKNIFE_GROUPS
        return cls(values, np.unique(group, return_inverse=True)[1], splits.half[:, rows], panel.p)

    def __len__(self) -> int:
        return len(self.values)

    def halves(self, half: np.ndarray | None = None) -> list[tuple[CrossSums, CrossSums]]:
        """Sums of both halves of every split."""
        half = self.half if half is None else half
        return [
            tuple(CrossSums.of(self.values[h == side], self.p, fourth=True) for side in (0, 1))
            for h in half
        ]


def _refuse(data: Dataset) -> None:
    if data.n < thresholds.MIN_OBSERVATIONS_SAMPLING:
        raise NotAssessed(
            f"{data.n} observations are too few to be split into halves; at least "
            f"{thresholds.MIN_OBSERVATIONS_SAMPLING} are needed. Bring more independent "
            "observations."
        )
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


def _streamed(data: Dataset) -> list[tuple[CrossSums, CrossSums]]:
    """Sums of the halves over all rows, from the second pass."""
    return [(data.moments.half(s, 0), data.moments.half(s, 1)) for s in range(SPLITS)]


@dataclass(frozen=True)
class _Scored:
    """Both halves of one split, scored."""

    halves: tuple[EdgeScores, EdgeScores]
    shrinkage: tuple[float, float]
    rows: tuple[int, int]

    def agreement(self, name: str) -> float:
        a, b = (half.by_name()[name] for half in self.halves)
        return rank_agreement(a, b)


def _scored(pair: tuple[CrossSums, CrossSums], data: Dataset) -> _Scored:
    weights = tuple(shrinkage_weight(sums) for sums in pair)
    halves = tuple(_edges(s, w, data) for s, w in zip(pair, weights, strict=True))
    return _Scored(halves, weights, tuple(s.n for s in pair))


def _edges(sums: CrossSums, shrinkage: float, data: Dataset) -> EdgeScores:
    panel = data.panel
    correlation = sums.correlation()
    model = Shrunken.of(correlation[:, : panel.p], shrinkage)
    return edge_scores(model, correlation[:, panel.half_targets], panel.own)


def _require_edges(scores: list[_Scored]) -> None:
    count = int(np.isfinite(scores[0].halves[0].partial).sum())
    if count < MIN_EDGES:
        raise NotAssessed(
            f"{count} possible edges are too few for a ranking; at least {MIN_EDGES} are needed. "
            "Bring more genes or more candidate regulators."
        )


def _summary(scores: list[_Scored]) -> dict[str, float]:
    """The statistics of methods 3, averaged over splits."""
    summary = {name: float(np.mean([s.agreement(name) for s in scores])) for name in RANKED}
    for name, score in (("stab_top", "partial"), ("stab_top0", "even")):
        overlap = [top_overlap(*(getattr(half, score) for half in s.halves)) for s in scores]
        summary[name] = math.log(0.1 + float(np.mean(overlap)))
    return summary


def _errors(
    rows: _Rows, scores: list[_Scored], rng: np.random.Generator, data: Dataset
) -> dict[str, tuple[float, int]]:
    """Standard error of each rank agreement, and the number of jackknife groups.

    Rows: leave one group out of both halves, at the shrinkage of the halves.
    Targets: drawn with replacement. The two are independent, so variances add.
    """
    groups = int(rows.group.max()) + 1
    tasks = [(split, group) for split in range(SPLITS) for group in range(groups)]
    whole = rows.halves()
    weights = [tuple(shrinkage_weight(sums) for sums in pair) for pair in whole]

    def without(task: tuple[int, int]) -> list[float]:
        split, group = task
        halves = []
        for side in (0, 1):
            out = (rows.half[split] == side) & (rows.group == group)
            rest = _plain(whole[split][side]) - CrossSums.of(rows.values[out], rows.p)
            halves.append(_edges(rest, weights[split][side], data).by_name())
        return [rank_agreement(halves[0][name], halves[1][name]) for name in RANKED]

    values = np.array(data.engine.map(without, tasks)).reshape(SPLITS, groups, len(RANKED))
    by_rows = jackknife_error(values.mean(axis=0))
    errors = {}
    for i, name in enumerate(RANKED):
        pairs = [tuple(half.by_name()[name] for half in s.halves) for s in scores]
        errors[name] = (math.hypot(by_rows[i], resampled_targets(pairs, rng)), groups)
    return errors


def _plain(sums: CrossSums) -> CrossSums:
    return CrossSums(sums.n, sums.total, sums.squares, sums.gram)


def _null(rows: _Rows, rng: np.random.Generator, data: Dataset) -> pd.DataFrame:
    """The statistics after the targets' rows were permuted jointly: no edge is left."""
    import pandas as pd

    panel = data.panel
    lead, targets = rows.values[:, : rows.p], rows.values[:, panel.half_targets]
    models = []
    for split in range(SPLITS):
        for side in (0, 1):
            inside = np.flatnonzero(rows.half[split] == side)
            sums = CrossSums.of(lead[inside], rows.p, fourth=True)
            model = Shrunken.of(sums.correlation(), shrinkage_weight(sums))
            models.append((inside, _standard(lead[inside]), model))
    outside = np.full(len(panel.own), -1)
    own = np.flatnonzero(panel.own >= 0)

    def one(draw_rng: np.random.Generator) -> list[float]:
        order = draw_rng.permutation(len(rows))
        scored = []
        for inside, standard, model in models:
            permuted = _standard(targets[order[inside]])
            scores = edge_scores(model, standard.T @ permuted / len(inside), outside).by_name()
            for values in scores.values():
                values[panel.own[own], own] = np.nan
            scored.append(scores)
        pairs = list(zip(scored[::2], scored[1::2], strict=True))
        return [float(np.mean([rank_agreement(a[k], b[k]) for a, b in pairs])) for k in RANKED]

    return pd.DataFrame(data.engine.map(one, rng.spawn(DRAWS)), columns=list(RANKED))


def _standard(values: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and variance 1; constant ones become 0."""
    centred = values - values.mean(axis=0)
    sd = np.sqrt((centred**2).mean(axis=0))
    return centred * np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 1e-12)


def _cell_halves(rows: _Rows, rng: np.random.Generator) -> np.ndarray:
    n = len(rows)
    return np.stack([rng.permutation(n) % 2 for _ in range(SPLITS)]).astype(bool)


def _with_context(table: pd.DataFrame, extra: list, data: Dataset) -> pd.DataFrame:
    """Values that are shown beside the gate and judge nothing."""
    import pandas as pd

    records = []
    for name, pairs, rows in extra:
        value = float(np.mean([_scored(pair, data).agreement("stab_pc") for pair in pairs]))
        halves = "cells" if name.endswith("cells") else data.splits.kind
        donors = _labelled_donors(data)
        records.append(
            {
                "statistic": name,
                "estimate": value,
                "rows": rows,
                "halves": halves,
                "labelled_donors": donors,
            }
        )
    total = _scored((data.moments.half(0, 0) + data.moments.half(0, 1),) * 2, data)
    strongest = np.nanmax(total.halves[0].partial, axis=0).mean()
    records.append({"statistic": "maxpc", "estimate": float(strongest), "rows": data.n})
    return pd.concat([table, pd.DataFrame(records)], ignore_index=True)


def _splits(scores: list[_Scored]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "split": split,
                "statistic": name,
                "value": s.agreement(name),
                "rows_a": s.rows[0],
                "rows_b": s.rows[1],
                "shrinkage_a": s.shrinkage[0],
                "shrinkage_b": s.shrinkage[1],
            }
            for split, s in enumerate(scores)
            for name in RANKED
        ]
    )


def _labelled_donors(data: Dataset) -> int:
    donor = data.roles.get("donor")
    return donor.n_levels if donor else 0


def _optimism(row: pd.Series) -> str:
    if row["halves"] != "cells":
        return ""
    if row["labelled_donors"]:
        donors = f"{row['labelled_donors']:.0f} donors"
        return f" This is optimistic: with {donors} the halves share donors."
    return ""
