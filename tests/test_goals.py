"""From verdicts to goals: the rules of the contract, one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import pytest

from infocheck import goals
from infocheck.check import Check, by_name
from infocheck.result import Answer, Result, Stage, Status, Verdict


@dataclass(frozen=True, kw_only=True)
class Gate(Check):
    """A gate of any stage for these tests."""

    name = "gate"
    title = question = unit = computed = misleads = "test"
    at: Stage = Stage.PREDICTABILITY

    @property
    def stage(self):
        return self.at


def result(name, status, estimate=None, need=None, tables=None):
    check = by_name(name) if name in ("reliability", "stability", "confounding", "proxy") else None
    verdict = Verdict(status=status, reason=f"{name} says so.", estimate=estimate, need=need)
    return Result(check=check, verdict=verdict, tables=tables or {})


def gate(stage, status):
    return Result(check=Gate(at=stage), verdict=Verdict(status=status, reason=f"{stage}."))


def stability(status, estimate=0.3, c=(0.6, 0.5, 0.7), halves="donors"):
    row = dict(zip(("estimate", "low", "high"), c, strict=True))
    summary = pd.DataFrame(
        [
            {"statistic": "stab_c", "halves": halves, **row},
            {"statistic": "stab_pc_cells", "halves": "cells", "estimate": 0.5},
        ]
    )
    return result("stability", status, estimate, 0.2, {"summary": summary})


def reliability(status, estimate=0.8, high=(0.9, 0.8, 0.1)):
    regulators = pd.DataFrame(
        {"regulator": [f"TF{i}" for i in range(len(high))], "reliability_high": list(high)}
    )
    return result("reliability", status, estimate, 0.5, {"regulators": regulators})


def sound():
    return {
        "reliability": reliability(Status.ENOUGH),
        "stability": stability(Status.ENOUGH),
        "predictability": gate(Stage.PREDICTABILITY, Status.ENOUGH),
        "specificity": gate(Stage.SPECIFICITY, Status.ENOUGH),
        "confounding": result("confounding", Status.ENOUGH, 0.05, 0.15),
        "proxy": result("proxy", Status.NOT_ASSESSED),
    }


def decide(results, n_obs=500, **levels):
    return goals.decide(results, n_obs=n_obs, role_levels=levels)


def test_modules_are_not_supported_where_rows_share_noise():
    results = sound()
    table = pd.DataFrame([{"test": "noise", "found": True, "reason": "rows were smoothed"}])
    results["stability"].tables["dependence"] = table
    modules = decide(results)["modules"]
    assert modules.verdict is Answer.NOT_EXCLUDED
    assert "rows were smoothed" in modules.reason
    table["found"] = False
    assert decide(results)["modules"].verdict is Answer.SUPPORTED


def test_order_and_keys_are_the_contract():
    assert list(decide(sound())) == [
        "modules",
        "confident_edges",
        "regulator_targets",
        "whole_network",
        "edge_direction",
        "perturbation_response",
    ]


def test_sound_data_support_modules_and_nothing_else():
    found = decide(sound())
    assert found["modules"].verdict is Answer.SUPPORTED
    assert found["modules"].limiting_stage is None
    assert "not regulation" in found["modules"].reason
    for key in ("confident_edges", "regulator_targets", "whole_network"):
        assert found[key].verdict is Answer.NOT_EXCLUDED
    for key in ("edge_direction", "perturbation_response"):
        assert found[key].verdict is Answer.EXCLUDED
        assert found[key].limiting_stage is Stage.CONFOUNDING


def test_modules_need_halves_without_a_common_donor():
    results = sound() | {"stability": stability(Status.ENOUGH, halves="cells")}
    assert decide(results)["modules"].verdict is Answer.NOT_EXCLUDED


@pytest.mark.parametrize(
    ("c", "verdict"),
    [
        ((0.6, 0.5, 0.7), "supported"),
        ((0.4, 0.3, 0.5), "not_excluded"),
        ((0.1, 0.0, 0.19), "excluded"),
    ],
)
def test_modules_use_plain_correlations(c, verdict):
    results = sound() | {"stability": stability(Status.LIMITING, c=c)}
    found = decide(results)
    assert found["modules"].verdict == verdict
    assert found["confident_edges"].verdict is Answer.EXCLUDED


@pytest.mark.parametrize("name", ["reliability", "stability"])
def test_a_limiting_stage_excludes_networks_and_is_named(name):
    make = {"reliability": reliability, "stability": stability}[name]
    found = decide(sound() | {name: make(Status.LIMITING, 0.01)})["whole_network"]
    assert found.verdict is Answer.EXCLUDED
    assert (
        found.limiting_stage
        is goals.stage_states({name: make(Status.LIMITING)})[
            Stage.SAMPLING if name == "stability" else Stage.MEASUREMENT
        ].stage
    )
    assert found.lift


def test_the_smallest_multiple_of_the_need_is_the_weakest():
    results = sound() | {
        "reliability": reliability(Status.BORDERLINE, 0.45),
        "stability": stability(Status.BORDERLINE, 0.11),
    }
    assert decide(results)["whole_network"].limiting_stage is Stage.SAMPLING


def test_a_measured_weakness_outranks_what_was_not_assessed():
    results = sound() | {
        "stability": stability(Status.BORDERLINE, 0.15),
        "predictability": gate(Stage.PREDICTABILITY, Status.NOT_ASSESSED),
    }
    assert decide(results)["whole_network"].limiting_stage is Stage.SAMPLING


def test_what_was_not_assessed_is_lifted_by_what_to_bring():
    results = sound()
    reason = "The input holds logs. Bring a layer of raw counts (--counts)."
    verdict = Verdict(status=Status.NOT_ASSESSED, reason=reason)
    results["reliability"] = replace(results["reliability"], verdict=verdict, tables={})
    assert decide(results)["whole_network"].lift == "Bring a layer of raw counts (--counts)."
    del results["predictability"]
    results["reliability"] = reliability(Status.ENOUGH)
    assert decide(results)["whole_network"].lift is None


def test_nothing_assessed_is_not_assessed_never_a_pass():
    found = decide({})
    for key in ("modules", "confident_edges", "whole_network"):
        assert found[key].verdict is Answer.NOT_ASSESSED


def test_a_crash_keeps_its_goals_from_a_pass():
    found = decide(sound() | {"stability": stability(Status.ERROR)})
    assert found["confident_edges"].verdict is Answer.NOT_ASSESSED
    crashed = replace(stability(Status.ERROR), tables={})
    assert decide(sound() | {"stability": crashed})["modules"].verdict is Answer.NOT_ASSESSED


def test_a_limiting_stage_excludes_even_beside_a_crash():
    results = sound() | {
        "stability": stability(Status.ERROR),
        "reliability": reliability(Status.LIMITING),
    }
    assert decide(results)["whole_network"].verdict is Answer.EXCLUDED


def test_an_aliased_contrast_excludes_only_what_needs_contrasts():
    results = sound() | {"confounding": result("confounding", Status.LIMITING)}
    found = decide(results, perturbation=5)
    assert found["edge_direction"].verdict is Answer.EXCLUDED
    assert found["perturbation_response"].verdict is Answer.EXCLUDED
    assert found["confident_edges"].verdict is Answer.NOT_EXCLUDED
    assert found["confident_edges"].limiting_stage is Stage.CONFOUNDING
    assert found["modules"].verdict is Answer.SUPPORTED


def test_a_large_batch_share_never_excludes():
    results = sound() | {"confounding": result("confounding", Status.BORDERLINE, 0.6, 0.15)}
    assert decide(results)["whole_network"].verdict is Answer.NOT_EXCLUDED


def test_direction_and_response_open_with_their_inputs():
    assert decide(sound(), time=3)["edge_direction"].verdict is Answer.NOT_EXCLUDED
    assert decide(sound(), perturbation=1)["edge_direction"].verdict is Answer.NOT_EXCLUDED
    assert decide(sound(), perturbation=1)["perturbation_response"].verdict is Answer.EXCLUDED
    assert decide(sound(), perturbation=2)["perturbation_response"].verdict is Answer.NOT_EXCLUDED


def test_fewer_than_ten_observations_exclude_networks():
    found = decide(sound(), n_obs=9)
    assert found["modules"].verdict is not Answer.EXCLUDED
    assert found["confident_edges"].verdict is Answer.EXCLUDED
    assert found["confident_edges"].limiting_stage is Stage.SAMPLING


def test_regulators_are_counted():
    found = decide(sound())["regulator_targets"]
    assert found.regulators == (2, 3)
    assert "2 of 3" in found.reason
    none = decide(sound() | {"reliability": reliability(Status.BORDERLINE, high=(0.1, 0.1))})
    assert none["regulator_targets"].verdict is Answer.EXCLUDED
    assert none["regulator_targets"].limiting_stage is Stage.MEASUREMENT


def test_one_regulator_is_excluded_by_its_own_reliability():
    results = sound()
    table = goals.regulator_verdicts(results, decide(results)).set_index("regulator")
    assert table.loc["TF2", "verdict"] == "excluded"
    assert table.loc["TF2", "limited_by"] == "measurement"
    assert table.loc["TF0", "verdict"] == "not_excluded"
    empty = goals.regulator_verdicts({}, decide({}))
    assert list(empty.columns) == ["regulator", "limited_by", "verdict"]
    assert empty.empty


def test_several_gates_of_one_stage_take_the_lowest():
    results = {"a": gate(Stage.SAMPLING, Status.ENOUGH), "b": gate(Stage.SAMPLING, Status.LIMITING)}
    assert goals.stage_states(results)[Stage.SAMPLING].status is Status.LIMITING
