"""Files of several modalities: RNA is read, protein stands beside it."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.errors import InputError
from infocheck.source import open_source

mudata = pytest.importorskip("mudata", reason="the extra mudata is not installed")

# mudata announces changes to come whenever an object is made.
pytestmark = pytest.mark.filterwarnings("ignore:::mudata")
GENES = ["STAT1", "JUN", "FOS", "CD4", "CD14", "ACTB"]


def both(rna: str = "rna", seed: int = 0):
    rng = np.random.default_rng(seed)
    names = [f"c{i}" for i in range(40)]
    expression = anndata.AnnData(
        rng.poisson(4.0, size=(40, 6)).astype(float),
        obs=pd.DataFrame({"donor": [f"d{i % 8}" for i in range(40)]}, index=names),
        var=pd.DataFrame({"is_regulator": [True] * 3 + [False] * 3}, index=GENES),
    )
    # Other rows in another order.
    order = names[39:4:-1]
    protein = anndata.AnnData(
        np.array([[int(name[1:]), 1.0] for name in order]),
        obs=pd.DataFrame(index=order),
        var=pd.DataFrame(index=["CD4", "IgG1"]),
    )
    return mudata.MuData({rna: expression, "prot": protein})


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "cells.h5mu"
    both().write(file)
    return file


@pytest.mark.parametrize("how", ["file", "memory"])
def test_rows_of_both_modalities_are_matched_by_name(path, how):
    source = open_source(path if how == "file" else both())
    data = Dataset.open(source)
    assert data.n == 35
    found = data.evidence.proteins
    assert found.place == "mod['prot']"
    assert list(found.gene) == [GENES.index("CD4"), -1]
    numbers = [int(name[1:]) for name in source.obs.index[data.splits.sample]]
    np.testing.assert_array_equal(found.values[:, 0], numbers)
    assert "donor" in data.roles


def test_the_digest_is_that_of_the_file(path):
    import hashlib

    assert open_source(path).digest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_a_modality_of_rna_it_is_refused(tmp_path):
    both("atac").write(tmp_path / "x.h5mu")
    with pytest.raises(InputError, match="rename the one that holds RNA"):
        open_source(tmp_path / "x.h5mu")


def test_a_broken_file_is_refused(tmp_path):
    import h5py

    with h5py.File(tmp_path / "x.h5mu", "w") as file:
        file["nothing"] = 1
    with pytest.raises(InputError, match=r"x\.h5mu"):
        open_source(tmp_path / "x.h5mu")


def test_a_modality_can_be_named(path):
    assert Dataset.open(path, protein="prot").evidence.proteins.place == "mod['prot']"
    with pytest.raises(InputError, match="there is no 'proteins'"):
        Dataset.open(path, protein="proteins")
