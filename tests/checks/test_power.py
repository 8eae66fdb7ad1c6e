"""The upper bound: low without a network, above what is realised, never a pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from infocheck import goals
from infocheck.check import by_name
from infocheck.checks.power import EACH, POOLED, Power
from infocheck.dataset import Dataset
from infocheck.engine import Engine
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.simulate import simulate
from infocheck.stats.partial import Shrunken, shrinkage_weight
from infocheck.stats.spike_in import normalised_precision, panel_scores


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def run(adata, **options):
    return Power().run(opened(adata, **options), seed=0)


@pytest.fixture(scope="module")
def sound():
    return simulate(n_obs=150, n_genes=200, depth=4000, seed=1)


@pytest.fixture(scope="module")
def result(sound):
    return run(sound)


def realised(data, network):
    """Normalised AUPR of the consensus of the panel, all genes as targets."""
    p, correlation = data.panel.p, data.moments.total().correlation()
    gram, r = correlation[:, :p], correlation[:, p:]
    model = Shrunken.of(gram, shrinkage_weight(data.moments.half(0, 0) + data.moments.half(0, 1)))
    names = data.names(np.arange(len(data.panel.genes)))
    edges = set(zip(network["source"], network["target"], strict=True))
    truth = np.array([[(i, j) in edges for j in names[p:]] for i in names[:p]])
    scores = panel_scores(gram, model, r).values()
    consensus = np.mean([rankdata(s) for s in scores], axis=0)
    return float(normalised_precision(consensus, truth.ravel()))


def test_sees_that_there_is_no_network():
    found = run(simulate(r2=0, donor_share=0, batch_share=0, seed=1))
    assert found.verdict.high < 0.25
    assert (found.tables["heritability"]["mean"] < 0.02).all()


def test_sees_shallow_data(result):
    found = run(simulate(depth=50, seed=1))
    assert found.verdict.high < 0.25
    assert found.verdict.high < result.verdict.low


def test_passes_sound_data_with_a_bound_above_what_is_realised(sound, result):
    data = opened(sound, targets="all")
    value = realised(data, sound.uns["network"])
    assert value > 0.25
    assert value <= result.verdict.high < 0.95
    bound = goals.upper_bounds({"power": result})["whole_network"].value
    assert bound == pytest.approx(result.verdict.high)


def test_a_bound_is_no_pass(result):
    verdict = result.verdict
    assert verdict.status is Status.BORDERLINE
    assert verdict.need is None
    assert verdict.floor is None
    assert result.check.stage is None
    assert "upper bound" in verdict.reason
    assert "never a forecast" in verdict.reason


def test_tables_have_every_method_twice(result):
    bound = result.tables["bound"]
    assert set(bound["edges"]) == {POOLED, EACH}
    assert len(bound) == 6
    assert (bound["low"] <= bound["estimate"]).all()
    assert (bound["estimate"] <= bound["high"]).all()
    assert bound["high"].max() <= 1
    explained = result.tables["heritability"]
    assert explained.filter(like="quantile").diff(axis=1).iloc[:, 1:].min().min() >= 0


@pytest.mark.parametrize("n_obs", [30, 300])
def test_holds_where_nothing_is_hidden(n_obs):
    """The hardest case: the assumptions of the bound are true; seeds 0 to 5."""
    for seed in range(6):
        adata = simulate(
            n_obs, n_genes=150, depth=20_000, donor_share=0, batch_share=0, donors=4, seed=seed
        )
        data = opened(adata, targets="all")
        assert realised(data, adata.uns["network"]) <= Power().run(data, seed=0).verdict.high


def test_works_when_every_gene_may_regulate_and_with_fewer_rows_than_regulators(sound):
    found = run(sound[:40].copy(), regulators="all")
    assert np.isfinite(found.tables["bound"]["estimate"]).all()
    assert 0 < found.verdict.high <= 1


def test_too_few_observations_are_not_assessed(sound):
    verdict = run(sound[:8].copy()).verdict
    assert verdict.status is Status.NOT_ASSESSED
    assert "Bring" in verdict.reason


def test_the_same_for_any_number_of_workers(sound):
    one, two = (run(sound, engine=Engine(jobs)).tables for jobs in (1, 2))
    for name in one:
        pd.testing.assert_frame_equal(one[name], two[name], rtol=1e-9)


def test_judged_and_drawn_from_a_saved_table(result):
    saved = {name: table.astype(object) for name, table in result.tables.items()}
    assert by_name("power").judge(saved) == result.verdict
    chart = result.figures()["power"]
    assert f"{result.verdict.high:.2f}" in chart.title
    assert chart.svg("power").startswith("<svg")


def test_numbers_that_are_none_are_an_error(result):
    bound = result.tables["bound"].astype(object)
    bound.loc[0, ["estimate", "low", "high"]] = None
    assert by_name("power").judge({"bound": bound}).status is Status.ERROR
