"""How much of each gene's variance is signal?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Stage, Verdict
from infocheck.stats.reliability import at_depth, closed_form, within_groups
from infocheck.stats.resampling import jackknife_error, share_interval
from infocheck.values import WORDS

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Depths of the forecast, as multiples of the counts per cell that there are.
DEPTHS = (1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Reliability(Check):
    """Share of regulators that are measured well enough to be predictors.

    Poisson counting noise is subtracted from the variance of depth-normalised
    counts. Misleads when size factors are wrong or ambient RNA is high: both
    count as signal.
    """

    name = "reliability"
    title = "Measurement reliability"
    question = "How much of each gene's variance is signal?"
    stage = Stage.MEASUREMENT
    unit = "share of regulators"
    needs = ("counts",)
    references = ("zhang2020", "quenouille1956", "wilson1927")
    computed = (
        "Reliability is one minus the share of the variance of depth-normalised counts that "
        "Poisson counting explains. The headline is the share of regulators at "
        f"{thresholds.READABLE} or more. Intervals: regulators by the jackknife over "
        "independent groups of cells (whole donors where at least six are labelled); the share "
        "by a Wilson interval widened by the jackknife error and by the estimated effect of "
        "noise in the single reliabilities. What twice the molecules per cell would give follows "
        "in closed form, because Poisson noise halves."
    )
    misleads = (
        "Errors in size factors, ambient RNA and doublets count as signal, so this is an upper "
        "limit. Over several cell types the differences between types count as signal too: the "
        "column 'reliability within' takes cell types and donors out. Only raw counts can be "
        "judged."
    )

    readable: float = thresholds.READABLE
    need: float = thresholds.READABLE_SHARE_NEED
    floor: float = thresholds.READABLE_SHARE_FLOOR

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        sums = data.moments.technical
        if sums is None:
            raise NotAssessed(
                f"The input holds {WORDS[data.kind]}; counting noise can be told from biology "
                "only in raw counts. Bring a layer of raw counts (--counts), where the technology "
                "has them."
            )
        regulators = data.panel.expressed
        n, (total, squares, noise) = (
            sums.n,
            (part[:, regulators] for part in (sums.total, sums.squares, sums.noise)),
        )
        whole = _zero_if_constant(
            closed_form(n.sum(), total.sum(axis=0), squares.sum(axis=0), noise.sum(axis=0))
        )
        without = np.stack(
            [
                _zero_if_constant(
                    closed_form(
                        n.sum() - n[g],
                        total.sum(axis=0) - total[g],
                        squares.sum(axis=0) - squares[g],
                        noise.sum(axis=0) - noise[g],
                    )
                )
                for g in range(len(n))
            ]
        )
        error = jackknife_error(without)
        half = norm.ppf(0.975) * error
        genes = pd.DataFrame(
            {
                "regulator": data.names(regulators),
                "mean_count": data.scan.mean[data.panel.genes[regulators]],
                "detected_share": data.scan.detected[data.panel.genes[regulators]] / data.n_obs,
                "reliability": whole,
                "reliability_low": np.clip(whole - half, 0, 1),
                "reliability_high": np.clip(whole + half, 0, 1),
            }
        )
        strata = data.moments.strata
        if strata is not None:
            parts = (part[:, regulators] for part in (strata.total, strata.squares, strata.noise))
            genes["reliability_within"] = _zero_if_constant(within_groups(strata.n, *parts))
        return {
            "share": self._share(whole, without, error),
            "depth": self._depth(whole, without),
            "regulators": genes,
        }

    def _depth(self, whole: np.ndarray, without: np.ndarray) -> pd.DataFrame:
        """The share at multiples of the depth, each with its own jackknife interval."""
        tables = []
        for times in DEPTHS:
            there, rest = at_depth(whole, times), at_depth(without, times)
            tables.append(self._share(there, rest, jackknife_error(rest)).assign(depth=times))
        columns = ["depth", "estimate", "low", "high", "median_reliability", "regulators"]
        return pd.concat(tables, ignore_index=True)[columns]

    def _share(self, whole: np.ndarray, without: np.ndarray, error: np.ndarray):
        share = float((whole >= self.readable).mean())
        cells = float(jackknife_error((without >= self.readable).mean(axis=1)))
        # Noise carries regulators over the line in both directions; adding it once
        # more shows by how much it moves the share.
        noised = float(norm.sf(self.readable, loc=whole, scale=np.maximum(error, 1e-9)).mean())
        low, high = share_interval(share, len(whole), float(np.hypot(cells, noised - share)))
        row = {
            "statistic": "readable_share",
            "estimate": share,
            "low": low,
            "high": high,
            "regulators": len(whole),
            "median_reliability": float(np.median(whole)),
            "cells_error": cells,
            "noise_shift": noised - share,
        }
        return pd.DataFrame([row])

    def judge(self, tables: Tables) -> Verdict:
        row = tables["share"].iloc[0]
        return Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=self.need,
            floor=self.floor,
            unit=self.unit,
            possible=(0.0, 1.0),
            reason=f"{{estimate:.0%}} ({{low:.0%}}–{{high:.0%}}) of {row['regulators']:.0f} "
            f"regulators have a reliability of {self.readable} or more; {{need:.0%}} are needed.",
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        genes = tables["regulators"]
        share = tables["share"].iloc[0]

        def draw(axes, width: float) -> None:
            x = np.maximum(genes["mean_count"].to_numpy(float), 1e-4)
            plotting.dots(axes, x, genes["reliability"].to_numpy(float))
            plotting.level(axes, self.readable, f"Need {self.readable}")
            axes.set(xscale="log", ylim=(-0.03, 1.03))
            axes.set_xlabel("Mean count per cell")
            axes.set_ylabel("Reliability")

        return {
            "reliability": Chart(
                title=f"{share['estimate']:.0%} of {share['regulators']:.0f} regulators reach a "
                f"reliability of {self.readable}; the median is "
                f"{share['median_reliability']:.2f}.",
                caption="One dot per regulator. Above the broken line a regulator is read well "
                "enough to be a predictor. Intervals stand in the table of regulators.",
                draw=draw,
            )
        }


def _zero_if_constant(reliability: np.ndarray) -> np.ndarray:
    """A gene without variance carries no signal."""
    return np.nan_to_num(reliability, nan=0.0)
