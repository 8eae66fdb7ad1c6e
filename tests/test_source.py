"""Bad files are refused early, with one clear sentence, and nothing is written."""

from __future__ import annotations

import gzip

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.errors import InputError
from infocheck.simulate import simulate
from infocheck.source import open_source


@pytest.fixture
def adata():
    return simulate(n_obs=60, n_genes=30, n_regulators=6, donors=6, batches=2)


def refused(source, match, **options):
    with pytest.raises(InputError, match=match) as caught:
        Dataset.open(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 400
    return message


def test_missing_file_directory_and_empty_file(tmp_path):
    refused(tmp_path / "no.h5ad", "no such file")
    refused(tmp_path, "is a directory")
    (tmp_path / "empty.h5ad").touch()
    refused(tmp_path / "empty.h5ad", "is empty")


def test_not_hdf5_and_truncated(tmp_path, adata):
    text = tmp_path / "text.h5ad"
    text.write_text("gene,cell\n1,2\n")
    refused(text, "not an HDF5 file")
    whole = tmp_path / "whole.h5ad"
    adata.write_h5ad(whole)
    cut = tmp_path / "cut.h5ad"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    refused(cut, "truncated|cannot be read")


def test_no_x_in_file_or_memory(tmp_path, adata):
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["matrix"] = [1, 2]
    refused(tmp_path / "other.h5ad", "no X")
    bare = ad.AnnData(obs=adata.obs, var=adata.var)
    refused(bare, "no X")
    bare.write_h5ad(tmp_path / "bare.h5ad")
    refused(tmp_path / "bare.h5ad", "no X")


def test_other_objects_are_refused():
    refused([1, 2, 3], "a path or an AnnData, not list")


@pytest.mark.parametrize("storage", ["sparse", "dense"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_say_where_and_how_many(adata, storage, value):
    if storage == "dense":
        adata.X = np.asarray(adata.X.todense())
        adata.X[[7, 9], [3, 4]] = value
    else:
        x = adata.X.tolil()
        x[7, 3], x[9, 4] = value, value
        adata.X = x.tocsr()
    message = refused(adata, "2 values")
    assert repr(str(adata.obs_names[7])) in message
    assert repr(str(adata.var_names[3])) in message


def test_repeated_names(adata):
    genes = adata.copy()
    genes.var_names = ["A", "A", *genes.var_names[2:]]
    refused(genes, "gene names occur more than once, for instance 'A'")
    cells = adata.copy()
    cells.obs_names = ["c", "c", *cells.obs_names[2:]]
    refused(cells, "cell names occur more than once")


def test_empty_small_and_constant(adata):
    refused(adata[:0].copy(), "no observations")
    refused(adata[:, :0].copy(), "no genes")
    refused(adata[:4].copy(), "4 observations")
    flat = adata.copy()
    flat.X = np.ones(adata.shape)
    refused(flat, "no gene varies")


def test_few_regulators(adata):
    message = refused(adata, "regulator", regulators=[adata.var_names[0]])
    assert "--regulators" in message


def test_named_counts_must_be_counts(adata):
    adata.layers["scaled"] = np.asarray(adata.X.todense()) - 1e5
    refused(adata, "negative values", counts="scaled")
    adata.layers["half"] = np.asarray(adata.X.todense()) * 0.5
    refused(adata, "not whole numbers", counts="half")
    adata.layers["counts"] = adata.X.copy()
    refused(adata, "did you mean 'counts'", counts="count")


def test_counts_layer_is_found_and_a_wrong_one_dropped_with_a_note(adata):
    adata.layers["counts"] = adata.X.copy()
    adata.X = np.log1p(np.asarray(adata.X.todense()))
    data = Dataset.open(adata)
    assert data.layer == "counts"
    assert data.is_counts
    adata.layers["counts"] = adata.X.copy()
    data = Dataset.open(adata)
    assert data.layer == "X"
    assert any("not counts" in note for note in data.notes)


def test_tables_both_ways(tmp_path, adata):
    names = list(adata.var_names[:6])
    frame = pd.DataFrame(np.asarray(adata.X.todense()), adata.obs_names, adata.var_names)
    frame.to_csv(tmp_path / "a.csv")
    frame.T.to_csv(tmp_path / "b.tsv.gz", sep="\t")
    a = Dataset.open(tmp_path / "a.csv", regulators=names)
    b = Dataset.open(tmp_path / "b.tsv.gz", regulators=names, transpose=True)
    assert list(a.genes) == list(b.genes) == list(adata.var_names)
    assert a.is_counts
    assert a.n_obs == b.n_obs == 60


def test_tables_that_are_none(tmp_path):
    repeated = tmp_path / "repeated.csv"
    repeated.write_text("cell,A,A,B\n" + "".join(f"c{i},1,2,{i}\n" for i in range(9)))
    refused(repeated, "column names occur more than once")
    words = tmp_path / "words.csv"
    words.write_text("cell,A,B,C\n" + "".join(f"c{i},1,x,{i}\n" for i in range(9)))
    refused(words, "hold text, the first 'B'")
    separator = tmp_path / "separator.tsv"
    separator.write_text("cell,A,B,C\nc1,1,2,3\n")
    refused(separator, "one column only")
    with gzip.open(tmp_path / "cut.csv.gz", "wb") as file:
        file.write(b"cell,A,B\n" + b"c,1,2\n" * 5000)
    whole = (tmp_path / "cut.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.csv.gz", "cannot be read")


def test_genes_in_rows_suggest_transpose(tmp_path):
    genes = ["GATA1", "GATA2", "SOX2", "SOX9", "ACTB", "GAPDH", "ALB"]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.poisson(5, (7, 20)), genes, [f"cell{i}" for i in range(20)])
    frame.to_csv(tmp_path / "turned.csv")
    refused(tmp_path / "turned.csv", "--transpose")


def test_transpose_is_for_tables(tmp_path, adata):
    adata.write_h5ad(tmp_path / "x.h5ad")
    refused(tmp_path / "x.h5ad", "--transpose is for", transpose=True)


def test_reading_never_touches_uns_or_unnamed_columns(tmp_path, adata):
    adata.write_h5ad(tmp_path / "x.h5ad")
    with h5py.File(tmp_path / "x.h5ad", "a") as file:
        del file["uns"]
        file["uns"] = np.arange(3)  # unreadable as a mapping
        file["var"]["is_gold_source"] = np.array(["broken"], dtype="S6")
    source = open_source(tmp_path / "x.h5ad")
    assert list(source.genes) == list(adata.var_names)
    assert Dataset.open(tmp_path / "x.h5ad").n == 60
