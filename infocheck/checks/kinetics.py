"""Does the sampling in time resolve the rates?"""

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
from infocheck.plotting import Chart
from infocheck.result import INFINITY, Stage, Verdict
from infocheck.stats.relaxation import keep
from infocheck.stats.resampling import jackknife_error, median_interval, share_interval
from infocheck.time_courses import courses, layers, layout, order, rates, steps

if TYPE_CHECKING:
    from infocheck.dataset import Dataset
    from infocheck.time_courses.courses import Course, Relaxation
    from infocheck.time_courses.layout import Layout

# Questions that are answered one by one.
RATES, HOURS, DIRECTION = "rates of relaxation", "half-lives in hours", "which gene comes first"
VELOCITY, NOISE = "unspliced counts", "noise of single copies"
_HALF_LIFE = "relaxation_half_life"
_NOTHING = (math.nan, math.nan, math.nan)
# Factors beyond this say that nothing is known, and are not drawn.
MOST_FACTOR = 10.0


@dataclass(frozen=True, kw_only=True)
class Kinetics(Check):
    """Which rates of relaxation samples in time can tell, and whether time tells direction.

    Explains and decides nothing: no source gives a rule for the interval between samples.
    Misleads where genes do not relax exponentially.
    """

    name = "kinetics"
    title = "Sampling in time"
    question = "Does the sampling in time resolve the rates?"
    stage = Stage.PROXY
    gate = False
    unit = "share of regulators"
    needs = ("time",)
    references = (
        "uhlenbeck1930",
        "kendall1954",
        "nickell1981",
        "fieller1954",
        "gasser1986",
        "welch1947",
        "rao1945",
        "granger1969",
        "benjamini1995",
        "wilson1927",
        "schwanhausser2011",
        "elowitz2002",
    )
    computed = (
        "The headline is the share of regulators for which the 95% interval of the half-life of "
        f"relaxation reaches at most a factor of {thresholds.RATE_FOLD:g} to either side of its "
        "middle (a convention). Where the same unit is followed, the half-life comes from the "
        "memory of deviations: an Ornstein-Uhlenbeck process keeps 2^(-step / half-life) of them. "
        "Products of deviations one and two samples apart are held against their expectations, "
        "out of which measurement noise without memory falls; that the mean of a series is "
        "estimated is part of the expectation, so that short series are not biased. Three or more "
        "series on one grid, and other samples at each time, tell it also by an exponential way "
        "of their mean from one level to another; the narrower interval counts. The "
        "autocorrelation between samples takes values as exact. The curve "
        "is the Cramér-Rao bound: the best that any unbiased method could do on these times, for "
        "a response to a stimulus at the first of them with the noise that a typical changing "
        "gene shows here. Direction compares lagged partial correlations of regulator and target "
        "both ways with those of unrelated genes, from series that are paired at random or turned "
        "round."
    )
    misleads = (
        "Few rates resolved do not mean that there are no dynamics, and many do not make them "
        "regulation. Half-lives of relaxation are those of the response, which is as slow as the "
        "slowest of mRNA, protein and stimulus; they equal half-lives of mRNA only where input "
        "changes at once. Noise is estimated from the finest steps, where fast dynamics looks the "
        "same. On a logarithmic scale relaxation is exponential for small changes only. A driver "
        "that reaches one gene before another, and a gene that is slower than another, give an "
        "order in time without regulation; where regulation is sparse, the share of asymmetric "
        "pairs stays near chance although the order of true pairs is right. "
        "The bound takes the first time for that of the stimulus, and noise for independent and "
        "of one size."
    )

    fold: float = thresholds.RATE_FOLD

    @property
    def span(self) -> float:
        """Largest ratio of the ends of an interval of a rate that is resolved."""
        return self.fold**2

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        time_rng, order_rng = rng.spawn(2)
        found = layout.read(data)
        course = courses.course(data, found) if found.kind else None
        tables: dict[str, pd.DataFrame] = {}
        said: dict[str, str] = {}
        with _Said(said, RATES):
            _require(data, found, course)
            tables |= _grid(data, found, course)
            tables |= self._relaxation(data, course, time_rng)
        with _Said(said, HOURS):
            _require_unit(found)
        with _Said(said, DIRECTION):
            if course is None or not found.kind:
                raise NotAssessed(said[RATES])
            _require_rows(data)
            tables["direction"] = order.table(data, course, order_rng)
        with _Said(said, VELOCITY):
            tables["velocity"] = layers.velocity(data)
        with _Said(said, NOISE):
            tables["noise"] = layers.copies(data)
        first = {"summary": tables.pop("summary")} if "summary" in tables else {}
        return {**first, **tables, "readiness": _readiness(said)}

    def _relaxation(
        self, data: Dataset, course: Course, rng: np.random.Generator
    ) -> dict[str, pd.DataFrame]:
        found = courses.relaxation_of(course, self.span, rng)
        if found is None:
            raise NotAssessed(
                f"{len(course.times)} times of different cells cannot hold a start, an end and a "
                "rate. Bring a fourth time."
            )
        judged = ~np.isnan(found.half_life.estimate)
        if not judged.any():
            raise NotAssessed(
                "Regulators do not vary, or series repeat each other, so nothing tells the error "
                "of a rate. Bring independent series."
            )
        each = self._regulators(data, course, found, judged)
        return {
            "summary": self._summary(course, found, judged),
            "relaxation": each,
            # Beside the other checks in the table of regulators: the half-life alone.
            "regulators": each[["regulator", *(c for c in each if c.startswith(_HALF_LIFE))]],
        }

    def _summary(self, course: Course, found: Relaxation, judged: np.ndarray) -> pd.DataFrame:
        resolved = found.half_life.resolved(self.span)[judged]
        share, n = float(resolved.mean()), int(judged.sum())
        spread = found.left_out.std(ddof=1) if found.drawn else jackknife_error(found.left_out)
        low, high = share_interval(share, n, float(np.nan_to_num(spread)))
        row = {
            "statistic": "rate_resolved",
            "estimate": share,
            "low": low,
            "high": high,
            "regulators": n,
            **_named("resolved_if_values_were_exact", _NOTHING),
            **_named("median_autocorrelation", _NOTHING),
            "median_half_life": _median_of(found.half_life.estimate[judged], resolved),
            "by_common_response": int((found.by_response[judged] & resolved).sum()),
            "groups": found.groups,
        }
        if found.exact is not None:
            exact = found.exact.resolved(self.span)[judged]
            other = found.by_response[judged] & resolved
            alone = float((exact | other).mean())
            of_alone = alone, *share_interval(alone, n)
            kept = median_interval(keep(found.exact.estimate[judged], course.typical_step))
            row |= _named("resolved_if_values_were_exact", of_alone)
            row |= _named("median_autocorrelation", kept)
        return pd.DataFrame([row])

    def _regulators(
        self, data: Dataset, course: Course, found: Relaxation, judged: np.ndarray
    ) -> pd.DataFrame:
        resolved = found.half_life.resolved(self.span)
        table = {"regulator": data.names(np.arange(data.panel.p))}
        if found.exact is not None:
            for name in ("estimate", "low", "high"):
                key = "autocorrelation" + ("" if name == "estimate" else f"_{name}")
                table[key] = keep(getattr(found.exact, name), course.typical_step)
        half_life = found.half_life
        table |= {
            _HALF_LIFE: np.where(resolved, half_life.estimate, np.nan),
            f"{_HALF_LIFE}_low": np.where(resolved, half_life.low, np.nan),
            f"{_HALF_LIFE}_high": np.where(resolved, half_life.high, np.nan),
            "longer_than": _written(half_life.low),
            "shorter_than": _written(half_life.high),
            "rate_resolved": resolved,
            "told_by": np.where(found.by_response, "response", "memory"),
        }
        return pd.DataFrame(table)[judged].reset_index(drop=True)

    def judge(self, tables: Tables) -> Verdict:
        if "summary" not in tables:
            rows = tables["readiness"].set_index("question")
            raise NotAssessed(str(rows.loc[RATES, "reason"]))
        row, grid = tables["summary"].iloc[0], tables["grid"].iloc[0]
        return Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=None,
            floor=None,
            unit=self.unit,
            possible=(0.0, 1.0),
            reason=f"{{estimate:.0%}} ({{low:.0%}}–{{high:.0%}}) of {row['regulators']:.0f} "
            "regulators have a half-life of relaxation that can be told within a factor of "
            f"{self.fold:g} to either side, from {_grid_words(grid)} apart; this explains, and "
            "decides no goal." + _memory(row) + _direction(tables),
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        charts = {}
        if "bound" in tables and "grid" in tables:
            charts["kinetics"] = _bound_chart(tables)
        if "steps" in tables and "grid" in tables and len(tables["steps"]):
            charts["changes"] = _steps_chart(tables)
        return charts


