"""Which share of variance belongs to batch, donor, depth, cell type; is the design separable?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables
from infocheck.confounders import audit, components, corrections, directions, edges, shares
from infocheck.confounders.factors import Factors
from infocheck.confounders.words import listed, words
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Stage, Status, Verdict

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# What would make an aliased difference one that can be estimated, by what it is aliased with.
_BRIDGE = {
    "batch": "Two samples of each level in a common batch would.",
    "donor": "More donors for each level, or both levels in each donor, would.",
}

# A factor is named when so much of the covariance of the strongest edges lies between its levels.
NAMED_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Confounding(Check):
    """Median share of a gene's variance that belongs to batch and donor.

    Before any fit the design is audited: an effect that coincides with batch
    cannot be separated from it by any analysis. Misleads when factors are
    correlated, hence unique and total shares, never one number.
    """

    name = "confounding"
    title = "Confounding"
    question = "How much of the variance belongs to batch and donor, and can it be separated?"
    stage = Stage.CONFOUNDING
    at_most = True
    unit = "median share of variance of batch and donor"
    needs = ("batch", "donor")
    references = (
        "quenouille1956",
        "henderson1953",
        "patterson1971",
        "bates2015",
        "buttner2019",
        "phipson2010",
        "horn1965",
        "hong2020",
        "simpson1951",
        "cinelli2020",
    )
    computed = (
        "The design audit lays out every pair of labels at the level of samples, names levels "
        "that are combinations of others, and lists every difference that no analysis can "
        "estimate. Every gene is regressed on the labelled factors at once: 'total' is the "
        "adjusted R² of a factor alone, 'unique' what it adds to all others; for factors that are "
        "correlated the truth lies between. The headline is the median over genes of the "
        "adjusted R² of batch and donor together; intervals are jackknifes over independent "
        "groups of rows. Variances of factors with at least five levels are estimated by "
        "restricted maximum likelihood. Principal components are held against every factor, with "
        "a null that permutes donors or samples, never rows where those are labelled. The "
        "covariance of every edge is split exactly into a part between and a part within the "
        "levels of a factor; an edge vanishes when less than half of its correlation is left. The "
        "robustness value is what a hidden variable would have to explain of both ends to null "
        "an edge. Where the whole interval of the edges that vanish lies above "
        f"{thresholds.VANISHING_EDGES:.0%} and halves agree on what is left below the floor of "
        "stability, the status is at most borderline."
    )
    misleads = (
        "A donor effect can be biology, not error, and differences between cell types can be "
        "regulation; few groups cannot tell. Counting noise dilutes all shares, so the share of "
        "what is not counting noise stands beside them. Factors that nobody recorded are seen in "
        "directions that follow nothing recorded, which may as well be regulation. With few "
        "donors the permutations are few, and not assessed is not absent."
    )

    need: float = thresholds.CONFOUNDED_NEED

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        pieces = rng.spawn(3)
        factors = Factors.of(data)
        tables = audit.of(data) | directions.of(data, factors, pieces[0])
        if factors is None:
            return tables
        shown = Factors.stated(data) or factors
        tables |= shares.by_factor(data, shown) | shares.of_nuisance(data, factors)
        tables |= components.of(data, shown) | edges.of(data, factors, pieces[1])
        if data.n >= thresholds.MIN_OBSERVATIONS_SAMPLING:
            tables["agreement_left"] = corrections.agreement_left(data, factors, pieces[2])
        return tables

    def judge(self, tables: Tables) -> Verdict:
        aliased = tables.get("aliased")
        if aliased is not None and len(aliased):
            return self._aliased(aliased)
        if "headline" not in tables:
            raise NotAssessed(
                "Neither batch nor donor is labelled, so their share of the variance is unknown, "
                "not zero. Bring their labels (--batch, --donor)."
            )
        row = tables["headline"].iloc[0]
        if not np.isfinite([row["estimate"], row["low"], row["high"]]).all():
            raise NotAssessed(
                f"{row['factors'].capitalize()} have almost as many levels as there are "
                "observations, so no variance is left to compare theirs with. Bring more "
                "observations per level."
            )
        verdict = self._held(row)
        between = _only_between(tables)
        if not between:
            return verdict
        held = Status.BORDERLINE if verdict.status is Status.ENOUGH else verdict.status
        return replace(verdict, status=held, reason=f"{between} {verdict.reason}")

    def _held(self, row: pd.Series) -> Verdict:
        # "0% (0%–0%)" would say less than is known.
        share = ".1%" if row["high"] < 0.01 else ".0%"
        return Verdict.against(
            estimate=row["estimate"],
            low=row["low"],
            high=row["high"],
            need=self.need,
            floor=None,
            at_most=True,
            unit=self.unit,
            possible=(-1.0, 1.0),
            reason=f"{row['factors'].capitalize()} hold{'' if ' and ' in row['factors'] else 's'} "
            f"{{estimate:z{share}}} ({{low:z{share}}}–{{high:z{share}}}) of the variance of the "
            "median gene; at most {need:.0%} is wanted. One gene in ten exceeds "
            f"{row['tenth']:z.1%}." + _of_signal(row),
        )

    def _aliased(self, aliased: pd.DataFrame) -> Verdict:
        first = aliased.iloc[0]
        more = len(aliased) - 1
        others = f" So are {more} more differences." if more > 1 else ""
        others = " So is one more difference." if more == 1 else others
        # The design decides, not the share of variance: no number stands in its place.
        return Verdict(
            status=Status.LIMITING,
            reason=f"{first['explanation']} No analysis of these data can separate the two."
            f"{others} {_BRIDGE[first['nuisance']]}",
            unit=self.unit,
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        return {**self._shares(tables), **directions.charts(tables), **edges.charts(tables)}

    def _shares(self, tables: Tables) -> dict[str, Chart]:
        factors = tables.get("factors")
        if factors is None or factors["total"].isna().all():
            return {}
        largest = factors.loc[factors["total"].idxmax()]

        def draw(axes, width: float) -> None:
            for y, row in enumerate(factors[::-1].itertuples()):
                plotting.span(axes, y, row.unique, row.total)
                plotting.strip(axes, y, [row.total_tenth], "c3", marker="D")
                plotting.whisker(axes, y + 0.16, row.total, row.total_low, row.total_high)
                plotting.whisker(axes, y - 0.16, row.unique, row.unique_low, row.unique_high, "c2")
            plotting.across(axes, self.need, f"At most {self.need:.0%}", dashed=True, side="left")
            axes.set_yticks(range(len(factors)), [words(f) for f in factors["factor"][::-1]])
            axes.set_ylim(-0.6, len(factors) - 0.4)
            axes.set_xlabel("Share of the variance of the median gene")
            axes.xaxis.set_major_formatter(plotting.percent())

        return {
            "confounding": Chart(
                title=f"{words(largest['factor']).capitalize()} holds the largest share of the "
                f"variance of the median gene, {largest['total']:z.0%} alone and "
                f"{largest['unique']:z.0%} beside the other factors; one gene in ten exceeds "
                f"{largest['total_tenth']:z.0%}.",
                caption="For each factor the share it holds alone (upper, blue) and the share it "
                "adds to all other factors (lower, orange), median over genes with 95% "
                "intervals. Diamonds: the share that one gene in ten exceeds. The broken line is "
                "the need for batch and donor together.",
                draw=draw,
                height=1.3 + 0.62 * len(factors),
            )
        }


def _of_signal(row: pd.Series) -> str:
    """The share of what is not counting noise, where counts tell."""
    ends = row.reindex(["of_signal", "of_signal_low", "of_signal_high"]).astype(float)
    if not np.isfinite(ends).all():
        return ""
    value, low, high = ends
    return (
        f" Of the variance of readable genes that is not counting noise it is {value:z.1%} "
        f"({low:z.1%} to {high:z.1%})."
    )


def _only_between(tables: Tables) -> str:
    """Said where the strongest edges are differences between groups, with nothing beside them."""
    if "edge_factors" not in tables or "agreement_left" not in tables:
        return ""
    read = ["vanish_share", "vanish_share_low", "vanish_share_high", "between_share"]
    numbers = tables["edge_factors"].set_index("factor")[read].astype(float)
    whole, left = numbers.loc[edges.ALL], tables["agreement_left"].iloc[0].astype(float)
    vanish = whole["vanish_share_low"] >= thresholds.VANISHING_EDGES
    if not (vanish and left["stab_pc_high"] < thresholds.STABILITY_FLOOR):
        return ""
    single = numbers.drop(index=[edges.ALL, edges.JOINT], errors="ignore")["between_share"]
    named = single[single >= NAMED_SHARE].sort_values(ascending=False).index
    columns = tables["factors"].set_index("factor")["column"]
    names = [_named(name, columns.get(name, name)) for name in named]
    return (
        f"Variation is {listed(names or ['between recorded groups'])}; no "
        "regulation to learn from what is left: once all recorded factors are removed "
        f"{whole['vanish_share']:.0%} ({whole['vanish_share_low']:.0%}–"
        f"{whole['vanish_share_high']:.0%}) of the strongest edges lose more than half of their "
        f"correlation, and halves agree on what is left at {left['stab_pc']:z.3f} "
        f"({left['stab_pc_low']:z.3f} to {left['stab_pc_high']:z.3f}; the floor is "
        f"{thresholds.STABILITY_FLOOR:.2f})."
    )


def _named(factor: str, column: str) -> str:
    """A factor, with its column where that says more."""
    plain = words(factor)
    return plain if column in (factor, "log row total") else f"{plain} ({column})"
