"""What stands beside expression is found, matched and refused in one sentence."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.errors import InputError
from infocheck.evidence import guides, half_lives, proteins
from infocheck.source import open_source


def small(n: int = 40, **parts: object) -> anndata.AnnData:
    rng = np.random.default_rng(0)
    names = ["STAT1", "JUN", "FOS", "GATA1", "CD3E", "CD4", "ACTB", "MYC"]
    return anndata.AnnData(
        rng.poisson(5.0, size=(n, len(names))).astype(float),
        obs=pd.DataFrame(index=[f"c{i}" for i in range(n)]),
        var=pd.DataFrame({"is_regulator": [True] * 4 + [False] * 4}, index=names),
        **parts,
    )


def with_protein(columns: list[str]) -> anndata.AnnData:
    adata = small()
    values = np.arange(adata.n_obs * len(columns), dtype=float).reshape(adata.n_obs, -1)
    adata.obsm["protein"] = pd.DataFrame(values, index=adata.obs_names, columns=columns)
    return adata


def test_protein_in_obsm_is_found_matched_and_read_for_the_rows_of_the_sample():
    adata = with_protein(["cd3e", "CD4", "IgG1"])
    adata.X[3] = 0  # this row is left out
    data = Dataset.open(adata)
    found = data.evidence.proteins
    assert found.guessed
    assert found.place == "obsm['protein']"
    assert list(found.gene) == [4, 5, -1]
    expected = np.delete(adata.obsm["protein"].to_numpy(), 3, axis=0)
    np.testing.assert_array_equal(found.values, expected[data.splits.sample])
    assert any("isotype controls (IgG1)" in note for note in data.notes)


def test_genes_of_proteins_and_of_perturbations_are_measured():
    adata = with_protein(["ACTB"])
    adata.obs["perturbation"] = np.where(np.arange(40) % 2, "MYC-KO", "control")
    data = Dataset.open(adata, targets=1)
    assert {6, 7} <= set(data.panel.genes)
    assert data.evidence.guides.targets["MYC-KO"] == (7,)


def test_a_protein_map_gives_genes_of_other_names(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text("protein,gene\nanti-T3,CD3E\n")
    found, notes = proteins.find(open_source(with_protein(["anti-T3", "CD4"])), None, path)
    assert list(found.gene) == [4, 5]
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"protein": "protien"}, "did you mean 'protein'"),
        ({"half_lives": "no-such.csv"}, "there is no file"),
        ({"guide": "guide"}, "needs a perturbation"),
        ({"regulons": pd.DataFrame({"x": ["a"]})}, "."),
    ],
)
def test_what_the_user_named_and_is_not_there_is_refused(options, said):
    with pytest.raises(InputError, match=said):
        Dataset.open(with_protein(["CD4"]), **options)


def test_proteins_without_names_are_refused_where_named_and_noted_where_guessed():
    adata = small()
    adata.obsm["protein"] = np.ones((40, 2))
    with pytest.raises(InputError, match="no names"):
        Dataset.open(adata, protein="protein")
    data = Dataset.open(adata)
    assert data.evidence.proteins is None
    assert any("no names" in note for note in data.notes)


def test_a_layer_of_protein_has_the_genes_of_the_data():
    adata = small()
    adata.layers["protein"] = adata.X * 2
    found, _ = proteins.find(open_source(adata), None, None)
    assert list(found.gene) == list(range(8))
    np.testing.assert_array_equal(found.at(np.array([1, 5])).values, adata.X[[1, 5]] * 2)


def test_half_lives_are_aligned_and_another_species_is_noticed():
    table = pd.DataFrame(
        {"gene": ["Stat1", "Jun", "Nope"], "mrna_h": [2.0, None, 1.0], "protein_h": [20, 4, 5]}
    )
    lives, notes = half_lives.read(table, np.array(["JUN", "X", "STAT1"]))
    np.testing.assert_array_equal(lives.mrna, [np.nan, np.nan, 2.0])
    np.testing.assert_array_equal(lives.protein, [4.0, np.nan, 20.0])
    assert lives.folded
    assert lives.n_pairs == 1
    assert "species" in " ".join(notes)


@pytest.mark.parametrize("bad", [0, -1, "long", np.inf])
def test_impossible_half_lives_are_refused(bad):
    table = pd.DataFrame({"gene": ["JUN"], "mrna": [bad], "protein": [4.0]})
    with pytest.raises(InputError, match="hours above 0"):
        half_lives.read(table, np.array(["JUN"]))


@pytest.mark.parametrize(
    ("level", "parts", "targets"),
    [
        ("STAT1", ("STAT1",), (0,)),
        ("STAT1g2", ("STAT1g2",), (0,)),
        ("JUN_KO", ("JUN_KO",), (1,)),
        ("JUN+ctrl", ("JUN",), (1,)),
        ("JUN+FOS", ("JUN", "FOS"), (1, 2)),
        ("JUN_FOS", ("JUN", "FOS"), (1, 2)),
        ("multi", ("multi",), ()),
        ("control", (), ()),
    ],
)
def test_labels_of_perturbations_are_taken_apart(level, parts, targets):
    adata = small()
    adata.obs["perturbation"] = np.where(np.arange(40) % 2, level, "other")
    adata.obs.loc["c0", "perturbation"] = "control"
    data = Dataset.open(adata)
    found = data.evidence.guides
    assert found.parts[level] == parts
    assert found.targets[level] == targets


def test_a_column_of_guides_is_guessed():
    adata = small()
    adata.obs["perturbation"] = np.where(np.arange(40) % 2, "JUN", "control")
    adata.obs["sgRNA"] = [f"g{i % 6}" for i in range(40)]
    found, notes = guides.find(
        adata.obs, adata.var_names.to_numpy(), Dataset.open(adata).roles["perturbation"], None
    )
    assert found.guide.n_levels == 6
    assert "sgRNA" in notes[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\n", "no columns"),
        (b"\x00,\x01\n", "no columns"),
        (b"gene,mrna,protein\nJUN,1,\xff\n", "no text"),
        (b"gene,x,y\nJUN,1,2\n", "it needs columns"),
        (b"gene,mrna,protein\n", "none of its 0 genes"),
        (b"", "cannot be read"),
    ],
)
def test_broken_tables_are_refused_in_one_sentence(tmp_path, content, said):
    path = tmp_path / "hours.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as refused:
        half_lives.read(path, np.array(["JUN"]))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_tables_are_read_with_any_usual_separator(tmp_path, separator):
    path = tmp_path / "hours.txt"
    path.write_text(f"gene{separator}mRNA{separator}protein\n")
    with path.open("a") as file:
        file.write(f"JUN{separator}1.5{separator}4\n")
    lives, _ = half_lives.read(path, np.array(["JUN"]))
    assert lives.mrna[0] == 1.5


@pytest.mark.parametrize(
    ("content", "said"),
    [("one\n", "no columns"), ("x,CD4\n", "names none of the 2 proteins"), ("", "cannot be read")],
)
def test_maps_that_cannot_be_used_are_refused(tmp_path, content, said):
    path = tmp_path / "map.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        proteins.find(open_source(with_protein(["anti-T3", "CD4"])), None, path)
