"""Do the data hold enough bits to name the regulators of a target?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables
from infocheck.errors import NotAssessed
from infocheck.independence import effective_size
from infocheck.plotting import Chart
from infocheck.proxies import coupling
from infocheck.result import INFINITY, Status, Verdict
from infocheck.stats import information as stats
from infocheck.stats.reliability import closed_form
from infocheck.stats.resampling import jackknife_error, t_interval

if TYPE_CHECKING:
    from infocheck.dataset import Dataset
    from infocheck.moments import TechnicalSums

GRID_REGULATORS = (1, 3, 10)
GRID_R2 = (0.05, 0.1, 0.2, 0.4)
# Partial recovery: at most this share of a target's regulators may be wrong.
WRONG_SHARE = 0.5
IMPOSSIBLE = "exact recovery is impossible under this assumption"
NOT_EXCLUDED = "not excluded by this bound"


@dataclass(frozen=True, kw_only=True)
class Information(Check):
    """Bits that the data hold at most, over the bits that naming the regulators takes.

    A bound on every method at once, under assumed numbers of regulators and R². Below 1
    exact recovery is impossible; at or above 1 nothing is shown, since the bound is
    necessary and loose. It explains and decides no goal.
    """

    name = "information"
    title = "Information bound"
    question = "Do the data hold enough bits to name the regulators of a target?"
    stage = None
    gate = False
    unit = "bits available per bit required"
    references = ("shannon1948", "fano1961", "zhang2020", "quenouille1956")
    computed = (
        "Each effective observation says at most ½ log2(1/(1 - R²)) bits of which regulators a "
        "target has. The R² is an assumption, of what regulators' activity explains; for counts it "
        "is multiplied by the median reliability of the targets and the mean reliability of the "
        "regulators, and where the check 'proxy' found a range for the correlation of mRNA and "
        "activity, by its square. To name d of p "
        "regulators takes log2 C(p, d) bits, and a method that is wrong with a probability of at "
        "most δ needs (1 - δ) log2 C(p, d) - 1 of them (Fano's inequality). The headline is the "
        "ratio of both for one reference case; the table holds other cases, and the same for "
        "partial recovery, where at most half of a target's regulators may be wrong. The interval "
        "is the jackknife of the reliability over independent groups of cells, with the ends of "
        "the range of that correlation; without either the ratio has no interval and is exact "
        "under its assumptions."
    )
    misleads = (
        "A ratio below 1 excludes exact recovery under the assumed R² and number of regulators, "
        "not ranking better than chance. A ratio above 1 excludes nothing and promises nothing: "
        "where the ratio was 1 the best decoder named the right regulator in 44% of simulated "
        "targets, and 90% took 2.9 times the observations. In a preliminary study real data sets "
        "nearly all passed such a bound, and most of them gave a poor network. It is about one "
        "target at a time, with linear effects, regulators that are all measured and nothing that "
        "confounds."
    )

    regulators_per_target: int = 3
    assumed_r2: float = 0.1
    error: float = 0.1
    need: float = thresholds.BITS_NEED
    floor: float = thresholds.BITS_FLOOR

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        panel = data.panel
        # A target that is a candidate itself is none of its own regulators.
        p = len(panel.expressed) - int((panel.own >= 0).any())
        reference = self._required(p, self.regulators_per_target)
        if reference <= 0:
            raise NotAssessed(
                f"Among {p} candidate regulators there is so little to choose that the bound "
                "says nothing. Bring a longer list of candidate regulators."
            )
        known = data.moments.technical is not None
        seen = _Reliability.of(data) if known else _Reliability.unknown()
        n = effective_size(data)
        found = coupling.of(data)
        follows = _Follows.of(found) if found.is_assessed else _Follows()
        shares = np.array([seen.product, seen.low, seen.high]) * follows.squares
        bits = n * stats.bits_per_observation(self.assumed_r2 * shares)
        ratio, low, high = bits / reference
        summary = {
            "statistic": "bits_ratio",
            "estimate": ratio,
            "low": low,
            "high": high,
            "regulators": p,
            "effective_observations": n,
            "regulators_per_target": self.regulators_per_target,
            "assumed_r2": self.assumed_r2,
            "allowed_error": self.error,
            "reliability_known": known,
            "median_target_reliability": seen.targets,
            "mean_regulator_reliability": seen.regulators,
            "coupling_known": follows.known,
            "coupling": follows.about,
            "coupling_low": follows.least,
            "coupling_high": follows.most,
            "bits_available": bits[0],
            "bits_required": reference,
        }
        cases = [
            (d, r2, wrong)
            for d in GRID_REGULATORS
            if d < p
            for r2 in GRID_R2
            for wrong in (0, int(WRONG_SHARE * d))
        ]
        rows = [self._case(p, n, shares, *case) for case in dict.fromkeys(cases)]
        return {"summary": pd.DataFrame([summary]), "grid": pd.DataFrame(rows)}

    def _required(self, p: int, d: int, wrong: int = 0) -> float:
        choice = stats.choice_bits(p, d, wrong) if d <= p else 0.0
        return stats.required_bits(choice, self.error)

    def _case(
        self, p: int, n: float, shares: np.ndarray, d: int, r2: float, wrong: int
    ) -> dict[str, object]:
        """One row of the grid; d regulators, of which so many may be wrong."""
        per_observation = stats.bits_per_observation(r2 * shares)
        required = self._required(p, d, wrong)
        ratio = n * per_observation / required if required > 0 else np.full(3, np.inf)
        needed = stats.required_observations(required, float(per_observation[0]))
        recovery = "partial" if wrong else "exact"
        impossible = IMPOSSIBLE.replace("exact", recovery)
        return {
            "regulators_per_target": d,
            "true_r2": r2,
            "recovery": recovery,
            "observed_r2": r2 * shares[0],
            "bits_available": n * per_observation[0],
            "bits_required": max(required, 0.0),
            "ratio": _written(ratio[0]),
            "ratio_low": _written(ratio[1]),
            "ratio_high": _written(ratio[2]),
            "observations_needed": _written(needed),
            "statement": impossible if ratio[2] < self.floor else NOT_EXCLUDED,
        }

    def judge(self, tables: Tables) -> Verdict:
        row = tables["summary"].iloc[0]
        known = bool(row["coupling_known"])
        verdict = Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=self.need,
            floor=self.floor,
            unit=f"{self.unit} for {row['regulators_per_target']:.0f} regulators at an assumed R² "
            f"of {row['assumed_r2']:g}",
            possible=(0.0, math.inf),
            reason=f"If {row['regulators_per_target']:.0f} of {row['regulators']:.0f} regulators "
            f"explain {row['assumed_r2']:.0%} of a target, {row['effective_observations']:,.0f} "
            "effective observations hold {estimate:.2f}"
            + (" ({low:.2f}–{high:.2f})" if row["reliability_known"] or known else "")
            + " times the bits that naming them takes at the least: ",
        )
        if verdict.status is Status.ERROR:
            return verdict
        impossible = verdict.status is Status.LIMITING
        reason = verdict.reason + (IMPOSSIBLE if impossible else NOT_EXCLUDED) + "."
        if not impossible:
            reason += " The bound is necessary and loose, so this is no pass."
        if known:
            reason += (
                f" The measured correlation of mRNA and activity, {row['coupling_low']:.2f}–"
                f"{row['coupling_high']:.2f}, is taken into account."
            )
        if not row["reliability_known"] and known:
            reason += " Without counts the reliability is unknown and taken as 1."
        elif not row["reliability_known"]:
            reason += (
                " Without counts the reliability is unknown and taken as 1: the number is exact "
                "under its assumptions, and at the upper limit of what they allow."
            )
        # Enough bits are no pass.
        status = Status.LIMITING if impossible else Status.BORDERLINE
        return replace(verdict, status=status, reason=reason)

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        row, grid = tables["summary"].iloc[0], tables["grid"]
        numbers = grid.assign(ratio=pd.to_numeric(grid["ratio"], errors="coerce"))
        shown = numbers[np.isfinite(numbers["ratio"]) & (numbers["ratio"] > 0)]
        impossible = self.judge(tables).status is Status.LIMITING

        def draw(axes, width: float) -> None:
            colours = dict(
                zip(GRID_REGULATORS, (plotting.C1, plotting.C2, plotting.C3), strict=True)
            )
            for (d, recovery), line in shown.groupby(["regulators_per_target", "recovery"]):
                exact = recovery == "exact"
                axes.plot(
                    line["true_r2"],
                    line["ratio"],
                    color=colours[d],
                    linestyle="-" if exact else (0, (5, 4)),
                    marker="o" if exact else None,
                    linewidth=2,
                    label=f"{d}, {recovery}",
                )
            axes.set(xscale="log", yscale="log")
            axes.set_xticks(GRID_R2, [f"{r2:g}" for r2 in GRID_R2])
            axes.minorticks_off()
            plotting.level(axes, self.need, "Bound")
            axes.set_xlabel("Assumed R² of a target's regulators")
            axes.set_ylabel("Bits available\nper bit required")
            if len(shown):
                narrow = width < plotting.WIDE
                low, high = axes.get_ylim()
                # Room for the legend above all lines.
                axes.set_ylim(low, high * (high / low) ** (0.7 if narrow else 0.5))
                axes.legend(
                    title="Regulators of a target",
                    loc="upper left",
                    fontsize=11,
                    ncols=2 if narrow else 3,
                    columnspacing=1.2,
                )

        return {
            "information": Chart(
                title=f"At an R² of {row['assumed_r2']:g} and {row['regulators_per_target']:.0f} "
                f"regulators per target the data hold {row['estimate']:.2f} times the bits "
                f"required: {IMPOSSIBLE if impossible else NOT_EXCLUDED}.",
                caption="Full lines: all regulators of a target are named; broken lines: at most "
                "half of them may be wrong. Below the horizontal line no method can do it. Above "
                "it nothing is shown: the bound is loose.",
                draw=draw,
                height=4.0,
            )
        }


@dataclass(frozen=True)
class _Reliability:
    """By what share the assumed R² is seen, with its interval."""

    targets: float
    regulators: float
    product: float
    low: float
    high: float

    @classmethod
    def unknown(cls) -> _Reliability:
        """The most that is possible."""
        return cls(math.nan, math.nan, 1.0, 1.0, 1.0)

    @classmethod
    def of(cls, data: Dataset) -> _Reliability:
        """From the counting noise of the sampled targets and of all regulators."""
        panel, sums = data.panel, data.moments.technical
        targets, regulators = _typical(sums, panel.sampled, panel.expressed)
        left_out = [
            math.prod(_typical(sums, panel.sampled, panel.expressed, without=group))
            for group in range(len(sums.n))
        ]
        product = targets * regulators
        error = float(jackknife_error(np.array(left_out)))
        low, high = t_interval(product, error, len(left_out), (0.0, 1.0))
        return cls(targets, regulators, product, low, high)


@dataclass(frozen=True)
class _Follows:
    """How strongly mRNA follows activity: about, at least, at most; 1 where nobody knows."""

    about: float = 1.0
    least: float = 1.0
    most: float = 1.0
    known: bool = False

    @classmethod
    def of(cls, found: coupling.Coupling) -> _Follows:
        """Of the regulator in the middle, without the sign."""
        least, about, most = found.strength
        return cls(min(max(about, least), most), least, most, known=True)

    @property
    def squares(self) -> np.ndarray:
        """What is left of an R², in the same order."""
        return np.array([self.about, self.least, self.most]) ** 2


def _typical(
    sums: TechnicalSums, targets: np.ndarray, regulators: np.ndarray, without: int | None = None
) -> tuple[float, float]:
    """Median reliability of the targets and mean of the regulators; one group may be left out."""
    kept = np.arange(len(sums.n)) != (-1 if without is None else without)
    n = float(sums.n[kept].sum())
    parts = (part[kept].sum(axis=0) for part in (sums.total, sums.squares, sums.noise))
    # A gene without variance carries no signal.
    reliability = np.nan_to_num(closed_form(n, *parts), nan=0.0)
    return float(np.median(reliability[targets])), float(reliability[regulators].mean())


def _written(value: float) -> float | str:
    """An infinite number as the word that stands for it in a table."""
    return INFINITY if math.isinf(value) else float(value)
