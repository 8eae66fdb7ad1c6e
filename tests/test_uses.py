"""Other questions than a network, each with its numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import infocheck as ic
from infocheck import goals, uses
from infocheck.check import by_name
from infocheck.report import Report
from infocheck.result import Answer, Result, Status, Verdict
from infocheck.simulate import simulate


def result(name: str, status: Status = Status.BORDERLINE, **tables) -> Result:
    return Result(
        check=by_name(name), verdict=Verdict(status=status, reason="It is so."), tables=tables
    )


def found(*results: Result) -> dict[str, uses.Use]:
    by_check = {one.name: one for one in results}
    verdicts = goals.decide(by_check, n_obs=500, role_levels={})
    return {use.key: use for use in uses.find(by_check, verdicts)}


def contrast(a: int, b: int, both: int, possible: bool = True) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "effect": ["condition"],
            "level_a": ["ctrl"],
            "level_b": ["stim"],
            "can_be_estimated": [possible],
            "donors_a": [a],
            "donors_b": [b],
            "donors_in_both": [both],
        }
    )


def test_without_labels_nothing_is_assessed_and_all_say_what_to_bring():
    rest = [use for key, use in found().items() if key != "modules"]
    assert rest
    for use in rest:
        assert use.answer is Answer.NOT_ASSESSED
        assert "Bring" in use.numbers


@pytest.mark.parametrize(
    ("table", "answer", "said"),
    [
        (contrast(8, 8, 0), Answer.NOT_EXCLUDED, "8 and 8 donors"),
        (contrast(8, 8, 8), Answer.NOT_EXCLUDED, "8 donors in both"),
        (contrast(1, 1, 1), Answer.EXCLUDED, "no replicate"),
        (contrast(8, 8, 0, possible=False), Answer.EXCLUDED, "None of 1"),
    ],
)
def test_differences_between_conditions_need_donors_that_repeat_them(table, answer, said):
    use = found(result("confounding", contrasts=table))["differences"]
    assert use.answer is answer
    assert said in use.numbers


@pytest.mark.parametrize(("donors", "answer"), [(4, Answer.EXCLUDED), (400, Answer.NOT_EXCLUDED)])
def test_genetic_effects_need_many_donors(donors, answer):
    factors = pd.DataFrame(
        {"factor": ["donor"], "levels": [donors], "unique": [0.1]}
        | {"unique_low": [0.05], "unique_high": [0.2]}
    )
    assert found(result("confounding", factors=factors))["variants"].answer is answer


def test_markers_are_counted_by_their_whole_intervals():
    genes = pd.DataFrame({"gene": list("abc"), "cell_type_total_low": [0.3, 0.01, np.nan]})
    factors = pd.DataFrame({"factor": ["cell_type"], "levels": [5]})
    use = found(result("confounding", genes=genes, factors=factors))["states"]
    assert use.numbers.startswith("1 of 3 genes")


def test_numbers_of_other_checks_are_said():
    perturbation = pd.DataFrame(
        {"tested": [25], "responding": [11], "regulators_moved": [3], "effective_number": [2.7]}
        | {"effective_number_low": [1.8], "effective_number_high": [3.5]}
    )
    kinetics = pd.DataFrame(
        {"estimate": [0.1], "low": [0.05], "high": [0.2], "regulators": [100.0]}
    )
    noise = pd.DataFrame({"estimate": [0.6], "low": [0.5], "high": [0.7], "genes": [80]})
    proxy = pd.DataFrame(
        {"proteins": [40], "median_correlation": [0.3], "median_correlation_low": [0.2]}
        | {"median_correlation_high": [0.4], "observations": [500]}
    )
    by_key = found(
        result("perturbation", summary=perturbation),
        result("kinetics", summary=kinetics, noise=noise),
        result("proxy", summary=proxy),
    )
    assert "11 of 25" in by_key["perturbed"].numbers
    assert "2.7 (1.8 to 3.5)" in by_key["perturbed"].numbers
    assert "10% (5% to 20%) of 100" in by_key["rates"].numbers
    assert "60% (50% to 70%)" in by_key["noise"].numbers
    assert "0.30 (0.20 to 0.40)" in by_key["translation"].numbers
    for key in ("perturbed", "rates", "noise", "translation"):
        assert by_key[key].answer is Answer.NOT_EXCLUDED


def test_a_check_that_crashed_says_nothing():
    use = found(result("confounding", Status.ERROR, contrasts=contrast(8, 8, 0)))["differences"]
    assert use.answer is Answer.NOT_ASSESSED


def test_the_page_shows_them_where_no_network_is_supported():
    report = ic.assess(simulate(n_obs=60, n_genes=120, n_regulators=12, seed=1))
    page = report.to_html()
    assert "What else could these data answer?" in page
    again = Report.from_json(report.to_json())
    assert uses.find(again.results, again.goals) == uses.find(report.results, report.goals)