class _Said:
    """Keeps the reason why one question was not assessed, and goes on with the next."""

    def __init__(self, said: dict[str, str], question: str) -> None:
        self.said, self.question = said, question

    def __enter__(self) -> None:
        self.said[self.question] = ""

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> bool:
        if isinstance(problem, NotAssessed):
            self.said[self.question] = str(problem)
            return True
        return False


def _require(data: Dataset, found: Layout, course: Course | None) -> None:
    if not found.kind:
        raise NotAssessed(found.reason)
    if course is None:
        raise NotAssessed(
            "No series has three samples, so none shows how fast it relaxes. Bring series that "
            "are sampled at three times or more."
        )
    _require_rows(data)
    if len(course.times) < layout.FEWEST_TIMES:
        raise NotAssessed(
            f"Only {len(course.times)} times have two samples or more, so noise cannot be told "
            "from change. Bring replicates."
        )


def _require_rows(data: Dataset) -> None:
    least = thresholds.MIN_OBSERVATIONS_SAMPLING
    if data.n < least:
        raise NotAssessed(
            f"{data.n} observations are too few to tell rates; at least {least} are needed. Bring "
            "more times or more series."
        )


def _require_unit(found: Layout) -> None:
    if not found.kind:
        raise NotAssessed(found.reason)
    if not math.isfinite(found.hours):
        raise NotAssessed(
            f"Neither the name nor the labels of column {found.column!r} tell the unit of time, so "
            "half-lives known in hours cannot be compared with the grid. Bring a unit in the name "
            "(time_h) or in the labels (6h)."
        )


