"""Rows that share noise are found, and honest ones are not flagged."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.dependence import dependence, dependence_table
from infocheck.moments import Moments
from infocheck.result import findings
from infocheck.simulate import simulate
from infocheck.stats.shared_noise import nearest


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def found(adata, **options):
    return {
        finding.test.split()[0] for finding in dependence(opened(adata, **options)) if finding.found
    }


def values_of(adata):
    counts = np.asarray(adata.X.todense(), dtype=float)
    size = counts.sum(axis=1) / np.median(counts.sum(axis=1))
    return np.log1p(counts / size[:, None])


def with_values(adata, values):
    return ad.AnnData(np.ascontiguousarray(values), obs=adata.obs.copy(), var=adata.var.copy())


def pools(values, k):
    """Each row and its nearest others, k in all, in 20 leading directions."""
    centred = values - values.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    return np.column_stack([np.arange(len(values)), nearest(u[:, :20] * s[:20], k - 1)])


@pytest.fixture(scope="module")
def sound():
    return simulate(n_obs=900, n_genes=240, n_regulators=40, donors=9, batches=3, seed=3)


@pytest.mark.parametrize("options", [{}, {"depth": 300}, {"cell_types": 5}, {"donor_share": 0.4}])
def test_separate_cells_are_not_flagged(options):
    adata = simulate(n_obs=700, n_genes=240, seed=4, **options)
    assert found(adata) == set()
    assert found(with_values(adata, values_of(adata))) == set()


def test_pooled_cells_are_found(sound):
    """Overlapping metacells of 15, sums of counts; reads of shallow cells, else residuals."""
    shallow = simulate(n_obs=900, n_genes=240, depth=300, seed=4)
    for adata in (sound, shallow):
        counts = np.asarray(adata.X.todense(), dtype=float)
        pooled = counts[pools(values_of(adata), 15)].sum(axis=1)
        assert found(with_values(adata, pooled)) & {"Difference", "Noise"}


def test_smoothed_and_rounded_counts_are_found(sound):
    counts = np.asarray(sound.X.todense(), dtype=float)
    rounded = np.rint(counts[pools(values_of(sound), 8)].mean(axis=1))
    assert "Difference" in found(with_values(sound, rounded))


@pytest.mark.parametrize("k", [5, 15])
def test_smoothed_values_are_found(sound, k):
    values = values_of(sound)
    assert "Noise" in found(with_values(sound, values[pools(values, k)].mean(axis=1)))


def test_values_rebuilt_from_components_are_found(sound):
    values = values_of(sound).astype(np.float32)
    mean = values.mean(axis=0)
    u, s, v = np.linalg.svd(values - mean, full_matrices=False)
    rebuilt = (u[:, :20] * s[:20]) @ v[:20] + mean
    assert "Directions" in found(with_values(sound, rebuilt))


def test_the_table_says_what_was_found(sound):
    table = dependence_table(opened(sound))
    assert len(table) == 4
    assert findings(table) == ""
    table.loc[1, ["found", "reason"]] = [True, "rows share reads"]
    table.loc[3, ["found", "reason"]] = [True, "rows fill 3 directions"]
    assert findings(table) == "rows share reads and rows fill 3 directions"
    assert findings(None) == ""


def test_findings_are_the_same_every_time(sound):
    data = opened(sound)
    pd.testing.assert_frame_equal(dependence_table(data), dependence_table(data))


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [
        "beeline_mESC_TF500",
        "bsubtilis_arrieta2015",
        "dream4_100_net1_interventions",
        "kang_pbmc_ifnb_donors",
        "pbmc68k_reduced",
        "syntren300_grndata",
        "tcga_brca_ncutyx",
    ],
)
def test_real_data_and_simulators_are_not_flagged(shared, name):
    assert found(shared / "data" / f"{name}.h5ad") == set()
