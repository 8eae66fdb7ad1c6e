"""Effective size and shared noise of whole data sets, with planted defects."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.independence import (
    deciding,
    dependence,
    dependence_table,
    distinct_rows,
    effective_size,
    seen,
    sizes,
)
from infocheck.moments import Moments
from infocheck.simulate import simulate
from infocheck.stats import clustering
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


def bare(adata):
    other = adata.copy()
    other.obs = other.obs[[]]
    return other


def pools(values, k):
    """Each row and its nearest others, k in all, in 20 leading directions."""
    centred = values - values.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    return np.column_stack([np.arange(len(values)), nearest(u[:, :20] * s[:20], k - 1)])


@pytest.fixture(scope="module")
def sound():
    return simulate(n_obs=900, n_genes=240, n_regulators=40, donors=9, batches=3, seed=3)


# --- effective size ----------------------------------------------------------------------


def test_unlabelled_rows_count_as_independent(sound):
    assert effective_size(opened(bare(sound))) == 900


def test_size_of_donors_equals_the_formulas(sound):
    """Donors alone; ICCs from the values by hand, median over all pairs; to 1e-8."""
    only = sound.copy()
    only.obs = only.obs[["donor"]]
    data = opened(only)
    values = values_of(only)[:, data.panel.genes]
    code = data.roles["donor"].codes
    n = np.bincount(code).astype(float)
    total = np.stack([values[code == i].sum(axis=0) for i in range(9)])
    icc = clustering.intraclass_correlation(n, total, (values**2).sum(axis=0))
    icc = clustering.corrected(icc, n)
    pairs = clustering.effective_size(n, icc[: data.panel.p], icc[data.panel.sampled])
    assert effective_size(data) == pytest.approx(np.median(pairs), rel=1e-8)
    (size,) = sizes(data)
    assert size.tenth <= size.low <= size.median <= size.high
    assert (size.levels, size.rows) == (9, 900)


def test_the_smaller_of_donor_and_batch_counts(sound):
    found = {size.role: size.median for size in sizes(opened(sound))}
    assert set(found) == {"donor", "batch"}
    # Three batches say too little to count below the upper end of their interval.
    known = [size for size in sizes(opened(sound)) if size.is_known]
    assert [size.role for size in known] == ["donor"]
    assert effective_size(opened(sound)) == found["donor"]
    assert deciding(sizes(opened(sound))).role == "donor"


def test_few_batches_count_by_the_upper_end_of_their_interval(sound):
    """Nothing may be called impossible because of a size that three levels gave."""
    alone = sound.copy()
    del alone.obs["donor"]
    (size,) = sizes(opened(alone))
    assert not size.is_known
    assert effective_size(opened(alone)) == min(size.high, 900)
    assert deciding([size]) is size


def test_donor_variance_lowers_the_size():
    one, more = (
        effective_size(opened(simulate(n_obs=600, donors=12, donor_share=s, batch_share=0, seed=1)))
        for s in (0.02, 0.4)
    )
    assert more < one / 3


def test_repeating_every_row_leaves_the_size_unchanged(sound):
    doubled = ad.concat([sound, sound], index_unique="-")
    doubled.var = sound.var.copy()
    once, twice = opened(sound), opened(doubled)
    assert distinct_rows(twice) == distinct_rows(once) == 900
    assert twice.n == 1800
    assert effective_size(twice) == pytest.approx(effective_size(once), rel=1e-6)
    assert "Rows" in found(doubled)


def test_rows_without_a_label_do_not_act_as_donors(sound):
    """A third unlabelled: about the size with all labels (10 %), not a donor each."""
    some = sound.copy()
    some.obs = some.obs[["donor"]].astype(object)
    whole = effective_size(opened(some))
    some.obs.iloc[::3, 0] = None
    assert effective_size(opened(some)) == pytest.approx(whole, rel=0.1)
    assert sizes(opened(some))[0].rows == 600


def test_two_donors_cannot_tell(sound):
    """With few levels the interval reaches far down."""
    two = sound.copy()
    two.obs = pd.DataFrame({"donor": np.arange(900) % 2}, index=two.obs_names).astype(str)
    (size,) = sizes(opened(two))
    assert size.low < 20
    assert size.high == pytest.approx(900)


def test_a_time_series_is_autocorrelated():
    """First-order series of .8 in all genes: n (1 - .64) / (1 + .64), within 15 %."""
    rng, n = np.random.default_rng(0), 1500
    x = np.empty((n, 60))
    x[0] = rng.normal(size=60)
    for i in range(1, n):
        x[i] = 0.8 * x[i - 1] + 0.6 * rng.normal(size=60)
    adata = ad.AnnData(x + 9, obs=pd.DataFrame({"time": np.arange(n)}, [f"t{i}" for i in range(n)]))
    adata.var["is_regulator"] = np.arange(60) < 20
    (size,) = sizes(opened(adata))
    expected = n * 0.36 / 1.64
    assert size.role == "time"
    assert size.median == pytest.approx(expected, rel=0.15)
    assert size.low < expected < size.high
    assert effective_size(opened(adata)) == size.median


def test_near_empty_rows_repeat_by_chance():
    """Three counts in a row: many rows are equal, and each is a cell of its own."""
    rng = np.random.default_rng(1)
    counts = rng.multinomial(3, np.full(12, 1 / 12), size=400).astype(float)
    data = opened(ad.AnnData(counts), regulators=["0", "1", "2", "3"])
    assert distinct_rows(data) == 400


# --- shared noise ------------------------------------------------------------------------


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
    assert seen(table) == ""
    table.loc[1, ["found", "reason"]] = [True, "rows share reads"]
    table.loc[3, ["found", "reason"]] = [True, "rows fill 3 directions"]
    assert seen(table) == "rows share reads and rows fill 3 directions"
    assert seen(None) == ""


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
