"""Identifiability: names copies of regulators, leaves independent ones alone, decides nothing."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.checks.identifiability import Identifiability
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.report.document import plain, records
from infocheck.result import INFINITY, Status
from infocheck.simulate import simulate
from infocheck.stats.identifiability import largest_told_apart


def run(adata, **options):
    data = Dataset.open(adata, **options)
    return Identifiability().run(data.with_moments(Moments.of(data)), seed=0)


def sound(**changes):
    """Independent cells, deep enough that copies of a regulator look alike."""
    settings = {"depth": 40_000, "donors": 1, "batches": 1, "donor_share": 0, "batch_share": 0}
    return simulate(n_obs=300, n_genes=200, **settings | changes)


def with_copies(adata: ad.AnnData, of: dict[str, list[str]], seed: int) -> ad.AnnData:
    """More regulators, each a thinned reading of an old one: 90 % of its counts."""
    rng = np.random.default_rng(seed)
    counts = adata.X.toarray()
    more = {
        copy: rng.binomial(counts[:, adata.var_names.get_loc(name)].astype(int), 0.9)
        for name, copies in of.items()
        for copy in copies
    }
    var = pd.DataFrame({"is_regulator": True}, index=list(more))
    added = ad.AnnData(np.column_stack(list(more.values())).astype(np.float32), adata.obs, var)
    plain_part = ad.AnnData(counts, adata.obs, adata.var[["is_regulator"]])
    return ad.concat([plain_part, added], axis=1, merge="first")


def most_expressed(adata: ad.AnnData, count: int) -> list[str]:
    mean = np.asarray(adata.X.mean(axis=0)).ravel() * adata.var["is_regulator"].to_numpy()
    return list(adata.var_names[np.argsort(-mean)[:count]])


@pytest.fixture(scope="module")
def doubled():
    """One regulator with one copy, another with two (seed 1)."""
    adata = sound(seed=1)
    one, two = most_expressed(adata, 2)
    return run(with_copies(adata, {one: ["COPY_A"], two: ["COPY_B", "COPY_C"]}, seed=1)), one, two


def test_sees_copies_in_the_rows_of_both(doubled):
    result, one, two = doubled
    table = result.tables["regulators"].set_index("regulator")
    for members in ({one, "COPY_A"}, {two, "COPY_B", "COPY_C"}):
        for name in members:
            named = set(table.loc[name, "confusable_with"].split(", "))
            assert named == members - {name}
            assert table.loc[name, "confusable"] == len(members) - 1
            assert table.loc[name, "vif"] > 5
    rest = table.drop([one, two, "COPY_A", "COPY_B", "COPY_C"])
    assert rest["confusable_with"].isna().all()
    assert (rest["confusable"] == 0).all()


def test_sees_groups_of_copies(doubled):
    result, one, two = doubled
    groups = result.tables["groups"]
    assert groups["size"].tolist() == [3, 2]
    assert set(groups["regulators"][0].split(", ")) == {two, "COPY_B", "COPY_C"}
    assert set(groups["regulators"][1].split(", ")) == {one, "COPY_A"}
    assert (groups["chance_told_apart"] < 0.9).all()
    assert result.tables["summary"]["estimate"].iloc[0] == pytest.approx(38 / 43)


def test_passes_independent_regulators():
    result = run(sound(seed=2))
    row = result.tables["summary"].iloc[0]
    assert (row["estimate"], row["low"], row["high"]) == (1.0, 1.0, 1.0)
    assert result.tables["groups"].empty
    assert (result.tables["regulators"]["confusable"] == 0).all()


def test_exact_copies_are_named_with_any_number_of_observations():
    rng = np.random.default_rng(3)
    counts = rng.poisson(20 * np.exp(0.5 * rng.normal(size=(4000, 60)))).astype(float)
    counts[:, 1] = counts[:, 0]
    result = run(ad.AnnData(counts), regulators="all")
    table = result.tables["regulators"].set_index("regulator")
    assert table.loc["0", "confusable_with"] == "1"
    assert table.loc["1", "confusable_with"] == "0"
    assert table.loc["0", "vif"] == table.loc["1", "vif"] == INFINITY
    assert result.tables["summary"]["infinite_vif"].iloc[0] == 2
    assert table["confusable"].sum() == 2


def test_sees_shallow_copies_that_hardly_correlate():
    """Two shallow readings of one regulator: noise hides how alike they are (seed 3)."""
    adata = simulate(3000, 200, 20, depth=2000, duplicates=2, donors=1, batches=1, seed=3)
    table = run(adata).tables["regulators"].set_index("regulator")
    for one, copy in (("TF001", "TF019"), ("TF002", "TF020")):
        assert abs(np.corrcoef(np.log1p(adata[:, [one, copy]].X.toarray()).T)[0, 1]) < 0.8
        assert copy in table.loc[one, "confusable_with"]
        assert one in table.loc[copy, "confusable_with"]
    assert table["confusable"].sum() <= 6


def test_status_is_neutral_and_the_sentence_says_that_it_decides_nothing(doubled):
    for result in (doubled[0], run(sound(seed=2))):
        verdict = result.verdict
        assert verdict.status is Status.BORDERLINE
        assert verdict.need is None
        assert verdict.floor is None
        assert "never predicts or decides" in verdict.reason
        assert verdict.low <= verdict.estimate <= verdict.high
    assert result.check.stage is None
    assert not result.check.gate


def test_infinite_vif_is_a_word_and_survives_the_document():
    """30 observations of 40 regulators: every VIF is infinite."""
    rows = np.random.default_rng(4).normal(size=(30, 40))
    result = run(ad.AnnData(rows), regulators="all")
    table = result.tables["regulators"]
    assert set(table["vif"]) == {INFINITY}
    assert np.isinf(pd.to_numeric(table["vif"])).all()
    assert {record["vif"] for record in records(table)} == {INFINITY}


def test_judged_and_drawn_again_from_a_document(doubled):
    few = run(ad.AnnData(np.random.default_rng(5).normal(size=(12, 30))), regulators="all")
    for result in (doubled[0], few):
        saved = {
            name: pd.DataFrame.from_records(plain(records(table)))
            for name, table in result.tables.items()
        }
        again = result.check.judge(saved)
        assert (again.status, again.reason) == (result.verdict.status, result.verdict.reason)
        charts = result.check.plot(saved)
        assert [chart.title for chart in charts.values()] == [
            chart.title for chart in result.figures().values()
        ]
        for chart in charts.values():
            chart.svg("test")


def test_few_observations_tell_nothing_apart():
    result = run(ad.AnnData(np.random.default_rng(6).normal(size=(20, 30))), regulators="all")
    assert result.verdict.estimate == 0
    assert "not even uncorrelated regulators" in result.verdict.reason
    table = result.tables["regulators"]
    assert (table["confusable"] == 29).all()
    assert (table["confusable_with"].str.split(", ").str.len() == 5).all()
    assert result.tables["groups"]["size"].tolist() == [30]


def test_rivals_come_closest_first():
    rng = np.random.default_rng(7)
    base = rng.normal(size=(60, 1))
    rows = np.hstack([base + scale * rng.normal(size=(60, 1)) for scale in (0, 0.3, 0.1, 0.6)])
    noise = rng.normal(size=(60, 3))
    table = run(ad.AnnData(np.hstack([rows, noise])), regulators="all").tables["regulators"]
    assert table["confusable_with"][0].split(", ")[:3] == ["2", "1", "3"]


def test_fewer_than_ten_observations_are_not_assessed():
    rows = np.random.default_rng(8).normal(size=(9, 12))
    verdict = run(ad.AnnData(rows), regulators="all").verdict
    assert verdict.status is Status.NOT_ASSESSED
    assert "Bring" in verdict.reason


def test_the_limit_follows_the_assumption():
    adata = sound(seed=2)
    data = Dataset.open(adata)
    data = data.with_moments(Moments.of(data))
    row = Identifiability(assumed_r2=0.02).run(data, seed=0).tables["summary"].iloc[0]
    expected = largest_told_apart(row["effective_observations"], 0.02, 0.9)
    assert row["largest_correlation_told_apart"] == pytest.approx(expected)
    assert row["assumed_r2"] == 0.02
