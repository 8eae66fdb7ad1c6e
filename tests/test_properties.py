"""What must not change the answer: order of genes, order of cells, storage, scale of depth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infocheck.check import by_name
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.simulate import simulate

SETTINGS = settings(max_examples=6, deadline=None)


@pytest.fixture(scope="module")
def adata():
    return simulate(n_obs=150, n_genes=50, n_regulators=10, donors=6, batches=2, seed=9)


def tables(adata, check, **changes):
    data = replace(Dataset.open(adata), **changes)
    return by_name(check).run(data.with_moments(Moments.of(data)), seed=0).tables


def regulators(adata, check, **changes):
    return tables(adata, check, **changes)["regulators"].set_index("regulator").sort_index()


@SETTINGS
@given(seed=st.integers(0, 1000))
@pytest.mark.parametrize("check", ["reliability", "confounding"])
def test_order_of_genes(adata, check, seed):
    order = np.random.default_rng(seed).permutation(adata.n_vars)
    a, b = (regulators(x, check) for x in (adata, adata[:, order].copy()))
    pd.testing.assert_frame_equal(a, b, rtol=1e-8)


@SETTINGS
@given(seed=st.integers(0, 1000))
def test_order_of_cells(adata, seed):
    """Point estimates; the groups of the jackknife are donors, so errors stay too."""
    order = np.random.default_rng(seed).permutation(adata.n_obs)
    a, b = (regulators(x, "reliability") for x in (adata, adata[order].copy()))
    pd.testing.assert_frame_equal(a, b, rtol=1e-8)


@SETTINGS
@given(factor=st.floats(0.01, 100))
def test_scale_of_size_factors_leaves_reliability(adata, factor):
    size = Dataset.open(adata).size_factors
    a = regulators(adata, "reliability")
    b = regulators(adata, "reliability", size_factors=size * factor)
    assert np.allclose(a["reliability"], b["reliability"], atol=1e-8)


@SETTINGS
@given(rows=st.integers(1, 160))
@pytest.mark.parametrize("check", ["reliability", "confounding", "stability"])
def test_block_size(adata, check, rows):
    matrix = Dataset.open(adata).matrix
    whole = tables(adata, check)
    parts = tables(adata, check, matrix=replace(matrix, block_rows=rows))
    for name, table in whole.items():
        pd.testing.assert_frame_equal(table, parts[name], rtol=1e-7, atol=1e-9)
