"""The second pass equals plain numpy, for any block size, storage and worker count."""

from __future__ import annotations

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from infocheck.dataset import Dataset
from infocheck.engine import Engine
from infocheck.moments import Moments, _hash_keys, fingerprints, strata
from infocheck.simulate import simulate

TOLERANCE = 1e-8


@pytest.fixture(scope="module")
def adata():
    return simulate(n_obs=230, n_genes=60, n_regulators=12, donors=7, batches=3, cell_types=2)


@pytest.fixture(scope="module")
def data(adata):
    return Dataset.open(adata)


@pytest.fixture(scope="module")
def moments(data):
    return Moments.of(data)


def with_blocks(data: Dataset, rows: int) -> Dataset:
    return replace(data, matrix=replace(data.matrix, block_rows=rows))


def plain(adata, data):
    """The panel on the scale of the analysis, in one piece."""
    counts = np.asarray(adata.X.todense(), dtype=float)
    size = counts.sum(axis=1) / np.median(counts.sum(axis=1))
    values = counts / size[:, None]
    return counts[:, data.panel.genes], size, np.log1p(values)[:, data.panel.genes]


def assert_same(a: Moments, b: Moments, tolerance: float = TOLERANCE) -> None:
    def compare(x, y, name):
        if x is None or isinstance(x, int):
            assert x == y, name
        elif isinstance(x, np.ndarray):
            assert np.allclose(x, y, atol=tolerance, rtol=tolerance), name
        elif isinstance(x, tuple):
            for i, (p, q) in enumerate(zip(x, y, strict=True)):
                compare(p, q, f"{name}[{i}]")
        elif isinstance(x, dict):
            for key in x:
                compare(x[key], y[key], f"{name}[{key}]")
        else:
            for field in vars(x):
                compare(getattr(x, field), getattr(y, field), f"{name}.{field}")

    compare(a, b, "moments")


def test_total_equals_plain_numpy(adata, data, moments):
    _, _, x = plain(adata, data)
    total, p = moments.total(), data.panel.p
    shifted = x - moments.shift
    assert total.n == len(x)
    assert np.allclose(total.gram, shifted[:, :p].T @ shifted, atol=TOLERANCE)
    assert np.allclose(total.correlation(), np.corrcoef(x, rowvar=False)[:p], atol=TOLERANCE)


def test_halves_equal_plain_numpy(adata, data, moments):
    _, _, x = plain(adata, data)
    columns, p = data.panel.half_columns, data.panel.p
    for split in range(3):
        for side in (0, 1):
            rows = x[data.splits.half[split] == side][:, columns] - moments.shift[columns]
            half = moments.half(split, side)
            assert half.n == len(rows)
            assert np.allclose(half.gram, rows[:, :p].T @ rows, atol=TOLERANCE)
            squared = rows[:, :p] ** 2
            assert np.allclose(half.fourth, squared.T @ squared, atol=TOLERANCE)


def test_groups_levels_depth_and_noise_equal_plain_numpy(adata, data, moments):
    raw, size, x = plain(adata, data)
    x = x - moments.shift
    group = data.splits.group
    for g in range(data.splits.n_groups):
        inside = group == g
        assert moments.groups.n[g] == inside.sum()
        assert np.allclose(moments.groups.squares[g], (x[inside] ** 2).sum(axis=0), atol=TOLERANCE)
        depth = np.log(size[inside])
        assert np.allclose(moments.depth.products[g], depth @ x[inside], atol=TOLERANCE)
        noise = (raw[inside] / size[inside, None] ** 2).sum(axis=0)
        assert np.allclose(moments.technical.noise[g], noise, atol=TOLERANCE)
        for name, role in data.roles.items():
            for level in range(role.n_levels):
                rows = x[inside & (role.codes == level)]
                assert np.allclose(
                    moments.levels[name].total[g, level], rows.sum(axis=0), atol=TOLERANCE
                )
    for name, role in data.roles.items():
        expected = [(x[role.complete() == i] ** 2).sum(axis=0) for i in range(role.n_levels + 1)]
        assert np.allclose(moments.levels[name].squares, expected, atol=TOLERANCE)
    codes = strata(data)
    share = raw / size[:, None]
    for s in range(codes.max() + 1):
        expected = (share[codes == s] ** 2).sum(axis=0)
        assert np.allclose(moments.strata.squares[s], expected, atol=TOLERANCE)


def test_row_sample_holds_the_rows(adata, data, moments):
    _, _, x = plain(adata, data)
    assert np.array_equal(moments.sample.rows, data.splits.sample)
    assert np.allclose(moments.sample.values, x[moments.sample.rows], atol=TOLERANCE)


