"""Edges of recorded factors: planted by batch alone, sound, Simpson's, and brute force."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.confounders import edges
from infocheck.confounders.factors import Factors
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.simulate import simulate
from infocheck.splits import FOLDS


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def tables(data):
    return edges.of(data, Factors.of(data), np.random.default_rng(0))


def values(x, regulators, **obs):
    """Continuous values as they are, of which the first columns are regulators."""
    names = [f"G{i:03d}" for i in range(x.shape[1])]
    var = pd.DataFrame({"is_regulator": np.arange(x.shape[1]) < regulators}, index=names)
    frame = pd.DataFrame(
        {name: np.char.add(name, codes.astype(str)) for name, codes in obs.items()},
        index=[f"cell{i}" for i in range(len(x))],
    )
    return anndata.AnnData(x, obs=frame, var=var)


def saved(found):
    """As a saved report gives the tables back: None where a number was missing."""
    return {
        name: pd.DataFrame(json.loads(table.to_json(orient="records")))
        for name, table in found.items()
    }


@pytest.fixture(scope="module")
def batched():
    """Four batches that hold 40 % of the variance, two donors in each (seed 1)."""
    return opened(simulate(batch_share=0.4, seed=1))


@pytest.fixture(scope="module")
def sound():
    return opened(simulate(batch_share=0.02, donor_share=0.02, seed=1))


def residual(y, *others):
    design = np.column_stack([np.ones(len(y)), *others])
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]


def columns(data, name):
    if name == "depth":
        return data.depth[:, None]
    codes = data.roles[name].codes
    return (codes[:, None] == np.arange(codes.max() + 1)).astype(float)


def test_sees_edges_that_batch_alone_creates():
    """Two regulators and ten targets that only batch moves, beside five true edges (seed 0)."""
    rng = np.random.default_rng(0)
    batch = np.arange(600) % 3
    x = rng.normal(size=(600, 40))
    x[:, 25:30] += 1.5 * x[:, [4]]
    shift = rng.permuted(np.tile([-2.0, 0.0, 2.0], (12, 1)), axis=1).T
    x[:, [0, 1, *range(10, 20)]] += shift[batch]
    found = tables(opened(values(x, 8, batch=batch)))
    table = found["edges"].set_index(["regulator", "target"])
    moved = {f"G{i:03d}" for i in (0, 1, *range(10, 20))}
    for (regulator, target), row in table[np.abs(table["r"]) > 0.3].iterrows():
        if regulator in moved and target in moved:
            assert row["batch_share"] == pytest.approx(1, abs=0.15)
            assert abs(row["batch_within_r"]) < 0.15
            assert row["vanishes_within"] == "batch"
        else:
            assert (
                regulator == "G004"
                or target == "G004"
                or {regulator, target} <= {f"G{i:03d}" for i in range(25, 30)}
            )
            assert abs(row["batch_share"]) < 0.05
            assert pd.isna(row["vanishes_within"])
    factor = found["edge_factors"].set_index("factor").loc["batch"]
    assert factor["largest_it_could_create"] == pytest.approx(8 / 3 / (1 + 8 / 3), abs=0.05)
    # Two regulators that are moved, with each other and with ten targets.
    assert factor["pairs_it_could_create"] >= 21


def test_sees_a_large_batch_effect(batched):
    found = tables(batched)
    factors = found["edge_factors"].set_index("factor")
    assert factors.loc["batch", "vanish_share_low"] > 0.5
    assert factors.loc["batch", "between_share_low"] > 0.5
    assert factors.loc["condition", "vanish_share"] < 0.01
    assert "batch" in edges.charts(found)["edges_within"].title


def test_passes_sound_data(sound):
    factors = tables(sound)["edge_factors"].set_index("factor")
    assert (factors["vanish_share"] < 0.02).all()
    assert (factors["flips"] == 0).all()
    assert (factors["could_null_share"] < 0.05).all()


def test_sees_simpsons_paradox():
    """Rising together over batches, falling within each."""
    rng = np.random.default_rng(2)
    batch = np.repeat([0, 1], 300)
    x = rng.normal(size=(600, 20))
    x[:, 10] = -0.6 * x[:, 0] + 0.8 * rng.normal(size=600)
    x[:, 0] += 4 * batch
    x[:, 10] += 4 * batch
    found = tables(opened(values(x, 5, batch=batch)))
    first = found["edges"].iloc[0]
    assert (first["regulator"], first["target"]) == ("G000", "G010")
    assert first["r"] > 0.5
    assert first["batch_within_r"] < -0.5
    assert first["batch_share"] > 1
    assert first["flips_within"] == "batch"
    row = found["edge_factors"].set_index("factor").loc["batch"]
    assert row["flips"] == 1
    title = edges.charts(found)["edges_within"].title
    assert "one changes sign" in title


def test_chance_does_not_flip():
    """No edge at all: a factor of many levels changes signs, none beyond its error."""
    rng = np.random.default_rng(3)
    found = tables(opened(values(rng.normal(size=(200, 60)), 20, batch=np.arange(200) % 20)))
    assert (found["edge_factors"]["flips"] == 0).all()


def test_edges_equal_regressions_on_rows(batched):
    found = tables(batched)
    y = pd.DataFrame(
        batched.moments.sample.values, columns=batched.names(np.arange(len(batched.panel.genes)))
    )
    everything = [columns(batched, name) for name in ("batch", "donor", "condition", "depth")]
    for row in found["edges"].iloc[::20].itertuples():
        a, b = y[row.regulator].to_numpy(), y[row.target].to_numpy()
        assert row.r == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-8)
        for name, parts in {"batch": everything[:1], "all_factors": everything}.items():
            rest = residual(a, *parts), residual(b, *parts)
            r = np.corrcoef(*rest)[0, 1]
            assert getattr(row, f"{name}_within_r") == pytest.approx(r, abs=1e-8)
            share = 1 - np.mean(rest[0] * rest[1]) / np.cov(a, b, bias=True)[0, 1]
            assert getattr(row, f"{name}_share") == pytest.approx(share, abs=1e-8)


def test_strongest_pairs_once_and_no_gene_with_itself(batched):
    found = tables(batched)
    r = batched.moments.total().correlation()
    p = batched.panel.p
    every = [abs(r[i, j]) for i in range(p) for j in range(i + 1, r.shape[1])]
    summary = found["edge_summary"].iloc[0]
    assert summary["pairs"] == len(every)
    assert summary["edges"] == 1000
    assert summary["weakest_r"] == pytest.approx(sorted(every)[-1000])
    table = found["edges"]
    assert len(table) == edges.SHOWN
    assert np.abs(table["r"]).tolist() == pytest.approx(sorted(every)[::-1][: len(table)])
    pairs = {frozenset(pair) for pair in zip(table["regulator"], table["target"], strict=True)}
    assert len(pairs) == len(table)
    assert min(map(len, pairs)) == 2


def test_sums_without_a_fold_are_those_of_the_other_rows(batched):
    factors = Factors.of(batched)
    by_fold = edges._by_fold(factors)
    rows = batched.splits.fold != 2
    found = by_fold.normal(2)
    y = (batched.moments.sample.values - batched.moments.shift)[rows]
    x = factors.design[rows].toarray()
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    assert len(by_fold.n) == FOLDS
    assert found.n == rows.sum()
    assert found.xx == pytest.approx(x.T @ x, abs=1e-6)
    assert found.xy == pytest.approx(x.T @ y, abs=1e-6)


def test_a_factor_that_another_determines_keeps_its_strength(batched):
    """Donors lie in batches: beside donors nothing of batch would be left."""
    factors = tables(batched)["edge_factors"].set_index("factor")
    assert factors.loc["batch", "partial_r2_with_regulator"] > 0.2
    assert factors.loc["batch", "could_null_share"] > 0.5
    assert factors.loc["donor", "partial_r2_with_regulator"] < 0.1


def test_robustness_equals_a_hidden_variable_on_rows(batched):
    """Partial correlations and partial R² of the strongest factor from rows."""
    found = tables(batched)
    y = pd.DataFrame(
        batched.moments.sample.values, columns=batched.names(np.arange(len(batched.panel.genes)))
    )
    parts = {name: columns(batched, name) for name in ("batch", "donor", "condition", "depth")}
    beside = {"batch": ("condition", "depth"), "donor": ("batch", "condition", "depth")}
    dimensions = {"batch": 3, "donor": 7}
    for row in found["edge_robustness"].iloc[::40].itertuples():
        a, b = y[row.regulator].to_numpy(), y[row.target].to_numpy()
        r = np.corrcoef(*(residual(v, *parts.values()) for v in (a, b)))[0, 1]
        assert row.partial_r == pytest.approx(r, abs=1e-8)
        f2 = r**2 / (1 - r**2)
        assert row.robustness == pytest.approx((np.sqrt(f2**2 + 4 * f2) - f2) / 2, abs=1e-8)
        assert row.robustness_low <= row.robustness <= row.robustness_high
        assert row.could_null == (row.robustness <= row.reach)
        name = row.strongest_factor
        others = [parts[other] for other in beside[name]]
        before, after = residual(a, *others), residual(a, *others, parts[name])
        left = {"batch": 1199 - 2 - 3, "donor": 1199 - 2 - 7}[name]
        start = left + (dimensions[name] if name == "batch" else dimensions[name] - 3)
        share = 1 - (after @ after / left) / (before @ before / start)
        assert row.partial_r2_with_regulator == pytest.approx(share, abs=1e-8)


def test_a_stronger_hidden_factor_nulls_more(batched, sound):
    low, high = (tables(data)["edge_summary"].iloc[0] for data in (sound, batched))
    assert low["could_null_share_high"] < 0.1
    assert high["could_null_share_low"] > 0.5
    assert high["robustness_high"] < low["robustness_low"]


def test_nothing_recorded_gives_no_tables():
    adata = values(np.random.default_rng(4).normal(size=(60, 20)), 5, batch=np.arange(60) % 3)
    adata.obs = adata.obs.drop(columns="batch")
    data = opened(adata)
    assert Factors.of(data) is None
    assert tables(data) == {}
    assert edges.charts({}) == {}


def test_batch_alone_and_donor_alone_are_not_joined():
    for name in ("batch", "donor"):
        adata = simulate(n_obs=200, n_genes=60, n_regulators=8, seed=2)
        adata.obs = adata.obs[[name]]
        found = tables(opened(adata))["edge_factors"]["factor"].tolist()
        assert found == [name, "depth", "all_factors"]
    found = tables(opened(simulate(n_obs=200, n_genes=60, n_regulators=8, seed=2)))
    assert "batch_and_donor" in found["edge_factors"]["factor"].tolist()


def test_missing_labels_are_a_level():
    adata = simulate(n_obs=300, n_genes=60, n_regulators=8, seed=3)
    adata.obs["batch"] = adata.obs["batch"].astype(object)
    adata.obs.loc[adata.obs.index[:50], "batch"] = None
    found = tables(opened(adata))["edge_factors"].set_index("factor")
    assert found.loc["batch", "dimensions"] == 4


def test_constant_genes_and_few_rows():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(24, 30))
    batch = np.arange(24) % 12
    x[:, 3] = batch  # varies between batches alone
    x[:, 20] = 1.0
    found = tables(opened(values(x, 6, batch=batch)))
    within = found["edges"].loc[found["edges"]["regulator"] == "G003", "batch_within_r"]
    assert (within == 0).all()
    charts = edges.charts(saved(found))
    assert all(chart.figure() for chart in charts.values())


def test_a_level_for_almost_every_row_leaves_nothing_to_say():
    x = np.random.default_rng(6).normal(size=(30, 20))
    donor = np.minimum(np.arange(30), 28)
    data = opened(values(x, 5, donor=donor), donor="donor")
    found = tables(data)
    assert found["edge_factors"]["vanish_share"].isna().all()
    assert found["edges"]["donor_within_r"].isna().all()
    assert edges.charts(saved(found)) == {}


def test_charts_of_saved_tables(batched):
    found = saved(tables(batched))
    found["edge_robustness"].loc[0, ["robustness", "reach"]] = None
    found["edges"].loc[1, "batch_within_r"] = None
    charts = edges.charts(found)
    assert set(charts) == {"edges_within", "edge_robustness"}
    for name, chart in charts.items():
        assert "<svg" in chart.svg(name)
        assert "nan" not in chart.title


@pytest.mark.slow
def test_the_interval_of_the_vanishing_share_covers():
    """100 data sets of one population; the truth is that of the edges that were chosen."""
    rng = np.random.default_rng(7)
    p, m, batches = 8, 60, 12
    slope = np.where(rng.random((p, m)) < 0.15, rng.choice([-0.7, 0.7], (p, m)), 0.0)
    mean = 0.7 * rng.normal(size=(batches, p + m))
    mean -= mean.mean(axis=0)
    between = mean.T @ mean / batches
    mix = np.hstack([np.eye(p), slope])
    within = mix.T @ mix
    within[p:, p:] += np.eye(m)

    def correlation(covariance):
        sd = np.sqrt(np.diag(covariance))
        return covariance / np.outer(sd, sd)

    total_r, within_r = correlation(within + between), correlation(within)
    vanishes = np.abs(within_r) < 0.5 * np.abs(total_r)
    covered = 0
    for seed in range(100):
        draw = np.random.default_rng([8, seed])
        batch = np.arange(600) % batches
        x = draw.normal(size=(600, p))
        y = x @ slope + draw.normal(size=(600, m))
        data = opened(values(np.hstack([x, y]) + mean[batch], p, batch=batch))
        found = tables(data)
        truth = np.mean(
            [
                vanishes[int(row.regulator[1:]), int(row.target[1:])]
                for row in found["edges"].itertuples()
            ]
        )
        row = found["edge_factors"].set_index("factor").loc["batch"]
        covered += row["vanish_share_low"] - 1e-9 <= truth <= row["vanish_share_high"] + 1e-9
    assert covered >= 88
