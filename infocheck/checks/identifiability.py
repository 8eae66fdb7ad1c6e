"""Which regulators can be told from each other?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables, require_rows
from infocheck.errors import NotAssessed
from infocheck.independence import effective_size
from infocheck.moments import sampled_counts
from infocheck.plotting import Chart
from infocheck.result import INFINITY, Verdict
from infocheck.stats import identifiability as stats
from infocheck.stats.reliability import thinned
from infocheck.stats.resampling import share_interval

if TYPE_CHECKING:
    from infocheck.dataset import Dataset
    from infocheck.stats.sums import CrossSums

SUPPORT_SIZES = (1, 2, 3, 5, 10)
DRAWS = 200
# Names in one cell of a table; the full number stands beside them.
NAMED_RIVALS = 5
NAMED_MEMBERS = 20
# Below this a correction for noise would be mostly noise itself.
LEAST_RELIABILITY = 0.1


@dataclass(frozen=True, kw_only=True)
class Identifiability(Check):
    """Which regulators stand in for each other, and which groups only stand together.

    Explains why edges cannot be assigned to one regulator. It never predicts how well
    a network will be found and decides no goal: in a preliminary study its statistics
    were associated with success in the wrong direction.
    """

    name = "identifiability"
    title = "Regulators told apart"
    question = "Which regulators can be told from each other?"
    stage = None
    gate = False
    unit = "share of regulators"
    references = (
        "marquardt1970",
        "marchenko1967",
        "zhao2006",
        "fisher1921",
        "wilson1927",
        "spearman1910",
    )
    computed = (
        "For every pair of regulators: the probability that the true parent of a target "
        "correlates with it more than the other one does, from their correlation (as it would be "
        "without counting noise, known from counts dealt to two halves), the effective "
        "number of observations and an assumed R². A regulator is told apart when it beats every "
        f"other one with a probability of {thresholds.TOLD_APART:g} or more (a convention); groups "
        "join those that cannot be. The interval moves all correlations to either end of a 95% "
        "band that holds for every pair at once; the effective number of observations and the R² "
        "are taken as given. VIF is the factor by which all other regulators inflate the "
        "variance of a coefficient; it is infinite for a regulator that is an exact combination "
        "of others, which every one is when there are fewer observations than regulators. "
        "Directions over noise: eigenvalues above what independent regulators would show in as "
        "many effective observations, so many separate patterns that regulators share beyond "
        "chance. Irrepresentable: the share of random sets of regulators that no other regulator "
        "imitates so well that the lasso would be misled; its interval is that of the draws alone."
    )
    misleads = (
        "It explains, and never predicts or decides: in a preliminary study VIF and the "
        "irrepresentable share were associated with success in the wrong direction. Counting "
        "noise is corrected for in the chance to tell two regulators apart, down to a reliability "
        f"of {LEAST_RELIABILITY:g}; in values that are no counts it is unknown, and badly measured "
        "regulators look easier to tell apart than they are. VIF takes correlations as observed. "
        "Groups are chains: their ends may be "
        "told apart. With few observations noise alone makes VIF large and the irrepresentable "
        "condition fail. That two regulators can be told apart does not say that either regulates."
    )

    assumed_r2: float = 0.1
    told_apart: float = thresholds.TOLD_APART

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        require_rows(data, "for correlations of regulators")
        sums, p = data.moments.total(), data.panel.p
        r = sums.correlation()[:, :p]
        varies = np.flatnonzero(np.diag(r) > 0)
        if len(varies) < 2:
            raise NotAssessed(
                "Fewer than two regulators vary, so there is no pair to tell apart. Bring a "
                "longer list of candidate regulators."
            )
        r, names = r[np.ix_(varies, varies)], data.names(varies)
        n = effective_size(data)
        pair = _reliability(data, varies, rng)
        exact = stats.as_if_exact(r, pair)
        rival, size = stats.nearest(exact)
        left_out = np.stack([_pairs(sums - fold, varies, rival) for fold in data.moments.folds])
        limit = stats.largest_told_apart(n, self.assumed_r2, self.told_apart)
        confusable = exact > limit
        np.fill_diagonal(confusable, val=False)
        label = stats.groups(confusable)
        spectrum = stats.Spectrum.of(r)
        vif = spectrum.variance_inflation()

        error = stats.z_error(n, left_out)
        own = np.arange(len(r))
        seen = np.abs(r[own, rival])
        share, low, high = stats.share_told_apart(seen, limit, error, pair[own, rival])
        edge = stats.noise_edge(len(r), n)
        summary = {
            "statistic": "told_apart",
            "estimate": share,
            "low": low,
            "high": high,
            "regulators": len(r),
            "effective_observations": n,
            "assumed_r2": self.assumed_r2,
            "largest_correlation_told_apart": limit if limit >= 0 else np.nan,
            "largest_group": int(np.bincount(label[label >= 0]).max(initial=0)),
            "infinite_vif": int(np.isinf(vif).sum()),
            "rank": spectrum.rank,
            "condition_number": spectrum.condition_number,
            "noise_edge": edge,
            "directions_over_noise": spectrum.above(edge),
        }
        chance = stats.chance_told_apart(size, n, self.assumed_r2)
        return {
            "summary": pd.DataFrame([summary]),
            "groups": _group_table(label, exact, names, n, self.assumed_r2),
            "irrepresentable": _irrepresentable_table(r, rng),
            "nearest": pd.DataFrame(
                {
                    "regulator": names,
                    "rival": names[rival],
                    "correlation": r[own, rival],
                    "without_noise": np.minimum(seen / pair[own, rival], 1.0),
                    "chance_told_apart": chance,
                }
            ).sort_values("chance_told_apart", kind="stable", ignore_index=True),
            "regulators": pd.DataFrame(
                {
                    "regulator": names,
                    "vif": _written(vif),
                    "confusable_with": _rivals(confusable, exact, names),
                    "confusable": confusable.sum(axis=1),
                }
            ),
        }

    def judge(self, tables: Tables) -> Verdict:
        row = tables["summary"].iloc[0]
        group = row["largest_group"]
        more = f" The largest group that only stands together has {group:.0f}." if group else ""
        if pd.isna(row["largest_correlation_told_apart"]):
            more = " With so few observations not even uncorrelated regulators can be told apart."
        return Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=None,
            floor=None,
            unit=f"{self.unit} at an assumed R² of {row['assumed_r2']:g}",
            possible=(0.0, 1.0),
            reason=f"{{estimate:.0%}} ({{low:.0%}}–{{high:.0%}}) of {row['regulators']:.0f} "
            "regulators can be told from every other one, if a regulator explains "
            f"{row['assumed_r2']:.0%} of its target in {row['effective_observations']:,.0f} "
            f"effective observations; this explains, and never predicts or decides.{more}",
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        row = tables["summary"].iloc[0]
        chance = np.sort(tables["nearest"]["chance_told_apart"].to_numpy(float))
        size = tables["nearest"]["without_noise"].to_numpy(float)

        def draw(axes, width: float) -> None:
            plotting.dots(axes, np.arange(1, len(chance) + 1), chance)
            plotting.level(axes, self.told_apart, f"{self.told_apart:g}")
            axes.set_ylim(0.47, 1.03)
            axes.set_xlabel("Regulators, the hardest to tell apart first")
            axes.set_ylabel("Chance to beat the nearest rival")

        return {
            "identifiability": Chart(
                title=f"{row['estimate']:.0%} of {row['regulators']:.0f} regulators can be told "
                "from every other one; the nearest rival of the median regulator correlates at "
                f"{np.median(size):.2f}.",
                caption="One dot per regulator: the probability that a target which follows it "
                "correlates with it more than with the rival that is nearest. At 0.5 the data "
                "cannot say which of the two it follows, if a regulator explains "
                f"{row['assumed_r2']:.0%} of its target. It explains, and decides nothing.",
                draw=draw,
            )
        }


def _reliability(data: Dataset, regulators: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Geometric mean of the reliabilities of every pair; 1 where there are no counts."""
    counted = sampled_counts(data, genes=regulators)
    if counted is None:
        return np.ones((len(regulators), len(regulators)))
    known = np.clip(thinned(*counted, rng), LEAST_RELIABILITY, 1.0)
    return np.sqrt(np.outer(known, known))


