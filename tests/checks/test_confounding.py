"""Confounding: sees batch variance and aliased designs, passes sound data."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from infocheck.checks.confounding import Confounding
from infocheck.confounders import shares
from infocheck.confounders.factors import Factors
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.simulate import simulate


def run(adata, **options):
    data = Dataset.open(adata, **options)
    return Confounding().run(data.with_moments(Moments.of(data)), seed=0)


def test_sees_a_large_batch_effect():
    result = run(simulate(batch_share=0.4, donor_share=0.0, donors=12, batches=12, seed=1))
    assert result.verdict.status is Status.BORDERLINE
    assert result.verdict.low > 0.15


def test_passes_sound_data():
    result = run(simulate(batch_share=0.02, donor_share=0.02, seed=1))
    assert result.verdict.status is Status.ENOUGH
    assert result.verdict.high < 0.15


def test_sees_an_aliased_condition_and_names_it():
    result = run(simulate(condition="aliased", batches=4, seed=1))
    assert result.verdict.status is Status.LIMITING
    for word in ("control", "treated", "batch_1", "No analysis"):
        assert word in result.verdict.reason
    design = result.tables["design"].set_index("nuisance")
    assert (design.loc["batch", "usable"] < 1e-9).all()


def test_passes_a_balanced_condition():
    result = run(simulate(condition="balanced", seed=1))
    assert result.tables["aliased"].empty
    assert (result.tables["design"]["usable"] > 0.9).all()


def test_one_donor_per_condition_is_aliased_and_several_are_replicates():
    for donors, aliased in ((2, True), (8, False)):
        adata = simulate(donors=donors, batches=1, condition=None, seed=1)
        code = adata.obs["donor"].cat.codes % 2
        adata.obs["condition"] = np.where(code, "case", "control")
        adata.obs = adata.obs.drop(columns="batch")
        result = run(adata)
        assert (result.verdict.status is Status.LIMITING) == aliased
        assert result.tables["aliased"].empty != aliased
        assert (result.tables["design"]["usable"] < 1e-9).all()
        if aliased:
            assert "share no donor" in result.verdict.reason


def test_one_column_as_batch_and_condition_is_aliased():
    result = run(simulate(seed=1), batch="condition", condition="condition")
    assert result.verdict.status is Status.LIMITING
    assert "both are column 'condition'" in result.verdict.reason


def test_genes_equal_statsmodels():
    adata = simulate(n_obs=200, n_genes=40, n_regulators=8, donors=6, batches=3, seed=2)
    genes = run(adata).tables["genes"].set_index("gene")
    counts = np.asarray(adata.X.todense(), dtype=float)
    size = counts.sum(axis=1) / np.median(counts.sum(axis=1))
    y = np.log1p(counts / size[:, None])

    def adjusted(*factors, depth=True):
        parts = [pd.get_dummies(adata.obs[f], drop_first=True).to_numpy(float) for f in factors]
        x = sm.add_constant(np.hstack([*parts, np.log(size)[:, None]] if depth else parts))
        return np.array([sm.OLS(y[:, k], x).fit().rsquared_adj for k in range(40)])

    order = list(adata.var_names)
    assert genes.loc[order, "batch_total"].to_numpy() == pytest.approx(
        adjusted("batch", depth=False), abs=1e-8
    )
    # Donors are nested in batches: beside them the batch adds nothing.
    assert genes["batch_unique"].abs().max() < 0.02
    unique = adjusted("donor", "condition") - adjusted("donor")
    found = genes.loc[order, "condition_unique"].to_numpy()
    assert found == pytest.approx(unique, abs=1e-8)


def test_interval_covers_the_planted_share():
    """Donor share .2 of latent variance in deep counts; 20 data sets, seeds 0 to 19.

    The truth is what the same statistic gives with 400 donors (seed 77).
    """

    def headline(adata):
        data = Dataset.open(adata)
        data = data.with_moments(Moments.of(data))
        return shares.of_nuisance(data, Factors.of(data))["headline"].iloc[0]

    options = {"depth": 60_000, "donor_share": 0.2, "batch_share": 0.0, "batches": 1}
    big = simulate(n_obs=8000, n_genes=80, n_regulators=20, donors=400, seed=77, **options)
    truth = headline(big)["estimate"]
    covered = 0
    for seed in range(20):
        adata = simulate(n_obs=600, n_genes=80, n_regulators=20, donors=20, seed=seed, **options)
        row = headline(adata)
        covered += row["low"] <= truth <= row["high"]
    assert covered >= 16


def test_without_labels_it_is_not_assessed():
    adata = simulate(condition=None, seed=1)
    adata.obs = adata.obs[[]]
    verdict = run(adata).verdict
    assert verdict.status is Status.NOT_ASSESSED
    assert "--batch" in verdict.reason


def test_almost_as_many_levels_as_rows_are_not_assessed():
    adata = simulate(n_obs=40, n_genes=60, n_regulators=10, condition=None, seed=1)
    adata.obs = pd.DataFrame({"donor": [f"d{min(i, 38)}" for i in range(40)]}, adata.obs_names)
    verdict = run(adata, donor="donor").verdict
    assert verdict.status is Status.NOT_ASSESSED
    assert "almost as many levels" in verdict.reason


def test_shares_do_not_depend_on_the_order_of_cells():
    adata = simulate(n_obs=200, n_genes=60, n_regulators=10, seed=3)
    order = np.random.default_rng(0).permutation(200)
    a, b = run(adata).tables["factors"], run(adata[order].copy()).tables["factors"]
    assert a["total"].to_numpy() == pytest.approx(b["total"].to_numpy(), abs=1e-9)


def mixture(types, follow):
    """Cell types that differ in all genes; within them targets follow regulators, or nothing."""
    rng = np.random.default_rng(4)
    names = [f"g{i:03d}" for i in range(200)]
    kind = np.arange(900) % types
    x = rng.normal(size=(900, 40))
    y = rng.normal(size=(900, 160)) + follow * x[:, np.arange(160) % 40]
    values = np.hstack([x, y]) + 1.5 * rng.normal(size=(types, 200))[kind]
    obs = pd.DataFrame(
        {
            "cell_line_of_cell": [f"line {i}" for i in kind],
            "batch": [f"b{i % 3}" for i in range(900)],
        },
        index=[f"c{i}" for i in range(900)],
    )
    var = pd.DataFrame({"is_regulator": np.arange(200) < 40}, index=names)
    return anndata.AnnData(values, obs, var)


def test_sees_a_mixture_of_cell_lines_without_regulation():
    result = run(mixture(4, 0.0))
    reason = result.verdict.reason
    assert reason.startswith("Variation is cell type (cell_line_of_cell); no regulation to learn")
    assert result.verdict.status is Status.BORDERLINE  # batch alone would be enough
    assert result.verdict.high < 0.15


def test_passes_a_mixture_with_regulation_in_it():
    result = run(mixture(4, 1.0))
    assert "no regulation to learn" not in result.verdict.reason
    assert result.verdict.status is Status.ENOUGH


def test_sees_edges_that_batch_made():
    result = run(simulate(batch_share=0.4, donor_share=0.0, donors=12, batches=12, seed=1))
    table = result.tables["edge_factors"].set_index("factor")
    assert table.loc["batch", "vanish_share_low"] > 0.3
    assert {"confounding", "directions", "edges_within", "edge_robustness"} <= set(result.figures())


def test_a_formula_changes_the_decomposition_and_no_verdict():
    adata = simulate(600, 80, 15, donors=12, batches=6, seed=2)
    plain, stated = run(adata), run(adata, formula="~ condition + (1|donor)")
    assert list(stated.tables["factors"]["factor"]) == ["condition", "donor"]
    assert list(stated.tables["components"]["component"]) == ["donor", "residual", "fixed part"]
    for name in ("estimate", "low", "high", "status"):
        assert getattr(plain.verdict, name) == getattr(stated.verdict, name)


def test_donors_of_a_single_level_are_told_what_would_help():
    adata = simulate(donors=2, batches=1, condition=None, seed=1)
    code = adata.obs["donor"].cat.codes % 2
    adata.obs["condition"] = np.where(code, "case", "control")
    adata.obs = adata.obs.drop(columns="batch")
    assert "More donors for each level" in run(adata).verdict.reason