def test_equal_rows_have_equal_fingerprints_and_others_do_not(adata, data, moments):
    raw, _, _ = plain(adata, data)
    assert np.array_equal(moments.prints.filled, (raw != 0).sum(axis=1))
    assert len(np.unique(moments.prints.fingerprint)) == len(np.unique(raw, axis=0))
    again = ad.AnnData(adata.X[[5, 7, 5]], adata.obs.iloc[[5, 7, 5]].set_axis(list("abc")))
    repeated = ad.concat([adata, ad.AnnData(again.X, again.obs, adata.var)], merge="same")
    prints = Moments.of(Dataset.open(repeated)).prints.fingerprint
    assert np.array_equal(prints[230:], prints[[5, 7, 5]])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_fingerprints_of_many_similar_rows_differ(kind):
    """100,000 rows of a few small values each: none shares its number with another."""
    rng = np.random.default_rng(0)
    rows = np.zeros((100_000, 24))
    rows[:, :6] = rng.integers(0, 12, (100_000, 6)).astype(kind) / kind(3)
    found = fingerprints(rows, _hash_keys(24))
    assert len(np.unique(found)) == len(np.unique(rows, axis=0))
    assert fingerprints(-rows[:1] * 0, _hash_keys(24)) == fingerprints(rows[:1] * 0, _hash_keys(24))


@settings(max_examples=12, deadline=None)
@given(rows=st.integers(1, 240))
def test_any_block_size(data, moments, rows):
    other = Moments.of(with_blocks(data, rows))
    assert_same(other, moments)
    assert np.array_equal(other.prints.fingerprint, moments.prints.fingerprint)


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(0, 230))
def test_moments_of_parts_add_up(data, moments, cut):
    parts = Moments.of(data, rows=slice(0, cut)) + Moments.of(data, rows=slice(cut, None))
    assert_same(parts, moments)


def test_worker_count_changes_no_bit(data):
    one, two = (Moments.of(replace(data, engine=Engine(jobs))) for jobs in (1, 2))
    assert_same(one, two, tolerance=0.0)


@pytest.mark.parametrize("storage", ["dense", "csc", "csr_array", "int", "h5ad", "h5ad_csc", "csv"])
def test_any_storage(adata, moments, storage, tmp_path):
    other = adata.copy()
    dense = np.asarray(adata.X.todense())
    kinds = {"dense": dense, "csc": sp.csc_matrix(dense), "csr_array": sp.csr_array(dense)}
    if storage in kinds:
        other.X = kinds[storage]
    if storage == "int":
        other.X = sp.csr_matrix(dense.astype(np.int32))
    if storage == "h5ad_csc":
        other.X = sp.csc_matrix(dense)
    source = other
    if storage.startswith("h5ad"):
        other.write_h5ad(tmp_path / "x.h5ad", compression="gzip")
        source = tmp_path / "x.h5ad"
    if storage == "csv":
        pd.DataFrame(dense, adata.obs_names, adata.var_names).to_csv(tmp_path / "x.csv.gz")
        names = list(adata.var_names[adata.var["is_regulator"]])
        opened = Dataset.open(tmp_path / "x.csv.gz", regulators=names)
        bare = adata.copy()
        bare.obs = bare.obs[[]]
        assert_same(Moments.of(opened), Moments.of(Dataset.open(bare, regulators=names)))
        return
    assert_same(Moments.of(Dataset.open(source)), moments)


def test_backed_equals_memory(adata, moments, tmp_path):
    adata.write_h5ad(tmp_path / "x.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    assert_same(Moments.of(Dataset.open(backed)), moments)
    assert backed.isbacked


def test_large_offsets_lose_nothing():
    """Values around one million with unit variance: the shift keeps the digits."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 10)) + 1e6
    adata = ad.AnnData(x.copy())
    data = Dataset.open(adata, regulators=["0", "1", "2"])
    # Non-integer values of this size are read as counts-like; switch that off.
    data = replace(data, size_factors=None)
    r = Moments.of(data).total().correlation()
    expected = np.corrcoef(x[:, data.panel.genes], rowvar=False)[:3]
    assert np.allclose(r, expected, atol=1e-8)


def test_moments_with_different_shifts_do_not_add(moments):
    with pytest.raises(ValueError, match="different shifts"):
        moments + replace(moments, shift=moments.shift + 1)


def test_permuting_cells_keeps_sums_and_genes_keep_their_order(adata):
    order = np.random.default_rng(1).permutation(adata.n_obs)
    a = Moments.of(Dataset.open(adata)).total()
    b = Moments.of(Dataset.open(adata[order].copy())).total()
    assert np.allclose(a.correlation(), b.correlation(), atol=1e-10)
