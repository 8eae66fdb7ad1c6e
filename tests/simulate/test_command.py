"""The command `infocheck simulate`: files that the report reads, and none that are lost."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from infocheck import cli
from infocheck.simulate import DEFECTS, simulate

SMALL = ("--cells", "200", "--genes", "120", "--regulators", "20", "--bystanders", "20")


def run(*arguments):
    return CliRunner().invoke(cli.app, ["simulate", *arguments], prog_name="infocheck")


def words(result):
    """What was printed, without frames and line ends of the console."""
    return " ".join(result.output.replace("│", " ").split())


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_writes_data_and_network_that_the_report_reads_without_options(here):
    result = run(
        "-o",
        "sim.h5ad",
        "--core",
        "mechanistic",
        *SMALL,
        "--perturbations",
        "5",
        "--times",
        "0,6,24",
        "--cell-types",
        "2",
        "--json",
        "sim.json",
    )
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in here.iterdir()) == ["sim.h5ad", "sim.json", "sim.network.csv"]
    adata = anndata.read_h5ad("sim.h5ad")
    network = pd.read_csv("sim.network.csv")
    assert list(network) == ["source", "target", "sign"]
    np.testing.assert_array_equal(network.to_numpy(str), adata.uns["network"].to_numpy(str))
    content = json.loads((here / "sim.json").read_text("utf-8"))
    assert content["schema"] == "infocheck.simulation/1"
    assert content["n_edges"] == len(network)
    assert "--times 0,6,24" in content["provenance"]["command"]

    done = CliRunner().invoke(cli.app, ["report", "sim.h5ad", "-q", "--jobs", "1", "--json", "-"])
    assert done.exit_code == 0, done.output
    dataset = json.loads(done.stdout)["dataset"]
    labels = ("batch", "donor", "cell_type", "condition", "perturbation", "time")
    assert [dataset["roles"][name]["column"] for name in labels] == list(labels)
    assert dataset["regulators"]["n"] == 20


@pytest.mark.parametrize("core", ["linear", "mechanistic"])
def test_a_defect_sets_its_switches(core, here):
    options = (*SMALL, "--core", core, "--defect", "uncoupled", "--defect", "batch")
    result = run(*options, "--json", "-", "-q")
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    assert content["defects"] == ["uncoupled", "batch"]
    expected = {**DEFECTS["uncoupled"].of(core), **DEFECTS["batch"].of(core)}
    assert {key: content["arguments"][key] for key in expected} == expected


def test_the_recorded_command_gives_the_same_data(here):
    first = run("-o", "a.h5ad", *SMALL, "--defect", "hidden", "--seed", "7", "--json", "-", "-q")
    command = json.loads(first.stdout)["provenance"]["command"].split()
    (here / "again").mkdir()
    command[command.index("a.h5ad")] = "again/"
    assert run(*command[2:]).exit_code == 0
    one, two = anndata.read_h5ad("a.h5ad"), anndata.read_h5ad("again/simulated.h5ad")
    assert (one.X != two.X).nnz == 0
    # And the module called with the recorded arguments.
    arguments = json.loads(first.stdout)["arguments"]
    assert (simulate(**arguments).X != one.X).nnz == 0


def test_an_option_wins_over_the_defect(here):
    options = ("--defect", "shallow", "--defect", "aliased", "--depth", "70", "--json", "-", "-q")
    arguments = json.loads(run(*SMALL, *options).stdout)["arguments"]
    assert (arguments["depth"], arguments["condition"]) == (70.0, "aliased")


def test_own_files_are_replaced_and_others_are_not(here):
    assert run(*SMALL).exit_code == 0
    before = (here / "simulated.h5ad").read_bytes()
    assert run(*SMALL, "--seed", "1").exit_code == 0
    assert (here / "simulated.h5ad").read_bytes() != before

    # A network that was edited is somebody's work, and so is a file derived from the data.
    (here / "simulated.network.csv").write_text("source,target,sign\nTF001,G0001,1\n")
    refused = run(*SMALL)
    assert refused.exit_code == 3
    assert "simulated.network.csv exists" in words(refused)
    assert run(*SMALL, "--force").exit_code == 0
    derived = anndata.read_h5ad("simulated.h5ad")
    derived.obs["mine"] = 1.0
    derived.write_h5ad("simulated.h5ad")
    kept = (here / "simulated.h5ad").read_bytes()
    assert run(*SMALL).exit_code == 3
    assert (here / "simulated.h5ad").read_bytes() == kept
    (here / "table.h5ad").write_text("no HDF5")
    assert run("-o", "table.h5ad", *SMALL).exit_code == 3
    assert not [p for p in here.iterdir() if p.suffix == ".tmp"]


def test_a_failure_while_writing_leaves_old_files_alone(here, monkeypatch):
    assert run(*SMALL).exit_code == 0
    before = {p.name: p.read_bytes() for p in here.iterdir()}

    def full(adata, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("infocheck.simulate.files.write_h5ad", full)
    failed = run(*SMALL, "--seed", "3")
    assert failed.exit_code == 3
    assert "No space left" in words(failed)
    assert {p.name: p.read_bytes() for p in here.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "-"], "need a file"),
        (["-o", "data.csv"], ".h5ad"),
        (["-o", "data.h5ad", "--json", "data.network.csv"], "three files"),
        (["--defect", "shalow"], "Did you mean 'shallow'"),
        (["--defect", "bursting"], "needs --core mechanistic"),
        (["--hill", "2"], "--hill needs --core mechanistic"),
        (["--core", "mechanistic", "--r2", "0.5"], "--r2 needs --core linear"),
        (["--core", "mechanistic", "--times", "now,then"], "--times takes hours"),
        (["--core", "mechanistic", "--times", "1"], "two different ones"),
        (["--core", "mechanistic", "--mrna-half-life", "0"], "--mrna-half-life"),
        (["--r2", "2"], "r2 must lie between 0 and 1"),
        (["--cells", "3"], "--cells must be at least two cells"),
        (["--genes", "20", "--constant-genes", "5"], "--regulators + bystanders + --constant"),
    ],
)
def test_senseless_options_are_usage_errors(arguments, said, here):
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in words(result)
    assert not list(here.iterdir())


def test_a_missing_folder_is_found_before_anything_is_simulated(here, monkeypatch):
    monkeypatch.setattr("infocheck.simulate.simulate", lambda **_: pytest.fail("simulated"))
    result = run("-o", "absent/x.h5ad")
    assert result.exit_code == 3
    assert "does not exist" in words(result)


def test_an_endless_input_is_written_as_a_word(here):
    result = run("--core", "mechanistic", *SMALL, "--signal-hours", "inf", "--json", "-", "-q")
    assert json.loads(result.stdout)["arguments"]["signal_hours"] == "inf"
