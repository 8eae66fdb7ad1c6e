"""Effective size of whole data sets."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.dependence import dependence
from infocheck.independence import (
    deciding,
    distinct_rows,
    effective_interval,
    effective_size,
    sizes,
    with_more_cells,
)
from infocheck.moments import Moments
from infocheck.simulate import simulate
from infocheck.stats import clustering


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


def bare(adata):
    other = adata.copy()
    other.obs = other.obs[[]]
    return other


@pytest.fixture(scope="module")
def sound():
    return simulate(n_obs=900, n_genes=240, n_regulators=40, donors=9, batches=3, seed=3)


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


def test_more_cells_of_the_same_donors_follow_the_design_effect():
    """Equal donors: ``kN / (1 + (km - 1) d)``, and what as many cells really have."""
    planted = {"n_genes": 200, "donors": 10, "batches": 1, "donor_share": 0.6, "depth": 20_000}
    data = opened(simulate(600, seed=4, **planted))
    now = effective_size(data)
    product = (600 / now - 1) / (60 - 1)
    assert with_more_cells(data, 2.0) == pytest.approx(1200 / (1 + (120 - 1) * product), rel=1e-9)
    assert with_more_cells(data, 1.0) == pytest.approx(now)
    assert now < with_more_cells(data, 2.0) < 1.5 * now
    real = effective_size(opened(simulate(1200, seed=4, **planted)))
    assert with_more_cells(data, 2.0) == pytest.approx(real, rel=0.25)
    # No more than in proportion, and in proportion where nothing is labelled.
    assert with_more_cells(opened(bare(simulate(600, seed=4, **planted))), 2.0) == 1200


def test_the_interval_holds_the_size(sound):
    for adata in (sound, bare(sound)):
        data = opened(adata)
        low, high = effective_interval(data)
        assert low <= effective_size(data) <= high
        assert (low < high) == ("donor" in data.roles)
