"""Studies: the sentence, ranges, tables, screens, refusals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import infocheck as ic
from infocheck.planning import screening, system
from infocheck.simulate import simulate
from infocheck.stats import guide_power

SMALL = {"donors": "4:40:5", "cells": "50:2000:5", "depth": "1000:50000:4", "draws": 30}


@pytest.fixture(scope="module")
def study() -> ic.Study:
    return ic.design(profile="human_pbmc_10x", perturbations=30, **SMALL)


def test_the_optimum_is_the_cheapest_design_that_is_enough(study):
    designs, best = study.tables["designs"], study.best
    enough = designs[designs["power"] >= 0.8]
    assert study.reached
    assert best["cost"] == pytest.approx(enough["cost"].min())
    assert len(designs) == 100


def test_the_sentence_has_the_design_its_range_and_the_caution(study):
    best = study.best
    assert study.headline.startswith(f"About {best['donors']} donors (")
    assert " UMI cost " in study.sentence
    assert "find at most" in study.sentence
    assert study.sentence.endswith("if the assumptions hold.")
    for axis in ("donors", "cells", "depth", "power"):
        assert best[f"{axis}_low"] <= best[axis] <= best[f"{axis}_high"]
    assert best["donors_low"] < best["donors_high"]


def test_weaker_and_stronger_edges_always_stand_beside(study):
    assert study.tables["optimum"]["effect"].tolist() == pytest.approx([0.15, 0.3, 0.45])
    for _, part in study.tables["curves"].groupby("axis"):
        assert sorted(part["multiple"].unique()) == [0.5, 1.0, 1.5]
        wide = part.pivot_table(index="value", columns="multiple", values="power")
        assert (wide[0.5] <= wide[1.0]).all()
        assert (wide[1.0] <= wide[1.5]).all()
    assert (study.tables["designs"]["power_weaker"] <= study.tables["designs"]["power"]).all()


def test_curves_rise_and_lie_in_their_bands(study):
    curves = study.tables["curves"]
    for _, part in curves.groupby(["axis", "multiple"]):
        assert (np.diff(part["power"]) >= -1e-9).all()
        assert (part["power_low"] <= part["power"]).all()
        assert (part["power"] <= part["power_high"]).all()
    assert set(curves["axis"]) == {"donors", "cells", "depth"}


def test_every_assumption_that_is_uncertain_is_tried_at_both_ends(study):
    table = study.tables["sensitivity"]
    assert (table.groupby("assumption").size() <= 2).all()
    spread = table[table["assumption"].str.startswith("Spread of an edge")].set_index("end")
    assert spread.loc["high", "power_of_optimum"] < study.best["power"]
    assert spread.loc["low", "power_of_optimum"] > study.best["power"]
    for row in table.itertuples():
        if row.reached:
            assert row.power >= 0.8


def test_a_budget_is_kept_and_spent_on_the_most_power():
    study = ic.design(profile="human_pbmc_10x", budget=9000, **SMALL)
    designs = study.tables["designs"]
    open_to = designs[designs["cost"] <= 9000]
    assert study.best["power"] == pytest.approx(open_to["power"].max())
    assert study.best["cost"] <= 9000
    assert designs["within_budget"].sum() == len(open_to)
    assert "of a budget of 9,000" in study.sentence
    sensitivity = study.tables["sensitivity"]
    assert (sensitivity["cost"] <= 9000).all()


def test_a_grid_that_is_too_small_says_so_and_what_limits():
    study = ic.design(profile="human_pbmc_10x", donors="2:4", cells=100, depth="5000", draws=5)
    assert not study.reached
    assert study.sentence.startswith("No design on this grid finds 80% of edges")
    assert "limits it most" in study.sentence
    assert study.headline == "No design on this grid finds 80% of the edges"
    assert study.best["donors"] == 4


def test_arrays_have_no_depth():
    study = ic.design(profile="bacteria_microarray", draws=5)
    assert "UMI" not in study.sentence
    assert set(study.tables["limits"]["axis"]) == {"donors", "cells"}
    assert "conditions" in study.headline
    with pytest.raises(ValueError, match="depth is no axis of Bacteria"):
        ic.design(profile="bacteria_microarray", depth=1000)


def test_what_is_known_better_is_taken():
    known = {"icc": 0.1, "edge_spread": [0.05, 0.1, 0.2]}
    study = ic.design(profile="human_pbmc_10x", assume=known, **SMALL)
    assert study.system.fields["icc"].central == study.system.fields["icc"].high == 0.1
    assert study.system.fields["icc"].basis == "given"
    assert study.system.fields["edge_spread"].low == 0.05
    assert "Intraclass correlation" not in str(set(study.tables["sensitivity"]["assumption"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "give either a pilot or a profile"),
        ({"profile": "human_pbmc_10x", "pilot": "x.h5ad"}, "give either a pilot or a profile"),
        ({"profile": "human_pbmc_10x", "donors": "4-40"}, "donors"),
        ({"profile": "human_pbmc_10x", "effect": 2}, "effect must lie"),
        ({"profile": "human_pbmc_10x", "regulators": -1}, "at least one regulator"),
        ({"profile": "human_pbmc_10x", "in_degree": 1e9}, "in-degree"),
        ({"profile": "human_pbmc_10x", "budget": 1}, "buys no design of this grid; the cheapest"),
        ({"profile": "human_pbmc_10x", "assume": {"iccc": 1}}, "no field 'iccc'"),
        ({"profile": "human_pbmc_10x", "assume": {"icc": 2}}, "icc takes a number"),
        ({"profile": "human_pbmc_10x", "assume": {"icc": [0.2, 0.1, 0.3]}}, "in this order"),
        ({"profile": "human_pbmc_10x", "assume": {"icc": "x"}}, "icc takes a number"),
        ({"profile": "human_pbmc_10x", "draws": 1}, "two draws"),
        ({"profile": "human_pbmc_10x", "perturbations": 0}, "perturbations"),
        ({"profile": "human_pbmc_10x", "perturbations": 9, "guides": 1}, "at least 2"),
        ({"profile": "human_pbmc_10x", "perturbations": 9, "fold_change": 1.0}, "fold change"),
        ({"profile": "human_pbmc_10x", "perturbations": 9, "fold_change": math.nan}, "fold"),
        ({"profile": "human_pbmc_10x", "perturbations": 9, "controls": 0}, "controls"),
        ({"profile": "bacteria_microarray", "perturbations": 9}, "needs counts of molecules"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words) as refusal:
        ic.design(**arguments)
    assert "\n" not in str(refusal.value)


def test_a_wrong_axis_is_seen_before_a_pilot_is_read(tmp_path: Path):
    with pytest.raises(ValueError, match="cells"):
        ic.design(tmp_path / "absent.h5ad", cells="many")
    with pytest.raises(ValueError, match="fdr"):
        ic.design(tmp_path / "absent.h5ad", fdr=0)
    with pytest.raises(ic.InputError):
        ic.design(tmp_path / "absent.h5ad")


def test_a_pilot_is_measured_and_planned_on():
    data = simulate(1200, 300, 30, donors=8, batches=1, depth=3000, seed=1)
    study = ic.design(data, donor="donor", donors="4:20:4", cells="100,400", depth="5000", draws=5)
    assert study.plan.regulators == 30
    assert study.system.pilot["donors"] == 8
    assert study.system.pilot["simulated"]
    assert study.system.fields["icc"].basis == "measured"
    assert "Simulated pilot" in study.to_html()


def test_the_same_seed_gives_the_same_numbers():
    one, two = (ic.design(profile="human_pbmc_10x", seed=4, **SMALL) for _ in range(2))
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, two.tables[name])


def test_it_is_written_where_python_says(study, tmp_path):
    assert study.to_html(tmp_path / "a.html") == (tmp_path / "a.html").read_text()
    assert study.to_json(tmp_path / "a.json") == (tmp_path / "a.json").read_text()
    assert repr(study) == study.sentence


def test_a_figure_by_name(study):
    assert study.figure("donors").axes
    with pytest.raises(KeyError, match="sensitivity"):
        study.figure("nothing")


# Screens -----------------------------------------------------------------------------------


def test_more_cells_find_more_targets_and_stronger_effects_more(study):
    table = study.tables["perturbation"]
    for _, part in table.groupby("fold_change"):
        assert (np.diff(part["power"]) >= -1e-9).all()
        assert (np.diff(part["testable_share"]) >= -1e-9).all()
        assert (part["power"] <= part["testable_share"] + 1e-9).all()
    halves = table[table["fold_change"] == 0.5]["power"].to_numpy()
    assert (halves >= table[table["fold_change"] == 0.75]["power"].to_numpy() - 1e-9).all()


def test_the_level_holds_the_false_discovery_rate(study):
    """π0 α / (π0 α + π1 power(α)) = q with the power of the tested targets."""
    share = study.plan.share
    for row in study.tables["perturbation"].itertuples():
        if row.level in (0.0, 1.0):
            continue
        false = (1 - share) * row.level
        assert false / (false + share * row.power_if_testable) == pytest.approx(0.1, rel=1e-3)


def test_cells_needed_are_the_fewest(study):
    screen, values = study.screen, study.system.values()
    for row in study.tables["guides"].itertuples():
        step = math.log(row.mean_umis / study.best["umis"]) - values["target_log_share"]
        cv2 = math.exp(values["target_log_cv2"] + values["target_log_cv2_slope"] * step)

        def found(cells, row=row, cv2=cv2):
            controls = screen.control_cells(np.array([cells]))[0]
            args = (row.mean_umis, cv2, row.fold_change, cells, controls)
            return float(
                guide_power.power(*args, row.level, "both") * guide_power.pass_probability(*args)
            )

        assert found(row.cells_per_perturbation) >= screening.POWER
        assert found(row.cells_per_perturbation - 1) < screening.POWER
        assert row.cells_per_guide * row.guides == pytest.approx(row.cells_per_perturbation)
        assert row.control_guides >= 2


def test_controls_are_those_that_are_given():
    one = system.shipped("human_thp1_perturb")
    screen = screening.Screen.of(
        perturbations=9, guides=2, cells=[50], controls=777, fold_changes=0.5, system=one
    )
    assert screen.control_cells(np.array([50, 100])).tolist() == [777, 777]
    free = screening.Screen.of(
        perturbations=9, guides=2, cells=[50], controls=None, fold_changes=0.5, system=one
    )
    assert free.control_cells(np.array([50, 100])).tolist() == [150, 300]
