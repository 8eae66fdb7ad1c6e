"""Reliability: sees shallow data, passes deep data, refuses what is no count."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.checks.reliability import Reliability
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.simulate import simulate


def run(adata, **options):
    data = Dataset.open(adata, **options)
    return Reliability().run(data.with_moments(Moments.of(data)), seed=0)


@pytest.fixture(scope="module")
def deep():
    return simulate(depth=20_000, seed=1)


def test_sees_shallow_data():
    result = run(simulate(depth=50, seed=1))
    assert result.verdict.status is Status.LIMITING
    assert result.verdict.high < 0.2


def test_passes_sound_data(deep):
    result = run(deep)
    assert result.verdict.status is Status.ENOUGH
    assert result.verdict.low > 0.5


def test_estimates_match_the_planted_truth():
    """Against the simulated rates; the mean error is below .03 (seed 3)."""
    adata = simulate(depth=3000, seed=3)
    table = run(adata).tables["regulators"].set_index("regulator")
    truth = adata.var.loc[table.index, "true_reliability"]
    error = table["reliability"] - truth
    assert abs(error).mean() < 0.03
    assert abs(error.mean()) < 0.02


def test_intervals_of_single_regulators_cover_the_truth():
    """95 % nominal; 10 data sets of 40 regulators, seeds 0 to 9."""
    covered = []
    for seed in range(10):
        adata = simulate(
            n_obs=400, n_genes=120, depth=2000, donor_share=0, batch_share=0, seed=seed
        )
        table = run(adata).tables["regulators"].set_index("regulator")
        truth = adata.var.loc[table.index, "true_reliability"]
        covered.append(table["reliability_low"].le(truth) & table["reliability_high"].ge(truth))
    assert 0.88 <= np.mean(covered) <= 0.99


def test_share_counts_every_varying_regulator(deep):
    share = run(deep).tables["share"].iloc[0]
    assert share["regulators"] == 40
    assert share["low"] <= share["estimate"] <= share["high"]


def test_donor_differences_are_no_signal_within():
    table = run(simulate(donor_share=0.6, seed=2)).tables["regulators"]
    assert (table["reliability_within"] < table["reliability"]).mean() > 0.9


@pytest.mark.parametrize("transform", [np.log1p, lambda x: x * 0.37])
def test_values_that_are_no_counts_are_not_assessed(deep, transform):
    other = deep.copy()
    other.X = transform(np.asarray(deep.X.todense()))
    verdict = run(other).verdict
    assert verdict.status is Status.NOT_ASSESSED
    assert verdict.estimate is None
    assert "--counts" in verdict.reason


def test_noise_alone_does_not_make_a_regulator_readable():
    """60 cells of pure Poisson counts: no interval may lie above the need (seeds 0 to 4)."""
    import anndata as ad

    for seed in range(5):
        counts = np.random.default_rng(seed).poisson(1.0, (60, 60)).astype(float)
        names = [str(i) for i in range(30)]
        assert run(ad.AnnData(counts), regulators=names).verdict.status is not Status.ENOUGH


def test_half_the_depth_foretells_the_share_at_full_depth():
    """Counts thinned to half; the forecast for twice of that against the whole (seed 5)."""
    whole = simulate(depth=2500, donor_share=0, batch_share=0, seed=5)
    half = whole.copy()
    thinned = np.random.default_rng(5).binomial(whole.X.toarray().astype(int), 0.5)
    half.X = thinned.astype(np.float32)
    depth = run(half).tables["depth"].set_index("depth")
    share = run(whole).tables["share"].iloc[0]
    # Thinning costs enough that the forecast has something to do.
    assert depth.loc[1, "estimate"] < share["estimate"] - 0.1
    assert depth.loc[2, "estimate"] == pytest.approx(share["estimate"], abs=0.08)
    assert depth.loc[2, "low"] <= share["estimate"] <= depth.loc[2, "high"]
    median = depth["median_reliability"]
    assert median[2] == pytest.approx(share["median_reliability"], abs=0.04)


def test_depth_starts_at_the_headline(deep):
    tables = run(deep).tables
    now = tables["depth"].iloc[0]
    for key in ("estimate", "low", "high"):
        assert now[key] == pytest.approx(tables["share"].iloc[0][key])
    assert tables["depth"]["depth"].tolist() == [1, 2]
