"""Perturbations: sees a screen that moved nothing, passes one that moved its regulators."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.checks.perturbation import Perturbation
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.report.document import plain
from infocheck.result import Stage, Status
from infocheck.simulate import mechanistic

SCREEN = {
    "n_obs": 1600,
    "n_genes": 150,
    "n_regulators": 12,
    "bystanders": 30,
    "perturbations": 8,
    "depth": 8000,
    "condition": None,
    "donors": 2,
    "batches": 2,
    "seed": 3,
}


def run(adata, **options):
    data = Dataset.open(adata, **options)
    return Perturbation().run(data.with_moments(Moments.of(data)), seed=0)


@pytest.fixture(scope="module")
def sound():
    return run(mechanistic(**SCREEN))


def guided(adata, guides: int) -> anndata.AnnData:
    label = adata.obs["perturbation"].astype(str)
    number = np.arange(adata.n_obs) % np.where(label == "control", guides, 3)
    adata.obs["sgRNA"] = [f"{a}g{b}" for a, b in zip(label, number, strict=True)]
    return adata


def test_sees_a_screen_that_moved_nothing():
    """Guides that do not cut: no own change, no response, and no agreement between halves."""
    result = run(mechanistic(**SCREEN, knockdown=0.0))
    assert result.verdict.status is Status.BORDERLINE  # it never excludes
    assert result.verdict.estimate == 0
    assert result.verdict.high < 0.5
    table = result.tables["perturbations"]
    assert (table["own_q_value"] > 0.05).all()
    assert (table["own_change_low"] < 0).all()
    assert (table["agreement_low"] < 0).all()
    assert "cells" not in result.tables
    assert "0 of 8 perturbed regulators" in result.verdict.reason


def test_passes_a_screen_that_moved_its_regulators(sound):
    assert sound.verdict.status is Status.ENOUGH
    assert sound.stage is Stage.PROXY
    table = sound.tables["perturbations"]
    assert table["responds"].all()
    assert (table["share_of_control_high"] < 0.02).all()  # knocked out
    row = sound.tables["summary"].iloc[0]
    assert row["regulators_moved"] == 8
    assert row["effective_number"] > 4
    assert set(sound.tables["regulators"]["regulator"]) == set(table["perturbation"])
    assert set(sound.figures()) == {"response", "own_change", "similarity"}
    for chart in sound.figures().values():
        chart.figure()


def test_most_escaping_cells_hide_the_response(sound):
    result = run(mechanistic(**SCREEN, escape=0.9))
    assert result.verdict.estimate < 0.5
    own = result.tables["perturbations"]["share_of_control"]
    assert own.between(0.7, 1.1).all()


def test_saved_tables_are_judged_and_drawn_as_before(sound):
    saved = {
        name: pd.DataFrame(json.loads(json.dumps(plain(table.to_dict("records")))))
        for name, table in sound.tables.items()
    }
    again = Perturbation().judge(saved)
    assert (again.status, again.reason) == (sound.verdict.status, sound.verdict.reason)
    assert set(Perturbation().plot(saved)) == set(sound.figures())


def test_one_control_guide_is_at_most_borderline(sound):
    one = run(guided(mechanistic(**SCREEN), 1))
    assert one.verdict.estimate == 1
    assert one.verdict.status is Status.BORDERLINE
    assert "one control guide" in one.verdict.reason
    several = run(guided(mechanistic(**SCREEN), 4))
    assert several.verdict.status is Status.ENOUGH
    assert len(several.tables["control_guides"]) == 4


def test_controls_of_another_batch_are_at_most_borderline():
    adata = mechanistic(**SCREEN)
    adata.obs["batch"] = np.where(adata.obs["perturbation"] == "control", "old", "new")
    result = run(adata)
    assert result.verdict.estimate == 1
    assert result.verdict.status is Status.BORDERLINE
    assert "batch could not be held constant" in result.verdict.reason
    audit = result.tables["audit"].set_index("item")
    assert not audit.loc["perturbation and batch", "enough"]


def test_without_controls_what_does_nothing_seems_to_act():
    adata = mechanistic(**SCREEN)
    names = adata.obs["perturbation"].astype(str).replace({"control": "TF012"})
    adata.obs["perturbation"] = names
    result = run(adata)
    table = result.tables["perturbations"].set_index("perturbation")
    assert table.loc["TF012", "responds"]  # nothing was done to these cells
    assert result.verdict.estimate == 1
    assert result.verdict.status is Status.BORDERLINE
    assert "without controls" in result.verdict.reason


def test_treatments_say_nothing_of_regulators():
    """Eight responses, but to things that are no genes of these data."""
    adata = mechanistic(**SCREEN)
    names = {f"TF{i:03d}": f"drug {i}" for i in range(1, 9)}
    adata.obs["perturbation"] = adata.obs["perturbation"].astype(str).replace(names)
    result = run(adata)
    assert result.verdict.estimate == 1
    assert result.verdict.status is Status.BORDERLINE
    assert "known regulators" in result.verdict.reason
    assert "regulators" not in result.tables


def test_single_knockouts_keep_their_tables_and_are_not_assessed():
    rng = np.random.default_rng(0)
    names = [f"G{i}" for i in range(30)]
    values = rng.normal(size=(30, 30)) * 0.1 - 4
    values[np.arange(30), np.arange(30)] -= 2
    obs = pd.DataFrame({"perturbation": names}, index=[f"r{i}" for i in range(30)])
    var = pd.DataFrame({"is_regulator": [True] * 30}, index=names)
    result = run(anndata.AnnData(values, obs=obs, var=var))
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "30 of 30 perturbed genes" in result.verdict.reason
    assert "Bring replicates" in result.verdict.reason
    assert len(result.tables["perturbations"]) == 30
    assert set(result.figures()) == {"own_change"}


def test_no_label_is_not_assessed():
    adata = mechanistic(**{**SCREEN, "perturbations": 0, "n_obs": 200})
    result = run(adata)
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "Bring" in result.verdict.reason
    assert not result.figures()


def test_the_same_seed_gives_the_same_numbers(sound):
    again = run(mechanistic(**SCREEN))
    for name, table in sound.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])


def test_impossible_numbers_are_no_pass(sound):
    broken = {name: table.copy() for name, table in sound.tables.items()}
    broken["summary"]["responding_share_low"] = np.nan
    assert Perturbation().judge(broken).status is Status.ERROR


@pytest.mark.shared
def test_knockouts_of_interferon_signalling(shared):
    """STAT1, JAK2 and IFNGR2 lose their own mRNA; IFNGR1, not measured, is seen by its response."""
    result = run(shared / "data" / "papalexi_eccite_299genes.h5ad")
    table = result.tables["perturbations"].set_index("perturbation")
    hit = ["STAT1", "JAK2", "IFNGR2"]
    assert (table.loc[hit, "share_of_control_high"] < 0.8).all()
    assert table.loc["STAT1", "share_of_control"] == pytest.approx(0.23, abs=0.03)
    assert table.loc[[*hit, "IFNGR1"], "responds"].all()
    assert pd.isna(table.loc["IFNGR1", "own_change"])
    assert not table.loc[["CD86", "CAV1", "PDCD1LG2", "ATF2", "IRF7"], "responds"].any()
    pairs = result.tables["similarity"].head(3)
    assert set(pairs["first"]) | set(pairs["second"]) == {"IFNGR1", "IFNGR2", "JAK2"}
    assert result.tables["summary"].loc[0, "guides_calibrated"]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["dream4_100_net1_knockouts", "dream4_100_net1_interventions"])
def test_panels_show_their_own_shift_alone(shared, name):
    result = run(shared / "data" / f"{name}.h5ad")
    assert result.verdict.status is Status.NOT_ASSESSED
    assert result.tables["summary"].loc[0, "own_changed"] > 50


@pytest.mark.shared
def test_a_stimulation_is_at_most_borderline(shared):
    result = run(shared / "data" / "kang_pbmc_ifnb_donors.h5ad", perturbation="condition")
    assert result.tables["perturbations"]["responds"].all()
    assert result.verdict.status is Status.BORDERLINE
