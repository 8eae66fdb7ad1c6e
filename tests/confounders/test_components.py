"""Components of a whole data set: planted shares, the formula, and what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from infocheck.confounders import components
from infocheck.confounders.factors import Factors
from infocheck.dataset import Dataset
from infocheck.moments import Moments

ROWS, GENES = 1440, 1000


def planted(seed, *, batches=8, donors=12, **shares):
    """Batches crossed with donors, a latent factor without a label, 1,000 genes."""
    import anndata as ad

    rng = np.random.default_rng(seed)
    code = np.arange(ROWS)
    batch, donor = code % batches, code // batches % donors
    effects = {"batch": batch, "donor": donor}
    y = np.sqrt(shares["latent"]) * rng.normal(size=(ROWS, 1)) * rng.normal(size=GENES)
    for name, levels in effects.items():
        y += np.sqrt(shares[name]) * rng.normal(size=(levels.max() + 1, GENES))[levels]
    y += np.sqrt(1 - sum(shares.values())) * rng.normal(size=y.shape)
    obs = pd.DataFrame(
        {"batch": [f"b{i}" for i in batch], "donor": [f"d{i}" for i in donor]},
        index=[f"c{i}" for i in range(ROWS)],
    )
    var = pd.DataFrame(
        {"is_regulator": np.arange(GENES) < 20}, index=[f"g{i}" for i in range(GENES)]
    )
    return ad.AnnData(y, obs, var)


def opened(adata, **options):
    data = Dataset.open(adata, targets="all", **options)
    return data.with_moments(Moments.of(data))


def test_planted_shares_of_batch_donor_and_latent_factor_are_recovered():
    """Mean over 1,000 genes within .02 (seed 1); the latent factor is in the residual."""
    data = opened(planted(1, batch=0.2, donor=0.15, latent=0.2))
    tables = components.of(data, Factors.of(data))
    genes = tables["component_genes"]
    assert len(genes) == GENES
    assert genes["batch"].mean() == pytest.approx(0.2, abs=0.02)
    assert genes["donor"].mean() == pytest.approx(0.15, abs=0.02)
    assert genes["residual"].mean() == pytest.approx(0.65, abs=0.02)
    table = tables["components"].set_index("component")
    assert (table["converged"] == GENES).all()
    assert (table["share_low"] < table["share"]).all()
    assert (table["share"] < table["share_high"]).all()
    assert (table["share"] - table["share_moments"]).abs().max() < 0.01


def test_errors_of_single_genes_are_their_spread():
    """Equal variances in all genes: the spread of the shares is what the errors say (seed 5)."""
    data = opened(planted(5, batches=12, donors=30, batch=0.2, donor=0.15, latent=0.0))
    genes = components.of(data, Factors.of(data))["component_genes"]
    for name in ("batch", "donor", "residual"):
        assert genes[f"{name}_error"].median() == pytest.approx(genes[name].std(), rel=0.2), name


def test_a_formula_decides_what_is_random():
    adata = planted(2, batch=0.1, donor=0.1, latent=0.0)
    data = opened(adata, formula="~ batch + (1|donor)")
    table = components.of(data, Factors.stated(data))["components"].set_index("component")
    assert list(table["kind"]) == ["random", "residual", "fixed"]
    assert table.loc["fixed part", "terms"] == "batch"
    assert table.loc["donor", "levels"] == 12


def test_factors_of_few_levels_are_fixed():
    data = opened(planted(3, batches=3, batch=0.1, donor=0.1, latent=0.0))
    factors = Factors.of(data)
    assert factors.random == ("donor",)
    assert set(components.of(data, factors)["components"]["component"]) == {
        "donor",
        "residual",
        "fixed part",
    }


def test_without_a_random_factor_there_is_no_table():
    data = opened(planted(4, batches=3, donors=4, batch=0.1, donor=0.1, latent=0.0))
    assert components.of(data, Factors.of(data)) == {}
