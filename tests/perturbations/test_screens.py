"""Tables of a screen against sums over its rows, and against its planted truth."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.perturbations import energy, labels, responders, shifts, similarity
from infocheck.perturbations.cells import Cells, components
from infocheck.perturbations.deltas import Deltas

GENES = 60


def counts(
    seed: int = 0,
    n: int = 900,
    *,
    effect: float = 1.0,
    own: float = 0.2,
    escape: float = 0.0,
    guides: int = 3,
    control_guides: int = 3,
    batches: int = 2,
) -> anndata.AnnData:
    """Counts of control, G0 to G4; G0 and G1 move genes 20 to 39 alike, G2 moves 40 to 59.

    G3 and G4 change their own gene alone. ``own`` is the share of the own gene that is left.
    """
    rng = np.random.default_rng(seed)
    level = np.arange(n) % 6 - 1
    plate = rng.integers(batches, size=n)
    rate = np.full((n, GENES), 8.0) * rng.gamma(8, 1 / 8, size=(n, GENES))
    rate *= rng.lognormal(0, 0.3, size=(n, 1)) * np.where(plate, 1.3, 1.0)[:, None]
    hit = rng.random(n) >= escape
    moved = {0: slice(20, 40), 1: slice(20, 40), 2: slice(40, 60)}
    for gene in range(5):
        rows = (level == gene) & hit
        rate[rows, gene] *= own
        if gene in moved:
            rate[rows, moved[gene]] *= np.exp(0.5 * effect)
    names = [f"G{i}" for i in range(GENES)]
    label = np.where(level < 0, "non-targeting", np.array(names, dtype=object)[level])
    guide = rng.integers(guides, size=n)
    guide[level < 0] = rng.integers(control_guides, size=(level < 0).sum())
    total = rng.integers(5, 50, size=n)
    obs = pd.DataFrame(
        {
            "perturbation": label.astype(str),
            "batch": np.array(["p0", "p1"])[plate] if batches == 2 else "p0",
            "sgRNA": [f"{a}g{b}" for a, b in zip(label, guide, strict=True)],
            "guide_umi_max": (total * 0.9).astype(int),
            "guide_umi_total": total,
        },
        index=[f"c{i}" for i in range(n)],
    )
    var = pd.DataFrame({"is_regulator": np.arange(GENES) < 10}, index=names)
    return anndata.AnnData(rng.poisson(rate).astype(np.float32), obs=obs, var=var)


def knockouts(seed: int = 0, k: int = 40) -> anndata.AnnData:
    """One row for each knock-out, of which the gene is low; no replicates."""
    rng = np.random.default_rng(seed)
    names = [f"G{i}" for i in range(k)]
    values = rng.normal(size=(k, k)) * 0.1 - 4
    values[np.arange(k), np.arange(k)] -= 2
    return anndata.AnnData(
        values,
        obs=pd.DataFrame({"perturbation": names}, index=[f"r{i}" for i in range(k)]),
        var=pd.DataFrame({"is_regulator": [True] * k}, index=names),
    )


def donors(seed: int = 0, each: int = 5, cells: int = 40, effect: float = 0.0):
    """A stimulation of whole donors, with donors that differ."""
    rng = np.random.default_rng(seed)
    donor = np.repeat(np.arange(2 * each), cells)
    stimulated = donor >= each
    values = rng.normal(size=(len(donor), 30)) + rng.normal(size=(2 * each, 30))[donor] - 9
    values[stimulated, 5:] += effect
    obs = pd.DataFrame(
        {
            "perturbation": np.where(stimulated, "stim", "control"),
            "donor": [f"d{i}" for i in donor],
        },
        index=[f"c{i}" for i in range(len(donor))],
    )
    names = [f"G{i}" for i in range(30)]
    return anndata.AnnData(values, obs=obs, var=pd.DataFrame({"is_regulator": True}, index=names))


def opened(adata: anndata.AnnData, **options) -> Dataset:
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def parts(adata: anndata.AnnData, **options):
    data = opened(adata, **options)
    deltas = Deltas.of(data)
    return data, deltas, Cells.of(data, deltas, np.random.default_rng(0))


# ------------------------------------------------------------------------- cells


def test_scores_are_projections_of_the_rows_without_the_perturbed_gene():
    data, deltas, cells = parts(counts())
    adata = counts()
    x = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X, float)
    on = np.log1p(x / data.size_factors[:, None])[:, data.panel.genes] - data.moments.shift
    np.testing.assert_allclose(cells.scores, (on @ cells.loadings)[cells.rows], atol=1e-8)
    i = list(deltas.names).index("G2")
    without = on.copy()
    without[:, deltas.targets[i]] = 0
    chosen = cells.compared(i)
    np.testing.assert_allclose(
        cells.without(chosen, i, deltas.targets[i]),
        (without @ cells.loadings)[cells.rows[chosen]],
        atol=1e-5,
    )
    assert set(adata.obs["perturbation"].to_numpy()[cells.rows[chosen]]) == {"G2", "non-targeting"}


def test_genes_of_a_combination_are_left_out_together():
    adata = counts()
    adata.obs["perturbation"] = adata.obs["perturbation"].replace({"G3": "G1+G2", "G4": "unseen"})
    data, deltas, cells = parts(adata)
    assert cells.own.shape[1] == 2
    on = np.log1p(np.asarray(adata.X, float) / data.size_factors[:, None])
    on = on[:, data.panel.genes] - data.moments.shift
    i = list(deltas.names).index("G1+G2")
    chosen = cells.compared(i)
    expected = on[cells.rows[chosen]][:, deltas.targets[i]]
    found = cells.perturbed(chosen, i, deltas.targets[i])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    j = list(deltas.names).index("unseen")
    chosen = cells.compared(j)
    np.testing.assert_array_equal(cells.without(chosen, j, deltas.targets[j]), cells.scores[chosen])


def test_directions_are_components_within_batches_and_a_sketch_of_the_rest(monkeypatch):
    data = opened(counts())
    exact, share = components(data, np.random.default_rng(0))
    np.testing.assert_array_equal(exact, np.eye(GENES))
    assert share == 1
    monkeypatch.setattr("infocheck.perturbations.cells.COMPONENTS", 5)
    monkeypatch.setattr("infocheck.perturbations.cells.SKETCH", 40)
    rows = data.moments.sample.values
    batch = data.roles["batch"].codes[data.moments.sample.rows]
    inside = rows - np.array([rows[batch == b].mean(axis=0) for b in range(2)])[batch]
    values = np.linalg.svd(inside, compute_uv=False) ** 2
    lengths = []
    delta = np.random.default_rng(1).normal(size=GENES)
    for seed in range(200):  # seeds 0 to 199
        loadings, share = components(data, np.random.default_rng(seed))
        lengths.append(((delta @ loadings) ** 2).sum())
    np.testing.assert_allclose(loadings[:, :5].T @ loadings[:, :5], np.eye(5), atol=1e-8)
    np.testing.assert_allclose(loadings[:, :5].T @ loadings[:, 5:], 0, atol=1e-8)
    assert share == pytest.approx(values[:5].sum() / values.sum(), abs=0.01)
    # Squared lengths are kept on average.
    assert np.mean(lengths) == pytest.approx((delta**2).sum(), rel=0.05)


def test_many_rows_are_a_random_part(monkeypatch):
    monkeypatch.setattr("infocheck.perturbations.cells.MOST_ROWS", 40)
    _, deltas, cells = parts(counts())
    assert cells.reference.sum() == 40
    assert (np.bincount(cells.level[cells.level >= 0]) == 40).all()
    # Sums of perturbed genes are still those of all rows.
    assert cells.targets.own_n.sum() == deltas.rows.sum()
    assert cells.targets.n.sum() == deltas.reference_rows[0]


# ------------------------------------------------------------------------ shifts


def test_own_change_equals_a_regression_and_the_ratio_the_means_of_rows():
    data, deltas, cells = parts(counts())
    table = shifts.table(data, deltas, cells.targets).set_index("perturbation")
    adata = counts()
    x = np.asarray(adata.X, float) / data.size_factors[:, None]
    label = adata.obs["perturbation"].to_numpy()
    use = np.isin(label, ["G1", "non-targeting"])
    batch = (adata.obs["batch"] == "p1").to_numpy()[use]
    arm = (label == "G1")[use]
    design = np.column_stack([arm, batch, ~batch]).astype(float)
    fit = sm.OLS(np.log1p(x[use, 1]), design).fit()
    assert table.loc["G1", "own_change"] == pytest.approx(fit.params[0], abs=1e-8)
    assert table.loc["G1", "target"] == "G1"
    # Means of both arms with the same weights over batches.
    sides = [[arm & (batch == s), ~arm & (batch == s)] for s in (0, 1)]
    weight = [a.sum() * b.sum() / (a | b).sum() for a, b in sides]
    means = [
        sum(w * x[use, 1][both[side]].mean() for w, both in zip(weight, sides, strict=True))
        for side in (0, 1)
    ]
    assert table.loc["G1", "share_of_control"] == pytest.approx(means[0] / means[1], abs=1e-8)
    assert table.loc["G1", "own_q_value"] < 1e-6


def test_share_of_control_covers_what_was_planted():
    inside = []
    for seed in range(25):  # seeds 0 to 24, five genes each
        data, deltas, cells = parts(counts(seed, n=360, effect=0.0, own=0.4))
        table = shifts.table(data, deltas, cells.targets)
        inside.append(
            table["share_of_control_low"].le(0.4) & table["share_of_control_high"].ge(0.4)
        )
    # Size factors hold the own gene as well, a sixtieth of the counts.
    assert 0.88 < np.mean(inside) <= 1.0


def test_single_rows_are_held_against_all_other_perturbations():
    data, deltas, cells = parts(knockouts())
    table = shifts.table(data, deltas, cells.targets)
    assert table["own_change_low"].isna().all()
    assert (table["standardised_change"] < -8).all()
    assert table["own_p_value"].tolist() == [1 / 40] * 40
    assert (table["own_q_value"] <= 0.05).all()
    quiet = knockouts()
    quiet.X[np.arange(40), np.arange(40)] += 2
    data, deltas, cells = parts(quiet)
    p = shifts.table(data, deltas, cells.targets)["own_p_value"]
    assert 0.3 < p.mean() < 0.7


def test_halving_needs_fewer_cells_of_a_gene_with_more_counts():
    _, deltas, cells = parts(counts())
    needed = shifts.halving(cells.targets, deltas)
    assert np.isfinite(needed).all()
    assert (needed < 60).all()
    sparse = counts()
    sparse.X = np.random.default_rng(1).binomial(np.asarray(sparse.X).astype(int), 0.02)
    sparse.X = sparse.X.astype(np.float32)
    _, deltas, cells = parts(sparse)
    assert (shifts.halving(cells.targets, deltas) > 3 * needed).all()


# ---------------------------------------------------------------------- response


def test_responses_are_found_and_own_genes_alone_are_none():
    data, deltas, cells = parts(counts())
    found = energy.responses(data, deltas, cells, np.random.default_rng(1))
    assert dict(zip(deltas.names, found.responds, strict=True)) == {
        "G0": True,
        "G1": True,
        "G2": True,
        "G3": False,
        "G4": False,
    }
    again = energy.responses(data, deltas, cells, np.random.default_rng(1))
    np.testing.assert_array_equal(found.p, again.p)


def test_with_the_perturbed_gene_kept_its_own_change_would_be_a_response(monkeypatch):
    data, deltas, cells = parts(counts())
    monkeypatch.setattr(Cells, "without", lambda self, chosen, i, genes: self.scores[chosen])
    found = energy.responses(data, deltas, cells, np.random.default_rng(1))
    assert found.responds.all()


def mixed(seed: int) -> anndata.AnnData:
    """No response; G0 and G1 mostly in one batch, everything higher in the other."""
    adata = counts(seed, effect=0.0, own=1.0)
    rng = np.random.default_rng(seed)
    odd = adata.obs["perturbation"].isin(["G0", "G1"]).to_numpy()
    second = (adata.obs["batch"] == "p1").to_numpy()
    adata.X[second, 20:] += rng.poisson(6, size=(second.sum(), 40))
    return adata[~(odd & second & (rng.random(adata.n_obs) < 0.7))].copy()


def test_batches_with_other_mixtures_are_no_response():
    p = []
    for seed in range(10):  # seeds 0 to 9
        _, deltas, cells = found = parts(mixed(seed))
        assert deltas.held == ("batch",)
        p.append(energy.responses(*found, np.random.default_rng(seed)).p)
    assert np.mean(np.array(p) <= 0.05) <= 0.15
    adata = mixed(0)
    del adata.obs["batch"]
    data, deltas, cells = parts(adata)
    assert energy.responses(data, deltas, cells, np.random.default_rng(0)).responds[:2].all()


def test_a_stimulation_of_whole_donors_shuffles_donors():
    data, deltas, cells = parts(donors())
    assert "donor" in deltas.aliased
    found = energy.responses(data, deltas, cells, np.random.default_rng(0))
    assert found.unit == ("donors",)
    assert found.contrast[0].rows == 5
    assert found.p[0] > 0.005  # 252 ways to choose five of ten donors, either five alike
    data, deltas, cells = parts(donors(effect=2.0))
    assert energy.responses(data, deltas, cells, np.random.default_rng(0)).responds[0]
    data, deltas, cells = parts(donors(each=3))
    few = energy.responses(data, deltas, cells, np.random.default_rng(0))
    assert "3 against 3" in few.note[0]
    assert np.isnan(few.p[0])


def test_size_over_donors():
    """40 stimulations that do nothing, of 5 and 5 donors that differ; seeds 0 to 39."""
    p = []
    for seed in range(40):
        data, deltas, cells = parts(donors(seed, cells=6))
        p.append(energy.responses(data, deltas, cells, np.random.default_rng(seed)).p[0])
    assert (np.array(p) <= 0.05).mean() <= 0.13
    assert 0.4 < np.mean(p) < 0.65


def test_more_shuffles_where_few_of_many_respond(monkeypatch):
    monkeypatch.setattr(energy, "DRAWS", 19)
    monkeypatch.setattr(energy, "MORE_DRAWS", 999)
    data, deltas, cells = parts(counts())
    found = energy.responses(data, deltas, cells, np.random.default_rng(1))
    # A p-value of 1/20 for three of five is .083 once corrected.
    assert found.p[:3] == pytest.approx(0.001)
    assert found.responds[:3].all()


def test_control_guides_are_alike_unless_one_acts():
    adata = counts(control_guides=4)
    data, _, cells = parts(adata)
    sound = energy.calibration(data, cells, np.random.default_rng(0))
    assert len(sound) == 4
    assert labels.calibrated(sound)[1]
    acts = (adata.obs["sgRNA"].isin(["non-targetingg0", "non-targetingg1"])).to_numpy()
    adata.X[acts, 20:30] *= 4
    data, _, cells = parts(adata)
    broken = energy.calibration(data, cells, np.random.default_rng(0))
    assert not labels.calibrated(broken)[1]


def test_cells_needed_is_more_for_a_smaller_response():
    needed = []
    for effect in (1.0, 0.3):
        data, deltas, cells = parts(counts(effect=effect))
        found = energy.responses(data, deltas, cells, np.random.default_rng(0))
        table = energy.cells_needed(deltas, found).set_index("perturbation")
        numbers = pd.to_numeric(table["cells_for_response"], errors="coerce")
        needed.append(numbers["G0"])
        assert table.loc["G0", "cells_for_response_low"] <= needed[-1]
    assert needed[0] < needed[1] < 150


# -------------------------------------------------------------- agreement, likeness


def test_halves_agree_on_responses_and_on_nothing_else():
    data, deltas, _ = parts(counts())
    genes = similarity.independent_genes(data, np.random.default_rng(0))
    assert 20 < genes <= GENES
    table = similarity.agreement(deltas, genes).set_index(deltas.names)
    assert (table.loc[["G0", "G1", "G2"], "agreement"] > 0.7).all()
    assert (table.loc[["G3", "G4"], "agreement_low"] < 0).all()
    assert (table["ceiling_low"] <= table["ceiling"]).all()
    pairs, number = similarity.similar(deltas, np.array([0, 1, 2]), genes)
    assert tuple(pairs.loc[0, ["first", "second"]]) == ("G0", "G1")
    assert pairs.loc[0, "corrected"] > 0.9
    # Two like ones and one other: exp of the entropy of 2/3 and 1/3 is 1.9, less where the
    # third lowers what the others raise, as shares of one total do.
    assert 1.4 < number["effective_number"] < 1.95
    assert len(similarity.similar(deltas, np.array([0]), genes)[0]) == 0


# ------------------------------------------------------------- responders, escapers


def test_escaping_cells_keep_their_own_gene():
    _, deltas, cells = parts(counts(n=2400, effect=1.6, own=0.1, escape=0.5))
    table = responders.table(deltas, cells, np.array([0, 1, 2])).set_index("perturbation")
    assert table["responding_share"].between(0.35, 0.52).all()
    assert (table["responding_share_high"] > 0.45).all()
    gap = table["own_change_of_others"] - table["own_change_of_responding"]
    assert (gap > 1).all()


# ------------------------------------------------------------------------- labels


def audited(adata: anndata.AnnData) -> pd.DataFrame:
    data, deltas, cells = parts(adata)
    control = energy.calibration(data, cells, np.random.default_rng(0))
    return labels.audit(data, deltas, control).set_index("item")


def test_audit_of_sound_labels():
    table = audited(counts())
    assert not table["enough"].eq(False).any()
    assert table.loc["control", "found"] == "non-targeting: 150 rows"
    assert table.loc["control guides", "found"] == "3"
    assert table.loc["guides per perturbation", "found"] == "median 3, smallest 3"
    assert "held constant" in table.loc["perturbation and batch", "found"]
    assert "median 88%" in table.loc["share of guide molecules of the most frequent guide", "found"]
    assert table.loc["perturbed genes that are measured", "found"] == "5 of 5"


def test_audit_names_what_is_missing():
    adata = counts(guides=1, control_guides=1)
    adata.obs["perturbation"] = adata.obs["perturbation"].replace({"G4": "UNSEEN", "G3": "G1+G2"})
    adata.obs.loc[adata.obs["perturbation"] == "G0", "batch"] = "p2"
    table = audited(adata)
    assert not table.loc["control guides", "enough"]
    assert not table.loc["guides per perturbation", "enough"]
    assert "two" not in table.loc["control guides", "what_to_do"]
    assert "UNSEEN" in table.loc["perturbed genes that are measured", "found"]
    assert table.loc["labels of several genes", "found"].startswith("1 of 5")
    assert not table.loc["perturbation and batch", "enough"]
    assert "own controls" in table.loc["perturbation and batch", "what_to_do"]


def test_audit_without_guides_or_control():
    adata = counts()
    adata.obs = adata.obs[["perturbation"]].replace({"non-targeting": "G50"})
    table = audited(adata)
    assert table.loc["guides", "enough"] is None
    assert not table.loc["control", "enough"]
    assert "all others" in table.loc["control", "found"]
