"""From verdicts to goals: the rules of the contract, one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import pytest

from infocheck import goals, lift
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
    known = ("reliability", "stability", "confounding", "fdr", "proxy", "perturbation")
    check = by_name(name) if name in known else None
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


def calibrated(fdr=Status.ENOUGH, proxy=Status.ENOUGH):
    return sound() | {"fdr": result("fdr", fdr, 0.1, 0.15), "proxy": result("proxy", proxy)}


@pytest.mark.parametrize("proxy", [Status.ENOUGH, Status.BORDERLINE])
def test_edges_are_supported_by_a_selector_that_keeps_its_rate(proxy):
    found = decide(calibrated(proxy=proxy))
    for key in ("confident_edges", "regulator_targets"):
        assert found[key].verdict is Answer.SUPPORTED
        assert found[key].limiting_stage is None
        assert "hidden factor" in found[key].reason
    assert found["whole_network"].verdict is Answer.NOT_EXCLUDED
    assert found["edge_direction"].verdict is Answer.EXCLUDED


@pytest.mark.parametrize(
    "results",
    [
        calibrated(proxy=Status.NOT_ASSESSED),
        calibrated(proxy=Status.ERROR),
        calibrated(fdr=Status.BORDERLINE),
        calibrated(fdr=Status.NOT_ASSESSED),
        {name: one for name, one in calibrated().items() if name != "fdr"},
        calibrated() | {"specificity": gate(Stage.SPECIFICITY, Status.BORDERLINE)},
    ],
)
def test_edges_are_not_supported_without_all_of_it(results):
    assert decide(results)["confident_edges"].verdict is not Answer.SUPPORTED


def test_a_rate_that_does_not_hold_is_no_exclusion():
    found = decide(calibrated(fdr=Status.BORDERLINE))["confident_edges"]
    assert found.verdict is Answer.NOT_EXCLUDED
    assert found.limiting_stage is Stage.CONFOUNDING
    assert found.reason == "fdr says so."
    assert found.lift.startswith(lift.REMEDIES_OF_CHECKS["fdr"])


def test_only_regulators_that_are_surely_read_are_supported():
    results = calibrated()
    regulators = pd.DataFrame(
        {
            "regulator": ["sure", "perhaps", "unread"],
            "reliability_low": [0.5, 0.1, 0.01],
            "reliability_high": [0.7, 0.4, 0.1],
        }
    )
    results["reliability"].tables["regulators"] = regulators
    found = goals.regulator_verdicts(results, decide(results)).set_index("regulator")["verdict"]
    assert found.to_dict() == {
        "sure": "supported",
        "perhaps": "not_excluded",
        "unread": "excluded",
    }


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


def depth_table(then=(0.38, 0.31, 0.46)):
    rows = [(1.0, 0.22, 0.17, 0.28), (2.0, *then)]
    return pd.DataFrame(rows, columns=["depth", "estimate", "low", "high"])


def learning_table(then=(0.47, 0.40, 0.53)):
    rows = [("observed", 100.0, 0.2, None, None), ("observed", 200.0, 0.31, 0.27, 0.35)]
    rows += [("forecast", 400.0, *then)] if then else []
    return pd.DataFrame(rows, columns=["data", "rows_per_part", "estimate", "low", "high"])


def with_table(found, **tables):
    return replace(found, tables={**found.tables, **tables})


def test_lift_of_depth_is_read_from_the_table():
    low = reliability(Status.LIMITING, 0.22)
    known = decide(sound() | {"reliability": with_table(low, depth=depth_table())})
    assert known["whole_network"].lift == (
        f"{lift.REMEDIES[Stage.MEASUREMENT]} Twice the UMIs per cell would bring 38% (31–46%) of "
        "regulators to a reliability of 0.2, from 22%."
    )
    unknown = decide(sound() | {"reliability": low})["whole_network"]
    assert unknown.lift == f"{lift.REMEDIES[Stage.MEASUREMENT]} {lift.NOT_FORECAST}"


@pytest.mark.parametrize(
    ("halves", "donors", "said"),
    [
        (
            "donors",
            8,
            "Twice the donors would bring the agreement of plain correlations from "
            "0.31 to 0.47 (0.40–0.53); that of partial correlations is not forecast.",
        ),
        ("cells", 0, "Twice the observations would bring"),
        (
            "cells",
            3,
            "Twice the cells of the same donors would bring the agreement of plain "
            "correlations from 0.31 to 0.47 (0.40–0.53) between halves that share donors;",
        ),
        ("blocks", 0, "Twice the time points would bring"),
    ],
)
def test_lift_of_sampling_is_read_from_the_table(halves, donors, said):
    low = stability(Status.LIMITING, 0.05, halves=halves)
    low.tables["summary"]["labelled_donors"] = donors
    found = decide(sound() | {"stability": with_table(low, learning=learning_table())})
    assert said in found["confident_edges"].lift
    # One remedy, said in the same words for every goal that it lifts.
    assert found["modules"].lift in (None, found["confident_edges"].lift)


@pytest.mark.parametrize("then", [None, (None, None, None), (0.4, float("nan"), 0.5)])
def test_without_a_forecast_none_is_claimed(then):
    low = with_table(stability(Status.LIMITING, 0.05), learning=learning_table(then))
    found = decide(sound() | {"stability": low})["confident_edges"]
    assert found.lift == f"{lift.REMEDIES[Stage.SAMPLING]} {lift.NOT_FORECAST}"
    shallow = with_table(reliability(Status.LIMITING), depth=depth_table().head(1))
    assert lift.gain(Stage.MEASUREMENT, {"reliability": shallow}) is None


def test_other_stages_have_no_closed_form():
    for stage in (Stage.PREDICTABILITY, Stage.SPECIFICITY, Stage.CONFOUNDING, Stage.PROXY, None):
        assert lift.gain(stage, sound()) is None
    found = decide(sound() | {"predictability": gate(Stage.PREDICTABILITY, Status.LIMITING)})
    assert found["whole_network"].lift.endswith(lift.NOT_FORECAST)
    assert found["edge_direction"].lift.endswith(lift.NOT_FORECAST)


def test_a_band_below_zero_reads_as_two_numbers():
    low = with_table(stability(Status.LIMITING), learning=learning_table((0.04, -0.02, 0.1)))
    assert lift.gain(Stage.SAMPLING, {"stability": low}).band == "-0.02 to 0.10"


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


def response(low, high=0.4, status=Status.BORDERLINE, compared="control"):
    row = {"difference": 0.2, "difference_low": low, "difference_high": high}
    summary = pd.DataFrame([{**row, "compared": compared}])
    cells = pd.DataFrame(
        {"times_the_rows": [1, 2, 4], "ceiling": [0.3, 0.4, 0.5], "mean_baseline": [0.2, 0.3, 0.35]}
    )
    verdict = Verdict(status=status, reason="response says so. Bring replicates.", estimate=0.2)
    tables = {"summary": summary, "cells": cells} if low is not None else {}
    return Result(check=by_name("response"), verdict=verdict, tables=tables)


def held_out(low, results=None, **options):
    results = (results or sound()) | {"response": response(low, **options)}
    return decide(results, perturbation=30)["perturbation_response"]


def test_response_is_supported_where_the_ceiling_is_above_the_mean():
    found = held_out(0.05)
    assert found.verdict is Answer.SUPPORTED
    assert found.limiting_stage is None
    assert found.path[Stage.PROXY] is Status.ENOUGH
    assert "ways of their own" in found.reason
    weak = sound() | {"stability": stability(Status.BORDERLINE, 0.15)}
    assert held_out(0.05, weak).verdict is Answer.NOT_EXCLUDED
    assert held_out(0.05, weak).limiting_stage is Stage.SAMPLING


def test_response_is_not_supported_without_controls():
    found = held_out(0.05, compared="all other rows")
    assert found.verdict is Answer.NOT_EXCLUDED
    assert found.limiting_stage is Stage.PROXY
    assert "without controls" in found.reason
    assert held_out(-0.1, compared="all other rows").verdict is Answer.EXCLUDED


@pytest.mark.parametrize("low", [0.0, -0.1])
def test_response_is_excluded_where_the_ceiling_is_within_noise_of_the_mean(low):
    found = held_out(low)
    assert found.verdict is Answer.EXCLUDED
    assert found.limiting_stage is Stage.PROXY
    assert found.path[Stage.PROXY] is Status.LIMITING
    assert found.reason == "response says so. Bring replicates."
    assert found.lift == (
        f"{lift.REMEDIES_OF_CHECKS['response']} Four times the cells would bring the best "
        "possible correlation from 0.30 to 0.50, and that of the mean from 0.20 to 0.35."
    )
    assert held_out(low, sound() | {"proxy": result("proxy", Status.ENOUGH)}) == found


def test_response_that_was_not_assessed_is_never_supported():
    missing = held_out(None, status=Status.NOT_ASSESSED)
    assert missing.verdict is Answer.NOT_EXCLUDED
    assert missing.limiting_stage is Stage.PROXY
    assert missing.lift == "Bring replicates."
    assert decide(sound(), perturbation=30)["perturbation_response"].verdict is Answer.NOT_EXCLUDED
    crashed = held_out(0.05, status=Status.ERROR)
    assert crashed.verdict is Answer.NOT_ASSESSED


def test_an_aliased_contrast_excludes_response_whatever_its_ceiling():
    aliased = sound() | {"confounding": result("confounding", Status.LIMITING)}
    found = held_out(0.3, aliased)
    assert found.verdict is Answer.EXCLUDED
    assert found.limiting_stage is Stage.CONFOUNDING


def test_the_ceiling_decides_no_other_goal():
    without, found = (
        decide(sound() | extra, perturbation=30) for extra in ({}, {"response": response(-1.0)})
    )
    assert without.pop("perturbation_response") != found.pop("perturbation_response")
    assert without == found


def test_without_numbers_the_ceiling_is_not_forecast():
    table = response(-0.1)
    table.tables["cells"]["ceiling"] = None
    found = decide(sound() | {"response": table}, perturbation=30)["perturbation_response"]
    assert found.lift == f"{lift.REMEDIES_OF_CHECKS['response']} {lift.NOT_FORECAST}"


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


def test_a_regulator_that_predicts_nothing_is_limited_by_that():
    found = pd.DataFrame({"regulator": ["TF0", "TF1", "TF2"], "predicted_targets": [4, 0, 0]})
    gated = replace(gate(Stage.PREDICTABILITY, Status.ENOUGH), tables={"regulators": found})
    weak = gate(Stage.SPECIFICITY, Status.BORDERLINE)
    results = sound() | {"predictability": gated, "specificity": weak}
    table = goals.regulator_verdicts(results, decide(results)).set_index("regulator")
    assert table.loc["TF1", "limited_by"] == "predictability"
    assert table.loc["TF1", "verdict"] == "not_excluded"
    assert table.loc["TF0", "limited_by"] == "specificity"
    # What it cannot be read by comes first.
    assert table.loc["TF2", "limited_by"] == "measurement"


def test_one_regulator_is_excluded_by_its_own_reliability():
    results = sound()
    table = goals.regulator_verdicts(results, decide(results)).set_index("regulator")
    assert table.loc["TF2", "verdict"] == "excluded"
    assert table.loc["TF2", "limited_by"] == "measurement"
    assert table.loc["TF0", "verdict"] == "not_excluded"
    assert table.loc["TF0", "limited_by"] == decide(results)["regulator_targets"].limiting_stage
    empty = goals.regulator_verdicts({}, decide({}))
    assert list(empty.columns) == ["regulator", "limited_by", "verdict"]
    assert empty.empty


def test_several_gates_of_one_stage_take_the_lowest():
    results = {"a": gate(Stage.SAMPLING, Status.ENOUGH), "b": gate(Stage.SAMPLING, Status.LIMITING)}
    assert goals.stage_states(results)[Stage.SAMPLING].status is Status.LIMITING


def bound(high=(0.2, 0.31, 0.5, 0.4), status=Status.BORDERLINE):
    edges = ["all edges", "all edges", "targets of one regulator", "targets of one regulator"]
    table = pd.DataFrame({"method": ["correlation", "lasso"] * 2, "edges": edges})
    table["high"] = list(high)
    verdict = Verdict(status=status, reason="power says so.")
    return Result(check=by_name("power"), verdict=verdict, tables={"bound": table})


def test_goals_that_a_ranking_measures_have_a_bound():
    found = decide(sound() | {"power": bound()})
    at_best = {key: verdict.at_best and verdict.at_best.value for key, verdict in found.items()}
    assert at_best == {
        "modules": None,
        "confident_edges": 0.31,
        "regulator_targets": 0.5,
        "whole_network": 0.31,
        "edge_direction": None,
        "perturbation_response": None,
    }
    assert found["whole_network"].at_best.panel == ("correlation", "lasso")
    assert "AUPR" in found["whole_network"].at_best.unit


def test_the_words_of_the_bound_are_those_of_the_check():
    from infocheck.checks.power import EACH, POOLED

    assert set(goals.BOUNDED.values()) == {POOLED, EACH}


def test_a_bound_changes_no_verdict_and_stays_where_a_goal_is_excluded():
    results = sound() | {"stability": stability(Status.LIMITING, 0.01, c=(0.1, 0.0, 0.19))}
    without, found = decide(results), decide(results | {"power": bound()})
    assert found["whole_network"].verdict is Answer.EXCLUDED
    assert found["whole_network"].at_best.value == 0.31
    for key, verdict in found.items():
        assert replace(verdict, at_best=None) == without[key]
    few = decide(results | {"power": bound()}, n_obs=8)["whole_network"]
    assert few.verdict is Answer.EXCLUDED


@pytest.mark.parametrize(
    "power",
    [
        bound(status=Status.ERROR),
        bound(high=(None, None, None, None)),
        Result(check=by_name("power"), verdict=Verdict(status=Status.NOT_ASSESSED, reason=".")),
    ],
)
def test_no_number_no_bound(power):
    assert all(v.at_best is None for v in decide(sound() | {"power": power}).values())


@pytest.mark.parametrize(
    ("first", "second", "stage"),
    [
        (Status.ENOUGH, Status.NOT_ASSESSED, Status.ENOUGH),
        (Status.NOT_ASSESSED, Status.BORDERLINE, Status.BORDERLINE),
        (Status.ENOUGH, Status.BORDERLINE, Status.BORDERLINE),
        (Status.NOT_ASSESSED, Status.NOT_ASSESSED, Status.NOT_ASSESSED),
        (Status.ENOUGH, Status.ERROR, Status.ERROR),
    ],
)
def test_protein_or_perturbations_are_enough_to_assess_the_proxy(first, second, stage):
    results = {"other": gate(Stage.PROXY, second), "proxy": result("proxy", first)}
    state = goals.stage_states(results)[Stage.PROXY]
    assert state.status is stage
    if first is second:
        assert state.result.name == "proxy"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (Status.ENOUGH, Answer.SUPPORTED),
        (Status.BORDERLINE, Answer.NOT_EXCLUDED),
        (Status.NOT_ASSESSED, Answer.NOT_EXCLUDED),
    ],
)
def test_direction_is_supported_by_perturbations_that_move_other_genes(status, answer):
    results = sound() | {"perturbation": gate(Stage.PROXY, status)}
    assert decide(results, perturbation=5)["edge_direction"].verdict is answer


@pytest.mark.parametrize(("moved", "stage"), [(0, Status.NOT_ASSESSED), (1, Status.BORDERLINE)])
def test_a_screen_that_moved_no_regulator_does_not_assess_the_proxy(moved, stage):
    table = pd.DataFrame({"regulators_moved": [moved]})
    results = sound() | {
        "perturbation": result("perturbation", Status.BORDERLINE, tables={"summary": table})
    }
    state = goals.stage_states(results)[Stage.PROXY]
    assert state.status is stage
    assert decide(calibrated() | results)["confident_edges"].verdict is (
        Answer.SUPPORTED if moved else Answer.NOT_EXCLUDED
    )
