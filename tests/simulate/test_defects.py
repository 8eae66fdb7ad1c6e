"""Every defect can be planted, and infocheck sees those that it has a check for."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from infocheck.check import by_name
from infocheck.cli.simulate import DEFECT_NAMES
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.simulate import DEFECTS, mechanistic, simulate

ROOT = Path(__file__).parents[2]
CORES = {"linear": simulate, "mechanistic": mechanistic}
SIZE = {"n_obs": 200, "n_genes": 150, "n_regulators": 20, "bystanders": 20}


def test_the_command_knows_the_same_defects_as_the_module():
    assert tuple(DEFECTS) == DEFECT_NAMES


def test_every_defect_is_in_the_docs():
    page = (ROOT / "docs" / "simulate.md").read_text("utf-8")
    for name, defect in DEFECTS.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| `{name}` "))
        for argument, value in {**defect.linear, **defect.mechanistic}.items():
            words = f"`{argument}={value!r}`" if isinstance(value, str) else f"`{argument}="
            assert words in line, f"{name}: {argument}"


def test_every_argument_is_in_the_docs():
    page = (ROOT / "docs" / "simulate.md").read_text("utf-8")
    for core in CORES.values():
        for name, parameter in inspect.signature(core).parameters.items():
            assert f"`{name}`" in page, name
            assert parameter.default is not inspect.Parameter.empty


@pytest.mark.parametrize("name", DEFECT_NAMES)
@pytest.mark.parametrize("core", CORES)
def test_every_defect_changes_the_data(name, core):
    switches = DEFECTS[name].of(core)
    if not switches:
        assert core == "linear"
        return
    sound, defect = CORES[core](**SIZE), CORES[core](**{**SIZE, **switches})
    same = sound.shape == defect.shape and (sound.X != defect.X).nnz == 0
    if name == "aliased":  # the label alone
        assert same
        assert (sound.obs["condition"] != defect.obs["condition"]).any()
    else:
        assert not same


# ------------------------------------------------------- what infocheck says of the cores


def verdicts(adata, *checks):
    data = Dataset.open(adata)
    data = data.with_moments(Moments.of(data))
    return [by_name(check).run(data, seed=0).verdict for check in checks]


def planted(name, n_obs=1500):
    return mechanistic(**{"n_obs": n_obs, "n_genes": 300, "seed": 1, **DEFECTS[name].mechanistic})


@pytest.fixture(scope="module")
def sound():
    adata = mechanistic(1500, 300, seed=1)
    return verdicts(adata, "reliability", "predictability", "confounding")


def test_passes_sound_mechanistic_data(sound):
    assert [verdict.status for verdict in sound] == [Status.ENOUGH] * 3


def test_sees_shallow_mechanistic_data():
    (reliability,) = verdicts(planted("shallow", 1000), "reliability")
    assert reliability.status == Status.LIMITING


def test_sees_that_there_is_no_mechanistic_network(sound):
    stability, predictability = verdicts(planted("no-network"), "stability", "predictability")
    assert stability.status == Status.LIMITING
    assert predictability.status != Status.ENOUGH
    assert predictability.estimate < 0.01 < sound[1].low


def test_sees_slow_proteins_in_what_mrna_predicts(sound):
    (predictability,) = verdicts(planted("uncoupled"), "predictability")
    assert predictability.status != Status.ENOUGH
    assert predictability.high < sound[1].low / 2


def test_sees_batches_and_aliases_in_mechanistic_data():
    (batch,) = verdicts(planted("batch", 600), "confounding")
    assert batch.status != Status.ENOUGH
    assert np.isfinite(batch.estimate)
    (aliased,) = verdicts(planted("aliased", 600), "confounding")
    assert aliased.status == Status.LIMITING
