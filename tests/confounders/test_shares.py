"""Shares of variance: planted truth, coverage of the intervals, and what counting noise hides."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from infocheck.confounders import shares
from infocheck.confounders.factors import Factors
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.simulate import simulate


def script():
    path = Path(__file__).parents[2] / "reports" / "confounding" / "coverage.py"
    spec = importlib.util.spec_from_file_location("confounding_coverage", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(("donors", "least"), [(20, 0.93), (40, 0.93), (12, 0.92), (6, 0.78)])
def test_intervals_cover_the_true_share_of_a_gene(donors, least, nested):
    """40 studies of 250 genes each (seed 1); .93 is claimed from 20 donors on."""
    table = script().covered(donors, nested, 40)
    claimed = table["gene_coverage"].dropna()
    assert len(claimed) == (3 if nested else 4)  # batch without donors has no unique share
    assert claimed.min() >= least


def test_intervals_cover_and_means_are_recovered_with_twenty_donors():
    table = script().covered(20, False, 8, seed=2)
    assert table["gene_coverage"].min() >= 0.93
    assert table["mean_off"].abs().max() < 0.02


def test_tables_hold_both_ends_with_intervals_and_the_share_of_the_signal():
    adata = simulate(1500, 120, 20, batch_share=0.3, donor_share=0.0, depth=150.0, seed=4)
    data = Dataset.open(adata)
    data = data.with_moments(Moments.of(data))
    factors = Factors.of(data)
    tables = shares.by_factor(data, factors) | shares.of_nuisance(data, factors)
    genes, row = tables["genes"], tables["headline"].iloc[0]
    for name in ("batch", "donor", "depth"):
        for end in shares.ENDS:
            low, value, high = (genes[f"{name}_{end}{s}"] for s in ("_low", "", "_high"))
            assert ((low <= value + 1e-12) & (value <= high + 1e-12)).all()
    assert row["low"] < row["estimate"] < row["high"]
    # Few counts per cell: most of the variance is counting noise, which batch cannot hold.
    assert row["of_signal"] > 1.5 * row["estimate"]
    assert row["of_signal_low"] < row["of_signal"] < row["of_signal_high"]
