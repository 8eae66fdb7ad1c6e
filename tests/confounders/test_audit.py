"""The design audit on designs whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from infocheck.confounders import audit
from infocheck.dataset import Dataset
from infocheck.simulate import simulate


def audited(**labels):
    """Of 120 rows with these labels, given for 12 samples of ten rows each."""
    adata = simulate(120, 30, 8, donors=2, batches=1, condition=None, seed=1)
    adata.obs = pd.DataFrame(
        {name: np.repeat(values, 10) for name, values in labels.items()}, index=adata.obs_names
    )
    return audit.of(Dataset.open(adata))


DONOR = [f"d{i:02d}" for i in range(12)]


def test_sees_what_is_nested_crossed_and_the_same():
    tables = audited(
        donor=DONOR,
        batch=["a"] * 6 + ["b"] * 6,
        condition=["case", "control"] * 6,
        plate=["x"] * 12,
    )
    pairs = tables["pairs"].set_index(["first", "second"])
    assert "second is nested" in pairs.loc[("batch", "donor"), "relation"]
    assert pairs.loc[("batch", "condition"), "relation"] == "fully crossed"
    assert pairs.loc[("batch", "condition"), "fewest_samples"] == 3
    assert pairs.loc[("batch", "condition"), "fewest_observations"] == 30


def test_contingency_counts_samples_and_observations():
    condition = ["case"] * 4 + ["control"] * 8
    tables = audited(donor=DONOR, batch=["a", "b"] * 6, condition=condition)
    table = tables["contingency"].set_index(["first", "second", "level_first", "level_second"])
    row = table.loc[("batch", "condition", "a", "case")]
    assert (row["samples"], row["observations"]) == (2, 20)
    both = table.sort_index().loc[("batch", "condition")]
    assert both["observations"].sum() == 120


def test_sees_an_aliased_column_and_names_it():
    batch = ["a"] * 6 + ["b"] * 6
    tables = audited(batch=batch, condition=["case" if b == "a" else "control" for b in batch])
    row = tables["dependencies"].iloc[0]
    assert (row["factor"], row["level"]) == ("condition", "control")
    assert row["equals"] == "batch[b]"
    assert tables["pairs"]["relation"].iloc[0] == "one level for one"
    assert len(tables["aliased"]) == 1
    assert not tables["contrasts"]["can_be_estimated"].any()
    assert tables["contrasts"]["beside_batch"].iloc[0] == "no"


def test_passes_a_crossed_design():
    tables = audited(donor=DONOR, batch=["a", "b"] * 6, condition=["case"] * 6 + ["control"] * 6)
    assert tables["aliased"].empty
    contrast = tables["contrasts"].iloc[0]
    assert contrast["can_be_estimated"]
    assert contrast["beside_batch"] == "within 2 shared"
    assert (contrast["donors_a"], contrast["donors_b"], contrast["donors_in_both"]) == (6, 6, 0)


def test_a_bridge_is_told_from_a_shared_batch():
    """Levels x and z share no batch; y is in both."""
    tables = audited(
        batch=["a"] * 6 + ["b"] * 6,
        condition=["x"] * 3 + ["y"] * 6 + ["z"] * 3,
    )
    contrasts = tables["contrasts"].set_index(["level_a", "level_b"])["beside_batch"]
    assert contrasts[("x", "z")] == "through other levels"
    assert contrasts[("x", "y")] == "within 1 shared"


def test_several_factors_together_can_use_an_effect_up():
    """Condition is batch or cell type: half usable beside each, nothing beside both."""
    batch = ["a", "a", "b", "b"] * 3
    cell_type = ["T", "B", "T", "B"] * 3
    condition = [f"{int(b == 'b') + int(t == 'T')}" for b, t in zip(batch, cell_type, strict=True)]
    tables = audited(batch=batch, cell_type=cell_type, condition=condition)
    design = tables["design"].set_index(["nuisance", "level"])["usable"]
    assert design["batch"].between(0.3, 1.0).all()
    codes = pd.DataFrame({"b": batch, "t": cell_type, "c": condition})
    x = pd.get_dummies(codes[["b", "t"]]).to_numpy(float)
    for level in "012":
        y = (codes["c"] == level).to_numpy(float)
        left = y - x @ np.linalg.pinv(x) @ y
        expected = (left @ left) / ((y - y.mean()) @ (y - y.mean()))
        assert design[("all others", level)] == pytest.approx(expected, abs=1e-9)


def test_nothing_to_compare_is_no_table():
    assert audited(donor=DONOR) == {}


def test_hostile_names_of_levels_are_kept_as_they_are():
    names = ["<script>", "a'b\"c", "[x] + y", "−1 × z"] * 3
    tables = audited(batch=names, condition=names[::-1])
    assert set(tables["contingency"]["level_first"]) == set(names)
