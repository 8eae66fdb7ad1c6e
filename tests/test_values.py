"""The first pass: kinds of values and moments against plain numpy."""

from __future__ import annotations

from dataclasses import replace

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import zscore

from infocheck import values
from infocheck.source import open_source
from infocheck.values import scan


def scanned(x, block_rows=None):
    adata = ad.AnnData(x)
    matrix = open_source(adata).matrix("X")
    if block_rows:
        matrix = replace(matrix, block_rows=block_rows)
    return scan(matrix, adata.var_names, adata.obs_names, "X")


RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(2.0, (50, 8)).astype(np.float32)


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (COUNTS, values.COUNTS),
        (COUNTS * 37.3, values.NON_INTEGER),
        (np.log1p(COUNTS), values.LOG),
        (zscore(RNG.normal(size=(50, 8))), values.SCALED),
        (RNG.normal(size=(50, 8)) * 3 + 1, values.RATIO),
        (RNG.random((50, 8)), values.BOUNDED),
        ((COUNTS > 1).astype(float), values.BINARY),
    ],
)
def test_kinds(x, kind):
    assert scanned(x).kind == kind


@pytest.mark.parametrize("block_rows", [1, 7, 50])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_matrix])
def test_moments_equal_numpy(storage, block_rows):
    found = scanned(storage(COUNTS), block_rows)
    x = COUNTS.astype(float)
    size = x.sum(axis=1) / np.median(x.sum(axis=1))
    assert np.allclose(found.mean, x.mean(axis=0))
    assert np.allclose(found.variance, x.var(axis=0))
    assert np.allclose(found.size_factors(), size)
    assert np.array_equal(found.detected, (x > 0).sum(axis=0))
    n, total, squares, noise = found.normalised()
    share = x / size[:, None]
    assert n == 50
    assert np.allclose(total, share.sum(axis=0))
    assert np.allclose(squares, (share**2).sum(axis=0))
    assert np.allclose(noise, (x / size[:, None] ** 2).sum(axis=0))


def test_explicit_zeros_are_not_detected():
    x = sp.csr_matrix(COUNTS)
    x.data[:5] = 0
    assert scanned(x).detected.sum() == np.count_nonzero(x.toarray())


def test_cells_without_counts_do_not_divide_by_zero():
    x = COUNTS.copy()
    x[3] = 0
    found = scanned(x)
    n, *sums = found.normalised()
    assert n == 49
    assert all(np.isfinite(part).all() for part in sums)
    assert found.size_factors()[3] == 0


def test_constant_genes_are_found_by_range_not_rounding():
    x = np.full((50, 2), 0.1)
    x[:, 1] = np.arange(50)
    assert scanned(x).varies.tolist() == [False, True]
