"""The mechanistic core as a whole: layout, truth in the data, and one switch per defect."""

from __future__ import annotations

import math
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from infocheck.simulate import mechanistic
from infocheck.simulate.observe import SIZE_SPREAD
from infocheck.source import SIMULATED
from infocheck.stats.kinetics import coupling_ceiling

# Nothing from outside the network, and sampling noise of no account.
PLAIN = {"donors": 2, "batches": 1, "donor_share": 0.0, "batch_share": 0.0, "condition": None}
DEEP = {"depth": 1e6, **PLAIN}
SMALL = {"n_genes": 60, "n_regulators": 10, "bystanders": 10}
CALM = {"n_genes": 130, "n_regulators": 10, "bystanders": 80}


def log_shares(adata):
    """Log counts less their mean over bystanders, which tell the size of a cell; centred."""
    values = np.log1p(adata.X.toarray().astype(float))
    values -= values[:, -adata.uns[SIMULATED]["bystanders"] :].mean(axis=1, keepdims=True)
    return values - values.mean(axis=0)


def explained(predictors, responses):
    fitted = predictors @ np.linalg.lstsq(predictors, responses, rcond=None)[0]
    return fitted.var(axis=0) / responses.var(axis=0)


def edges_and_descendants(adata):
    """Signs of edges, and who is below whom, both genes × genes."""
    signs = np.zeros((adata.n_vars, adata.n_vars))
    network = adata.uns["network"]
    at = adata.var_names.get_indexer
    signs[at(network["source"]), at(network["target"])] = network["sign"]
    below = signs != 0
    for _ in range(adata.n_vars.bit_length()):  # paths of twice the length each time
        below |= (below.astype(float) @ below) > 0
    return signs, below


# ------------------------------------------------------------------------ form


def test_form_of_the_result():
    adata = mechanistic(
        300, **SMALL, cell_types=3, perturbations=4, times=(0, 6), depth=500, seed=4
    )
    assert adata.shape == (300, 60)
    assert sparse.isspmatrix_csr(adata.X)
    assert adata.X.dtype == np.float32
    assert (adata.X.data == np.round(adata.X.data)).all()
    labels = ["donor", "batch", "condition", "cell_type", "perturbation", "time"]
    assert list(adata.obs) == labels
    assert adata.var["is_regulator"].sum() == 10
    assert adata.var["true_reliability"].between(0, 1).all()
    assert adata.var["protein_half_life"].notna().tolist() == adata.var["is_regulator"].tolist()
    assert adata.var["is_stimulated"].sum() == 2
    assert adata.obsm["protein"].shape == (300, 10)
    assert adata.obsm["protein"].columns.tolist() == adata.var_names[:10].tolist()
    assert adata.uns[SIMULATED]["core"] == "mechanistic"
    assert adata.X.sum(axis=1).mean() == pytest.approx(500, rel=0.1)


def test_labels_are_there_only_when_asked_for():
    adata = mechanistic(60, **SMALL, condition=None)
    assert list(adata.obs) == ["donor", "batch"]
    assert "is_stimulated" not in adata.var


def test_network_names_regulators_and_targets():
    adata = mechanistic(60, 400, 40, bystanders=50, constant_genes=10, regulator_parents=1.0)
    network = adata.uns["network"]
    assert list(network) == ["source", "target", "sign"]
    assert set(network["source"]) <= set(adata.var_names[:40])
    assert set(network["target"]) & set(adata.var_names[:40])
    assert set(adata.var_names[40:340]) <= set(network["target"])
    assert not set(network["target"]) & set(adata.var_names[340:])
    assert set(network["sign"]) == {-1, 1}
    assert not network.duplicated(["source", "target"]).any()


def test_same_seed_same_data():
    options = {**SMALL, "perturbations": 3, "times": (0, 6)}
    first, again, other = (mechanistic(120, **options, seed=seed) for seed in (3, 3, 4))
    assert (first.X != again.X).nnz == 0
    np.testing.assert_array_equal(first.obsm["protein"], again.obsm["protein"])
    pd.testing.assert_frame_equal(first.obs, again.obs)
    pd.testing.assert_frame_equal(first.uns["network"], again.uns["network"])
    assert (first.X != other.X).nnz > 0


