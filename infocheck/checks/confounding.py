"""Which share of variance belongs to batch, donor, depth, cell type; is the design separable?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import plotting, thresholds
from infocheck.check import Check, Tables
from infocheck.confounders.factors import DEPTH, NUISANCE, Factors
from infocheck.errors import NotAssessed
from infocheck.plotting import Chart
from infocheck.result import Stage, Status, Verdict
from infocheck.stats.resampling import jackknife_error, t_interval
from infocheck.stats.variance import Normal, separate, unique_and_total

if TYPE_CHECKING:
    from infocheck.dataset import Dataset
    from infocheck.roles import Role

EFFECTS = ("condition", "perturbation", "time")
MAX_LEVELS = 60
_BRIDGE = {
    "batch": "Two samples of each level in a common batch would.",
    "donor": "More donors for each level, or both levels in each donor, would.",
}
# Beside the median: the share that the most affected tenth of genes exceeds.
UPPER = 0.9


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
    references = ("quenouille1956",)
    computed = (
        "Every gene is regressed on the labelled factors at once. 'Total' is the adjusted R² of "
        "a factor alone, 'unique' what it adds to all others; for factors that are correlated "
        "the truth lies between. The headline is the median over genes of the adjusted R² of "
        "batch and donor together, with a jackknife interval over independent groups of rows. "
        "The design audit compares each effect with batch and donor at the level of samples and "
        "names every difference that no analysis can estimate."
    )
    misleads = (
        "A donor effect can be biology, not error. Counting noise dilutes all shares: a share of "
        "5% in a gene with reliability 0.2 is a quarter of its signal. Factors that nobody "
        "recorded are not seen here."
    )

    need: float = thresholds.CONFOUNDED_NEED

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        tables = _audit(data)
        factors = Factors.of(data)
        if factors is None:
            return tables
        whole = factors.normal()
        shares = unique_and_total(whole, factors.columns)
        nuisance = factors.of_names(*NUISANCE)
        joint = whole.adjusted(nuisance) if len(nuisance) else None
        tables["factors"], headline = _summary(factors, joint is not None, data)
        if joint is not None:
            tables["headline"] = headline
            regulators = np.arange(data.panel.p)
            tables["regulators"] = pd.DataFrame(
                {"regulator": data.names(regulators), "batch_and_donor_share": joint[regulators]}
            )
        tables["genes"] = _gene_table(data, shares)
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
        return self._held(row)

    def _held(self, row: pd.Series) -> Verdict:
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
            "{estimate:z.0%} ({low:z.0%}–{high:z.0%}) of the variance of the median gene; "
            f"at most {{need:.0%}} is wanted. One gene in ten exceeds {row['tenth']:z.1%}.",
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
            f"{others} Two samples of each level in a common batch would.",
            unit=self.unit,
        )

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
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
            axes.set_yticks(range(len(factors)), [_words(f) for f in factors["factor"][::-1]])
            axes.set_ylim(-0.6, len(factors) - 0.4)
            axes.set_xlabel("Share of the variance of the median gene")
            axes.xaxis.set_major_formatter(plotting.percent())

        return {
            "confounding": Chart(
                title=f"{_words(largest['factor']).capitalize()} holds the largest share of the "
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


def _summary(factors: Factors, joint: bool, data: Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Medians over genes with jackknife intervals: per factor, and the headline."""
    whole, nuisance = factors.normal(), factors.of_names(*NUISANCE)
    estimate = _medians(factors, whole)
    tenth = {
        name: _quantile(whole.adjusted(columns), UPPER)
        for name, columns in (factors.columns | {"joint": nuisance}).items()
    }
    groups = len(factors.n)
    tasks = data.engine.map(lambda g: _medians(factors, factors.normal(g)), range(groups))
    errors = {k: float(jackknife_error(np.array([t[k] for t in tasks]))) for k in estimate}

    def interval(key: tuple[str, str]) -> tuple[float, float, float]:
        return (estimate[key], *t_interval(estimate[key], errors[key], groups, (-1.0, 1.0)))

    records = []
    for name in factors.columns:
        row = {"factor": name, "column": _column(data, name), "levels": _levels(data, name)}
        for share in ("unique", "total"):
            row[share], row[f"{share}_low"], row[f"{share}_high"] = interval((name, share))
        row["total_tenth"] = tenth[name]
        records.append(row)
    headline = pd.DataFrame()
    if joint:
        value, low, high = interval(("joint", "total"))
        named = " and ".join(name for name in NUISANCE if name in factors.columns)
        headline = pd.DataFrame(
            [
                {
                    "statistic": "batch_and_donor_share",
                    "estimate": value,
                    "low": low,
                    "high": high,
                    "tenth": tenth["joint"],
                    "factors": named,
                    "genes": factors.y.shape[1],
                    "groups": groups,
                }
            ]
        )
    return pd.DataFrame(records), headline


