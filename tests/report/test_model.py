"""The report as an object."""

from __future__ import annotations

import subprocess
import sys

import fakes
import pytest

from infocheck.errors import OutputError
from infocheck.report import notebook, terminal


def test_summary_has_one_row_a_check(report):
    assert list(report.summary["check"]) == list(report.results)
    row = report.summary.set_index("check").loc["stability"]
    assert (row["status"], row["stage"], row["need"]) == ("borderline", "sampling", 0.2)


def test_results_by_name(report):
    assert report["reliability"].name == "reliability"
    with pytest.raises(KeyError, match="there are reliability, stability"):
        report["reliabilty"]


def test_an_unknown_goal_is_refused(make):
    with pytest.raises(KeyError, match="there are modules"):
        make(goal="everything")


def test_regulators_join_what_the_checks_say(report):
    table = report.regulators
    assert len(table) == 60
    assert {"reliability", "agreement", "mean_count", "stability_mean_count"} <= set(table)
    assert list(table.columns[-2:]) == ["limited_by", "verdict"]
    excluded = list(table["verdict"] == "excluded")
    assert excluded == sorted(excluded)


def test_no_table_of_regulators_gives_none(make):
    results = {name: r for name, r in make().results.items() if name == "predictability"}
    report = make(results=results)
    assert report.regulators.empty
    assert 'id="regulators"' not in report.to_html()


def test_a_file_that_cannot_be_written_is_named(report, tmp_path):
    with pytest.raises(OutputError, match="missing"):
        report.to_json(tmp_path / "missing" / "x.json")


def test_importing_the_report_is_cheap():
    heavy = ["jinja2", "seaborn", "matplotlib", "pandas", "IPython"]
    code = f"import sys, infocheck.report; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_last_lines_are_in_the_words_of_the_page(report):
    lines = terminal.lines(report)
    assert len(lines) == 6
    assert lines[0].split() == ["●", "Supported", "Gene", "modules"]
    assert lines[1] == (
        "■ Excluded      High-confidence edges     limited by predictability "
        "0.006 (0.005–0.007), floor 0.01"
    )
    assert lines[4].endswith("nothing breaks the symmetry between two correlated genes")


def test_the_card_keeps_to_what_notebooks_keep(report):
    card = report._repr_html_()
    assert len(card.encode()) < 50_000
    for tag in ("<svg", "<style", "<script", "<iframe", "aria-", "role="):
        assert tag not in card
    assert "■ Excluded" in card
    assert "<details>" in card
    assert fakes.SCRIPT not in notebook.result_card(report["specificity"])
    assert "▲ Borderline" in notebook.result_card(report["stability"])
