"""The JSON document: schema, numbers, round trip."""

from __future__ import annotations

import copy
import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from infocheck.report import Report, document
from infocheck.result import Stage

GOALS = [
    "modules",
    "confident_edges",
    "regulator_targets",
    "whole_network",
    "edge_direction",
    "perturbation_response",
]


@pytest.fixture
def saved(report):
    return document.to_document(report)


def validate(saved):
    jsonschema.Draft202012Validator(document.schema()).validate(saved)


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(document.schema())


def test_the_document_follows_the_schema(saved):
    validate(json.loads(document.dumps(saved)))


@pytest.mark.parametrize(
    "path",
    [
        ("goals", "modules", "verdict"),
        ("goals", "modules", "limiting_stage"),
        ("stages", "proxy", "status"),
        ("checks", "stability", "status"),
        ("checks", "stability", "stage"),
        ("checks", "stability", "estimate"),
        ("schema",),
    ],
)
def test_the_schema_refuses_other_words(saved, path):
    broken = copy.deepcopy(saved)
    block = broken
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


@pytest.mark.parametrize("goal", GOALS)
def test_the_schema_wants_every_goal(saved, goal):
    del saved["goals"][goal]
    with pytest.raises(jsonschema.ValidationError):
        validate(saved)


def test_goals_and_stages_stand_in_the_order_of_the_contract(saved):
    assert list(saved["goals"]) == GOALS
    assert list(saved["stages"]) == [stage.value for stage in Stage]


def test_a_check_has_exactly_the_keys_of_the_contract(saved):
    assert list(saved["checks"]["stability"]) == (
        [
            "status",
            "stage",
            "estimate",
            "low",
            "high",
            "need",
            "floor",
            "unit",
            "reason",
            "seconds",
            "tables",
        ]
    )


def test_what_is_not_finite_is_null(saved):
    rows = saved["checks"]["stability"]["tables"]["summary"]
    assert [row["null"] for row in rows] == [None, None]
    assert "NaN" not in document.dumps(saved)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.25), 0.25),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (True, True),
        (3.0, 3),
        (0.123456789, 0.123457),
        (1234567.8, 1234570),
        (np.nan, None),
        (-np.inf, None),
        (pd.NA, None),
        (pd.NaT, None),
        (Stage.PROXY, "proxy"),
        (np.array([1.5, np.nan]), [1.5, None]),
        ({"a": np.int8(1)}, {"a": 1}),
    ],
)
def test_values_of_libraries_become_plain(value, expected):
    found = document.plain(value)
    assert found == expected
    assert type(found) is type(expected)


def test_round_trip(report):
    text = report.to_json()
    assert Report.from_json(text).to_json() == text


def test_round_trip_through_a_file(report, tmp_path):
    path = tmp_path / "x.infocheck.json"
    text = report.to_json(path)
    assert path.read_text(encoding="utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    again = Report.from_json(path)
    assert document.to_document(again) == document.to_document(report)
    assert again.goals["confident_edges"].path == report.goals["confident_edges"].path


def test_a_rebuilt_report_draws_the_same_page(report):
    once = Report.from_json(report.to_json())
    twice = Report.from_json(once.to_json())
    assert once.to_html() == twice.to_html()


def test_the_goal_of_the_report_survives(make):
    assert Report.from_json(make(goal="modules").to_json()).goal == "modules"


def test_another_schema_is_refused(saved):
    with pytest.raises(ValueError, match="is needed"):
        document.from_document({**saved, "schema": "infocheck.report/2"})


def test_same_report_same_bytes(make):
    assert make().to_json() == make().to_json()


def test_no_folder_of_the_machine_is_named(report):
    assert "/home" not in report.to_json()
    assert "jane" not in report.to_json()
    assert "infocheck report demo.h5ad" in report.to_json()
