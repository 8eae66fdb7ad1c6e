"""Protein of the same cells: counts and values, isotype controls, cell types, normalisation."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr

from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.proxies import coupling, protein
from infocheck.proxies.protein import ACROSS, BACKGROUND, EACH, FEW, NOISY, Pairs, _without

REGULATORS, GENES = 6, 30
NAMES = [f"TF{i}" for i in range(REGULATORS)] + [f"G{i}" for i in range(REGULATORS, GENES)]


def planted(
    rng,
    n=600,
    rho=0.6,
    *,
    mean=4.0,
    protein_mean=30.0,
    counted=True,
    counts=True,
    stain=0.0,
    controls=0,
    shifts=None,
):
    """Cells whose first ten genes have a protein that follows their mRNA at ``rho``.

    ``stain`` is the standard deviation of how well a cell takes up any antibody.
    """
    z = rng.normal(size=(2, n, GENES))
    if shifts is not None:
        z[0] += shifts
    mrna, other = z
    follow = rho * mrna + np.sqrt(1 - rho**2) * other
    expected = mean * np.exp(0.7 * mrna - 0.25)
    values = rng.poisson(expected).astype(float) if counts else 0.7 * mrna
    uptake = np.exp(stain * rng.normal(size=(n, 1)))
    columns = NAMES[:10]
    of_protein = protein_mean * np.exp(0.8 * follow[:, :10] - 0.32) * uptake
    of_protein = rng.poisson(of_protein).astype(float) if counted else np.log(of_protein)
    if controls:
        background = rng.poisson(3.0 * uptake * np.ones((1, controls))).astype(float)
        of_protein = np.hstack([of_protein, background])
        columns = columns + [f"IgG{i + 1}" for i in range(controls)]
    adata = anndata.AnnData(
        values,
        var=pd.DataFrame({"is_regulator": np.arange(GENES) < REGULATORS}, index=NAMES),
    )
    adata.obsm["protein"] = pd.DataFrame(of_protein, index=adata.obs_names, columns=columns)
    return adata


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def table(data):
    return protein.compared(data, coupling.stream(0, protein.KEY))


def test_raw_correlations_are_those_of_scipy():
    """To 1e-12, counts and values (seed 0)."""
    for counted in (True, False):
        data = opened(planted(np.random.default_rng(0), counted=counted))
        found = table(data)
        values = data.evidence.proteins.values
        for j, name in enumerate(found["protein"]):
            gene = list(data.genes[data.panel.genes]).index(name)
            mrna = data.moments.sample.values[:, gene]
            expected = spearmanr(mrna, values[:, NAMES.index(name)]).statistic
            assert found["correlation"][j] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rho", [0.3, 0.9])
def test_the_range_holds_the_planted_coupling(rho):
    """Ten proteins, counts (seed 1): the range holds the truth in at least nine of them."""
    found = table(opened(planted(np.random.default_rng(1), rho=rho)))
    inside = (found["coupling_low"] <= rho) & (rho <= found["coupling_high"])
    assert inside.sum() >= 9
    assert found["corrected"].mean() == pytest.approx(rho, abs=0.06)
    assert found["correlation"].mean() < 0.85 * rho
    assert found["mrna_reliability"].between(0.5, 0.9).all()
    assert (found["protein_reliability"] > 0.85).all()


def test_values_of_unknown_noise_are_a_lower_bound():
    data = opened(planted(np.random.default_rng(2), counted=False, counts=False))
    found = table(data)
    assert found["protein_reliability"].isna().all()
    assert found["mrna_reliability"].isna().all()
    np.testing.assert_allclose(found["corrected"], found["correlation"])
    np.testing.assert_allclose(found["coupling_low"], found["corrected_low"])
    # Both may have a reliability of one half: the far end is twice as far.
    far = np.minimum(2 * found["corrected_high"], 1.0)
    np.testing.assert_allclose(found["coupling_high"], far)


def test_regulators_alone_are_evidence_and_have_the_numbers_of_the_page():
    data = opened(planted(np.random.default_rng(3)))
    evidence = coupling.of(data).by_evidence.set_index("regulator")
    assert sorted(evidence.index) == NAMES[:REGULATORS]
    shown = table(data).set_index("gene")
    assert shown["is_regulator"].sum() == REGULATORS
    for name in ("coupling", "coupling_low", "coupling_high"):
        np.testing.assert_array_equal(evidence[name], shown.loc[evidence.index, name])
    again = coupling.of(opened(planted(np.random.default_rng(3))))
    pd.testing.assert_frame_equal(again.by_evidence, coupling.of(data).by_evidence)


def test_isotype_controls_take_out_how_well_a_cell_is_stained():
    """Without them every protein carries the same uptake (seed 4)."""
    stained = planted(np.random.default_rng(4), rho=0.8, stain=1.0, controls=3, n=1500)
    with_controls = table(opened(stained))
    bare = stained.copy()
    bare.obsm["protein"] = bare.obsm["protein"].iloc[:, :10]
    without = table(opened(bare))
    assert without["correlation"].mean() < with_controls["correlation"].mean() - 0.1
    # They are no proteins of their own.
    assert set(with_controls["protein"]) == set(NAMES[:10])


def test_residuals_are_those_of_least_squares():
    rng = np.random.default_rng(5)
    y, factor = rng.normal(size=(50, 3)), rng.normal(size=50)
    y[:5, 1] = np.nan
    found = _without(y, factor)
    for j in (0, 2):
        fit = np.polyfit(factor, y[:, j], 1)
        np.testing.assert_allclose(found[:, j], y[:, j] - np.polyval(fit, factor), atol=1e-12)
    assert np.isnan(found[:5, 1]).all()
    assert _without(y, None) is y


def test_background_modified_forms_and_noisy_genes_do_not_count():
    rng = np.random.default_rng(6)
    adata = planted(rng, controls=2)
    frame = adata.obsm["protein"]
    frame["TF0"] = rng.poisson(0.5, len(frame)).astype(float)
    frame = frame.rename(columns={"TF1": "TF1_pS12"})
    adata.X[:, 2] = 0
    adata.X[:3, 2] = 1
    adata.obsm["protein"] = frame
    mapping = pd.DataFrame({"protein": ["TF1_pS12"], "gene": ["TF1"]})
    data = opened(adata, protein_map=mapping)
    flags = table(data).set_index("gene")["flag"]
    assert flags["TF0"] == BACKGROUND
    assert flags["TF1"] == "modified form"
    assert flags["TF2"] == NOISY
    assert (flags.drop(["TF0", "TF1", "TF2"]) == "").all()
    assert coupling.of(data).summary.assessed == REGULATORS - 3


def test_of_two_antibodies_the_one_read_better_counts():
    rng = np.random.default_rng(7)
    adata = planted(rng)
    frame = adata.obsm["protein"]
    frame["again"] = rng.binomial(frame["TF3"].astype(int), 0.05).astype(float)
    data = opened(adata, protein_map=pd.DataFrame({"protein": ["again"], "gene": ["TF3"]}))
    shown = table(data)
    both = shown[shown["gene"] == "TF3"].set_index("protein")
    assert len(both) == 2
    best = both.loc["TF3", "coupling"]
    assert both.loc["TF3", "protein_reliability"] > both.loc["again", "protein_reliability"]
    evidence = coupling.of(data).by_evidence.set_index("regulator")
    assert evidence.loc["TF3", "coupling"] == best


def test_cell_types_are_told_apart():
    """Types move mRNA and protein together, nothing does within them (seed 8)."""
    rng = np.random.default_rng(8)
    kind = np.arange(900) % 6
    adata = planted(rng, n=900, rho=0.0, shifts=np.zeros((900, 1)))
    shift = np.repeat(np.linspace(-1.5, 1.5, 6)[kind][:, None], 10, axis=1)
    adata.X[:, :10] = rng.poisson(4 * np.exp(0.7 * shift + 0.3 * rng.normal(size=shift.shape)))
    adata.obsm["protein"] = pd.DataFrame(
        rng.poisson(30 * np.exp(0.7 * shift + 0.3 * rng.normal(size=shift.shape))).astype(float),
        index=adata.obs_names,
        columns=NAMES[:10],
    )
    adata.obs["cell_type"] = pd.Categorical([f"type {k}" for k in kind])
    found = table(opened(adata))
    assert (found["corrected_low"] > 0.6).all()
    assert (found["between_types"] > 0.9).all()
    assert found["within_types_correlation"].abs().max() < 0.15
    spans = (found["within_types_corrected_low"] <= 0) & (found["within_types_corrected_high"] >= 0)
    assert spans.sum() >= 9


def test_missing_values_of_protein_are_left_out():
    rng = np.random.default_rng(9)
    adata = planted(rng, counted=False, counts=False)
    frame = adata.obsm["protein"]
    frame.iloc[:100, 0] = np.nan
    data = opened(adata)
    row = table(data).set_index("gene").loc["TF0"]
    assert row["observations"] == 500
    gene = list(data.genes[data.panel.genes]).index("TF0")
    mrna = data.moments.sample.values[100:, gene]
    expected = spearmanr(mrna, frame.iloc[100:, 0]).statistic
    assert row["correlation"] == pytest.approx(expected, abs=1e-12)


def test_few_observations_are_no_evidence_but_stay_on_the_page():
    data = opened(planted(np.random.default_rng(10), n=8, counted=False, counts=False))
    found = table(data)
    assert set(found["flag"]) == {FEW}
    assert found["correlation"].notna().all()
    assert coupling.of(data).by_evidence.empty


def test_normalisations_are_compared_over_observations_and_across_proteins():
    """Medians against scipy, to 1e-12 (seed 11)."""
    rng = np.random.default_rng(11)
    adata = planted(rng, n=30, counted=False, counts=False)
    adata.X = np.exp(3 * adata.X)
    adata.obsm["protein"] = np.exp(adata.obsm["protein"])
    data = opened(adata)
    found = protein.normalisations(data, table(data)).set_index(["comparison", "normalisation"])
    pairs = Pairs.of(data)
    x = data.moments.sample.values[:, pairs.position]
    y = pairs.values[:, pairs.column]

    def median(measure, a, b):
        return np.median([measure(u, v).statistic for u, v in zip(a.T, b.T, strict=True)])

    for name, measure, a, b in (
        ("as given", pearsonr, x, y),
        ("ranked", spearmanr, x, y),
        ("logarithm", pearsonr, np.log(x), np.log(y)),
    ):
        got = found.loc[(EACH, name), "median"]
        assert got == pytest.approx(median(measure, a, b), abs=1e-12), name
        got = found.loc[(ACROSS, name), "median"]
        assert got == pytest.approx(median(measure, a.T, b.T), abs=1e-12), name
    scaled = [(v - v.mean(axis=0)) / v.std(axis=0) for v in (x, y)]
    got = found.loc[(ACROSS, "each gene scaled to variance 1"), "median"]
    assert got == pytest.approx(median(pearsonr, scaled[0].T, scaled[1].T), abs=1e-12)
    assert found["correlations"].loc[EACH].tolist() == [10] * 4
    each = found.loc[EACH]
    assert (each["median_low"] <= each["median"]).all()
    assert (each["median"] <= each["median_high"]).all()


def test_normalisations_of_counts_hold_those_in_use():
    data = opened(planted(np.random.default_rng(12), controls=2, stain=0.8))
    found = protein.normalisations(data, table(data))
    each = found[found["comparison"] == EACH].set_index("normalisation")["median"]
    assert len(each) == 5
    regressed = each["isotype controls regressed out, ranked"]
    assert regressed > each["counts, ranked"]


def test_without_protein_there_is_nothing():
    adata = planted(np.random.default_rng(13))
    del adata.obsm["protein"]
    data = opened(adata)
    assert Pairs.of(data) is None
    assert table(data) is None
    assert protein.normalisations(data, table(data)) is None
    assert coupling.of(data).by_evidence.empty


@pytest.mark.slow
def test_the_range_covers_the_planted_coupling_in_runs():
    """200 data sets of 300 cells and ten proteins (seeds 0 to 199): in at least 90 %."""
    covered = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rho = rng.choice([0.2, 0.5, 0.8])
        data = opened(planted(rng, n=300, rho=rho, mean=2.0, protein_mean=15.0))
        found = table(data)
        covered += list((found["coupling_low"] <= rho) & (rho <= found["coupling_high"]))
    assert np.mean(covered) >= 0.90


@pytest.mark.shared
def test_blood_cells_with_antibodies_show_known_markers(shared):
    """CITE-seq of 500 cells: markers of lineages follow their mRNA once noise is out."""
    data = opened(shared / "data" / "citefuse_pbmc_eccite.h5ad")
    found = table(data)
    assert not found["is_regulator"].any()
    usable = found[found["flag"] == ""].set_index("protein")
    assert len(usable) >= 20
    assert (usable.loc[["CD8", "CD7", "CD27"], "corrected_low"] > 0.6).all()
    # Noise of the mRNA hides half of it.
    assert usable["corrected"].median() > 1.5 * usable["correlation"].median()
    assert set(found.loc[found["protein"].isin(["CD45RA", "CD45RO"]), "flag"]) == {"modified form"}
    assert not found["protein"].str.startswith("IgG").any()


@pytest.mark.shared
def test_zones_of_a_tissue_show_what_normalisation_does(shared):
    """Six zones, 2,872 genes: weak over zones, strong across genes, and scale decides."""
    data = opened(shared / "data" / "intestine_zones_mrna_protein.h5ad")
    found = table(data)
    each = protein.normalisations(data, found).set_index(["comparison", "normalisation"])["median"]
    assert set(found["flag"]) == {FEW, "constant"}
    assert 0.2 < each.loc[EACH].min() < each.loc[EACH].max() < 0.5
    assert each.loc[(ACROSS, "as given")] < 0.2 < 0.5 < each.loc[(ACROSS, "ranked")]
    assert coupling.of(data).by_evidence.empty
