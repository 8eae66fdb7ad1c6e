"""The command `infocheck evaluate`, and a network beside `infocheck report`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from infocheck import cli
from infocheck.cli.options import Evidence
from infocheck.networks import CLASSES
from infocheck.simulate import simulate


def run(*arguments: str):
    return CliRunner().invoke(cli.app, list(arguments), prog_name="infocheck")


def plain(text: str) -> str:
    return " ".join("".join(c for c in text if c not in "│╭╮╰╯─").split())


@pytest.fixture(autouse=True)
def _files(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    gold, predictions = [], []
    for i in range(10):
        for j in range(30):
            edge = rng.random() < 0.15
            gold.append(f"R{i}\tt{j}\t{int(edge)}\n")
            predictions.append((rng.normal() + 2 * edge, f"R{i}\tt{j}"))
    Path("gold.tsv").write_text("".join(gold))
    lines = [f"{pair}\t{score}\n" for score, pair in sorted(predictions, reverse=True)]
    Path("mine.tsv").write_text("".join(lines))


def evaluate(*arguments: str):
    return run("evaluate", "mine.tsv", "--network", "gold.tsv", "--nulls", "20", *arguments)


def test_words_go_to_stderr_and_nothing_is_written():
    done = evaluate()
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    for word in ("AUPR ratio", "AUROC", "EPR", "class not stated", "same degrees", "300 pairs"):
        assert word in done.stderr
    assert sorted(path.name for path in Path().iterdir()) == ["gold.tsv", "mine.tsv"]


def test_the_document_goes_to_stdout_alone():
    done = evaluate("--json", "-", "--quiet", "--network-class", "simulator", "--seed", "4")
    assert done.exit_code == 0
    assert done.stderr == ""
    document = json.loads(done.stdout)
    keys = ("aupr", "aupr_ratio", "auroc", "epr", "prevalence", "n_pairs", "n_edges")
    assert all(document[key] is not None for key in keys)
    assert document["network_class"] == "simulator"
    assert document["provenance"]["command"] == (
        "infocheck evaluate mine.tsv --network gold.tsv --network-class simulator "
        "--nulls 20 --seed 4"
    )


@pytest.mark.parametrize("flag", ["--json", "-o"])
def test_the_document_is_written_and_inputs_are_kept(flag):
    assert evaluate(flag, "found.json").exit_code == 0
    first = Path("found.json").read_text()
    assert json.loads(first)["schema"] == "infocheck.evaluate/1"
    assert evaluate(flag, "found.json").exit_code == 0
    Path("other.json").write_text("mine")
    refused = evaluate(flag, "other.json")
    assert refused.exit_code == 3
    assert "--force" in refused.stderr
    assert evaluate(flag, "other.json", "--force").exit_code == 0
    for name in ("gold.tsv", "mine.tsv"):
        before = Path(name).read_bytes()
        refused = evaluate(flag, name, "--force")
        assert refused.exit_code == 3
        assert "is an input" in refused.stderr
        assert Path(name).read_bytes() == before


def test_two_sources_and_all_options():
    lines = Path("gold.tsv").read_text().splitlines()
    lines[0] = lines[0][:-1] + ("0" if lines[0].endswith("1") else "1")
    Path("second.tsv").write_text("\n".join(lines))
    done = evaluate(
        "--network2", "second.tsv", "--top", "50", "--absolute", "--json", "-", "--quiet"
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["n_pairs"] == 299
    assert document["predictions"]["used"] == 50
    assert "--network2 second.tsv --top 50 --absolute" in document["provenance"]["command"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mine.tsv",), "Missing option '--network'"),
        (("--network", "gold.tsv"), "Missing argument 'PREDICTIONS'"),
        (("mine.tsv", "--network", "gold.tsv", "--top", "0"), "--top"),
        (("mine.tsv", "--network", "gold.tsv", "--nulls", "-1"), "--nulls"),
        (("mine.tsv", "--network", "gold.tsv", "--network-class", "truth"), "--network-class"),
    ],
)
def test_usage_errors(arguments, words):
    done = run("evaluate", *arguments)
    assert done.exit_code == 2
    assert words in plain(done.stderr)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.tsv", None, "there is no file absent.tsv"),
        ("empty.tsv", b"", "empty.tsv is empty"),
        ("binary.tsv", bytes(range(256)), "is no text"),
        ("zeros.tsv", b"R1\tt1\t0\nR1\tt2\t0\n", "no pair is labelled 1"),
        ("upper.tsv", b"R1\tT1\t1\nR1\tT2\t0\n", "upper and lower case"),
    ],
)
def test_unsuitable_lists_exit_with_3_and_one_line(name, content, words):
    if content is not None:
        Path(name).write_bytes(content)
    done = run("evaluate", "mine.tsv", "--network", name, "-o", "x.json")
    assert done.exit_code == 3
    assert words in done.stderr
    assert [line for line in done.stderr.splitlines() if line != "Reading lists"] == [
        done.stderr.splitlines()[-1]
    ]
    assert not Path("x.json").exists()


def test_the_classes_of_the_command_are_those_of_the_package():
    assert [one.value for one in Evidence] == list(CLASSES)


def test_the_schema_is_printed():
    done = run("schema", "--evaluate")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["title"] == "infocheck.evaluate/1"
    assert run("schema", "--evaluate", "--design").exit_code == 2


# --- report --network ---------------------------------------------------------------------------


def test_a_network_beside_a_report():
    adata = simulate(200, 80, 15, donors=4, batches=1, seed=2)
    adata.write_h5ad("cells.h5ad")
    adata.uns["network"].to_csv("true.csv", index=False)
    done = run(
        "report", "cells.h5ad", "--network", "true.csv", "--network-class", "simulator", "-q"
    )
    assert done.exit_code == 0, done.output
    document = json.loads(Path("cells.infocheck.json").read_text())
    found = document["checks"]["agreement"]
    assert found["status"] == "borderline"
    assert found["tables"]["network"][0]["class"] == "simulator"
    command = document["provenance"]["command"]
    assert "--network true.csv --network-class simulator" in command
    page = Path("cells.infocheck.html").read_text()
    assert "that can be tested" in page


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"A\n", "one column"), (b"A\tx\t0\nA\ty\t0\n", "no pair is labelled 1")],
)
def test_a_network_that_cannot_be_read_is_seen_before_the_data(content, words):
    Path("cells.h5ad").write_bytes(b"no data of any kind")
    Path("bad.tsv").write_bytes(content)
    done = run("report", "cells.h5ad", "--network", "bad.tsv")
    assert done.exit_code == 3
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = run("report", "cells.h5ad", "--network", "gold.tsv", "--network2", "bad.tsv")
    assert done.exit_code == 3
    assert words in done.stderr


def test_a_class_needs_a_network_and_the_network_is_kept():
    Path("cells.h5ad").write_bytes(b"no data of any kind")
    done = run("report", "cells.h5ad", "--network-class", "chip")
    assert done.exit_code == 2
    assert "need --network" in plain(done.stderr)
    done = run("report", "cells.h5ad", "--network", "gold.tsv", "--json", "gold.tsv", "--force")
    assert done.exit_code == 3
    assert "is an input" in done.stderr
