"""Which genes enter: regulators first, then targets and the stability sample."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck import panel as panels
from infocheck.dataset import Dataset
from infocheck.errors import InputError
from infocheck.simulate import simulate


@pytest.fixture(scope="module")
def adata():
    return simulate(n_obs=80, n_genes=300, n_regulators=20, constant_genes=10)


def test_regulators_lead_and_nothing_occurs_twice(adata):
    panel = Dataset.open(adata).panel
    assert panel.p == 20
    assert len(np.unique(panel.genes)) == len(panel.genes)
    assert set(panel.genes[:20]) == set(range(20))
    assert len(panel.sampled) == 150
    assert (panel.sampled >= 20).all()
    assert (panel.own == -1).all()
    assert len(panel.genes) == 290


def test_positions_point_at_the_same_genes(adata):
    panel = Dataset.open(adata, targets=30).panel
    assert len(panel.targets) == 30
    assert np.array_equal(panel.half_columns[panel.half_targets], panel.sampled)


def test_every_gene_a_regulator(adata):
    panel = Dataset.open(adata, regulators="all").panel
    assert panel.p == 290
    assert len(panel.sampled) == 24
    assert np.array_equal(panel.own, panel.sampled)
    assert np.array_equal(panel.half_columns[panel.half_targets], panel.sampled)


def test_regulators_beyond_the_cap_are_measured_but_do_not_lead(adata, monkeypatch):
    monkeypatch.setattr(panels, "MAX_REGULATORS", 5)
    data = Dataset.open(adata)
    assert data.panel.p == 5
    assert len(data.panel.expressed) == 20
    assert set(data.panel.genes[data.panel.expressed]) == set(range(20))
    assert any("5 of 20 varying regulators" in note for note in data.notes)


def test_targets_by_file_number_and_word(adata, tmp_path):
    names = tmp_path / "targets.txt"
    names.write_text("\n".join(adata.var_names[30:40]))
    data = Dataset.open(adata, targets=names)
    assert set(data.names(data.panel.targets)) == set(adata.var_names[30:40])
    assert len(Dataset.open(adata, targets="all").panel.targets) == 270
    for wrong, match in (("0", "at least 1"), ("no.txt", "no such file")):
        with pytest.raises(InputError, match=match):
            Dataset.open(adata, targets=wrong)
    names.write_text("nobody\n")
    with pytest.raises(InputError, match="none of its 1 names"):
        Dataset.open(adata, targets=names)


def test_over_dispersed_genes_come_first():
    rng = np.random.default_rng(0)
    import anndata as ad

    x = rng.poisson(5, (400, 40)).astype(float)
    x[:, 10:15] = rng.poisson(5 * rng.gamma(1, 1, (400, 5)))
    data = Dataset.open(ad.AnnData(x), regulators=["0", "1", "2"], targets=5)
    assert set(data.names(data.panel.targets)) == {"10", "11", "12", "13", "14"}
