"""Do groups agree: planted changes, sound data, few rows, and what labels may be shuffled."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from infocheck.confounders import replication
from infocheck.confounders.factors import Factors
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.simulate import simulate

TABLES = {
    "heterogeneity",
    "replication",
    "replication_pairs",
    "replication_summary",
    "changing_regulators",
    "regulators",
}


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def tables(data, seed=0):
    return replication.of(data, Factors.of(data), np.random.default_rng(seed))


def values(x, regulators, **obs):
    """Continuous values as they are, of which the first columns are regulators."""
    names = [f"G{i:03d}" for i in range(x.shape[1])]
    var = pd.DataFrame({"is_regulator": np.arange(x.shape[1]) < regulators}, index=names)
    frame = pd.DataFrame(
        {
            name: np.char.add(name, np.char.zfill(codes.astype(str), 2))
            for name, codes in obs.items()
        },
        index=[f"cell{i}" for i in range(len(x))],
    )
    return anndata.AnnData(x, obs=frame, var=var)


def network(rng, level, strength, regulators=10, targets=60):
    """Target k follows regulator k mod 10 with the strength that its level gives it."""
    x = rng.normal(size=(len(level), regulators))
    of_target = np.arange(targets) % regulators
    rho = strength[level][:, of_target]
    y = rho * x[:, of_target] + np.sqrt(1 - rho**2) * rng.normal(size=(len(level), targets))
    return np.hstack([x, y])


def test_sees_regulators_that_change():
    """Three of ten regulators lose their targets in one of two batches (seed 0)."""
    rng = np.random.default_rng(0)
    batch = np.arange(600) % 2
    strength = np.full((2, 10), 0.5)
    strength[1, :3] = 0.0
    found = tables(opened(values(network(rng, batch, strength), 10, batch=batch)))
    row = found["heterogeneity"].iloc[0]
    assert row["p_value"] == 1 / (1 + replication.DRAWS)
    assert row["variance"] > row["expected_high"]
    changing = found["changing_regulators"]
    assert set(changing["regulator"][:3]) == {"G000", "G001", "G002"}
    assert (changing["standard_errors"][:3] > 5).all()
    # One target in ten is theirs: d = atanh(.5) apart, a variance of d² / 2.
    expected = np.arctanh(0.5) * np.sqrt(0.1 / 2)
    assert changing["spread"][:3].to_numpy() == pytest.approx(np.full(3, expected), abs=0.03)
    regulators = found["regulators"].set_index("regulator")["differs_between"]
    assert (regulators[["G000", "G001", "G002"]] == "batch").all()
    assert regulators.drop(["G000", "G001", "G002"]).isna().all()
    summary = found["replication_summary"].iloc[0]
    assert summary["found_again_high"] < summary["expected_low"]
    assert ", fewer than" in replication.charts(found)["replication"].title


def test_passes_sound_data():
    found = tables(opened(simulate(batch_share=0.02, donor_share=0.02, seed=1)))
    table = found["heterogeneity"].set_index("factor")
    assert set(table.index) == {"batch", "donor", "condition"}
    assert (table["p_value"] > 0.05).all()
    assert (table["spread"] < 0.02).all()
    assert (found["replication"]["same_sign"] > 0.95).all()
    assert "not clearly fewer than" in replication.charts(found)["replication"].title


def test_means_of_groups_are_no_disagreement():
    """Large shifts between batches, the same correlations within them (seed 1)."""
    rng = np.random.default_rng(1)
    batch = np.arange(900) % 3
    x = network(rng, batch, np.full((3, 10), 0.4)) + 3 * rng.normal(size=(3, 70))[batch]
    row = tables(opened(values(x, 10, batch=batch)))["heterogeneity"].iloc[0]
    assert row["variance"] == pytest.approx(1, abs=0.06)
    assert row["expected"] == pytest.approx(1, abs=0.06)
    assert row["p_value"] > 0.05


def test_few_rows_are_not_taken_for_disagreement():
    """Equal correlations in a large and in a small level: what is expected says so (10 seeds)."""
    batch = np.repeat([0, 1], (900, 60))
    rows = []
    for seed in range(10):
        x = network(np.random.default_rng([2, seed]), batch, np.full((2, 10), 0.3))
        found = tables(opened(values(x, 10, batch=batch)))["replication"].set_index("level")
        assert found.loc["batch00", "expected"] > found.loc["batch01", "expected"]
        rows.append(found.loc["batch01"])
    mean = pd.DataFrame(rows)[["found_again", "expected"]].astype(float).mean()
    power = norm.cdf(np.sqrt(57) * np.arctanh(0.3) - norm.ppf(0.975))
    assert mean["expected"] == pytest.approx(power, abs=0.04)
    assert mean["found_again"] == pytest.approx(power, abs=0.08)


def test_silent_genes_of_a_level_do_not_agree_on_depth():
    """Half of the genes are silent in one cell type; everything else is noise (seed 3)."""
    rng = np.random.default_rng(3)
    kind = np.repeat([0, 1], 300)
    size = np.exp(0.5 * rng.normal(size=(600, 1)))
    level = np.full((2, 80), 4.0)
    level[1, ::2] = 0.0
    x = rng.poisson(size * level[kind]).astype(float)
    adata = values(x, 20, cell_type=kind)
    found = tables(opened(adata))["heterogeneity"].set_index("factor")
    assert found.loc["cell_type", "p_value"] > 0.05
    assert found.loc["cell_type", "spread"] < 0.03


def test_levels_of_few_rows_are_left_out():
    rng = np.random.default_rng(4)
    batch = np.repeat([0, 1, 2], (100, 100, 20))
    x = rng.normal(size=(220, 30))
    found = tables(opened(values(x, 6, batch=batch)))
    assert found["replication"]["level"].tolist() == ["batch00", "batch01"]
    assert len(found["replication_pairs"]) == 2
    few = np.repeat([0, 1], (200, 20))
    assert tables(opened(values(x, 6, batch=few))) == {}


def test_at_most_eight_of_the_largest_levels():
    rng = np.random.default_rng(5)
    batch = np.repeat(np.arange(10), np.arange(31, 41))
    found = tables(opened(values(rng.normal(size=(len(batch), 30)), 6, batch=batch)))
    assert found["replication"]["level"].tolist() == [f"batch{i:02d}" for i in range(2, 10)]


def test_a_level_without_rows_to_spare_is_left_out():
    """Donors take most rows of a level: too few are left to see a correlation in."""
    rng = np.random.default_rng(6)
    batch, donor = np.repeat([0, 1], 60), np.arange(120) // 2
    data = opened(values(rng.normal(size=(120, 30)), 6, batch=batch, donor=donor))
    assert tables(data)["heterogeneity"]["smallest_level"].tolist() == [60]
    donor = np.arange(120) % 60 + 60 * batch
    donor[donor % 60 > 40] -= 20
    data = opened(values(rng.normal(size=(120, 30)), 6, batch=batch, donor=donor), donor="donor")
    assert tables(data) == {}


def test_nothing_recorded_gives_no_tables():
    adata = values(np.random.default_rng(7).normal(size=(60, 20)), 5, batch=np.arange(60) % 3)
    adata.obs = adata.obs.drop(columns="batch")
    assert tables(opened(adata)) == {}
    depth_alone = simulate(n_obs=100, n_genes=40, n_regulators=5, seed=1)
    depth_alone.obs = depth_alone.obs[[]]
    assert tables(opened(depth_alone)) == {}
    assert replication.charts({}) == {}


def test_constant_genes():
    rng = np.random.default_rng(8)
    batch = np.arange(200) % 2
    x = rng.normal(size=(200, 30))
    x[:, 2] = batch
    x[batch == 1, 20] = 5.0
    x[:, 25] = 1.0
    found = tables(opened(values(x, 6, batch=batch)))
    row = found["heterogeneity"].iloc[0]
    assert np.isfinite([row["variance"], row["expected"], row["spread"]]).all()
    constant = found["regulators"].set_index("regulator").loc["G002"]
    assert constant["spread_between_groups"] == 0
    assert constant["differs_between"] is None


def test_every_gene_a_regulator():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(200, 30))
    found = tables(opened(values(x, 30, batch=np.arange(200) % 2)))
    assert len(found["regulators"]) == 30
    assert found["heterogeneity"]["variance"].iloc[0] == pytest.approx(1, abs=0.3)


def test_pairs_that_count():
    keep = replication._pairs(4, np.array([1, 3, 5]))
    assert keep.tolist() == [
        [True, True, True],
        [False, True, True],
        [True, True, True],
        [False, False, True],  # regulators 1 and 3 are already a pair
    ]


@pytest.mark.parametrize(
    ("donor", "batch", "words"),
    [
        (np.arange(240) // 20, np.arange(240) // 20 % 2, "donors"),
        (np.arange(240) // 80, np.arange(240) % 2, "rows within donor"),
        (np.arange(240) // 40, np.arange(240) % 2, "rows within donor"),
        (np.arange(240) // 20, np.arange(240) % 2, "rows"),
        (np.arange(240) // 80, np.arange(240) // 80 % 2, "rows"),
        (None, np.arange(240) % 2, "rows"),
    ],
)
def test_what_may_be_shuffled(donor, batch, words):
    others = {} if donor is None else {"donor": donor}
    unit, stratum, found = replication._exchangeable(batch, others)
    assert found == words
    assert (unit is None) == (words != "donors")
    if words == "rows within donor":
        assert len(np.unique(np.stack([stratum, donor]), axis=1).T) == donor.max() + 1


def test_strata_that_would_fix_every_label_are_not_used():
    level, kind = np.arange(240) % 2, np.arange(240) // 2 % 3
    others = {"batch": level, "cell_type": kind}
    assert replication._exchangeable(level, others)[2] == "rows within cell type"


def test_the_same_seed_gives_the_same_tables():
    data = opened(simulate(n_obs=300, n_genes=80, n_regulators=10, seed=4))
    first, second = tables(data, 1), tables(data, 1)
    assert set(first) == TABLES
    for name in TABLES:
        pd.testing.assert_frame_equal(first[name], second[name])


def test_charts_of_saved_tables():
    found = tables(opened(simulate(n_obs=300, n_genes=80, n_regulators=10, seed=4)))
    saved = {
        name: pd.DataFrame(json.loads(table.to_json(orient="records")))
        for name, table in found.items()
    }
    saved["replication"] = saved["replication"].astype({"found_again_low": object})
    saved["replication"].loc[0, ["found_again_low", "found_again_high"]] = None
    saved["replication_summary"]["found_again_low"] = None
    chart = replication.charts(saved)["replication"]
    assert "<svg" in chart.svg("replication")
    assert "nan" not in chart.title
    saved["replication_summary"]["found_again"] = None
    assert replication.charts(saved) == {}


@pytest.mark.parametrize("kind", ["donors", "rows"])
def test_what_was_removed_is_counted_in_what_is_expected(kind):
    """Twenty donors take a third of the rows of each batch; no correlation (seed 10)."""
    rng = np.random.default_rng(10)
    donor = np.arange(600) // 15 if kind == "donors" else np.arange(600) % 40
    batch = np.arange(600) // 15 % 2 if kind == "donors" else np.arange(600) // 40 % 2
    x = rng.normal(size=(600, 120)) + 2 * rng.normal(size=(40, 120))[donor]
    data = opened(values(x, 20, batch=batch, donor=donor))
    row = tables(data)["heterogeneity"].set_index("factor").loc["batch"]
    assert row["shuffled"] == kind
    assert row["variance"] == pytest.approx(1, abs=0.07)
    assert row["expected"] == pytest.approx(1, abs=0.03)


@pytest.mark.slow
def test_size_of_the_test_of_heterogeneity():
    """100 simulated data sets without any change: donors, rows within donors, and donors as
    the factor reject at .05 in no more than about .05 of them."""
    rejected: dict[str, int] = {}
    for seed in range(100):
        adata = simulate(n_obs=320, n_genes=60, n_regulators=6, donors=8, batches=2, seed=seed)
        table = tables(opened(adata), seed)["heterogeneity"]
        for row in table.itertuples():
            rejected[row.factor] = rejected.get(row.factor, 0) + (row.p_value <= 0.05)
    assert set(rejected) == {"batch", "donor", "condition"}
    # 5 expected of each; 99 % of binomials lie at or below 11.
    assert max(rejected.values()) <= 11
    assert sum(rejected.values()) >= 3
