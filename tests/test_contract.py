"""What every check owes: facts, a page, tests both ways, references, one home of thresholds.

Runs over the files in ``infocheck/checks``; a new check is held to it by being there.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
from pathlib import Path

import pytest

from infocheck.check import Check, all_checks, by_name
from infocheck.references import REFERENCES
from infocheck.result import Stage

ROOT = Path(__file__).parents[1]
CHECKS = [
    path.stem
    for path in sorted((ROOT / "infocheck" / "checks").glob("*.py"))
    if not path.stem.startswith("_")
]
JUDGED = ("need", "floor")

every_check = pytest.mark.parametrize("name", CHECKS)


def one(name: str) -> Check:
    """The one check that a file defines."""
    module = importlib.import_module(f"infocheck.checks.{name}")
    found = [
        member
        for member in vars(module).values()
        if isinstance(member, type)
        and issubclass(member, Check)
        and member.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{name}.py defines {len(found)} checks"
    return found[0]()


def named_tests(name: str) -> list[str]:
    path = ROOT / "tests" / "checks" / f"test_{name}.py"
    assert path.exists(), f"{path.relative_to(ROOT)} is missing"
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [n.name for n in nodes if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]


def test_checks_are_found_by_name():
    assert sorted(check.name for check in all_checks()) == CHECKS
    for name in CHECKS:
        assert by_name(name).name == name
    with pytest.raises(KeyError, match="no check is called"):
        by_name("nonsense")


def test_checks_come_in_the_order_of_the_chain():
    stages = [list(Stage).index(check.stage) for check in all_checks() if check.stage]
    assert stages == sorted(stages)


@every_check
def test_facts_are_stated(name):
    check = one(name)
    assert check.name == name
    assert check.stage is None or check.stage in Stage
    for fact in ("title", "question", "unit", "computed", "misleads"):
        assert getattr(check, fact, "").strip(), f"{name} states no {fact}"
    assert check.question.endswith("?")
    assert isinstance(check.needs, tuple)


@every_check
def test_check_is_a_frozen_dataclass_with_a_docstring(name):
    check = one(name)
    assert dataclasses.is_dataclass(check)
    assert type(check).__dataclass_params__.frozen
    assert type(check).__doc__
    assert not type(check).__doc__.startswith(f"{type(check).__name__}("), "docstring is generated"


@every_check
@pytest.mark.parametrize("method", ["measure", "judge", "plot"])
def test_methods_are_there(name, method):
    assert getattr(type(one(name)), method) is not getattr(Check, method)


@every_check
def test_references_exist(name):
    assert one(name).references, f"{name} names no reference"
    assert set(one(name).references) <= REFERENCES.keys()


@every_check
def test_thresholds_have_one_home(name):
    """``need`` and ``floor`` are names from infocheck.thresholds, not numbers of their own."""
    source = (ROOT / "infocheck" / "checks" / f"{name}.py").read_text("utf-8")
    for node in ast.walk(ast.parse(source)):
        judged = isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") in JUDGED
        if judged and node.value is not None and ast.unparse(node.value) != "None":
            assert "thresholds." in ast.unparse(node.value), f"line {node.lineno}: a threshold"
    assert all(isinstance(getattr(one(name), field, None), float | int | None) for field in JUDGED)


@every_check
def test_page_exists(name):
    page = ROOT / "docs" / "checks" / f"{name}.md"
    assert page.exists(), f"{page.relative_to(ROOT)} is missing"
    assert page.read_text("utf-8").startswith("# ")


@every_check
def test_there_is_a_test_that_sees_the_defect_and_one_that_passes_sound_data(name):
    names = named_tests(name)
    assert any("sees" in test for test in names), f"no test of {name} sees a defect"
    assert any("passes" in test for test in names), f"no test of {name} passes sound data"