def _grid(data: Dataset, found: Layout, course: Course) -> dict[str, pd.DataFrame]:
    """The grid, its steps, and what it could say at best."""
    row = steps.grid(course, found)
    tables = {"grid": pd.DataFrame([row]), "steps": steps.table(course)}
    noise = row["noise_over_range"]
    if math.isfinite(noise):
        lives = rates.half_lives(data, found, course.typical_step)
        tables["bound"] = rates.curve(course, noise)
        if len(lives):
            tables["rates"] = rates.bounds(course, lives, noise)
            tables["best_grid"] = rates.best_grid(course, lives, noise)
    return tables


def _readiness(said: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"question": question, "assessed": not reason, "reason": reason or None}
            for question, reason in said.items()
        ]
    )


def _written(values: np.ndarray) -> np.ndarray:
    """Infinite numbers as the word that stands for them in a table."""
    return np.where(np.isinf(values), INFINITY, values.astype(object))


def _median_of(values: np.ndarray, resolved: np.ndarray) -> float:
    return float(np.median(values[resolved])) if resolved.any() else math.nan


def _grid_words(grid: pd.Series) -> str:
    followed = grid["kind"] == layout.SERIES
    who = f"{grid['series']:.0f} series of " if followed else ""
    words = f"{who}up to {grid['times']:.0f} times" if followed else f"{grid['times']:.0f} times"
    unit = f" {grid['unit']}" if grid["unit_told_by"] != "nothing" else ""
    rest = "" if followed else f" of {grid['samples_per_time']:.0f} {grid['samples_are']} each"
    return f"{words}{rest}, typically {grid['typical_step']:g}{unit}"


def _memory(row: pd.Series) -> str:
    kept = row["median_autocorrelation"]
    if kept is None or pd.isna(kept):
        return ""
    low, high = (row[f"median_autocorrelation_{end}"] for end in ("low", "high"))
    exact, least, most = (row[f"resolved_if_values_were_exact{e}"] for e in ("", "_low", "_high"))
    return (
        f" The median regulator keeps {kept:.2f} ({low:.2f}–{high:.2f}) of a deviation from one "
        f"sample to the next; were values free of noise, {exact:.0%} ({least:.0%}–{most:.0%}) "
        "would be resolved."
    )


