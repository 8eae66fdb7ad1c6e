"""Stability: sees data without a network, passes a strong one, respects units."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.checks.stability import Stability
from infocheck.dataset import Dataset
from infocheck.engine import Engine
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.simulate import simulate
from infocheck.stats.agreement import rank_agreement
from infocheck.stats.learning import points
from infocheck.stats.shared_noise import nearest
from infocheck.stats.stability import Edges, Rows, Split, summary


def run(adata, seed=0, **options):
    data = Dataset.open(adata, seed=seed, **options)
    return Stability().run(data.with_moments(Moments.of(data)), seed=seed)


def row(result, statistic="stab_pc"):
    return result.tables["summary"].set_index("statistic").loc[statistic]


def gaussian(n=200, p=10, q=60, parents=3, r2=0.6, seed=0):
    """Targets of three regulators each; no counts, no units. The network is fixed."""
    rng, network = np.random.default_rng(seed), np.random.default_rng(99)
    weights = np.zeros((p, q))
    for target in range(q):
        chosen = network.choice(p, parents, replace=False)
        weights[chosen, target] = network.choice([-1, 1], parents)
    z = rng.normal(size=(n, p))
    y = z @ weights * np.sqrt(r2 / parents) + np.sqrt(1 - r2) * rng.normal(size=(n, q))
    adata = ad.AnnData(np.hstack([z, y]) + 8)
    adata.var["is_regulator"] = np.arange(p + q) < p
    return adata


def test_sees_data_without_a_network():
    result = run(simulate(r2=0.0, donor_share=0, batch_share=0, seed=1))
    assert result.verdict.status is Status.LIMITING
    assert result.verdict.high < 0.1


def test_passes_sound_data():
    result = run(gaussian(n=400, q=150))
    assert result.verdict.status is Status.ENOUGH
    assert row(result)["null_95"] < result.verdict.estimate


def test_identical_halves_agree_fully():
    """Every row twice, one copy in each half: nothing is left to disagree about."""
    x = np.random.default_rng(0).normal(size=(50, 30))
    rows = Rows(np.vstack([x, x]), np.repeat([[False, True]], 50, axis=1), np.zeros(100, int))
    edges = Edges(10, np.arange(10, 30), np.full(20, -1), candidates=20)
    splits = [Split.of(pair, edges) for pair in rows.sums(10)]
    values = summary(splits)
    assert values["stab_pc"] == pytest.approx(1.0)
    assert values["stab_c"] == pytest.approx(1.0)


@pytest.mark.parametrize("n", [40, 100, 800])
def test_correlated_regulators_without_edges_never_pass(n):
    """The known defect of the statistic: the permuted null must see it (methods 3)."""
    rng = np.random.default_rng(n)
    blocks = np.repeat(rng.normal(size=(n, 12)), 10, axis=1)
    z = np.sqrt(0.8) * blocks + np.sqrt(0.2) * rng.normal(size=(n, 120))
    adata = ad.AnnData(np.hstack([z, rng.normal(size=(n, 100))]) + 8)
    adata.var["is_regulator"] = np.arange(220) < 120
    result = run(adata)
    assert result.verdict.status is not Status.ENOUGH
    assert abs(row(result, "stab_pc0")["estimate"]) <= 0.03


@pytest.mark.parametrize(("null", "status"), [(0.1, "enough"), (0.35, "borderline")])
def test_a_value_that_the_null_reaches_is_no_pass(null, status):
    summary = pd.DataFrame(
        [
            {
                "statistic": "stab_pc",
                "estimate": 0.3,
                "low": 0.25,
                "high": 0.35,
                "null_95": null,
                "halves": "donors",
                "labelled_donors": 8,
            }
        ]
    )
    verdict = Stability().judge({"summary": summary})
    assert verdict.status == status
    assert ("shows nothing" in verdict.reason) == (status == "borderline")


def test_private_signals_of_donors_disagree_between_donors():
    """Each donor has a network of its own: cells of all donors agree, donors do not."""
    rng = np.random.default_rng(4)
    parts, labels = [], []
    for donor in range(8):
        z = rng.normal(size=(120, 15))
        weights = rng.normal(size=(15, 60)) * (rng.random((15, 60)) < 0.15)
        parts.append(np.hstack([z, z @ weights + 0.5 * rng.normal(size=(120, 60))]))
        labels += [f"d{donor}"] * 120
    adata = ad.AnnData(
        np.vstack(parts) + 20, obs=pd.DataFrame({"donor": labels}, [f"c{i}" for i in range(960)])
    )
    adata.var["is_regulator"] = np.arange(75) < 15
    result = run(adata)
    assert row(result)["halves"] == "donors"
    assert row(result)["estimate"] < row(result, "stab_pc_cells")["estimate"] - 0.1


def test_few_donors_are_marked_optimistic():
    adata = gaussian()
    adata.obs["donor"] = pd.Categorical(np.arange(200) % 3)
    result = run(adata)
    assert "optimistic" in result.verdict.reason
    assert row(result)["halves"] == "cells"


def test_values_that_are_no_counts_are_gated_on_800_rows():
    result = run(gaussian(n=1000))
    assert row(result)["rows"] == 800
    assert row(result, "stab_pc_all_rows")["rows"] == 1000


def test_counts_are_gated_on_all_rows():
    result = run(simulate(n_obs=1000, seed=2))
    assert row(result)["rows"] == 1000
    assert "stab_pc_all_rows" not in set(result.tables["summary"]["statistic"])


def learning(result):
    return result.tables["learning"].set_index("data")


def halves_agree(adata, seed):
    """``stab_c`` alone, without its interval."""
    data = Dataset.open(adata, seed=seed)
    panel, patterns = data.panel, Moments.of(data).patterns
    edges = Edges(panel.p, panel.half_targets, panel.own, panel.candidates)
    return points(patterns, edges, lambda f, tasks: [f(task) for task in tasks])[-1].value


def test_learning_curve_starts_from_the_halves_and_reaches_twice_the_rows():
    result = run(simulate(n_obs=400, donors=1, batches=1, seed=2))
    table = learning(result)
    assert table.index.tolist() == ["observed"] * 3 + ["forecast"]
    assert table["rows_per_part"].tolist() == pytest.approx([50, 100, 200, 400], rel=0.1)
    halves, ahead = table.iloc[2], table.loc["forecast"]
    for key in ("estimate", "low", "high"):
        assert halves[key] == row(result, "stab_c")[key]
    assert ahead["low"] < ahead["estimate"] < ahead["high"]
    assert (np.diff(table["estimate"]) > 0).all()


def test_where_more_rows_would_not_be_read_nothing_is_forecast():
    """Values that are no counts are judged on 800 rows, however many there are."""
    table = learning(run(gaussian(n=1000)))
    assert table.index.tolist() == ["observed"] * 3
    assert table["rows_per_part"].iloc[-1] == 500


@pytest.mark.slow
def test_forecasts_for_twice_the_rows_cover_what_twice_the_rows_give(monkeypatch):
    """40 small data sets (seeds 0 to 39): 200 or 400 rows forecast, 400 or 800 others measured.

    Cells or donors, one or several parents, deep or shallow. Plain doubling would be
    too high by .03 on average, the fitted curve by .003.
    """
    monkeypatch.setattr("infocheck.checks.stability.DRAWS", 2)  # the null is not used here
    single = {"donors": 1, "batches": 1, "donor_share": 0.0, "batch_share": 0.0}
    designs = [
        {**single, "r2": 0.5},
        {**single, "r2": 0.15},
        {"donors": 8, "r2": 0.5},
        {"donors": 12, "r2": 0.4, "donor_share": 0.15},
        {**single, "r2": 0.5, "parents": 5, "depth": 2500},
    ]
    covered, error, plain = [], [], []
    with Engine(jobs=1).running():  # small matrices are slower on many threads
        for seed in range(40):
            design, n = designs[seed % 5], (200, 400)[seed // 5 % 2]
            donors = design["donors"]
            many = {**design, "donors": 3 * donors if donors > 1 else 1}
            adata = simulate(3 * n, n_genes=190, seed=seed, **many)
            code = adata.obs["donor"].cat.codes.to_numpy()
            inside = code < donors if donors > 1 else np.arange(3 * n) < n
            table = learning(run(adata[inside].copy(), seed=seed))
            ahead, now = table.loc["forecast"], table.iloc[-2]["estimate"]
            truth = halves_agree(adata[~inside].copy(), seed)
            covered.append(ahead["low"] <= truth <= ahead["high"])
            error.append(ahead["estimate"] - truth)
            plain.append(2 * now / (1 + now) - truth)
    print(f"covered {np.mean(covered):.2f}, bias {np.mean(error):.3f} (plain {np.mean(plain):.3f})")
    assert np.mean(covered) >= 0.9
    assert abs(np.mean(error)) < 0.01
    assert np.mean(plain) > 0.02


def test_too_few_rows_are_not_assessed():
    verdict = run(gaussian(n=9)).verdict
    assert verdict.status is Status.NOT_ASSESSED
    assert "9 observations" in verdict.reason


def test_a_panel_of_single_perturbations_is_not_assessed():
    adata = gaussian(n=60)
    adata.obs["perturbation"] = ["control", *[f"KO{i}" for i in range(59)]]
    verdict = run(adata).verdict
    assert verdict.status is Status.NOT_ASSESSED
    assert "without a replicate" in verdict.reason
    adata.obs["perturbation"] = [f"KO{i % 3}" for i in range(60)]
    assert run(adata).verdict.status is not Status.NOT_ASSESSED


def test_every_gene_a_regulator_uses_24_targets():
    result = run(gaussian(p=30, q=30), regulators="all")
    assert result.verdict.status is not Status.ERROR
    splits = result.tables["splits"]
    assert np.isfinite(splits["value"]).all()


def test_scaling_and_shifting_genes_changes_nothing():
    adata = gaussian()
    other = adata.copy()
    other.X = adata.X * np.random.default_rng(0).uniform(1.1, 1.5, adata.n_vars) + 3
    a, b = run(adata), run(other)
    assert a.verdict.estimate == pytest.approx(b.verdict.estimate, abs=1e-9)


def test_a_sparse_network_has_a_low_ceiling():
    """Only 5 % of edges: found without error, halves still agree at 3·s·(1-s) at most."""
    rng = np.random.default_rng(0)
    strong = rng.random((100, 200)) < 0.05
    shared = rng.random((100, 200))
    a, b = (np.where(strong, 1 + shared, rng.random((100, 200))) for _ in range(2))
    share = strong.mean()
    expected = 3 * share * (1 - share) + share**3
    assert rank_agreement(a, b) == pytest.approx(expected, abs=0.02)


def smoothed(adata, k=8):
    """Every row replaced by the mean of itself and its nearest others."""
    x = np.asarray(adata.X)
    pool = np.column_stack([np.arange(len(x)), nearest(x, k - 1)])
    other = adata.copy()
    other.X = x[pool].mean(axis=1)
    return other


def test_sees_that_smoothed_rows_share_noise():
    """A smoothed copy of sound data agrees even better, and must not pass."""
    sound = gaussian(n=400, q=150)
    before, after = run(sound), run(smoothed(sound))
    assert before.verdict.status is Status.ENOUGH
    assert after.verdict.estimate > before.verdict.estimate
    assert after.verdict.status is Status.BORDERLINE
    assert "smoothing" in after.verdict.reason
    assert Stability().judge(after.tables).status is Status.BORDERLINE


def test_smoothed_rows_without_a_network_do_not_pass():
    rng = np.random.default_rng(6)
    adata = ad.AnnData(rng.normal(size=(600, 160)) + 8)
    adata.var["is_regulator"] = np.arange(160) < 20
    assert run(smoothed(adata)).verdict.status is not Status.ENOUGH


def test_repeated_rows_do_not_pass():
    sound = gaussian(n=300, q=150)
    doubled = ad.concat([sound, sound], index_unique="-", merge="same")
    verdict = run(doubled).verdict
    assert verdict.status is Status.BORDERLINE
    assert "50% of the rows repeat another" in verdict.reason


@pytest.mark.slow
def test_interval_covers_the_expected_value():
    """95 % nominal over 60 data sets (seeds 1000 to 1059), all targets of one network.

    The truth is the mean of the statistic over 60 other data sets.
    """
    truth = np.mean([run(gaussian(seed=s, q=150)).verdict.estimate for s in range(2000, 2060)])
    verdicts = [run(gaussian(seed=s, q=150)).verdict for s in range(1000, 1060)]
    covered = np.mean([v.low <= truth <= v.high for v in verdicts])
    assert covered >= 0.88
