"""Could any model predict unseen perturbations better than their mean?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables
from infocheck.errors import NotAssessed
from infocheck.perturbations.baselines import (
    CORRELATION,
    ERROR,
    known,
    mean_of_others,
    no_change,
    scored,
    sum_of_singles,
)
from infocheck.perturbations.ceiling import (
    ALL_ROWS,
    HALF,
    Shared,
    best_lists,
    reliability_interval,
    split_error,
)
from infocheck.perturbations.deltas import Deltas
from infocheck.plotting import Chart
from infocheck.result import Verdict
from infocheck.stats.resampling import t_interval

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Lengths of the lists of strongest genes; only where there are twice as many genes.
LISTS = (20, 50)
# The rows that there are, and multiples of them.
TIMES = (1, 2, 4)
# Perturbations in the picture.
DRAWN = 40
BEST = "best possible"
REPLICATE = "a replicate"
MEAN = "mean of the others"
EXACT = "mean of the others, known exactly"
SINGLES = "sum of the singles"
NOTHING = "no change"
AGAINST = {HALF: "half of the rows", ALL_ROWS: "all rows"}


@dataclass(frozen=True, kw_only=True)
class Response(Check):
    """The score that a model of perturbations could reach at most, beside that of their mean.

    Held-out responses are seen with noise, so a model that knows the true ones does not score
    1. Where the mean response to the other perturbations scores as much, nothing is left to
    learn. Explains; the goal ``perturbation_response`` reads its table ``summary``.
    """

    name = "response"
    title = "Ceiling for predicted perturbations"
    question = "Could any model predict unseen perturbations better than their mean?"
    stage = None
    gate = False
    unit = "correlation that is left to gain over the mean of the others"
    needs = ("replicated perturbations",)
    references = ("ahlmanneltze2025", "spearman1910", "stephens2017")
    computed = (
        "The response to a perturbation is the difference from the control on the scale of the "
        "analysis, in all genes of the panel but those it is aimed at. Rows, those of the control "
        "too, are dealt to halves that share none, in three ways; donors stay whole where six or "
        "more are labelled and the perturbations are spread over them. What a response shares "
        "with itself in the other half is its true size: from it follow reliability, and its "
        "root, the correlation of the true response with the observed one, which no model can "
        "exceed. What it shares with the mean of the others gives the correlation of that mean, "
        "with the noise of the mean divided out. The headline is the mean difference of the two "
        "for all rows; its interval joins the spread over perturbations with that over the ways "
        "to halve. Beside it, other metrics are scored against one half and learned from the "
        "other; there the ceiling of lists of genes and of directions comes from a mixture of "
        "normals fitted to the observed effects, from which truth and noise are drawn."
    )
    misleads = (
        "A ceiling is no forecast: that something is left to learn does not say that a model can "
        "learn it from these perturbations. What halves share counts as response: a guide that "
        "hits other genes, a batch that cannot be told from a perturbation, donors that are in "
        "both halves. The correlation rewards whatever all perturbations have in common, such as "
        "stress, and is blind to their strength: look at the squared error as well. Rare "
        "perturbations count as much as common ones."
    )

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        study = _Study.of(Deltas.of(data))
        around, raw = study.shared(centred=True), study.shared(centred=False)
        ceiling = around.averaged()
        low, high = reliability_interval(ceiling, study.halves, study.counted)
        perturbations = pd.DataFrame(
            {
                "perturbation": study.names,
                "rows": study.rows,
                "reliability": ceiling.reliability(),
                "reliability_low": low,
                "reliability_high": high,
                "ceiling": ceiling.best_correlation(),
                "mean_baseline": ceiling.mean_correlation(),
                "difference": ceiling.difference(),
                "squared_error_at_best": raw.averaged().best_error(),
                "squared_error_of_the_mean": raw.averaged().mean_error(),
            }
        ).sort_values("ceiling", ascending=False, kind="stable", ignore_index=True)
        return {
            "summary": _summary(study, around),
            "scores": _scores(study, around, raw, rng),
            "perturbations": perturbations,
            "cells": _cells(study, around),
        }

    def judge(self, tables: Tables) -> Verdict:
        row = tables["summary"].iloc[0]
        above = row["difference_low"] is not None and row["difference_low"] > 0
        mean = "the mean response to the others"
        if row["compared"] != "control":
            mean = "no change (without a control, responses are differences from the others)"
        said = (
            "is left for a model to gain"
            if above
            else "is within noise, so no model can be shown to beat that mean"
        )
        return Verdict.against(
            estimate=row["difference"],
            low=row["difference_low"],
            high=row["difference_high"],
            need=None,
            floor=None,
            unit=self.unit,
            possible=(-2.0, 2.0),
            reason=f"With observed responses to {row['perturbations']:.0f} held-out perturbations "
            f"the best possible model would correlate at {_ranged(row, 'ceiling')}, {mean} at "
            f"{_ranged(row, 'mean_baseline')}: the difference of {{estimate:z.3f}} "
            f"({{low:z.3f}} to {{high:z.3f}}) {said}.",
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        return {
            "perturbations": _by_perturbation(tables["perturbations"]),
            "metrics": _by_metric(tables["scores"]),
        }


@dataclass(frozen=True)
class _Study:
    """Responses that have rows in two halves, and what else is needed of them."""

    deltas: Deltas
    names: np.ndarray
    rows: np.ndarray
    delta: np.ndarray
    error: np.ndarray
    halves: np.ndarray
    others: np.ndarray
    singles: np.ndarray
    counted: np.ndarray

    @classmethod
    def of(cls, deltas: Deltas) -> _Study:
        counted = deltas.without_targets()
        there = np.isfinite(deltas.halves).all(axis=(1, 3)).any(axis=0)
        if there.sum() < thresholds.MIN_PERTURBATIONS:
            raise NotAssessed(
                f"{there.sum()} of {len(there)} perturbations have rows in two halves of the "
                f"data; at least {thresholds.MIN_PERTURBATIONS} are needed to tell one response "
                "from the mean of the others. Bring more perturbations with replicates, and "
                "controls."
            )
        if counted.sum(axis=1).min() < thresholds.MIN_RESPONSE_GENES:
            raise NotAssessed(
                f"{counted.shape[1]} genes are too few for the correlation of two responses; at "
                f"least {thresholds.MIN_RESPONSE_GENES} are needed beside those that are "
                "perturbed. Bring more genes."
            )
        halves = deltas.halves[:, :, there]
        parts = [deltas.parts[i] for i in np.flatnonzero(there)]
        has_control = deltas.compared == "control"
        return cls(
            deltas=deltas,
            names=deltas.names[there],
            rows=deltas.rows[there].astype(np.int64),
            delta=deltas.delta[there],
            error=deltas.error[there],
            halves=halves,
            # Without a control the others are what a response is measured from.
            others=_each(halves, mean_of_others) if has_control else np.zeros_like(halves),
            singles=_each(halves, lambda half: sum_of_singles(half, parts)),
            counted=counted[there],
        )

    @property
    def lists(self) -> tuple[int, ...]:
        fewest = known(self.error, self.counted).sum(axis=1).min()
        return tuple(size for size in LISTS if 2 * size <= fewest)

    def shared(self, *, centred: bool) -> Shared:
        return Shared.of(self.halves, self.others, self.counted, centred=centred)

    def learned(self, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """Scores of predictions from one half against the other, both ways."""
        predicted = np.concatenate([predictions[:, 0], predictions[:, 1]])
        observed = np.concatenate([self.halves[:, 1], self.halves[:, 0]])
        return scored(predicted, observed, self.error, self.counted, self.lists)


def _each(halves: np.ndarray, what) -> np.ndarray:
    return np.stack([np.stack([what(half) for half in way]) for way in halves])


@dataclass(frozen=True)
class _Mean:
    """A mean over perturbations with its 95 % interval, and how many there are."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: np.ndarray, split: float = 0.0, most: float = math.inf) -> _Mean:
        """``split`` is an error that all perturbations share; no value is beyond ``most``."""
        known = values[np.isfinite(values)]
        n = len(known)
        if n < 2:
            return cls(float(known.mean()) if n else math.nan, math.nan, math.nan, n)
        error = math.hypot(known.std(ddof=1) / math.sqrt(n), split)
        mean = float(known.mean())
        return cls(mean, *t_interval(mean, error, n, (-most, most)), n)

    @classmethod
    def split(cls, shared: Shared, name: str, rows: float, most: float = math.inf) -> _Mean:
        """Of a method of the ceiling, with the error from where the rows were cut."""
        each = np.array([cls.of(getattr(way, name)(rows)).value for way in shared.ways()])
        return cls.of(getattr(shared.averaged(), name)(rows), split_error(each), most)

    def columns(self, name: str) -> dict[str, float]:
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


