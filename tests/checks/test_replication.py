"""Agreement between groups: sees a group of another network, passes sound data."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd

from infocheck.checks.replication import Replication
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.result import Status
from infocheck.simulate import simulate


def run(adata, **options):
    data = Dataset.open(adata, **options)
    return Replication().run(data.with_moments(Moments.of(data)), seed=0)


def two_networks(differ):
    """Four batches; in the last one targets follow other regulators where asked for."""
    rng = np.random.default_rng(1)
    batch = np.arange(1200) % 4
    x = rng.normal(size=(1200, 12))
    parent = np.where(differ & (batch == 3), 6, 0)[:, None] + np.arange(60)[None] % 6
    y = 0.7 * np.take_along_axis(x, parent, axis=1) + 0.7 * rng.normal(size=(1200, 60))
    names = [f"g{i:02d}" for i in range(72)]
    var = pd.DataFrame({"is_regulator": np.arange(72) < 12}, index=names)
    obs = pd.DataFrame({"batch": [f"b{i}" for i in batch]}, index=[f"c{i}" for i in range(1200)])
    return anndata.AnnData(np.hstack([x, y]), obs, var)


def test_sees_a_batch_with_another_network():
    result = run(two_networks(differ=True))
    assert result.verdict.status is Status.BORDERLINE  # it explains, and decides nothing
    assert "fewer than" in result.verdict.reason
    assert "Correlations differ between levels of batch" in result.verdict.reason
    level = result.tables["replication"].set_index("level")["found_again"]
    assert level.idxmin() == "b3"
    named = result.tables["regulators"].set_index("regulator")["differs_between"]
    assert (named == "batch").sum() >= 6


def test_passes_sound_data():
    result = run(two_networks(differ=False))
    assert "not clearly fewer" in result.verdict.reason
    assert "do not differ" in result.verdict.reason
    assert set(result.figures()) == {"replication"}


def test_without_groups_it_is_not_assessed():
    adata = simulate(300, 60, 12, donors=2, batches=1, condition=None, seed=1)
    adata.obs = adata.obs.drop(columns=list(adata.obs.columns))
    result = run(adata)
    assert result.verdict.status is Status.NOT_ASSESSED
    assert "Bring" in result.verdict.reason
