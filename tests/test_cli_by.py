"""`infocheck report --by COLUMN`: files, exit codes, streams."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from infocheck import cli, groups, output, pipeline
from infocheck.goals import GOALS
from infocheck.report import Report
from infocheck.result import Answer, Status
from infocheck.simulate import simulate

NAME = "cells.infocheck"
PAGE = '<!doctype html><html><head><meta name="generator" content="infocheck 9"></head></html>'
PAGES = [f"{NAME}/T_1.infocheck.html", f"{NAME}/b.infocheck.html"]
FILES = sorted([*PAGES, *(page.replace(".html", ".json") for page in PAGES)])


@pytest.fixture(scope="module")
def data():
    adata = simulate(n_obs=134, n_genes=40, n_regulators=6, depth=1000, seed=2)
    kinds = np.array(["b"] * 70 + ["T/1"] * 60 + ["rare"] * 4, dtype=object)
    adata.obs["kind"] = np.random.default_rng(0).permutation(kinds)
    return adata


@pytest.fixture(scope="module")
def reports(data):
    """What each group gives, computed once; the commands below are about files."""
    plan = groups.plan(data, by="kind", targets=20, jobs=1)
    return {plan._part(i).name: pipeline.assess(plan._part(i), **plan.options) for i in (0, 1)}


class Stub:
    """Stands in for infocheck.assess; keeps what it was given and changes what it returns."""

    def __init__(self, reports):
        self.reports = reports
        self.calls: list[tuple[str, dict]] = []
        self.change = lambda report: report
        self.during = lambda: None

    def assess(self, part, *, progress=None, command=None, **options):
        self.calls.append((part.name, {**options, "command": command}))
        progress("Power", 1, 3)
        self.during()
        report = self.reports[part.name.replace("cells.h5ad", "simulated data")]
        provenance = {**report.provenance, "command": command}
        return self.change(replace(report, provenance=provenance, goal=options["goal"]))


@pytest.fixture
def stub(monkeypatch, tmp_path, data, reports):
    stub = Stub(reports)
    monkeypatch.setattr(pipeline, "assess", stub.assess)
    # Whole pages take seconds each to draw, and are tested elsewhere.
    monkeypatch.setattr(Report, "to_html", lambda self: PAGE)
    monkeypatch.chdir(tmp_path)
    data.write_h5ad("cells.h5ad")
    return stub


def run(*arguments: str):
    arguments = ("report", "cells.h5ad", "--by", "kind", *arguments)
    return CliRunner().invoke(cli.app, list(arguments), prog_name="infocheck")


def files() -> list[str]:
    found = (path for path in Path().rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if path.name != "cells.h5ad")


# Files --------------------------------------------------------------------------------------


def test_the_comparison_and_a_folder_of_whole_reports(stub):
    done = run("--seed", "3", "--targets", "20")
    assert done.exit_code == 0, done.output
    assert files() == sorted([f"{NAME}.html", f"{NAME}.json", *FILES])
    saved = json.loads(Path(f"{NAME}.json").read_text("utf-8"))
    assert saved["schema"] == "infocheck.comparison/1"
    assert saved["provenance"]["command"] == (
        "infocheck report cells.h5ad --by kind --targets 20 --goal confident_edges --seed 3"
    )
    for one in saved["entries"]:
        if one["assessed"]:
            whole = json.loads(Path(one["document"]).read_text("utf-8"))
            assert whole["schema"] == "infocheck.report/1"
            assert Path(one["page"]).is_file()
            assert f'href="{one["page"]}"' in Path(f"{NAME}.html").read_text("utf-8")
    assert [one["label"] for one in saved["entries"] if not one["assessed"]] == ["rare"]
    names, given = zip(*stub.calls, strict=True)
    assert names == ("cells.h5ad · kind=b", "cells.h5ad · kind=T∕1")
    assert all(one["seed"] == 3 and one["targets"] == 20 for one in given)


def test_words_go_to_stderr_one_line_a_group(stub):
    done = run()
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[:2] == ["1 of 2, b: Power", "2 of 2, T/1: Power"]
    assert "cell" not in lines[2]
    assert "groups could hold a short list of edges" in lines[2] or "None of 3 groups" in lines[2]
    assert sum("rows" in line and ("T/1" in line or " b " in line) for line in lines) == 2
    assert "4 rows are too few" in done.stderr
    assert lines[-3:] == [f"Report  {NAME}.html", f"Data    {NAME}.json", f"Groups  {NAME}"]
    assert run("--quiet").stderr == ""


def test_document_on_stdout_alone(stub):
    done = run("--json", "-", "--quiet", "-o", "out.html")
    printed = json.loads(done.stdout)
    assert printed["schema"] == "infocheck.comparison/1"
    assert {one["page"] for one in printed["entries"]} > {"out/b.infocheck.html"}
    assert done.stderr == ""
    assert files() == sorted(["out.html", *(f.replace(NAME, "out") for f in FILES)])


@pytest.mark.parametrize(
    ("given", "page", "folder"),
    [
        ("x.html", "x.html", "x"),
        ("plain", "plain", "plain.groups"),
        ("at/", f"at/{NAME}.html", f"at/{NAME}"),
    ],
)
def test_the_folder_has_the_name_of_the_page(stub, given, page, folder):
    Path("at").mkdir()
    assert run("-o", given).exit_code == 0
    assert Path(page).is_file()
    assert Path(folder, "b.infocheck.html").is_file()


def test_own_files_are_replaced_by_either_kind_of_report(stub, monkeypatch):
    """`report` and `report --by` write under the same names."""
    assert run().exit_code == 0
    assert run().exit_code == 0
    for schema in ("report", "comparison"):
        Path(f"{NAME}.json").write_text(f'{{"schema": "infocheck.{schema}/1"}}')
        assert run().exit_code == 0
        assert output.DOCUMENT.on(Path(f"{NAME}.json"))


@pytest.mark.parametrize("name", [f"{NAME}.html", f"{NAME}.json", *FILES])
def test_foreign_files_are_kept_and_found_before_computing(stub, name):
    Path(NAME).mkdir()
    Path(name).write_text("mine")
    done = run()
    assert done.exit_code == 3
    assert "--force" in done.stderr
    assert Path(name).read_text() == "mine"
    assert files() == [name]
    assert stub.calls == []
    assert run("--force").exit_code == 0
    assert Path(name).read_text("utf-8") != "mine"


def test_a_file_in_the_place_of_the_folder_is_kept(stub):
    Path(NAME).write_text("mine")
    done = run("--force")
    assert done.exit_code == 3
    assert done.stderr.count("error: ") == 1
    assert Path(NAME).read_text() == "mine"
    assert stub.calls == []


def test_a_failure_while_writing_leaves_nothing_behind(stub, monkeypatch):
    written = Path.write_bytes
    seen = []

    def full(path, content):
        seen.append(path)
        if len(seen) == 4:
            raise OSError(28, "No space left on device")
        return written(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    done = run()
    assert done.exit_code == 3
    assert "No space left" in done.stderr
    assert files() == []
    assert not Path(NAME).exists()


def test_a_fault_while_a_page_is_made_leaves_the_old_files(stub, monkeypatch):
    run()
    before = {name: Path(name).read_bytes() for name in files()}
    monkeypatch.setattr(Report, "to_json", lambda self: 1 / 0)
    assert run().exit_code == 70
    assert {name: Path(name).read_bytes() for name in files()} == before


def test_a_file_that_appears_while_computing_is_kept(stub):
    def appear():
        Path(NAME).mkdir(exist_ok=True)
        Path(FILES[0]).write_text("mine")

    stub.during = appear
    assert run().exit_code == 3
    assert files() == [FILES[0]]


# Exit codes ---------------------------------------------------------------------------------


def verdicts(first: Answer, second: Answer):
    """Change the verdicts of the two groups."""

    def change(report):
        answer = first if "kind=b" in report.dataset["name"] else second
        goals = {key: replace(one, verdict=answer) for key, one in report.goals.items()}
        return replace(report, goals=goals)

    return change


@pytest.mark.parametrize(
    ("answers", "fail_on", "code"),
    [
        ((Answer.EXCLUDED, Answer.EXCLUDED), "excluded", 1),
        ((Answer.EXCLUDED, Answer.NOT_EXCLUDED), "excluded", 0),
        ((Answer.EXCLUDED, Answer.NOT_ASSESSED), "excluded", 0),
        ((Answer.EXCLUDED, Answer.NOT_EXCLUDED), "not_excluded", 1),
        ((Answer.EXCLUDED, Answer.SUPPORTED), "not_excluded", 0),
        ((Answer.EXCLUDED, Answer.EXCLUDED), None, 0),
    ],
)
def test_fail_on_fails_when_every_assessed_group_does(stub, answers, fail_on, code):
    stub.change = verdicts(*answers)
    assert run(*(("--fail-on", fail_on) if fail_on else ())).exit_code == code
    assert len(files()) == 6


def test_a_crash_in_one_group_outranks(stub):
    def crash(report):
        result = report["power"]
        verdict = replace(result.verdict, status=Status.ERROR)
        changed = {**report.results, "power": replace(result, verdict=verdict)}
        return replace(report, results=changed) if "kind=b" in report.dataset["name"] else report

    stub.change = crash
    assert run("--fail-on", "excluded").exit_code == 4
    assert "A check crashed: power." in Path(f"{NAME}.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--by", "kinds"), "did you mean 'kind'"),
        (("--donor", "donro"), "--donor: there is no column 'donro'"),
    ],
)
def test_columns_that_do_not_exist_are_told_before_anything_is_assessed(stub, arguments, words):
    done = run(*arguments)
    assert done.exit_code == 3
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert stub.calls == []
    assert files() == []


@pytest.mark.parametrize("goal", [goal.key for goal in GOALS])
def test_every_goal_can_lead(stub, goal):
    done = run("--goal", goal)
    assert done.exit_code == 0
    assert json.loads(Path(f"{NAME}.json").read_text("utf-8"))["goal"] == goal


def test_the_schema_is_printed():
    done = CliRunner().invoke(cli.app, ["schema", "--comparison"], prog_name="infocheck")
    assert json.loads(done.stdout)["title"] == "infocheck.comparison/1"
    both = CliRunner().invoke(cli.app, ["schema", "--comparison", "--design"])
    assert both.exit_code == 2