def test_small_blocks_tell_the_same_truth(monkeypatch):
    whole = mechanistic(1500, **SMALL, **PLAIN)
    monkeypatch.setattr("infocheck.simulate.observe.BLOCK_VALUES", 400 * 80)
    blocks = mechanistic(1500, **SMALL, **PLAIN)
    pd.testing.assert_frame_equal(whole.uns["network"], blocks.uns["network"])
    np.testing.assert_allclose(
        whole.var["true_reliability"], blocks.var["true_reliability"], atol=0.08
    )
    np.testing.assert_allclose(
        whole.obsm["protein"].mean(axis=0), blocks.obsm["protein"].mean(axis=0), atol=0.15
    )


@pytest.mark.parametrize("switches", [{}, {"times": (0, 4, 8)}, {"perturbations": 2}])
def test_survives_h5ad(tmp_path, switches):
    adata = mechanistic(60, **SMALL, condition=None, **switches)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=anndata.ImplicitModificationWarning)
        adata.write_h5ad(tmp_path / "simulated.h5ad")
    back = anndata.read_h5ad(tmp_path / "simulated.h5ad")
    assert (back.X != adata.X).nnz == 0
    pd.testing.assert_frame_equal(back.obs, adata.obs)
    pd.testing.assert_frame_equal(back.var, adata.var)
    assert back.obsm["protein"].columns.tolist() == adata.obsm["protein"].columns.tolist()
    np.testing.assert_array_equal(
        back.uns["network"].to_numpy(str), adata.uns["network"].to_numpy(str)
    )
    assert back.uns[SIMULATED]["times"].tolist() == list(map(float, switches.get("times", ())))


# ------------------------------------------------------------------- truth in the counts


def test_counts_of_a_gene_without_inputs_are_negative_binomial():
    """Poisson around size × w × Gamma(b, 1/b): Fano factor 1 + w ((1 + 1/b) E[size²] - 1)."""
    adata = mechanistic(20_000, 40, 4, bystanders=30, bursts=4.0, signal=0.0, depth=400, **PLAIN)
    counts = adata[:, 10:].X.toarray().astype(float)
    mean = counts.mean(axis=0)
    expected = 1 + mean * ((1 + 1 / 4) * math.exp(SIZE_SPREAD**2) - 1)
    assert np.ptp(expected) > 3
    np.testing.assert_allclose(counts.var(axis=0) / mean, expected, rtol=0.08)


def test_true_reliability_agrees_with_the_estimate_from_counts():
    adata = mechanistic(4000, **SMALL, depth=500, seed=9)
    counts = adata.X.toarray().astype(float)
    size = counts.sum(axis=1, keepdims=True)
    size /= size.mean()
    estimated = 1 - (counts / size**2).mean(axis=0) / (counts / size).var(axis=0)
    assert np.abs(estimated - adata.var["true_reliability"]).mean() < 0.08


def test_regulators_predict_their_own_targets_through_protein():
    adata = mechanistic(2000, 130, 10, bystanders=20, parents=1.0, seed=2, **DEEP)
    values, protein = log_shares(adata), np.log(adata.obsm["protein"].to_numpy())
    protein -= protein.mean(axis=0)
    network = adata.uns["network"].set_index("target").loc[adata.var_names[10:110]]
    own = adata.var_names.get_indexer(network["source"])
    r = np.corrcoef(protein, values[:, 10:110], rowvar=False)[:10, 10:]
    strongest = np.abs(r).argmax(axis=0)
    assert (strongest == own).mean() > 0.7
    assert (np.sign(r[own, np.arange(100)]) == network["sign"]).mean() > 0.95


def test_protein_noise_is_that_of_the_measurement_only():
    clean, noisy = (
        mechanistic(800, **SMALL, protein_noise=noise, seed=2, **PLAIN) for noise in (0.0, 0.4)
    )
    assert (clean.X != noisy.X).nnz == 0
    error = np.log(noisy.obsm["protein"] / clean.obsm["protein"]).to_numpy()
    assert error.std() == pytest.approx(0.4, rel=0.05)
    assert error.mean() == pytest.approx(0, abs=0.02)