def _summary(study: _Study, around: Shared) -> pd.DataFrame:
    difference = _Mean.split(around, "difference", ALL_ROWS, most=2.0)
    row = {
        **_Mean.split(around, "best_correlation", ALL_ROWS, most=1.0).columns("ceiling"),
        **_Mean.split(around, "mean_correlation", ALL_ROWS, most=1.0).columns("mean_baseline"),
        **difference.columns("difference"),
        "perturbations": difference.n,
        "median_rows": float(np.median(study.rows)),
        "genes": study.counted.shape[1],
        "compared": study.deltas.compared,
        "halves": study.deltas.unit,
    }
    return pd.DataFrame([row])


def _scores(study: _Study, around: Shared, raw: Shared, rng: np.random.Generator) -> pd.DataFrame:
    found: dict[tuple[str, float], dict[str, _Mean]] = {}
    against = (HALF, ALL_ROWS)
    listed = best_lists(study.delta, study.error, study.counted, study.lists, against, rng)
    for rows, scores in zip(against, listed, strict=True):
        found[BEST, rows] = {
            CORRELATION: _Mean.split(around, "best_correlation", rows, most=1.0),
            ERROR: _Mean.split(raw, "best_error", rows),
            **_means(scores),
        }
        found[EXACT, rows] = {
            CORRELATION: _Mean.split(around, "mean_correlation", rows, most=1.0),
            ERROR: _Mean.split(raw, "mean_error", rows),
        }
    nothing = _means(no_change(study.counted, study.lists))
    has_control = study.deltas.compared == "control"
    found[REPLICATE, HALF] = _means(study.learned(study.halves))
    found[MEAN, HALF] = _means(study.learned(study.others)) if has_control else nothing
    if np.isfinite(study.singles).any():
        found[SINGLES, HALF] = _means(study.learned(study.singles))
    found[NOTHING, HALF] = nothing
    order = list(found[BEST, HALF])
    records = [
        {
            "metric": metric,
            "predictor": predictor,
            "scored_against": AGAINST[rows],
            "score": mean.value,
            "low": mean.low,
            "high": mean.high,
            "perturbations": mean.n,
        }
        for (predictor, rows), metrics in found.items()
        for metric, mean in metrics.items()
    ]
    records.sort(key=lambda record: order.index(record["metric"]))
    return pd.DataFrame(records)


