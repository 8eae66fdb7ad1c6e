"""Roles: named columns must fit, guesses are shown or dropped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from infocheck.errors import InputError
from infocheck.roles import assign

NAMES = ("batch", "donor", "cell_type", "condition", "perturbation", "time")


def table(**columns):
    return pd.DataFrame(columns, index=[f"c{i}" for i in range(12)])


def roles(obs, control=None, **named):
    return assign(obs, {name: named.get(name) for name in NAMES}, control)


FOUR = list("aabbccddaabb")


def test_guesses_by_name_whatever_the_spelling():
    obs = table(Donor_ID=FOUR, lane=FOUR[::-1], **{"Cell Type": FOUR}, stim=FOUR)
    found, notes = roles(obs)
    assert {name: role.column for name, role in found.items()} == {
        "batch": "lane",
        "donor": "Donor_ID",
        "cell_type": "Cell Type",
        "condition": "stim",
    }
    assert all(role.guessed for role in found.values())
    assert notes == []


def test_a_guess_that_does_not_fit_is_dropped_with_a_note():
    found, notes = roles(table(donor=[f"d{i}" for i in range(12)], batch=["one"] * 12))
    assert found == {}
    assert any("'donor' has one level per row" in note for note in notes)
    assert any("'batch' has one level only" in note for note in notes)


def test_a_missing_column_suggests_the_nearest():
    with pytest.raises(InputError, match=r"did you mean 'donor_id', 4 levels\?"):
        roles(table(donor_id=FOUR), donor="donor")


@pytest.mark.parametrize(
    ("values", "match"),
    [(["x"] * 12, "one level only"), (range(12), "one level per row"), ([None] * 12, "is empty")],
)
def test_a_named_column_that_does_not_fit_is_an_error(values, match):
    with pytest.raises(InputError, match=match):
        roles(table(z=list(values)), batch="z")


def test_one_column_may_serve_two_named_roles():
    found, _ = roles(table(stim=FOUR), batch="stim", condition="stim")
    assert found["batch"].column == found["condition"].column == "stim"


def test_missing_labels_are_units_of_their_own():
    found, _ = roles(table(donor=["a"] * 4 + ["b"] * 4 + ["", None, "NA", "none"]))
    role = found["donor"]
    assert role.levels == ("a", "b")
    assert (role.codes == -1).sum() == 4
    assert len(np.unique(role.with_singletons())) == 6


def test_levels_are_sorted_as_numbers():
    found, _ = roles(table(time=[0, 10, 2] * 4))
    assert found["time"].levels == ("0", "2", "10")


def test_numbers_and_their_text_are_one_level():
    found, _ = roles(table(batch=[1, "1", 2, "2"] * 3))
    assert found["batch"].levels == ("1", "2")
    assert sorted(set(found["batch"].codes)) == [0, 1]


def test_control_is_found_or_named():
    obs = table(perturbation=["G1", "non-targeting", "G2"] * 4)
    assert roles(obs)[0]["perturbation"].control == "non-targeting"
    assert roles(obs, control="G1")[0]["perturbation"].perturbed == 2
    with pytest.raises(InputError, match="did you mean 'G1'"):
        roles(obs, control="g1x")
    with pytest.raises(InputError, match="--perturbation"):
        roles(table(z=FOUR), control="G1")


def test_a_panel_of_single_perturbations_keeps_its_role():
    found, _ = roles(table(perturbation=[f"G{i}" for i in range(12)]))
    assert found["perturbation"].n_levels == 12


def test_series_are_told_from_snapshots():
    assert roles(table(time=list(range(6)) * 2))[0]["time"].is_series
    assert not roles(table(time=[0] * 6 + [1] * 6))[0]["time"].is_series
    assert not roles(table(time=[3, 1, 2, 5, 3, 1, 6, 2, 5, 1, 2, 0]))[0]["time"].is_series
    assert roles(table(time=np.arange(12.0)))[0]["time"].is_series


def test_pseudotime_is_no_time():
    assert roles(table(pseudotime=np.linspace(0, 1, 12)))[0] == {}


def test_rows_that_go_take_their_levels_along():
    found, _ = roles(table(batch=FOUR))
    kept = found["batch"].keep(np.array([True] * 4 + [False] * 8))
    assert kept.levels == ("a", "b")
    assert kept.codes.tolist() == [0, 0, 1, 1]
