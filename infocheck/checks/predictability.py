"""Do regulators predict targets out of sample?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables, optimism, require_rows
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Stage, Status, Verdict
from infocheck.splits import FOLDS
from infocheck.stats.heritability import heritability
from infocheck.stats.resampling import jackknife_error, t_interval
from infocheck.stats.ridge import PENALTIES, Scores, cross_validated, unique
from infocheck.stats.sums import CrossSums

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

DRAWS = 20
# Targets × regulators² beyond which further targets are left out, for time; the random
# sample that is judged always stays.
WORK = 2e8
NULL_WORK = 6e6
MIN_NULL_TARGETS = 20


@dataclass(frozen=True, kw_only=True)
class Predictability(Check):
    """Mean out-of-sample R² of random targets on all regulators at once.

    Ridge regression; the penalty of each target is chosen inside the training folds.
    Necessary, not sufficient: any gene that varies with a cell type or a batch
    predicts other genes that do.
    """

    name = "predictability"
    title = "Predictability"
    question = "Do regulators predict targets out of sample?"
    stage = Stage.PREDICTABILITY
    unit = "mean out-of-sample R²"
    references = ("hoerl1970", "quenouille1956", "yang2010", "laird1978")
    computed = (
        "Each of up to 150 random targets is predicted from all regulators by ridge regression in "
        "five folds; donors and blocks of a time series stay whole. The penalty of each target is "
        "chosen among ten by leaving out one training fold at a time. The statistic is the mean "
        "over targets of 1 - Σ(y - ŷ)² / Σ(y - mean of training)². Its interval joins a jackknife "
        "over the folds with the choice of targets; the null is the same after the targets' rows "
        "were permuted. Heritability is the share of variance that all regulators explain "
        "together by restricted maximum likelihood, pooled over targets by empirical Bayes. Of "
        "single regulators: the R² of every target on this one alone, and what the model of all "
        "regulators loses without it, both out of sample."
    )
    misleads = (
        "Predictable is not regulated: cell types, batches, depth and the cell cycle make most "
        "genes predict each other. Without donor labels, cells of one donor fall into several "
        "folds and the value is optimistic. Where donors differ strongly, those held out are "
        "missed although cells within a donor are predictable, and the value can lie far below "
        "0. Heritability is too high with few rows. The number of targets that a regulator "
        "predicts counts associations, direct or not."
    )

    need: float = thresholds.PREDICTABILITY_NEED

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        require_rows(data, "to hold some out")
        sampled, others = data.panel.sampled, _others(data)
        targets = np.concatenate([sampled, others])
        own = np.where(targets < data.panel.p, targets, -1)
        folds, mapped = data.moments.folds, data.engine.map
        scores = cross_validated(folds, targets, own, mapped)
        judged = np.arange(len(sampled))
        if not np.isfinite(scores.r2[judged]).any():
            raise NotAssessed("No target varies in the training folds. Bring more observations.")
        genetic = _heritability(data, targets, own)
        null = _permuted(data, rng)
        facts = {
            "null_95": float(np.quantile(null, 0.95)),
            "targets": len(sampled),
            "regulators": data.panel.p,
            "rows": data.n,
            "folds": data.splits.kind,
            "labelled_donors": data.labelled_donors,
        }
        records = [
            _record("r2", _r2_interval(scores, judged, data.panel.candidates), self.need, facts),
            _record("heritability", genetic.interval(judged), math.nan, facts),
        ]
        if len(others):
            further = np.arange(len(sampled), len(targets))
            facts = {**facts, "targets": len(others), "null_95": math.nan}
            interval = _r2_interval(scores, further, len(others))
            records.append(_record("r2_over_dispersed", interval, math.nan, facts))
        return {
            "summary": pd.DataFrame(records),
            "regulators": _regulators(data, targets, own, scores, self.need),
            "targets": pd.DataFrame(
                {
                    "gene": data.names(targets),
                    "random_sample": np.arange(len(targets)) < len(sampled),
                    "r2": scores.r2,
                    "heritability": genetic.pooled,
                }
            ),
            "null": pd.DataFrame({"r2": null}),
        }

    def judge(self, tables: Tables) -> Verdict:
        row = tables["summary"].set_index("statistic").loc["r2"]
        verdict = Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=self.need,
            floor=row["null_95"],
            unit=self.unit,
            possible=(-math.inf, 1.0),
            reason="All regulators together predict {estimate:z.1%} ({low:z.1%}–{high:z.1%}) "
            "of the variance of a random target out of sample; {need:.0%} is needed, and "
            "without any link {floor:z.1%} is reached."
            + optimism(row["folds"], row["labelled_donors"], "folds"),
        )
        if verdict.status is Status.ENOUGH and not row["low"] > row["null_95"]:
            return replace(verdict, status=Status.BORDERLINE)
        return verdict

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        row = tables["summary"].set_index("statistic").loc["r2"]
        targets = tables["targets"]
        chosen = targets["random_sample"].astype(bool)
        values = np.sort(targets.loc[chosen, "r2"].dropna().to_numpy(float))[::-1]
        passed = float((values >= self.need).mean())
        shown = np.maximum(values, min(-0.2, row["null_95"]))

        def draw(axes, width: float) -> None:
            plotting.dots(axes, np.arange(1, len(shown) + 1), shown)
            plotting.level(axes, self.need, f"Need {self.need:.2f}")
            axes.set_xlabel("Random targets, best predicted first")
            axes.set_ylabel("Out-of-sample R²")

        return {
            "predictability": Chart(
                title=f"Regulators predict {passed:.0%} of {len(values)} random targets with an "
                f"out-of-sample R² of {self.need} or more; the mean is {row['estimate']:z.3f} "
                f"({row['low']:z.3f} to {row['high']:z.3f}).",
                caption="One dot per random target: variance explained in rows that took no part "
                "in the fit. Values far below 0 are drawn at the lower edge.",
                draw=draw,
            )
        }


@dataclass(frozen=True)
class _Genetic:
    """Heritability of all targets, and without each fold."""

    pooled: np.ndarray
    without: np.ndarray

    def interval(self, chosen: np.ndarray) -> tuple[float, float, float]:
        estimate = float(self.pooled[chosen].mean())
        error = float(jackknife_error(self.without[:, chosen].mean(axis=1)))
        return (estimate, *t_interval(estimate, error, FOLDS, (0.0, 1.0)))


def _others(data: Dataset) -> np.ndarray:
    """Over-dispersed targets beside the random ones, as many as time allows."""
    panel = data.panel
    others = np.setdiff1d(panel.targets, panel.sampled)
    return others[: max(int(WORK / panel.p**2) - len(panel.sampled), 0)]


def _record(
    name: str, interval: tuple[float, float, float], need: float, facts: Mapping[str, object]
) -> dict[str, object]:
    estimate, low, high = interval
    return {
        "statistic": name,
        "estimate": estimate,
        "low": low,
        "high": high,
        "need": need,
        **facts,
    }


def _r2_interval(scores: Scores, chosen: np.ndarray, candidates: int) -> tuple[float, float, float]:
    """Mean R² of some targets; errors of rows and of the choice of targets are independent."""
    values = scores.r2[chosen]
    inside = np.isfinite(values)
    count = int(inside.sum())
    estimate = float(values[inside].mean())
    by_rows = float(jackknife_error(np.nanmean(scores.without[:, chosen[inside]], axis=1)))
    by_choice = 0.0
    if count > 1:
        left = max(1 - count / candidates, 0.0)
        by_choice = float(values[inside].std(ddof=1)) * math.sqrt(left / count)
    error = math.hypot(by_rows, by_choice)
    return (estimate, *t_interval(estimate, error, FOLDS, (-math.inf, 1.0)))


def _heritability(data: Dataset, targets: np.ndarray, own: np.ndarray) -> _Genetic:
    p, total = data.panel.p, data.moments.total()

    def pooled(sums: CrossSums) -> np.ndarray:
        correlation = sums.correlation()
        return heritability(correlation[:, :p], correlation[:, targets], sums.n, own).pooled

    # Beyond the total, one without each fold: replicates of the jackknife.
    parts = [total, *(total - fold for fold in data.moments.folds)]
    whole, *without = data.engine.map(pooled, parts)
    return _Genetic(whole, np.stack(without))


def _permuted(data: Dataset, rng: np.random.Generator) -> np.ndarray:
    """Mean R² after the rows of the targets were permuted jointly, shape (draws,)."""
    panel, sample = data.panel, data.moments.sample
    room = max(int(NULL_WORK / panel.p**2), MIN_NULL_TARGETS)
    targets = panel.sampled
    if len(targets) > room:
        targets = rng.choice(targets, room, replace=False)
    values = sample.values - data.moments.shift
    lead, columns = values[:, : panel.p], values[:, targets]
    order = [rng.permutation(len(values)) for _ in range(DRAWS)]
    rows = np.hstack([lead, *(columns[o] for o in order)])
    fold = data.splits.fold[sample.rows]
    folds = [CrossSums.of(rows[fold == k], panel.p) for k in range(FOLDS)]
    of_draws = np.arange(panel.p, rows.shape[1])
    r2 = cross_validated(folds, of_draws, mapped=data.engine.map).r2
    return np.nanmean(r2.reshape(DRAWS, -1), axis=1)


def _regulators(
    data: Dataset, targets: np.ndarray, own: np.ndarray, scores: Scores, need: float
) -> pd.DataFrame:
    """What each regulator predicts alone, and beyond all others."""
    penalty = PENALTIES[int(np.median(scores.penalty))]
    found = unique(data.moments.folds, targets, own, penalty, data.engine.map)
    predicted = np.nan_to_num(found.alone, nan=-1.0) >= need
    count = predicted.sum(axis=1)
    lost = np.where(predicted, found.lost, 0.0).sum(axis=1)
    best = np.nan_to_num(found.alone, nan=-np.inf).argmax(axis=1)
    return pd.DataFrame(
        {
            "regulator": data.names(np.arange(data.panel.p)),
            "predicted_targets": count,
            "unique_r2": np.divide(lost, count, out=np.full(len(lost), np.nan), where=count > 0),
            "best_target": np.where(count > 0, data.names(targets[best]), None),
            "variance": data.moments.total().variance()[: data.panel.p],
        }
    )
