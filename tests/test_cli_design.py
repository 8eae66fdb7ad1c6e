"""The command `infocheck design`: exit codes, streams, files, sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infocheck import cli
from infocheck.simulate import simulate

SMALL = ("--donors", "4:40:4", "--cells", "50:2000:4", "--depth", "1000:50000:3", "--draws", "5")

FEW = ("--draws", "5")


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def run(*arguments: str):
    return CliRunner().invoke(cli.app, ["design", *arguments], prog_name="infocheck")


def plain(text: str) -> str:
    """Words of a message without the box that is drawn around it."""
    return " ".join("".join(c for c in text if c not in "│╭╮╰╯─").split())


def test_page_and_document_are_written_here_and_the_sentence_is_said():
    done = run("--profile", "human_pbmc_10x", *SMALL)
    assert done.exit_code == 0, done.output
    page, document = Path("design.infocheck.html"), Path("design.infocheck.json")
    content = json.loads(document.read_text())
    assert content["schema"] == "infocheck.design/1"
    assert content["sentence"] in done.stderr
    assert "Limits  the number of donors" in done.stderr
    assert f"Report  {page}" in done.stderr
    assert done.stdout == ""
    assert "infocheck design --profile human_pbmc_10x --donors 4:40:4" in page.read_text()
    # Files of its own are replaced, others are not.
    assert run("--profile", "human_pbmc_10x", *SMALL).exit_code == 0
    document.write_text("mine")
    refused = run("--profile", "human_pbmc_10x", *SMALL)
    assert refused.exit_code == 3
    assert document.read_text() == "mine"
    assert run("--profile", "human_pbmc_10x", *SMALL, "--force").exit_code == 0


def test_the_document_goes_to_stdout_alone():
    done = run("--profile", "bacteria_microarray", "--json", "-", "--quiet", "-o", "a.html", *FEW)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["system"]["name"] == "bacteria_microarray"
    assert done.stderr == ""
    assert [path.name for path in Path().iterdir()] == ["a.html"]


def test_profiles_are_listed():
    done = run("--list-profiles")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 5
    assert "human_pbmc_10x" in done.stdout


def test_a_pilot_gives_its_name_to_the_files():
    simulate(600, 200, 20, donors=8, batches=1, depth=3000, seed=1).write_h5ad("mine.h5ad")
    done = run("--pilot", "mine.h5ad", "--donor", "donor", *SMALL, "--seed", "3")
    assert done.exit_code == 0, done.output
    content = json.loads(Path("mine.design.infocheck.json").read_text())
    assert content["system"]["pilot"]["donors"] == 8
    assert content["provenance"]["command"] == (
        "infocheck design --pilot mine.h5ad --donors 4:40:4 --cells 50:2000:4 "
        "--depth 1000:50000:3 --donor donor --draws 5 --seed 3"
    )
    assert "/" not in content["provenance"]["command"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give either --pilot FILE or --profile NAME; profiles are bacteria_microarray"),
        (("--profile", "human_pbmc"), "Did you mean 'human_pbmc_10x'?"),
        (("--profile", "human_pbmc_10x", "--pilot", "x.h5ad"), "give either"),
        (("--profile", "human_pbmc_10x", "--donors", "4-40"), "no range such as 4:40"),
        (("--profile", "human_pbmc_10x", "--donors", "0"), "at least 1"),
        (("--profile", "human_pbmc_10x", "--depth", "1e99"), "depth"),
        (("--profile", "human_pbmc_10x", "--cells", "nan"), "cells"),
        (("--profile", "human_pbmc_10x", "--batches", "30"), "cannot be spread over 30 batches"),
        (("--profile", "human_pbmc_10x", "--effect", "nan"), "effect must lie between 0 and 1"),
        (("--profile", "human_pbmc_10x", "--fdr", "0"), "fdr must lie"),
        (("--profile", "human_pbmc_10x", "--budget", "10"), "the cheapest costs"),
        (("--profile", "human_pbmc_10x", "--budget", "-1"), "the budget must be"),
        (("--profile", "human_pbmc_10x", "--cost-donor", "-1"), "costs must be"),
        (("--profile", "human_pbmc_10x", "--assume", "icc"), "is not like icc=0.05"),
        (("--profile", "human_pbmc_10x", "--assume", "icc=x"), "no list of numbers"),
        (("--profile", "human_pbmc_10x", "--assume", "none=1"), "has no field 'none'"),
        (("--profile", "human_pbmc_10x", "--fold-change", "a"), "--fold-change"),
        (("--profile", "human_pbmc_10x", "--perturbations", "0"), "--perturbations"),
        (("--profile", "human_pbmc_10x", "-o", "x.json"), "-o names the page"),
        (("--profile", "bacteria_microarray", "--depth", "1000"), "depth is no axis"),
    ],
)
def test_usage_errors_are_one_sentence_and_exit_with_2(arguments, words):
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert words in plain(done.stderr)
    assert "Traceback" not in done.stderr
    assert list(Path().iterdir()) == []


def test_a_pilot_that_is_not_there_exits_with_3():
    done = run("--pilot", "absent.h5ad")
    assert done.exit_code == 3
    assert "there is no file absent.h5ad" in done.stderr


def test_a_range_that_ends_before_it_begins_is_seen_before_the_pilot_is_read():
    Path("broken.h5ad").write_bytes(b"not a file of any kind")
    assert run("--pilot", "broken.h5ad", "--donors", "9:3").exit_code == 2
    assert run("--pilot", "broken.h5ad").exit_code == 3


def test_the_schema_of_both_documents_is_printed():
    def schema(*flags: str) -> dict:
        done = CliRunner().invoke(cli.app, ["schema", *flags], prog_name="infocheck")
        assert done.exit_code == 0
        return json.loads(done.stdout)

    assert schema()["title"] == "infocheck.report/1"
    assert schema("--design")["title"] == "infocheck.design/1"


@pytest.mark.shared
def test_a_real_pilot(shared):
    """Two donors: no intraclass correlation, and it says so."""
    done = run("--pilot", str(shared / "data/kang_pbmc_ifnb_donors.h5ad"), *SMALL)
    assert done.exit_code == 0, done.output
    content = json.loads(Path("kang_pbmc_ifnb_donors.design.infocheck.json").read_text())
    fields = {row["field"]: row for row in content["tables"]["system"]}
    assert fields["icc"]["basis"] == "assumed"
    assert fields["target_log_cv2"]["basis"] == "measured"
