"""Predictability: sees targets that follow nothing, passes planted ones, respects donors."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.checks.predictability import Predictability
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.simulate import simulate


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def run(adata, **options):
    return Predictability().run(opened(adata, **options), seed=0)


def row(result, statistic="r2"):
    return result.tables["summary"].set_index("statistic").loc[statistic]


def gaussian(n, p, m, r2, seed=0):
    """Targets that follow regulators linearly, always the same network; no counts."""
    rng, network = np.random.default_rng(seed), np.random.default_rng(99)
    weights = network.normal(size=(p, m)) * (network.random((p, m)) < 3 / p)
    weights[np.arange(m) % p, np.arange(m)] = 1.0
    z = rng.normal(size=(n, p))
    signal = z @ (weights / np.sqrt((weights**2).sum(axis=0)))
    y = np.sqrt(r2) * signal + np.sqrt(1 - r2) * rng.normal(size=(n, m))
    adata = ad.AnnData(np.hstack([z, y]) - 50)
    adata.var["is_regulator"] = np.arange(p + m) < p
    return adata


@pytest.fixture(scope="module")
def sound():
    return run(simulate(1200, 300, 30, r2=0.7, donors=12, seed=1))


def test_passes_sound_data(sound):
    assert sound.verdict.status is Status.ENOUGH
    assert sound.verdict.floor < 0.01


def test_sees_targets_that_follow_nothing():
    """No network and no shared factor: never a pass, and the estimate is that of the null."""
    for seed in range(3):
        result = run(simulate(600, 200, 20, r2=0, donor_share=0, batch_share=0, seed=seed))
        assert result.verdict.status is not Status.ENOUGH
        assert abs(result.verdict.estimate - result.tables["null"]["r2"].mean()) < 0.01


def test_whole_interval_below_the_null_is_limiting():
    summary = pd.DataFrame(
        [
            {
                "statistic": "r2",
                "estimate": -0.3,
                "low": -0.5,
                "high": -0.1,
                "null_95": -0.01,
                "folds": "donors",
                "labelled_donors": 8,
            }
        ]
    )
    assert Predictability().judge({"summary": summary}).status is Status.LIMITING


def test_permuted_targets_lie_just_below_zero():
    """As in the preliminary study: -.006 to -.003 with a few hundred rows."""
    null = run(gaussian(300, 40, 120, 0.0)).tables["null"]["r2"]
    assert len(null) == 20
    assert -0.02 < null.mean() < 0


def test_finds_the_planted_share():
    result = run(gaussian(3000, 20, 100, 0.4))
    assert row(result)["estimate"] == pytest.approx(0.4, abs=0.01)
    assert row(result, "heritability")["estimate"] == pytest.approx(0.4, abs=0.03)


def test_what_donors_share_does_not_cross_folds():
    """With a donor effect alone, cells of the same donor would predict; other donors do not."""
    adata = simulate(600, 200, 20, r2=0, donors=10, donor_share=0.5, batch_share=0, seed=3)
    whole = run(adata, donor="donor")
    assert row(whole)["folds"] == "donors"
    del adata.obs["donor"], adata.obs["batch"]
    cells = run(adata)
    assert row(cells)["folds"] == "cells"
    assert cells.verdict.estimate > 0.1
    assert whole.verdict.estimate < cells.verdict.estimate - 0.1
    assert whole.verdict.status is not Status.ENOUGH


def test_one_row_a_regulator(sound):
    table = sound.tables["regulators"]
    assert len(table) == 30
    idle = table["predicted_targets"] == 0
    assert table.loc[idle, "unique_r2"].isna().all()
    assert table.loc[idle, "best_target"].isna().all()
    assert table.loc[~idle, "unique_r2"].notna().all()


def test_names_the_targets_of_a_regulator():
    """One regulator drives 30 targets, a second one none: 30 and 0 are found."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=(800, 4))
    y = rng.normal(size=(800, 60))
    y[:, :30] += z[:, [0]]
    adata = ad.AnnData(np.hstack([z, y]) - 50)
    adata.var["is_regulator"] = np.arange(64) < 4
    table = run(adata).tables["regulators"].set_index("regulator")
    assert table.loc["0", "predicted_targets"] == 30
    assert table.loc["0", "unique_r2"] == pytest.approx(0.5, abs=0.05)
    assert int(table.loc["0", "best_target"]) in range(4, 34)
    assert (table.loc[["1", "2", "3"], "predicted_targets"] == 0).all()


def test_every_gene_a_regulator():
    result = run(gaussian(200, 20, 20, 0.5), regulators="all")
    assert np.isfinite(result.verdict.estimate)
    assert row(result)["targets"] == 24


def test_too_few_rows_are_not_assessed():
    result = run(gaussian(9, 4, 30, 0.5))
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "Bring more" in result.verdict.reason


@pytest.mark.slow
def test_interval_covers_the_expected_value():
    """60 data sets of 400 rows of one network (seeds 0 to 59): 95 % within chance, 53 or more."""
    found = [row(run(gaussian(400, 10, 60, 0.3, seed=seed))) for seed in range(60)]
    expected = np.mean([r["estimate"] for r in found])
    covered = sum(r["low"] <= expected <= r["high"] for r in found)
    print(f"predictability interval covers in {covered} of 60")
    assert 0.25 < expected < 0.3
    assert covered >= 53
