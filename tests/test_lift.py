"""Other studies, ranked by what they would find, from a saved table."""

from __future__ import annotations

import pandas as pd
import pytest

from infocheck import lift
from infocheck.check import by_name
from infocheck.lift import Worth
from infocheck.result import Result, Status, Verdict


def power(rows: list[dict]) -> dict[str, Result]:
    verdict = Verdict(status=Status.BORDERLINE, reason="A bound.", unit="")
    check = by_name("power")
    result = Result(check=check, verdict=verdict, tables={"gains": pd.DataFrame(rows)}, seconds=0.0)
    return {"power": result}


def study(name, gain=None, kind="do", missing=""):
    low, middle, high = gain or (None, None, None)
    row = {"study": name, "kind": kind, "method": "lasso", "missing": missing}
    for key, shift in (("now", 0.3), ("then", 0.5), ("gain", 0.0)):
        values = (middle, low, high) if gain else (None, None, None)
        if gain and key != "gain":
            values = (shift, shift - 0.1, shift + 0.1)
        row |= dict(zip((key, f"{key}_low", f"{key}_high"), values, strict=True))
    return row


def test_ranked_by_gain_and_those_without_a_number_last():
    results = power(
        [
            study("unknown", missing="No donors are labelled."),
            study("little", (0.0, 0.005, 0.01)),
            study("much", (0.1, 0.2, 0.3)),
            study("hidden", (-0.2, -0.1, 0.0), kind="may be"),
            study("some", (0.01, 0.03, 0.05)),
        ]
    )
    found = lift.changes(results, "do")
    assert [change.study for change in found] == ["much", "some", "little", "unknown"]
    assert [change.worth for change in found] == [
        Worth.MORE,
        Worth.OPEN,
        Worth.LITTLE,
        Worth.UNKNOWN,
    ]
    assert found[0].gain == (0.2, 0.1, 0.3)
    assert found[-1].missing == "No donors are labelled."
    assert [change.study for change in lift.changes(results, "may be")] == ["hidden"]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_number_that_is_none_is_no_gain(value):
    row = study("broken", (0.1, 0.2, 0.3)) | {"gain_low": value}
    [found] = lift.changes(power([row]), "do")
    assert found.gain is None
    assert found.worth is Worth.UNKNOWN


def test_nothing_to_compare_without_the_table():
    assert lift.changes({}, "do") == []
    results = power([study("a", (0.1, 0.2, 0.3))])
    results["power"].tables.clear()
    assert lift.changes(results, "do") == []