# ------------------------------------------------------------------------ perturbations


def test_a_knock_out_moves_its_targets_as_their_signs_say_and_nothing_else():
    adata = mechanistic(
        6000,
        160,
        12,
        bystanders=40,
        parents=1.5,
        strength=0.98,
        perturbations=12,
        controls=0.3,
        times=(),
        seed=3,
        **DEEP,
    )
    # Absolute levels, so that a change of the total says nothing.
    values = adata.X.toarray().astype(float)
    label = adata.obs["perturbation"].to_numpy()
    signs, below = edges_and_descendants(adata)
    control = values[label == "control"]
    agree, others = [], []
    for i, regulator in enumerate(adata.var_names[:12]):
        cells = values[label == regulator]
        error = np.sqrt(cells.var(axis=0) / len(cells) + control.var(axis=0) / len(control))
        z = (cells.mean(axis=0) - control.mean(axis=0)) / np.maximum(error, 1e-9)
        assert cells[:, i].max() < 0.01 * control[:, i].mean()
        others.extend(z[~below[i] & (np.arange(160) != i)])
        # A target that also hears of the knock-out from another parent may answer otherwise.
        also = (signs[below[i]] != 0).any(axis=0)
        direct = (signs[i] != 0) & ~also & (np.arange(160) != i)
        agree.append(np.stack([z[direct], -signs[i, direct]]))
    z, expected = np.concatenate(agree, axis=1)
    assert len(z) > 100
    assert (np.sign(z) == expected).mean() > 0.93
    assert np.median(np.abs(z)) > 5
    # By chance alone, |z| exceeds 1.96 in 5 %.
    assert np.mean(np.abs(others) > 1.96) == pytest.approx(0.05, abs=0.02)
    assert np.abs(others).max() < 5.5


@pytest.mark.parametrize(
    ("knockdown", "escape", "left"),
    [(1.0, 0.0, 0.0), (0.6, 0.0, 0.4), (1.0, 0.5, 0.5), (0.0, 0.0, 1.0)],
)
def test_what_a_perturbation_leaves(knockdown, escape, left):
    adata = mechanistic(
        3000,
        **SMALL,
        perturbations=5,
        regulator_parents=0.0,
        knockdown=knockdown,
        escape=escape,
        signal=0.2,
        seed=1,
        **DEEP,
    )
    label, counts = adata.obs["perturbation"].to_numpy(), adata.X.toarray()
    assert (label == "control").mean() == pytest.approx(0.2, abs=0.001)
    found = [
        counts[label == name, i].mean() / counts[label == "control", i].mean()
        for i, name in enumerate(adata.var_names[:5])
    ]
    assert np.mean(found) == pytest.approx(left, abs=0.04)


# --------------------------------------------------------------------------------- time


def test_the_time_course_starts_at_rest_and_ends_at_the_steady_state():
    times = (0.0, 3.0, 8.0, 20.0, 60.0, 200.0, 300.0)
    adata = mechanistic(
        7000, 150, 10, bystanders=40, times=times, stimulus=4.0, signal=0.1, seed=2, **DEEP
    )
    assert adata.obs["time"].value_counts().tolist() == [1000] * 7
    counts = pd.DataFrame(adata.X.toarray(), columns=adata.var_names)
    mean = counts.groupby(adata.obs["time"].to_numpy()).mean()
    change = np.log(mean / mean.loc[0.0])
    stimulated = adata.var["is_stimulated"].to_numpy()
    assert stimulated.sum() == 2
    late = (change.loc[200.0] - change.loc[300.0]).abs()
    assert late.mean() < 0.025
    assert late.max() < 0.2  # of a gene that is repressed to a few per cent
    network = adata.uns["network"]
    reached = network.loc[network["source"].isin(adata.var_names[stimulated]), "target"]
    unreached = adata.var_names[110:]  # bystanders
    away = change.abs().mean(axis=1)
    # The stimulus takes time: first the regulators, then, through protein, their targets.
    early = change.loc[3.0].abs()
    assert early[stimulated].mean() > 4 * early[reached].mean()
    response = change[reached].abs().mean(axis=1)
    assert response.iloc[:4].is_monotonic_increasing
    assert response[300.0] > 0.3
    assert change[unreached].abs().to_numpy().max() < 0.08
    assert away[3.0] < away[20.0] < away[200.0]