def _pairs(sums: CrossSums, regulators: np.ndarray, rival: np.ndarray) -> np.ndarray:
    """Correlation of each regulator with its nearest rival, from the sums of some rows."""
    return sums.correlation()[regulators, regulators[rival]]


def _written(values: np.ndarray) -> np.ndarray:
    """Infinite numbers as the word that stands for them in a table."""
    return np.where(np.isinf(values), INFINITY, values.astype(object))


def _rivals(confusable: np.ndarray, r: np.ndarray, names: np.ndarray) -> list[str | None]:
    """Names of the closest rivals of each regulator, the closest first; None without any."""
    order = np.argsort(np.where(confusable, -np.abs(r), np.inf), axis=1, kind="stable")
    count = np.minimum(confusable.sum(axis=1), NAMED_RIVALS)
    return [", ".join(names[row[:k]]) if k else None for row, k in zip(order, count, strict=True)]


def _group_table(
    label: np.ndarray, r: np.ndarray, names: np.ndarray, n: float, r2: float
) -> pd.DataFrame:
    """One row a group, the largest first."""
    rows = []
    for group in range(label.max() + 1):
        members = np.flatnonzero(label == group)
        closest = stats.nearest(r[np.ix_(members, members)])[1].max()
        more = f" and {len(members) - NAMED_MEMBERS} more" if len(members) > NAMED_MEMBERS else ""
        rows.append(
            {
                "group": group + 1,
                "size": len(members),
                "regulators": ", ".join(names[members[:NAMED_MEMBERS]]) + more,
                "closest_correlation": closest,
                "chance_told_apart": float(stats.chance_told_apart(closest, n, r2)),
            }
        )
    columns = ["group", "size", "regulators", "closest_correlation", "chance_told_apart"]
    return pd.DataFrame(rows, columns=columns)


def _irrepresentable_table(r: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for size in SUPPORT_SIZES:
        if size >= len(r):
            break
        supports, signs = stats.draw_supports(len(r), size, DRAWS, rng)
        row: dict[str, float] = {"true_regulators": size, "draws": DRAWS}
        values = stats.irrepresentable(r, supports, signs)
        for name, value in zip(("random_signs", "worst_signs"), values, strict=True):
            # At 1 the condition fails; rounding must not let a copy pass.
            share = float((value < stats.COPY).mean())
            low, high = share_interval(share, DRAWS)
            row |= {f"{name}_share": share, f"{name}_share_low": low, f"{name}_share_high": high}
        rows.append(row)
    return pd.DataFrame(rows)
