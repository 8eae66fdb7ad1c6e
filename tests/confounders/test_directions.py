"""Directions: recorded ones are named, hidden ones follow nothing, units are permuted."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.confounders import directions
from infocheck.confounders.directions import NOTHING, RECORDED
from infocheck.confounders.factors import Factors
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.simulate import simulate


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def tables(adata, seed=0, **options):
    data = opened(adata, **options)
    return directions.of(data, Factors.of(data), np.random.default_rng(seed))


@pytest.fixture(scope="module")
def batches():
    """A strong batch effect over 12 donors."""
    return tables(
        simulate(800, 300, 30, donors=12, batches=3, batch_share=0.3, donor_share=0.02, seed=1)
    )


def test_a_batch_is_found_in_the_leading_directions(batches):
    table = batches["directions"].set_index("component")
    assert (table.loc[[1, 2], "follows"] == RECORDED).all()
    assert (table.loc[[1, 2], "joint_r2"] > 0.7).all()
    row = batches["principal_regression"].set_index("factor").loc["batch"]
    assert row["permuted"] == "donors"
    assert row["p_value"] < 0.01
    assert row["excess"] > 0.1
    assert row["null_low"] <= row["null_mean"] <= row["null_high"]
    condition = batches["principal_regression"].set_index("factor").loc["condition"]
    assert condition["permuted"] == "samples within donors"
    assert condition["p_value"] > 0.05
    assert abs(condition["excess"]) < 0.01


def test_a_hidden_factor_follows_nothing_recorded():
    found = tables(
        simulate(
            800, 300, 30, hidden_share=0.3, donor_share=0, batch_share=0, r2=0.3, donors=12, seed=2
        )
    )
    first = found["directions"].iloc[0]
    assert first["follows"] == NOTHING
    assert first["overlap"] > 0.9
    assert found["direction_summary"]["nothing"].iloc[0] >= 1
    assert "nothing recorded" in directions.finding(found)


def test_no_structure_no_direction():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((300, 200)).astype(np.float32)
    obs = pd.DataFrame(
        {"batch": np.arange(300) % 3}, index=[f"c{i}" for i in range(300)], dtype=str
    )
    names = [f"G{i}" for i in range(200)]
    adata = ad.AnnData(x, obs=obs, var=pd.DataFrame({"is_regulator": np.arange(200) < 20}, names))
    found = tables(adata)
    assert found["direction_summary"]["beyond_chance"].iloc[0] == 0
    assert "No direction" in directions.finding(found)
    assert len(found["directions"]) == 10
    row = found["principal_regression"].iloc[0]
    assert row["permuted"] == "rows"
    assert row["p_value"] > 0.01
    assert directions.charts(found)["directions"].figure() is not None


def test_few_donors_are_not_assessed_and_say_so():
    adata = simulate(300, 120, 12, donors=4, batches=2, seed=4)
    found = tables(adata)["principal_regression"].set_index("factor")
    assert set(found.index) == {"batch", "donor", "condition", "depth"}
    for _, row in found.iterrows():  # constant within donors or not
        assert np.isnan(row[["null_mean", "null_low", "excess", "p_value"]].astype(float)).all()
        assert "4 donors are too few" in row["note"]
        assert np.isfinite(row["pcr"])


def test_few_arrangements_are_not_assessed():
    """Six donors in two batches of three: ten ways to deal them."""
    adata = simulate(300, 120, 12, donors=6, batches=2, seed=5)
    row = tables(adata)["principal_regression"].set_index("factor").loc["batch"]
    assert np.isnan(row["p_value"])
    assert "fewer than 20 ways" in row["note"]


def test_nothing_recorded_at_all():
    adata = simulate(300, 120, 12, donors=1, batches=1, condition=None, seed=6)
    adata = ad.AnnData(np.log1p(adata.X.toarray()) + 0.01, obs=adata.obs[[]], var=adata.var)
    data = opened(adata)
    assert Factors.of(data) is None
    found = directions.of(data, None, np.random.default_rng(0))
    assert (found["directions"]["follows"] == NOTHING).all()
    assert not len(found["principal_regression"])
    assert not directions.charts(found)
    assert directions.finding(found).endswith(".")


def test_genes_at_the_ends_are_those_of_the_strongest_loadings():
    rng = np.random.default_rng(7)
    x = rng.standard_normal((400, 80))
    factor = rng.standard_normal(400)
    x[:, :6] += 3 * factor[:, None]
    x[:, 6:12] -= 3 * factor[:, None]
    names = [f"G{i}" for i in range(80)]
    obs = pd.DataFrame(index=[f"c{i}" for i in range(400)])
    adata = ad.AnnData(x, obs=obs, var=pd.DataFrame({"is_regulator": np.arange(80) < 40}, names))
    data = opened(adata)
    row = directions.of(data, None, np.random.default_rng(0))["directions"].iloc[0]
    ends = [set(row["genes_high"].split(", ")), set(row["genes_low"].split(", "))]
    up, down = set(names[:6]), set(names[6:12])
    assert (ends[0] <= up and ends[1] <= down) or (ends[0] <= down and ends[1] <= up)


def test_the_same_seed_gives_the_same_tables():
    adata = simulate(300, 120, 12, seed=8)
    one, two = tables(adata), tables(adata)
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name])


def test_charts_are_drawn_from_tables_that_came_back(batches):
    """JSON makes None of what is no number."""
    back = {
        name: table.astype(object).where(table.notna(), None) for name, table in batches.items()
    }
    drawn = directions.charts(back)
    assert set(drawn) == {"directions", "principal_regression"}
    for chart in drawn.values():
        for width in (10.6, 4.9):
            chart.figure(width)
    assert drawn["directions"].title == directions.finding(batches)
    assert drawn["principal_regression"].title.startswith(("Batch", "Donor"))
