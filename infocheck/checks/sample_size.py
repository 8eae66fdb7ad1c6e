"""How many independent observations do the rows amount to?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables
from infocheck.dependence import dependence_table
from infocheck.errors import NotAssessed
from infocheck.independence import QUANTILES, deciding, distinct_rows, sizes
from infocheck.plotting import Chart
from infocheck.result import Stage, Verdict, findings

if TYPE_CHECKING:
    import numpy as np

    from infocheck.dataset import Dataset

_NOUNS = {"donor": "donors", "batch": "batches", "time": "time series"}


@dataclass(frozen=True, kw_only=True)
class SampleSize(Check):
    """Effective observations for the correlation of the median regulator-target pair.

    Rows of one donor repeat each other as far as both genes differ between donors,
    and consecutive rows of a time series as far as both follow the row before. It
    explains: stability decides.
    """

    name = "sample_size"
    title = "Sample size"
    question = "How many independent observations do the rows amount to?"
    stage = Stage.SAMPLING
    gate = False
    unit = "effective observations"
    needs = ("donor", "batch", "time series")
    references = ("moulton1986", "bartlett1935", "quenouille1956")
    computed = (
        "For donors and batches, the intraclass correlation of every gene comes from sums by "
        "level. For a regulator and a target, N rows count as N / (1 + (m − 1) × product of "
        "their intraclass correlations), with m the rows of the donor of the average row. For a "
        "time series, N / (1 + 2 × sum of products of their autocorrelations). The headline is "
        "the median over regulators and the random targets of the stability check, for "
        "whichever gives fewer, and never more than the distinct rows. The interval is a "
        "jackknife over levels; with fewer than "
        f"{thresholds.MIN_DONORS} levels it takes the errors of all genes as one. Whether rows "
        "share reads or noise is tested beside it: rows that repeat, neighbouring rows that "
        "differ by less than counting noise or share what other genes do not explain, and "
        "rows that fill few directions."
    )
    misleads = (
        "It is for correlations between genes that both vary between cells. An effect that is "
        "constant within a donor, such as genotype or treatment, has far fewer: see the limit in "
        "the table. With few donors the interval is wide, and the value is no promise that a "
        "network is found. Rows without a label are taken to be spread over the labelled "
        "donors. After smoothing or pooling it is an upper limit; light smoothing, imputation "
        "that changes zeros only, and any smoothing of few rows are not seen."
    )

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        rows = {"rows": data.n, "distinct_rows": distinct_rows(data)}
        found = sizes(data)
        tables = {"rows": pd.DataFrame([rows]), "dependence": dependence_table(data)}
        if not found:
            return tables
        table = pd.DataFrame(
            [
                {
                    "grouping": size.role,
                    "column": size.column,
                    "levels": size.levels,
                    "labelled_rows": size.rows,
                    "median_icc": size.icc,
                    "effective_rows": size.median,
                    "effective_rows_low": size.low,
                    "effective_rows_high": size.high,
                    "limit_for_constant_effects": size.contrast,
                }
                for size in found
            ]
        )
        least = deciding(found)
        most = float(rows["distinct_rows"])
        headline = {
            "statistic": "effective_observations",
            "estimate": min(least.median, most),
            "low": min(least.low, most),
            "high": min(least.high, most),
            "grouping": least.role,
            "levels": least.levels,
            "limit": least.contrast,
            **rows,
        }
        pairs = [
            {"grouping": size.role, "pairs_below": share, "effective_rows": value}
            for size in found
            for share, value in zip(
                QUANTILES, (size.tenth, size.median, size.ninetieth), strict=True
            )
        ]
        headed = {"size": pd.DataFrame([headline]), "groupings": table}
        return {**headed, "pairs": pd.DataFrame(pairs), **tables}

    def judge(self, tables: Tables) -> Verdict:
        cause = findings(tables.get("dependence"))
        if "size" not in tables:
            rows = tables["rows"].iloc[0]["rows"]
            raise NotAssessed(
                f"Neither donor nor batch nor a time series is labelled, so the {rows:,.0f} rows "
                "are taken as independent"
                + (f", although {cause}. " if cause else ", which they need not be. ")
                + "Bring donor labels (--donor)."
            )
        row = tables["size"].iloc[0]
        return Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=None,
            floor=None,
            unit=self.unit,
            possible=(0.0, float(row["distinct_rows"]) * (1 + 1e-9)),
            reason=f"{row['rows']:,.0f} rows of {_levels(row)} amount to {{estimate:,.0f}} "
            "({low:,.0f}–{high:,.0f}) independent observations for the median pair of regulator "
            "and target; no number is demanded, stability decides." + _more(row, cause),
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        if "groupings" not in tables:
            return {}
        found, pairs = tables["groupings"], tables["pairs"]
        row = tables["size"].iloc[0]

        def draw(axes, width: float) -> None:
            for y, entry in enumerate(found[::-1].itertuples()):
                of = pairs.loc[pairs["grouping"] == entry.grouping, "effective_rows"]
                plotting.span(axes, y, of.min(), of.max())
                low, high = entry.effective_rows_low, entry.effective_rows_high
                plotting.whisker(axes, y, entry.effective_rows, low, high)
                limit = entry.limit_for_constant_effects
                if limit is not None and math.isfinite(limit):
                    plotting.strip(axes, y, [limit], "c2", marker="D")
            plotting.across(axes, row["rows"], "Rows ", dashed=True, side="left")
            axes.set_yticks(range(len(found)), [_tick(e) for e in found[::-1].itertuples()])
            axes.set_ylim(-0.6, len(found) - 0.4)
            axes.set_xscale("log")
            axes.set_xlabel("Independent observations")

        return {
            "sample_size": Chart(
                title=f"{row['rows']:,.0f} rows amount to {row['estimate']:,.0f} independent "
                f"observations for the median pair of regulator and target "
                f"({row['low']:,.0f} to {row['high']:,.0f}).",
                caption="For each grouping the effective observations of the median pair with "
                "95% interval (blue), the range that holds 80% of all pairs (band), and the "
                "limit for an effect that is constant within a level (orange diamond). The "
                "broken line is the number of rows.",
                draw=draw,
                height=1.5 + 0.6 * len(found),
            )
        }


def _levels(row: pd.Series) -> str:
    noun = _NOUNS[row["grouping"]]
    count = f"{row['levels']:,.0f}"
    return f"{count} {noun}" if row["levels"] != 1 else "one time series"


def _tick(entry) -> str:
    return f"{entry.levels:,.0f} {_NOUNS[entry.grouping]}"


def _more(row: pd.Series, cause: str) -> str:
    """What else limits the number; of few levels the limit is not known."""
    text = f" It is an upper limit, because {cause}." if cause else ""
    limit = row["limit"]
    few = row["levels"] < thresholds.MIN_DONORS
    if few or limit is None or not math.isfinite(limit):
        return text
    return text + (
        f" An effect that is constant within a {row['grouping']} has about {limit:,.0f}."
    )
