"""Sample size: sees donors that repeat, passes many small ones, says what it cannot know."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.checks.sample_size import SampleSize
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.simulate import simulate


def run(adata, **options):
    data = Dataset.open(adata, **options)
    return SampleSize().run(data.with_moments(Moments.of(data)), seed=0)


def test_sees_cells_of_few_donors():
    result = run(simulate(n_obs=1200, donors=8, donor_share=0.4, batch_share=0, seed=1))
    verdict = result.verdict
    assert verdict.high < 400
    assert verdict.low <= verdict.estimate <= verdict.high
    assert "1,200 rows of 8 donors" in verdict.reason


def test_passes_many_donors_that_are_alike():
    """It demands nothing: nearly all rows count, and the status stays neutral."""
    result = run(simulate(n_obs=1200, donors=60, batches=1, donor_share=0.02, seed=1))
    assert result.verdict.estimate > 1150
    assert result.verdict.status is Status.BORDERLINE
    assert result.verdict.need is None


def test_it_explains_and_does_not_decide():
    assert SampleSize.gate is False


def test_without_labels_it_is_not_assessed_and_still_shows_dependence():
    adata = simulate(n_obs=300, seed=1)
    adata.obs = adata.obs[[]]
    adata = ad.concat([adata, adata], index_unique="-", merge="same")
    result = run(adata)
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "Bring donor labels (--donor)" in result.verdict.reason
    assert "50% of the rows repeat another" in result.verdict.reason
    assert result.table("dependence")["found"].any()
    assert result.figures() == {}


def test_tables_are_judged_and_drawn_again_from_a_document():
    """As they come back from JSON: None for what is not finite."""
    result = run(simulate(n_obs=400, donors=8, batches=2, seed=2))
    tables = {
        name: pd.DataFrame(json.loads(table.to_json(orient="records")))
        for name, table in result.tables.items()
    }
    assert SampleSize().judge(tables).reason == result.verdict.reason
    charts = SampleSize().plot(tables)
    assert "independent observations" in charts["sample_size"].title
    charts["sample_size"].figure()


def test_every_grouping_is_shown_and_the_smaller_counts():
    tables = run(simulate(n_obs=600, donors=12, batches=6, batch_share=0.3, seed=2)).tables
    groupings = tables["groupings"].set_index("grouping")
    assert set(groupings.index) == {"donor", "batch"}
    assert tables["size"].iloc[0]["estimate"] == groupings["effective_rows"].min()
    assert (groupings["limit_for_constant_effects"] < groupings["effective_rows"]).all()
    pairs = tables["pairs"].set_index(["grouping", "pairs_below"])["effective_rows"]
    assert pairs["donor", 0.1] <= pairs["donor", 0.5] <= pairs["donor", 0.9]


def test_a_time_series_is_drawn():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=(200, 30)), axis=0)
    adata = ad.AnnData(x, obs=pd.DataFrame({"time": range(200)}, [f"t{i}" for i in range(200)]))
    result = run(adata, regulators=["0", "1", "2", "3"])
    assert result.verdict.estimate < 60
    assert "one time series" in result.verdict.reason
    result.figure()


def test_impossible_numbers_are_an_error():
    tables = dict(run(simulate(n_obs=400, donors=8, seed=2)).tables)
    tables["size"] = tables["size"].assign(low=None)
    assert SampleSize().judge(tables).status is Status.ERROR


def test_interval_covers_the_size_of_the_median_pair():
    """95 % nominal: 60 data sets (seed 3) of 10 donors, known ICCs; at least 85 %."""
    from infocheck.stats.clustering import effective_size

    rng = np.random.default_rng(3)
    icc = np.clip(rng.gamma(2, 0.1, 60), 0, 0.8)
    truth = np.median(effective_size(np.full(10, 30.0), icc[:20], icc[20:]))
    donor, inside = np.repeat(np.arange(10), 30), []
    for _ in range(60):
        x = np.sqrt(icc) * rng.normal(size=(10, 60))[donor]
        adata = ad.AnnData(x + np.sqrt(1 - icc) * rng.normal(size=(300, 60)) + 8)
        adata.obs["donor"] = pd.Categorical(donor.astype(str))
        verdict = run(adata, regulators=[str(i) for i in range(20)]).verdict
        inside.append(verdict.low <= truth <= verdict.high)
    assert np.mean(inside) >= 0.85


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_of_the_run_changes_the_targets_only(seed):
    adata = simulate(n_obs=300, n_genes=120, donors=8, seed=5)
    assert run(adata, seed=seed).verdict.estimate == pytest.approx(
        run(adata, seed=0).verdict.estimate, rel=0.2
    )
