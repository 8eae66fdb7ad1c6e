"""Formulas: what they mean as columns, against formulaic and by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.errors import InputError
from infocheck.formula import design, parse
from infocheck.moments import Moments
from infocheck.roles import assign
from infocheck.simulate import simulate


@pytest.fixture(scope="module")
def obs():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "plate": pd.Categorical(np.array(["p1", "p2", "p3"])[rng.integers(3, size=60)]),
            "donor": np.array([f"d{i}" for i in rng.integers(6, size=60)]),
            "age": rng.normal(50, 9, size=60),
            "well": rng.integers(2, size=60),
            "cell type": np.array(["T", "B"])[rng.integers(2, size=60)],
        },
        index=[f"c{i}" for i in range(60)],
    )


def made(text, obs):
    roles, _ = assign(obs, {"batch": "plate"}, None)
    return design(parse(text), obs, roles, np.arange(len(obs)) / 10)


def test_fixed_terms_are_columns_and_random_terms_are_indicators(obs):
    found = made("~ plate + age + (1|donor)", obs)
    assert {name: len(columns) for name, columns in found.columns.items()} == {
        "plate": 2,
        "age": 1,
        "donor": 6,
    }
    assert found.random == ("donor",)
    matrix = found.matrix.toarray()
    assert np.allclose(matrix[:, found.columns["age"][0]], obs["age"])
    expected = pd.get_dummies(obs["donor"]).to_numpy(float)
    assert np.array_equal(matrix[:, found.columns["donor"]], expected)


def test_nesting_and_interactions_count_the_combinations(obs):
    found = made("batch * well + (1 | plate / donor)", obs)
    together = obs.groupby(["plate", "donor"], observed=True).ngroups
    assert {name: len(columns) for name, columns in found.columns.items()} == {
        "batch": 2,
        "well": 1,
        "batch:well": 2,
        "plate": 3,
        "plate:donor": together,
    }
    assert found.random == ("plate", "plate:donor")


def test_roles_depth_and_names_with_blanks_can_be_named(obs):
    found = made("~ batch + depth + `cell type` + (1|cell type)", obs)
    assert set(found.columns) == {"batch", "depth", "cell type", "(1|cell type)"}
    assert np.allclose(found.matrix.toarray()[:, found.columns["depth"][0]], np.arange(60) / 10)


def test_rows_without_a_label_are_a_level_of_their_own(obs):
    missing = obs.assign(donor=obs["donor"].where(obs["donor"] != "d3"))
    assert len(made("~ (1|donor)", missing).columns["donor"]) == 6


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("y ~ plate", "left of ~"),
        ("~ (age|donor)", "random slope"),
        ("~ plate | donor", "outside of"),
        ("~ (1|)", "lacks a name"),
        ("~", "names no factor"),
        ("~ 1", "names no factor"),
        ("~ plate +", "cannot be read"),
        ("~ log(", "cannot be read"),
        ("~ palte", "did you mean 'plate'"),
        ("~ (1|donr)", "did you mean 'donor'"),
        ("~ C(nothing_like_it)", "there are plate"),
        ("~ log(age - 1000)", "not finite|cannot be read"),
        ("~ __import__('os')", "are not read"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(obs, text, words):
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(InputError, match=words) as caught,
    ):
        made(text, obs)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_too_many_columns_are_refused(obs):
    long = pd.concat([obs] * 12, ignore_index=True)
    long["cell"] = [f"x{i}" for i in range(len(long))]
    with pytest.raises(InputError, match="720 of them for 'cell'"):
        made("~ plate + (1|cell)", long)


def test_sums_of_a_formula_equal_those_of_the_rows():
    data = Dataset.open(simulate(200, 40, 10, seed=1), formula="~ batch*donor")
    moments = Moments.of(data)
    values = moments.sample.values - moments.shift
    for g in range(data.splits.n_groups):
        inside = data.splits.group == g
        expected = data.design.matrix[inside].T @ values[inside]
        assert np.allclose(moments.design[g], expected, atol=1e-9)
    halves = Moments.of(data, rows=slice(0, 77)) + Moments.of(data, rows=slice(77, None))
    assert np.allclose(halves.design, moments.design, atol=1e-9)