def _means(scores: Mapping[str, np.ndarray]) -> dict[str, _Mean]:
    return {metric: _Mean.of(values) for metric, values in scores.items()}


def _cells(study: _Study, around: Shared) -> pd.DataFrame:
    """The same with multiples of the rows of every perturbation, and of the control."""
    ceiling = around.averaged()
    records = [
        {
            "times_the_rows": times,
            "median_rows": times * float(np.median(study.rows)),
            "ceiling": _Mean.of(ceiling.best_correlation(times * ALL_ROWS)).value,
            "mean_baseline": _Mean.of(ceiling.mean_correlation(times * ALL_ROWS)).value,
            "difference": _Mean.of(ceiling.difference(times * ALL_ROWS)).value,
        }
        for times in TIMES
    ]
    return pd.DataFrame(records)


def _number(value: float | None) -> str:
    return f"{value:z.2f}" if value is not None and math.isfinite(value) else "an unknown value"


def _ranged(row: pd.Series, name: str) -> str:
    """A number of the summary with its interval."""
    return f"{_number(row[name])} ({_number(row[f'{name}_low'])} to {_number(row[f'{name}_high'])})"


def _by_perturbation(table: pd.DataFrame) -> Chart:
    chosen = np.linspace(len(table) - 1, 0, min(DRAWN, len(table))).round().astype(int)
    shown = table.iloc[chosen]
    best = pd.to_numeric(shown["ceiling"]).to_numpy(float)
    mean = pd.to_numeric(shown["mean_baseline"]).to_numpy(float)
    some = "" if len(shown) == len(table) else f", {len(shown)} of them over the whole range"

    def draw(axes, width: float) -> None:
        place = np.arange(len(shown))
        for y, one, other in zip(place, best, mean, strict=True):
            plotting.span(axes, y, min(one, other), max(one, other))
        axes.plot(mean, place, linestyle="none", marker="D", markersize=7, color=plotting.C2)
        axes.plot(best, place, linestyle="none", marker="o", markersize=8, color=plotting.C1)
        axes.set_yticks(place, [str(name) for name in shown["perturbation"]])
        axes.set_ylim(-0.7, len(shown) - 0.3)
        axes.set_xlim(min(0.0, best.min(), mean.min()) - 0.03, 1.03)
        axes.set_xlabel("Correlation with the observed response")

    return Chart(
        title="The best possible correlation with an observed response is "
        f"{_number(pd.to_numeric(table['ceiling']).mean())} on average over {len(table)} "
        "perturbations, that of the mean of the others "
        f"{_number(pd.to_numeric(table['mean_baseline']).mean())}.",
        caption="Each row a perturbation, by its ceiling" + some + ". Dots: the best possible "
        "correlation with the response in all rows. Diamonds: that of the mean response of the "
        "other perturbations, known exactly. Estimates of both scatter, below zero too.",
        draw=draw,
        height=1.4 + 0.3 * len(shown),
    )