# -------------------------------------------------------------- what comes from elsewhere


def test_slow_protein_is_lost_coupling():
    """The switch: mRNA of a regulator follows its protein as half-lives allow."""
    found = {}
    for hours in (9.0, 180.0):
        adata = mechanistic(
            3000,
            **SMALL,
            signal=0.0,
            regulator_parents=0.0,
            protein_half_life=hours,
            seed=4,
            **DEEP,
        )
        mrna, protein = adata.X[:, :10].toarray(), adata.obsm["protein"].to_numpy()
        size = adata.X[:, 50:].toarray().mean(axis=1)  # bystanders tell the size of a cell
        r = [np.corrcoef(mrna[:, i] / size, protein[:, i])[0, 1] for i in range(10)]
        found[hours] = np.mean(r)
    assert found[9.0] == pytest.approx(coupling_ceiling(9, 9), abs=0.06)
    assert found[180.0] == pytest.approx(coupling_ceiling(9, 180), abs=0.06)


def test_without_strength_there_is_no_network():
    adata = mechanistic(2000, **CALM, strength=0.0, seed=6, **DEEP)
    assert adata.uns["network"].empty
    # Proteins are no counts, so that a wrong size of a cell correlates nothing.
    protein = np.log(adata.obsm["protein"].to_numpy())
    r = np.corrcoef(protein, log_shares(adata), rowvar=False)[:10, 20:]
    assert np.mean(np.abs(np.arctanh(r)) * math.sqrt(1997) > 1.96) == pytest.approx(0.05, abs=0.03)
    assert np.abs(r).max() < 0.12


def test_twins_have_one_transcript_the_same_regulators_and_no_targets():
    adata = mechanistic(
        1500, 100, 12, bystanders=10, duplicates=3, regulator_parents=2.0, seed=5, **DEEP
    )
    values, protein = log_shares(adata), adata.obsm["protein"].to_numpy()
    for i in range(3):
        assert np.corrcoef(values[:, i], values[:, 9 + i])[0, 1] > 0.97
    np.testing.assert_array_equal(protein[:, :3], protein[:, 9:])
    network = adata.uns["network"]
    assert not set(network["source"]) & {"TF010", "TF011", "TF012"}
    for first, twin in (("TF001", "TF010"), ("TF003", "TF012")):
        of = network.groupby("target")["source"].agg(set)
        assert of.get(first, set()) == of.get(twin, set())


def test_bystanders_vary_and_follow_no_regulator():
    adata = mechanistic(2500, 150, 10, bystanders=60, seed=6, **DEEP)
    values = log_shares(adata)
    r2 = explained(values[:, :10], values[:, 10:])
    assert np.median(r2[:80]) > 0.15
    assert np.median(r2[80:]) < 0.02
    sd = values.std(axis=0)
    assert 0.5 < np.median(sd[90:]) / np.median(sd[10:90]) < 2


def test_cell_types_differ_and_their_targets_follow():
    one, many = (
        mechanistic(2000, **CALM, cell_types=k, signal=0.2, seed=6, **DEEP) for k in (1, 10)
    )
    labels = many.obs["cell_type"].to_numpy()
    means = pd.DataFrame(log_shares(many)).groupby(labels).transform("mean").to_numpy()
    share = means.var(axis=0) / log_shares(many).var(axis=0)
    assert share[:10].mean() > 0.4  # regulators
    assert share[10:50].mean() > 0.25  # targets
    assert share[50:].mean() < 0.05  # bystanders
    assert "cell_type" not in one.obs