def _medians(factors: Factors, normal: Normal) -> dict[tuple[str, str], float]:
    shares = unique_and_total(normal, factors.columns)
    medians = {}
    for name, (unique, total) in shares.items():
        medians[name, "unique"] = _quantile(unique)
        medians[name, "total"] = _quantile(total)
    nuisance = factors.of_names(*NUISANCE)
    if len(nuisance):
        medians["joint", "total"] = _quantile(normal.adjusted(nuisance))
    return medians


def _quantile(values: np.ndarray, q: float = 0.5) -> float:
    """Quantile over the genes that vary; NaN when none does."""
    finite = values[np.isfinite(values)]
    return float(np.quantile(finite, q)) if len(finite) else float("nan")


def _column(data: Dataset, factor: str) -> str:
    return "log row total" if factor == DEPTH else data.roles[factor].column


def _levels(data: Dataset, factor: str) -> float:
    return float("nan") if factor == DEPTH else data.roles[factor].n_levels


def _words(factor: str) -> str:
    return factor.replace("_", " ")


def _gene_table(data: Dataset, shares: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    positions = np.arange(len(data.panel.genes))
    columns = {"gene": data.names(positions), "is_regulator": positions < data.panel.p}
    for name, (unique, total) in shares.items():
        columns[f"{name}_unique"], columns[f"{name}_total"] = unique, total
    return pd.DataFrame(columns)


def _audit(data: Dataset) -> dict[str, pd.DataFrame]:
    """Usable share of every effect level, and differences that are aliased."""
    usable, aliased = [], []
    for name in EFFECTS:
        effect = data.roles.get(name)
        if effect is None or effect.n_levels > MAX_LEVELS or effect.is_series:
            continue
        for nuisance in NUISANCE:
            if nuisance not in data.roles:
                continue
            codes, weight = _units(data, name, nuisance)
            separation = separate(codes[:, 0], codes[:, 1], weight, effect.n_levels)
            names = {"effect": name, "nuisance": nuisance}
            for level, share in zip(effect.levels, separation.usable, strict=True):
                inflation = 1 / share if share > 1e-9 else np.inf
                usable.append({**names, "level": level, "usable": share, "vif": inflation})
            pairs = separation.aliased
            if nuisance == "donor":
                pairs = [pair for pair in pairs if _rests_on_one(codes, pair)]
            aliased += [
                {
                    **names,
                    "level_a": effect.levels[a],
                    "level_b": effect.levels[b],
                    "explanation": _explain(name, effect, a, b, nuisance, data, codes),
                }
                for a, b in pairs
            ]
    if not usable:
        return {}
    columns = ["effect", "nuisance", "level_a", "level_b", "explanation"]
    return {"design": pd.DataFrame(usable), "aliased": pd.DataFrame(aliased, columns=columns)}


def _units(data: Dataset, effect: str, nuisance: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct samples (effect, nuisance and, if labelled, donor) and their weights.

    With donors every sample counts once; without, samples count by their cells.
    """
    donors = "donor" in data.roles
    names = dict.fromkeys([effect, nuisance, *(["donor"] if donors else [])])
    codes = np.stack([data.roles[name].codes for name in names], axis=1)
    codes = codes[(codes >= 0).all(axis=1)]
    units, counts = np.unique(codes, axis=0, return_counts=True)
    return units[:, :2], np.ones(len(units)) if donors else counts.astype(float)


def _rests_on_one(codes: np.ndarray, pair: tuple[int, int]) -> bool:
    """Has one of the levels a single donor? Several donors within a level are replicates."""
    return min(len(np.unique(codes[codes[:, 0] == level, 1])) for level in pair) < 2


def _explain(
    name: str, effect: Role, a: int, b: int, nuisance: str, data: Dataset, codes: np.ndarray
) -> str:
    """The alias in the names of factors and levels."""
    other = data.roles[nuisance]
    pair = f"{effect.levels[a]!r} and {effect.levels[b]!r}"
    effect_name = name.capitalize()
    if effect.column == other.column:
        return (
            f"{effect_name} is {nuisance} (both are column {effect.column!r}): "
            f"{pair} share no {nuisance}."
        )
    where = {}
    for level in (a, b):
        found = np.unique(codes[codes[:, 0] == level, 1])
        names = [repr(other.levels[i]) for i in found[:3]]
        where[level] = ", ".join(names) + (" ..." if len(found) > 3 else "")
    through = {
        "batch": "directly or through other levels",
        "donor": "and one of them rests on a single donor",
    }
    return (
        f"{effect_name} {pair} share no {nuisance}, {through[nuisance]}: "
        f"{effect.levels[a]!r} is in {other.column} {where[a]}, {effect.levels[b]!r} in {where[b]}."
    )
