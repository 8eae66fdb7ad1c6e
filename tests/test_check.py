"""Running a check: seeded by name, crashes caught, refusals turned into a status."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest

from infocheck import check as checks
from infocheck.check import Check
from infocheck.errors import NotAssessed
from infocheck.result import Stage, Status, Verdict


@dataclass(frozen=True, kw_only=True)
class Probe(Check):
    """Draws one number, or fails as told."""

    name = "probe"
    title = question = unit = computed = misleads = "test"
    fail: str = ""

    def measure(self, data, rng):
        if self.fail == "crash":
            raise ZeroDivisionError("nothing to divide")
        if self.fail == "refuse":
            raise NotAssessed("Not this kind; bring another.")
        return {"draw": pd.DataFrame({"x": [rng.random()]})}

    def judge(self, tables):
        if self.fail == "judge":
            raise NotAssessed("Judged as unanswerable.")
        return Verdict(status=Status.ENOUGH, reason="fine", estimate=tables["draw"]["x"][0])


def test_the_stream_depends_on_seed_and_name_alone():
    one, again, other = (Probe().run(None, seed).verdict.estimate for seed in (1, 1, 2))
    assert one == again != other
    assert checks.stream(0, "a").random() != checks.stream(0, "b").random()


def test_a_crash_is_an_error_with_its_message():
    result = Probe(fail="crash").run(None, 0)
    assert result.verdict.status is Status.ERROR
    assert "ZeroDivisionError: nothing to divide" in result.verdict.reason


def test_a_refusal_is_not_assessed_and_may_keep_its_tables():
    assert Probe(fail="refuse").run(None, 0).verdict.status is Status.NOT_ASSESSED
    judged = Probe(fail="judge").run(None, 0)
    assert judged.verdict.status is Status.NOT_ASSESSED
    assert "draw" in judged.tables


def test_checks_are_found_in_the_order_of_the_chain():
    found = checks.all_checks()
    stages = [list(Stage).index(check.stage) for check in found if check.stage]
    assert stages == sorted(stages)
    assert {check.name for check in found} >= {"reliability", "stability", "confounding", "proxy"}


def test_an_unknown_name_lists_the_known():
    with pytest.raises(KeyError, match="reliability"):
        checks.by_name("nonsense")
