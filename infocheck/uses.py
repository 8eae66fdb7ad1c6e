"""What else could these data answer? Other questions than a network, each with its numbers.

Reads verdicts and tables, never the data. A question is *supported* only where the check
behind it says so; otherwise the numbers stand for themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infocheck import thresholds
from infocheck.goals import GoalVerdict, modules_sampling
from infocheck.result import Answer, Result, Status
from infocheck.stats.detectable import POWER, smallest_difference, smallest_share

if TYPE_CHECKING:
    import pandas as pd

# Levels of the tests that effects are given for: thousands of genes, and millions of pairs of
# a variant and a gene near it (conventions).
GENE_LEVEL, VARIANT_LEVEL = 1e-3, 1e-6


@dataclass(frozen=True, kw_only=True)
class Use:
    """One other question.

    Attributes
    ----------
    key, title
        Short names.
    answer
        As for goals.
    numbers
        One or two sentences with the numbers that say so; of what was not assessed, what to
        bring.
    check
        Name of the check that the numbers come from, or None.
    """

    key: str
    title: str
    answer: Answer
    numbers: str
    check: str | None = None


def find(results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]) -> list[Use]:
    """All other questions: supported first, then not excluded, excluded, not assessed."""
    uses = [question(results, goals) for question in _QUESTIONS]
    return sorted(uses, key=lambda use: list(Answer).index(use.answer))


def _modules(results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]) -> Use:
    verdict, goal = modules_sampling(results), goals["modules"]
    numbers = goal.reason if goal.verdict is Answer.SUPPORTED else verdict.reason
    return Use(
        key="modules",
        title="Genes that vary together (modules)",
        answer=goal.verdict,
        numbers=numbers,
        check="stability",
    )


def _states(results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]) -> Use:
    shared = {"key": "states", "title": "Marker genes of cell types or states"}
    genes = _table(results, "confounding", "genes")
    column = "cell_type_total_low"
    if genes is None or column not in genes:
        return Use(
            **shared,
            answer=Answer.NOT_ASSESSED,
            numbers="Bring labels of cell types or clusters.",
        )
    least = thresholds.MARKER_SHARE
    marked = int((genes[column].astype(float) >= least).sum())
    factors = _table(results, "confounding", "factors").set_index("factor")
    levels = float(factors.loc["cell_type", "levels"])
    return Use(
        **shared,
        answer=Answer.NOT_EXCLUDED if marked else Answer.EXCLUDED,
        numbers=f"{marked:,} of {len(genes):,} genes owe {least:.0%} or more of their variance to "
        f"{levels:.0f} labelled types, with their whole 95% intervals. Where types were made "
        "from the same expression, by clustering, this is no test of them.",
        check="confounding",
    )


def _differences(results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]) -> Use:
    shared = {"key": "differences", "title": "Genes that differ between conditions"}
    contrasts = _table(results, "confounding", "contrasts")
    # Perturbations are a question of their own.
    contrasts = None if contrasts is None else contrasts[contrasts["effect"] == "condition"]
    if contrasts is None or not len(contrasts):
        return Use(
            **shared,
            answer=Answer.NOT_ASSESSED,
            numbers="Bring labels of two conditions, of their donors or batches.",
        )
    shared["check"] = "confounding"
    open_ones = contrasts[contrasts["can_be_estimated"].eq(True)]
    if not len(open_ones):
        return Use(
            **shared,
            answer=Answer.EXCLUDED,
            numbers=f"None of {len(contrasts)} contrasts can be told from batch or donor.",
        )
    if "donors_a" not in open_ones:
        return Use(
            **shared,
            answer=Answer.NOT_ASSESSED,
            numbers=f"{len(open_ones)} of {len(contrasts)} contrasts are not those of batches, "
            "but cells of one donor are no replicates. Bring labels of donors.",
        )
    best = min((_contrast(row) for row in open_ones.to_dict("records")), key=lambda one: one[0])
    effect, said = best
    answer = Answer.NOT_EXCLUDED if effect <= thresholds.DETECTABLE_EFFECT else Answer.EXCLUDED
    if not math.isfinite(effect):
        return Use(**shared, answer=answer, numbers=f"{said} has no replicate to test it with.")
    return Use(
        **shared,
        answer=answer,
        numbers=f"{said} shows a gene that differs by {effect:.1f} standard deviations between "
        f"donors or more ({POWER:.0%} power, p < {GENE_LEVEL:g}); "
        f"{thresholds.DETECTABLE_EFFECT:g} or less is asked for (a convention).",
    )


def _contrast(row: Mapping[str, object]) -> tuple[float, str]:
    """Smallest effect of a contrast, and the start of its sentence."""
    a, b, both = (int(row[name]) for name in ("donors_a", "donors_b", "donors_in_both"))
    ways = [(smallest_difference(a, b, paired=False, level=GENE_LEVEL), f"{a} and {b} donors")]
    if both:
        paired = smallest_difference(both, both, paired=True, level=GENE_LEVEL)
        ways.append((paired, f"{both} donors in both"))
    effect, donors = min(ways)
    return effect, f"{row['level_a']} against {row['level_b']} with {donors}"


def _variants(results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]) -> Use:
    shared = {"key": "variants", "title": "Genetic effects on expression, with genotypes added"}
    factors = _table(results, "confounding", "factors")
    donors = None if factors is None else factors[factors["factor"] == "donor"]
    if donors is None or not len(donors):
        return Use(
            **shared,
            answer=Answer.NOT_ASSESSED,
            numbers="Bring labels of donors, and their genotypes.",
        )
    row = donors.iloc[0]
    n = int(row["levels"])
    share = smallest_share(n, level=VARIANT_LEVEL)
    most = thresholds.VARIANT_SHARE
    low, high = float(row["unique_low"]), float(row["unique_high"])
    owned = f"{low:.1%} to {high:.1%}" if low > 0 else f"at most {max(high, 0.0):.1%}"
    reach = (
        f"{n} donors find variants that explain {share:.0%} or more of what differs between "
        f"donors ({POWER:.0%} power, p < {VARIANT_LEVEL:g}); {most:.0%} or less is asked for (a "
        "convention)"
        if share < 0.95
        else f"{n} donors are too few to find any variant"
    )
    return Use(
        **shared,
        answer=Answer.NOT_EXCLUDED if share <= most else Answer.EXCLUDED,
        numbers=f"{reach}. Donors own {owned} of the median gene's variance.",
        check="confounding",
    )


def _perturbed(results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]) -> Use:
    shared = {"key": "perturbed", "title": "What a perturbation does to the other genes"}
    summary = _table(results, "perturbation", "summary")
    if summary is None or not summary["tested"].iloc[0]:
        return Use(
            **shared,
            answer=Answer.NOT_ASSESSED,
            numbers=_reason(results, "perturbation", "labelled perturbations"),
        )
    row = summary.iloc[0]
    many = ""
    if row["responding"] > 1 and math.isfinite(float(row["effective_number"])):
        many = (
            f" They amount to {row['effective_number']:.1f} ({row['effective_number_low']:.1f} to "
            f"{row['effective_number_high']:.1f}) different responses."
        )
    return Use(
        **shared,
        answer=Answer.NOT_EXCLUDED if row["responding"] else Answer.EXCLUDED,
        numbers=f"{row['responding']:.0f} of {row['tested']:.0f} tested perturbations move "
        f"expression beyond their own gene (false discovery rate 5%).{many}",
        check="perturbation",
    )


def _rates(results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]) -> Use:
    shared = {"key": "rates", "title": "Rates of synthesis and decay"}
    summary = _table(results, "kinetics", "summary")
    if summary is None:
        return Use(
            **shared, answer=Answer.NOT_ASSESSED, numbers=_reason(results, "kinetics", "times")
        )
    row = summary.iloc[0]
    return Use(
        **shared,
        answer=Answer.NOT_EXCLUDED if row["estimate"] > 0 else Answer.EXCLUDED,
        numbers=f"The sampling in time tells the half-life of {row['estimate']:.0%} "
        f"({row['low']:.0%} to {row['high']:.0%}) of {row['regulators']:.0f} regulators within a "
        f"factor of {thresholds.RATE_FOLD:g}.",
        check="kinetics",
    )


def _noise(results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]) -> Use:
    shared = {"key": "noise", "title": "How noise passes from gene to gene"}
    noise = _table(results, "kinetics", "noise")
    if noise is None:
        return Use(
            **shared,
            answer=Answer.NOT_ASSESSED,
            numbers="Bring counts of both copies of each gene, or repeated measurements of the "
            "same cells: without them noise that cells share cannot be told from noise of one "
            "gene.",
        )
    row = noise.iloc[0]
    return Use(
        **shared,
        answer=Answer.NOT_EXCLUDED,
        numbers=f"{row['estimate']:.0%} ({row['low']:.0%} to {row['high']:.0%}) of the noise of "
        f"the median gene is shared by both copies, over {row['genes']:.0f} genes.",
        check="kinetics",
    )


def _translation(results: Mapping[str, Result], goals: Mapping[str, GoalVerdict]) -> Use:
    shared = {"key": "translation", "title": "How protein follows mRNA, gene by gene"}
    summary = _table(results, "proxy", "summary")
    if summary is None or not summary["proteins"].iloc[0]:
        return Use(**shared, answer=Answer.NOT_ASSESSED, numbers="Bring protein of the same cells.")
    row = summary.iloc[0]
    return Use(
        **shared,
        answer=Answer.NOT_EXCLUDED,
        numbers=f"Protein of {row['proteins']:.0f} genes is measured beside their mRNA; the "
        f"median correlation is {row['median_correlation']:.2f} "
        f"({row['median_correlation_low']:.2f} to {row['median_correlation_high']:.2f}) over "
        f"{row['observations']:,.0f} observations, noise left in.",
        check="proxy",
    )


_QUESTIONS: tuple[Callable[[Mapping[str, Result], Mapping[str, GoalVerdict]], Use], ...] = (
    _modules,
    _states,
    _differences,
    _variants,
    _perturbed,
    _rates,
    _noise,
    _translation,
)


def _reason(results: Mapping[str, Result], check: str, bring: str) -> str:
    """Why a check was not assessed."""
    return results[check].verdict.reason if check in results else f"Bring {bring}."


def _table(results: Mapping[str, Result], check: str, name: str) -> pd.DataFrame | None:
    """A table of a check that did not crash, or None."""
    result = results.get(check)
    if result is None or result.verdict.status is Status.ERROR:
        return None
    return result.tables.get(name)