@pytest.mark.parametrize("label", ["donor", "batch"])
def test_shares_of_donor_and_batch(label):
    units = {"donors": 60, "batches": 60 if label == "batch" else 1}
    shares = {"donor_share": 0.0, "batch_share": 0.0, f"{label}_share": 0.3}
    adata = mechanistic(
        3000, **SMALL, **units, **shares, depth=1e6, signal=0.3, condition=None, seed=3
    )
    values = log_shares(adata)
    indicator = pd.get_dummies(adata.obs[label]).to_numpy(float)
    found = explained(indicator - indicator.mean(axis=0), values)
    assert found.mean() == pytest.approx(0.3, abs=0.04)


def test_hidden_factor_correlates_everything():
    plain, hidden = (
        mechanistic(2000, **CALM, strength=0.0, hidden_share=share, seed=8, **DEEP)
        for share in (0.0, 0.4)
    )
    r = [np.abs(np.corrcoef(log_shares(a), rowvar=False)[:10, 10:]).mean() for a in (plain, hidden)]
    assert r[0] < 0.04
    assert r[1] > 0.25


def test_constant_genes_have_no_counts():
    adata = mechanistic(100, **SMALL, constant_genes=7)
    silent = np.asarray(adata.X.sum(axis=0)).ravel() == 0
    assert silent.tolist() == [False] * 53 + [True] * 7
    assert (adata.var["true_reliability"][silent] == 0).all()
    assert adata.var["mrna_half_life"].isna().tolist() == silent.tolist()


def test_genes_that_never_burst_are_no_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adata = mechanistic(60, **SMALL, bursts=0.02, seed=1)
    silent = np.asarray(adata.X.sum(axis=0)).ravel() == 0
    assert 0 < silent.sum() < 60
    assert np.isfinite(adata.X.data).all()
    assert np.isfinite(adata.var["true_reliability"]).all()


# ------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n_regulators": 2}, "n_regulators must be at least 3"),
        ({"n_genes": 130}, "n_genes must exceed"),
        ({"duplicates": 16}, "duplicates"),
        ({"donors": 0}, "at least 1"),
        ({"n_obs": 10}, "two cells for each donor"),
        ({"depth": math.inf}, "depth"),
        ({"seed": -1}, "seed"),
        ({"condition": "nested"}, "condition"),
        ({"parents": 0.5}, "parents must be at least 1"),
        ({"regulator_parents": -1}, "regulator_parents"),
        ({"strength": 1.0}, "strength"),
        ({"hill": 0}, "hill"),
        ({"hill": 11}, "hill"),
        ({"repressors": 1.5}, "repressors"),
        ({"mrna_half_life": 0}, "mrna_half_life"),
        ({"protein_half_life": math.nan}, "protein_half_life"),
        ({"protein_half_life": math.inf}, "protein_half_life"),
        ({"protein_half_life": 1000}, "50-fold"),
        ({"bursts": 0}, "bursts"),
        ({"signal": -0.1}, "signal"),
        ({"signal_hours": 0}, "signal_hours"),
        ({"protein_noise": math.nan}, "protein_noise"),
        ({"perturbations": -1}, "perturbations"),
        ({"perturbations": 26, "duplicates": 5}, "perturbations"),
        ({"perturbations": 30, "n_obs": 60}, "two cells for each perturbation"),
        ({"knockdown": 1.1}, "knockdown"),
        ({"escape": -0.1}, "escape"),
        ({"controls": 1}, "controls"),
        ({"times": (0.0, -1.0)}, "times"),
        ({"times": (0.0, math.inf)}, "times"),
        ({"times": (3.0,)}, "two different ones"),
        ({"times": (3.0, 3.0)}, "two different ones"),
        ({"stimulus": 0}, "stimulus"),
        ({"donor_share": -0.1}, "shares"),
        ({"donor_share": 0.6, "hidden_share": 0.4}, "shares"),
    ],
)
def test_arguments_out_of_range_are_refused_in_one_sentence(arguments, said):
    with pytest.raises(ValueError, match=said) as raised:
        mechanistic(**arguments)
    assert str(raised.value).count(". ") == 0
