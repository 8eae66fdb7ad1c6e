"""The last link of perturbation response: its own words, and the number of its own check."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from infocheck import goals
from infocheck.check import Check
from infocheck.report import terminal, views, words
from infocheck.result import Answer, Result, Stage, Status, Verdict


class Response(Check):
    """Stands in for the check of that name."""

    name = "response"
    title = question = unit = computed = misleads = "test"
    gate = False


def held_out(report, low: float):
    verdict = Verdict(
        status=Status.BORDERLINE, reason="At 0.5, the mean at 0.4: little.", estimate=0.1,
        low=low, high=0.3, unit="correlation",
    )  # fmt: skip
    summary = pd.DataFrame([{"difference_low": low, "compared": "control"}])
    results = {
        name: replace(result, verdict=replace(result.verdict, status=Status.ENOUGH))
        for name, result in report.results.items()
    }
    results["response"] = Result(check=Response(), verdict=verdict, tables={"summary": summary})
    found = goals.decide(results, n_obs=500, role_levels={"perturbation": 9})
    stages = goals.stage_states(results)
    return replace(
        report, results=results, goals=found, stages=stages, goal="perturbation_response"
    )


def test_a_ceiling_within_noise_is_the_weakest_link_in_its_own_words(report):
    found = held_out(report, -0.1)
    assert found.goals["perturbation_response"].verdict is Answer.EXCLUDED
    assert views.lead(found)["stage"] == "held-out perturbations"
    last = views.chain(found)[-1]
    assert last.weak
    assert last.words.title == "Held-out perturbations"
    assert (last.number, last.interval, last.need) == ("0.10", "−0.10 to 0.30", "")
    row = next(row for row in views.goal_rows(found) if row["key"] == "perturbation_response")
    assert row["stage"] == "Held-out perturbations"
    assert "limited by held-out perturbations: at 0.5" in "\n".join(terminal.lines(found))
    assert "Held-out perturbations" in found.to_html()


def test_a_ceiling_above_the_mean_is_no_weak_link(report):
    found = held_out(report, 0.05)
    assert found.goals["perturbation_response"].verdict is Answer.SUPPORTED
    assert not any(link.weak for link in views.chain(found))


def test_other_goals_keep_the_words_of_the_stage():
    for goal in goals.GOALS:
        title = words.stage(Stage.PROXY, goal.key).title
        assert (title == "mRNA proxy") == (goal.key != "perturbation_response")