_MARKS = {
    BEST: ("c1", "o"),
    REPLICATE: ("c3", "s"),
    MEAN: ("c2", "D"),
    SINGLES: ("c3", "^"),
    NOTHING: ("c3", "|"),
}


def _by_metric(table: pd.DataFrame) -> Chart:
    half = table[table["scored_against"] == AGAINST[HALF]]
    scores = half.astype({"score": float}).pivot_table(
        index="metric", columns="predictor", values="score"
    )
    metrics = list(dict.fromkeys(half["metric"]))[::-1]
    drawn = [name for name in _MARKS if name in scores]
    first = scores.loc[CORRELATION]

    def draw(axes, width: float) -> None:
        for name in drawn:
            colour, marker = _MARKS[name]
            plotting.strip(axes, 0, [], colour, marker)
            axes.plot(
                scores[name].reindex(metrics),
                np.arange(len(metrics)),
                linestyle="none",
                marker=marker,
                markersize=10,
                markeredgewidth=2 if marker == "|" else 0,
                color=plotting.PALETTE[colour][0],
                label=name.capitalize(),
            )
        axes.set_yticks(np.arange(len(metrics)), [_broken(metric) for metric in metrics])
        axes.set_ylim(-0.6, len(metrics) - 0.4)
        axes.set_xlabel("Score against half of the rows")
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.18), ncols=5 if width > 6 else 2)

    return Chart(
        title=f"Against half of the rows the best possible correlation is {_number(first[BEST])}, "
        f"that of a replicate {_number(first[REPLICATE])} and that of the mean of the others "
        f"{_number(first[MEAN])}.",
        caption="Predictions are learned from one half of the rows and scored against the other; "
        "means over perturbations. A squared error is better when smaller; all other scores are "
        "better when larger.",
        draw=draw,
        height=2.4 + 0.5 * len(metrics),
    )


def _broken(metric: str) -> str:
    words = metric[:1].upper() + metric[1:]
    cut = words.rfind(" ", 0, 22)
    return words if len(words) <= 22 else f"{words[:cut]}\n{words[cut + 1 :]}"
