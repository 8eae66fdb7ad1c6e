"""Do regulators predict better than matched genes that are no regulators?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables, require_rows
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Stage, Verdict
from infocheck.splits import FOLDS
from infocheck.stats.components import residual, scores
from infocheck.stats.decoy_gain import predicted, z_over_targets
from infocheck.stats.resampling import half_interval

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

COMPONENTS = 10
MIN_BACKGROUND = 20
NOT_TOLD = "cannot be told from co-expression by these data alone"


@dataclass(frozen=True, kw_only=True)
class Specificity(Check):
    """z of the gain in out-of-sample R² of regulators over matched decoys.

    A pass is evidence. A fail proves nothing: decoys may be targets of the same
    regulators and then predict their siblings just as well.
    """

    name = "specificity"
    title = "Specificity"
    question = "Do regulators predict better than matched genes that are no regulators?"
    stage = Stage.SPECIFICITY
    unit = "z of the gain in R² over decoys"
    references = ("hoerl1970", "halko2011")
    computed = (
        "Up to 300 regulators are each matched with a gene that is no regulator and no judged "
        "target, nearest in mean and spread, three times from a random part of the genes. The "
        "same random targets are predicted from the regulators, from the decoys and from both, "
        "in the same folds, by the same ridge regression. The gain is the difference in R²; z is "
        "its mean over its standard error over targets, averaged over the draws; its interval also "
        "holds the spread over draws, of which the regulators are one more. All is repeated "
        "after up to ten leading components of genes that are neither regulators, decoys nor "
        "judged targets were taken out of everything; that z is judged where only it reaches the "
        "need. Unique R² is what regulators add to one draw of decoys."
    )
    misleads = (
        "Decoys may be targets of the same regulators, so regulators that do regulate can fail: "
        "this stage never excludes. Targets depend on each other, so z is no p-value. Regulators "
        "can also gain because they are chosen by people who study these cells."
    )

    need: float = thresholds.SPECIFICITY_NEED

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        _refuse(data)
        sample, decoys = data.moments.sample, data.decoys
        rows = sample.values - data.moments.shift
        fold = data.splits.fold[sample.rows]
        background = np.setdiff1d(
            np.arange(data.panel.p, rows.shape[1]),
            np.concatenate([decoys.targets, decoys.draws.ravel()]),
        )
        compared = [("plain", _compare(rows, fold, data))]
        if len(background) >= MIN_BACKGROUND:
            count = min(COMPONENTS, len(rows) // 4, len(background))
            leading = scores(rows[:, background], count, int(rng.integers(2**31)))
            used = np.unique(
                np.concatenate([decoys.regulators, decoys.targets, decoys.draws.ravel()])
            )
            rows[:, used] = residual(rows[:, used], leading)
            compared.append(("beyond_components", _compare(rows, fold, data)))
        return {
            "summary": pd.DataFrame([_summary(name, table) for name, table in compared]),
            "targets": pd.concat(
                [table.assign(values=name) for name, table in compared], ignore_index=True
            ).assign(gene=lambda t: data.names(t["gene"].to_numpy())),
        }

    def judge(self, tables: Tables) -> Verdict:
        row = self._row(tables)
        passed = row["low"] >= self.need
        beyond = ", beyond the leading components," if row["values"] != "plain" else ""
        meaning = (
            "regulators carry information that matched genes do not."
            if passed
            else f"regulation {NOT_TOLD}."
        )
        return Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=self.need,
            floor=None,
            unit=self.unit,
            reason=f"Regulators predict {row['r2']:z.1%} of a random target{beyond} and matched "
            f"decoys {row['r2_decoys']:z.1%} (z {{estimate:z.1f}}, {{low:z.1f}} to {{high:z.1f}}; "
            f"{{need:.0f}} is needed): {meaning}",
        )

    def _row(self, tables: Tables) -> pd.Series:
        """The plain comparison, or that beyond components where only it reaches the need."""
        summary = tables["summary"].set_index("values", drop=False)
        plain = summary.loc["plain"]
        if "beyond_components" not in summary.index or plain["estimate"] >= self.need:
            return plain
        beyond = summary.loc["beyond_components"]
        return beyond if beyond["estimate"] >= self.need else plain

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        row = self._row(tables)
        chosen = tables["targets"]
        chosen = chosen[chosen["values"] == row["values"]]
        lowest = -0.2
        x = np.maximum(chosen["r2_decoys"].to_numpy(float), lowest)
        y = np.maximum(chosen["r2"].to_numpy(float), lowest)
        above = float((chosen["r2"] > chosen["r2_decoys"]).mean())

        def draw(axes, width: float) -> None:
            plotting.diagonal(axes, lowest, 1.0, "Equal")
            plotting.dots(axes, x, y)
            axes.set(xlim=(lowest - 0.02, 1.02), ylim=(lowest - 0.02, 1.02))
            axes.set_xlabel("R² from matched decoys")
            axes.set_ylabel("R² from regulators")

        return {
            "specificity": Chart(
                title=f"Regulators predict {above:.0%} of {len(chosen)} targets better than "
                f"matched decoys do; z is {row['estimate']:z.1f} ({row['low']:z.1f} to "
                f"{row['high']:z.1f}), {self.need:.0f} is needed.",
                caption="One dot per random target, out of sample. Above the broken line "
                "regulators predict it better than genes of the same mean and spread that are "
                "no regulators. Values below -0.2 are drawn at the edge.",
                draw=draw,
                height=4.6,
            )
        }


def _refuse(data: Dataset) -> None:
    require_rows(data, "to hold some out")
    decoys = data.decoys
    if not decoys.draws.size:
        raise NotAssessed(
            f"{decoys.others} genes are no regulators, too few for decoys and targets: "
            f"{decoys.needed} are needed. Bring all measured genes, not a selection."
        )


def _compare(rows: np.ndarray, fold: np.ndarray, data: Dataset) -> pd.DataFrame:
    """R² of every target from regulators, decoys and both; one row a target."""
    decoys = data.decoys

    def r2(predictors: np.ndarray) -> np.ndarray:
        return predicted(rows, fold, FOLDS, predictors, decoys.targets, data.engine.map)

    own = r2(decoys.regulators)
    draws = [r2(draw) for draw in decoys.draws]
    # Twice the regulators take eight times the work, so one draw must do.
    both = r2(np.concatenate([decoys.regulators, decoys.draws[0]]))
    table = {"gene": decoys.targets, "r2": own, "r2_decoys": np.mean(draws, axis=0)}
    table |= {f"gain_{i + 1}": own - draw for i, draw in enumerate(draws)}
    table["unique_r2"] = both - draws[0]
    return pd.DataFrame(table)


def _summary(name: str, table: pd.DataFrame) -> dict[str, object]:
    """z over targets, averaged over draws, with the error of both."""
    table = table.dropna()
    gains = table.filter(regex=r"^gain_\d+$").to_numpy()
    count = len(gains)
    if count < 2:
        raise NotAssessed("No target varies in the training folds. Bring more observations.")
    estimate, low, high = z_over_targets(gains)
    added = table["unique_r2"].to_numpy()
    spread = half_interval(math.inf) * float(added.std(ddof=1)) / math.sqrt(count)
    return {
        "values": name,
        "estimate": estimate,
        "low": low,
        "high": high,
        "r2": float(table["r2"].mean()),
        "r2_decoys": float(table["r2_decoys"].mean()),
        "unique_r2": float(added.mean()),
        "unique_r2_low": float(added.mean()) - spread,
        "unique_r2_high": float(added.mean()) + spread,
        "targets": count,
        "matched": gains.shape[1],
    }