def _named(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _direction(tables: Tables) -> str:
    table = tables.get("direction")
    if table is None or not len(table):
        return ""
    row = table.iloc[0]
    shows = "shows" if row["beyond_chance"] in (True, 1) else "does not show"
    return (
        f" Order in time {shows} which gene of a pair comes first: {row['estimate']:.1%} "
        f"({row['low']:.1%}–{row['high']:.1%}) of pairs are asymmetric, up to "
        f"{row['unrelated_95']:.1%} by chance; the first is not yet the regulator."
    )


def _bound_chart(tables: Tables) -> Chart:
    grid, table = tables["grid"].iloc[0], tables["bound"]
    unit = f" {grid['unit']}" if grid["unit_told_by"] != "nothing" else ""
    lives, factor, alone = (
        table[key].to_numpy(float) for key in ("half_life", "factor", "factor_of_one_sample")
    )
    # Labels stand at this height, outside of the wider curve and inside of the narrower one.
    lines = [(factor, "c1", f"All {grid['samples_are']}", 4.0, "left")]
    found = _told(table, "factor", unit)
    if grid["series"] > 1:
        lines.append((alone, "c2", "One series", 8.0, "right"))
        found = (
            f"{_told(table, 'factor_of_one_sample', unit)} from one series, and {found} from all "
            "if they respond alike"
        )

    def draw(axes, width: float) -> None:
        for values, colour, label, height, side in lines:
            axes.plot(lives, values, color=plotting.PALETTE[colour][0], linewidth=2.6)
            shown = np.flatnonzero(values < height)
            if len(shown):
                style = {"color": plotting.INK, "va": "center", "ha": side}
                place = lives[shown[-1]], values[shown[-1]]
                shift = (10 if side == "left" else -10, 0)
                axes.annotate(label, place, shift, textcoords="offset points", **style)
        plotting.level(axes, thresholds.RATE_FOLD, f"Factor {thresholds.RATE_FOLD:g}")
        axes.set_xscale("log")
        axes.set_yscale("log")
        inside = lives[factor < MOST_FACTOR]
        low, high = (inside[0], inside[-1]) if len(inside) else (lives[0], lives[-1])
        axes.set_xlim(low / 2, high * 2)
        powers = 10.0 ** np.arange(math.ceil(np.log10(low / 2)), np.log10(high * 2))
        axes.set_xticks(powers, [f"{power:,g}" for power in powers])
        axes.set_ylim(0.95, 1.2 * MOST_FACTOR)
        axes.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        axes.minorticks_off()
        axes.set_xlabel(f"True half-life, {grid['unit']}")
        axes.set_ylabel("Factor of 95% interval")

    return Chart(
        title=f"Within a factor of {thresholds.RATE_FOLD:g} these times can at best tell {found}.",
        caption="Factor to either side of the 95% interval that the best unbiased method could "
        "reach for the decay of mRNA after a stimulus at the first time, for a gene of typical "
        f"noise ({grid['noise_over_range']:.0%} of its range; {grid['noise_of']}). Faster genes "
        "have settled by the second time; slower ones have hardly moved by the last.",
        draw=draw,
        height=3.4,
    )


def _told(table: pd.DataFrame, column: str, unit: str) -> str:
    """Which half-lives a grid can tell, in words."""
    low, high = rates.resolved_range(table, column)
    if not math.isfinite(low):
        return "no half-life"
    ends = (f"{float(f'{value:.2g}'):,g}" for value in (low, high))
    return f"half-lives from {' to '.join(ends)}{unit}"


def _steps_chart(tables: Tables) -> Chart:
    grid, table = tables["grid"].iloc[0], tables["steps"]
    share = table["share_of_genes_changed"].to_numpy(float)
    start, end = (table[key].to_numpy(float) for key in ("from_time", "to_time"))
    unit = f", {grid['unit']}" if grid["unit_told_by"] != "nothing" else ""

    def draw(axes, width: float) -> None:
        for key, a, b in zip(share, start, end, strict=True):
            axes.plot([a, b], [key, key], color=plotting.C1, linewidth=4, solid_capstyle="butt")
        axes.set_ylim(0, max(1.05 * share.max(), 0.05))
        axes.yaxis.set_major_formatter(plotting.percent())
        axes.set_xlabel(f"Time{unit}")
        axes.set_ylabel("Genes that change")

    return Chart(
        title=f"{grid['informative_transitions']:.0f} of {grid['transitions']:.0f} transitions "
        f"from one sample to the next change at least {steps.INFORMATIVE:.0%} of genes beyond "
        "noise.",
        caption="For each step of the grid the share of genes that change beyond noise (false "
        "discovery rate 5% over all genes and steps), mean over series where units are followed.",
        draw=draw,
        height=2.9,
    )
