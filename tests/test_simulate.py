"""The simulator's truth holds, and each switch breaks what it says."""

from __future__ import annotations

import hashlib
import math
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from infocheck import simulate as module
from infocheck.simulate import simulate
from infocheck.source import SIMULATED

# No donor, batch or hidden part: what is left is the cell-to-cell part alone.
PLAIN = {"donors": 2, "batches": 1, "donor_share": 0.0, "batch_share": 0.0}
# So deep that sampling noise is under 1 % of the latent variance.
DEEP = 1e6


def logged(adata: anndata.AnnData) -> np.ndarray:
    """Log counts less their mean over the genes of a cell, centred: the latent, scaled.

    Not divided by totals: a few abundant genes make up a total, and their own
    variation would be written into every other gene (R² .87 where the latent has .90).
    """
    values = np.log1p(adata.X.toarray().astype(float))
    values -= values.mean(axis=1, keepdims=True)
    return values - values.mean(axis=0)


def between(values: np.ndarray, labels: pd.Series) -> float:
    """One-way random-effects share of variance between labels, mean over genes."""
    indicator = pd.get_dummies(labels).to_numpy(float)
    n = indicator.sum(axis=0)
    k, total = len(n), n.sum()
    means = (indicator.T @ values) / n[:, None]
    within = ((values - indicator @ means) ** 2).sum(axis=0) / (total - k)
    among = (n[:, None] * (means - values.mean(axis=0)) ** 2).sum(axis=0) / (k - 1)
    component = (among - within) / ((total - (n**2).sum() / total) / (k - 1))
    return float((component / (component + within)).mean())


def correlation(values: np.ndarray) -> np.ndarray:
    return np.corrcoef(values, rowvar=False)


def edge_matrix(adata: anndata.AnnData) -> np.ndarray:
    """Signs of the network, genes × genes."""
    signs = np.zeros((adata.n_vars, adata.n_vars))
    network = adata.uns["network"]
    at = adata.var_names.get_indexer
    signs[at(network["source"]), at(network["target"])] = network["sign"]
    return signs


# ------------------------------------------------------------------------ form


def test_form_of_the_result():
    adata = simulate(300, 60, 12, cell_types=3, depth=500, seed=4)
    assert adata.shape == (300, 60)
    assert sparse.isspmatrix_csr(adata.X)
    assert adata.X.dtype == np.float32
    assert (adata.X.data == np.round(adata.X.data)).all()
    assert adata.X.data.min() > 0
    assert list(adata.obs) == ["donor", "batch", "condition", "cell_type"]
    assert all(isinstance(adata.obs[name].dtype, pd.CategoricalDtype) for name in adata.obs)
    assert adata.var_names[[0, 11, 12, 59]].tolist() == ["TF001", "TF012", "G0001", "G0048"]
    assert adata.var["is_regulator"].sum() == 12
    assert adata.var["true_reliability"].between(0, 1).all()
    assert not adata.obsm
    assert adata.uns[SIMULATED]["depth"] == 500


def test_cell_type_is_labelled_only_when_there_are_several():
    assert "cell_type" not in simulate(40, 20, 5).obs
    assert "condition" not in simulate(40, 20, 5, condition=None).obs


def test_network_names_regulators_and_targets():
    adata = simulate(40, 300, 20, parents=3.0, constant_genes=10)
    network = adata.uns["network"]
    assert set(network["source"]) <= set(adata.var_names[:20])
    assert set(network["target"]) == set(adata.var_names[20:290])
    assert set(network["sign"]) == {-1, 1}
    assert not network.duplicated(["source", "target"]).any()
    assert network.groupby("target").size().mean() == pytest.approx(3.0, abs=0.3)


def test_parents_never_exceed_the_regulators():
    network = simulate(40, 50, 3, parents=20.0).uns["network"]
    assert (network.groupby("target").size() == 3).all()


@pytest.mark.parametrize("depth", [50, 8000])
def test_depth_is_the_mean_total(depth):
    adata = simulate(2000, 300, 20, depth=depth, seed=2)
    assert adata.X.sum(axis=1).mean() == pytest.approx(depth, rel=0.05)


# ----------------------------------------------------------------- determinism


def test_same_seed_same_data():
    first, again, other = (simulate(200, 50, 10, seed=seed) for seed in (3, 3, 4))
    assert (first.X != again.X).nnz == 0
    pd.testing.assert_frame_equal(first.obs, again.obs)
    pd.testing.assert_frame_equal(first.var, again.var)
    pd.testing.assert_frame_equal(first.uns["network"], again.uns["network"])
    assert (first.X != other.X).nnz > 0


@pytest.mark.parametrize(
    ("arguments", "digest"),
    [
        ({}, "4f136818dc0593a3"),
        (
            {"cell_types": 3, "hidden_share": 0.1, "coupling": 0.5, "duplicates": 2},
            "f1d1a175c39ccf80",
        ),
    ],
)
def test_the_same_numbers_in_every_version(arguments, digest):
    """Tests and thresholds elsewhere rest on these very counts."""
    adata = simulate(60, 40, 5, **arguments)
    counts = adata.X.toarray().astype(np.int64).tobytes()
    assert hashlib.sha256(counts).hexdigest().startswith(digest)


def test_small_blocks_tell_the_same_truth(monkeypatch):
    """Blocks of 7 rows, the last one short: shape, shares and reliability stay."""
    whole = simulate(3000, 120, 20, donor_share=0.3, donors=60, depth=DEEP)
    monkeypatch.setattr("infocheck.simulate.observe.BLOCK_VALUES", 7 * 120)
    blocks = simulate(3000, 120, 20, donor_share=0.3, donors=60, depth=DEEP)
    assert blocks.shape == whole.shape
    assert between(logged(blocks), blocks.obs["donor"]) == pytest.approx(
        between(logged(whole), whole.obs["donor"]), abs=0.02
    )
    np.testing.assert_allclose(
        blocks.var["true_reliability"], whole.var["true_reliability"], atol=0.01
    )


@pytest.mark.parametrize("switches", [{}, {"condition": None}, {"r2": 0.0, "constant_genes": 5}])
def test_survives_h5ad(tmp_path, switches):
    adata = simulate(60, 40, 5, cell_types=2, **switches)
    with warnings.catch_warnings():
        # Nothing of ours may need converting; what pandas thinks of anndata is theirs.
        warnings.filterwarnings("error", category=anndata.ImplicitModificationWarning)
        adata.write_h5ad(tmp_path / "simulated.h5ad")
    back = anndata.read_h5ad(tmp_path / "simulated.h5ad")
    assert (back.X != adata.X).nnz == 0
    pd.testing.assert_frame_equal(back.obs, adata.obs)
    pd.testing.assert_frame_equal(back.var, adata.var)
    assert list(back.uns["network"]) == ["source", "target", "sign"]
    np.testing.assert_array_equal(
        back.uns["network"].to_numpy(str), adata.uns["network"].to_numpy(str)
    )
    assert back.uns[SIMULATED] == adata.uns[SIMULATED]


# ----------------------------------------------------------------- the network


@pytest.mark.parametrize("r2", [0.2, 0.5, 0.9])
def test_regulators_explain_r2_of_their_targets(r2):
    adata = simulate(3000, 420, 20, r2=r2, depth=DEEP, seed=5, **PLAIN)
    values, signs = logged(adata), edge_matrix(adata)
    explained = []
    for target in range(20, 420):
        parents = values[:, signs[:, target] != 0]
        fit = parents @ np.linalg.lstsq(parents, values[:, target], rcond=None)[0]
        explained.append(1 - np.var(values[:, target] - fit) / np.var(values[:, target]))
    assert np.mean(explained) == pytest.approx(r2, abs=0.02)


def test_edges_have_their_sign():
    adata = simulate(3000, 140, 20, parents=1.0, depth=DEEP, seed=5, **PLAIN)
    signs = edge_matrix(adata)
    edges = signs != 0
    assert (np.sign(correlation(logged(adata)))[edges] == signs[edges]).all()


def test_without_r2_regulators_and_targets_correlate_by_chance_only():
    adata = simulate(2000, 440, 40, r2=0.0, depth=DEEP, seed=6, **PLAIN)
    assert adata.uns["network"].empty
    r = correlation(logged(adata))[:40, 40:]
    # Under chance z is standard normal; the estimated size of a cell adds a little.
    z = np.arctanh(r) * math.sqrt(2000 - 3)
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.05, abs=0.02)
    assert np.abs(z).max() < 5.5


def test_regulators_correlate_in_blocks():
    adata = simulate(3000, 440, 40, depth=DEEP, seed=7, **PLAIN)
    r = correlation(logged(adata))[:40, :40]
    block = np.arange(40) // module.BLOCK
    same = block[:, None] == block
    np.fill_diagonal(same, False)
    assert r[same].mean() == pytest.approx(module.BLOCK_CORRELATION, abs=0.03)
    assert r[block[:, None] != block].mean() == pytest.approx(0, abs=0.02)


# --------------------------------------------------------- variance components


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_donor_share(share):
    adata = simulate(
        3000, 120, 20, donors=60, batches=1, donor_share=share, batch_share=0.0, depth=DEEP
    )
    assert between(logged(adata), adata.obs["donor"]) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_batch_share(share):
    adata = simulate(
        3000, 120, 20, donors=60, batches=60, donor_share=0.0, batch_share=share, depth=DEEP
    )
    assert between(logged(adata), adata.obs["batch"]) == pytest.approx(share, abs=0.02)


def test_donors_lie_in_batches_and_their_shares_add():
    adata = simulate(
        3000, 120, 20, donors=120, batches=40, donor_share=0.2, batch_share=0.2, depth=DEEP
    )
    table = pd.crosstab(adata.obs["donor"], adata.obs["batch"])
    assert ((table > 0).sum(axis=1) == 1).all()
    assert between(logged(adata), adata.obs["donor"]) == pytest.approx(0.4, abs=0.03)


def test_cell_types_take_their_share():
    adata = simulate(3000, 120, 20, cell_types=50, depth=DEEP, **PLAIN)
    share = between(logged(adata), adata.obs["cell_type"])
    assert share == pytest.approx(module.CELL_TYPE_SHARE, abs=0.02)


def test_without_shares_labels_explain_nothing():
    adata = simulate(2000, 200, 20, depth=DEEP, **{**PLAIN, "donors": 40, "batches": 10})
    for label in ("donor", "batch", "condition"):
        assert between(logged(adata), adata.obs[label]) == pytest.approx(0, abs=0.005)


def test_hidden_factor_correlates_everything_without_a_label():
    adata = simulate(
        3000, 240, 40, r2=0.0, hidden_share=0.3, depth=DEEP, condition=None, seed=8, **PLAIN
    )
    r = np.abs(correlation(logged(adata))[:40, 40:])
    assert r.mean() == pytest.approx(0.3, abs=0.03)
    assert between(logged(adata), adata.obs["donor"]) == pytest.approx(0, abs=0.005)
    assert list(adata.obs) == ["donor", "batch"]


# ----------------------------------------------------------------- reliability


def test_true_reliability_equals_the_closed_form():
    """Lognormal rates: v m / (v m + E[1/size]), v = exp(sd²) - 1, m = mean count."""
    adata = simulate(20_000, 60, 10, depth=120, seed=9, **PLAIN)
    mean = np.asarray(adata.X.mean(axis=0)).ravel()
    signal = math.expm1(module.LOG_SD**2) * mean
    expected = signal / (signal + math.exp(module.SIZE_SPREAD**2))
    assert np.ptp(expected) > 0.3
    np.testing.assert_allclose(adata.var["true_reliability"], expected, atol=0.02)


def test_true_reliability_agrees_with_the_estimate_from_counts():
    adata = simulate(5000, 300, 30, depth=2000, seed=9)
    counts = adata.X.toarray().astype(float)
    size = counts.sum(axis=1, keepdims=True)
    size /= size.mean()
    noise = (counts / size**2).mean(axis=0)
    estimated = 1 - noise / (counts / size).var(axis=0)
    assert np.abs(estimated - adata.var["true_reliability"]).mean() < 0.03


def test_true_reliability_falls_with_depth():
    deep, usual, shallow = (
        simulate(depth=depth, seed=1).var["true_reliability"] for depth in (80_000, 8000, 50)
    )
    assert (deep > usual).all()
    assert (usual > shallow).all()
    assert shallow.mean() < 0.1 < 0.6 < usual.mean()


def test_constant_genes_have_no_counts_and_no_reliability():
    adata = simulate(100, 50, 5, constant_genes=7)
    silent = np.asarray(adata.X.sum(axis=0)).ravel() == 0
    assert silent.tolist() == [False] * 43 + [True] * 7
    assert (adata.var["true_reliability"][silent] == 0).all()
    assert adata.X.sum(axis=1).mean() == pytest.approx(8000, rel=0.1)


# ------------------------------------------------------------------- condition


def test_aliased_condition_is_a_function_of_batch():
    table = pd.crosstab(*(simulate(condition="aliased").obs[c] for c in ("batch", "condition")))
    assert ((table > 0).sum(axis=1) == 1).all()
    assert ((table > 0).sum(axis=0) == 2).all()


@pytest.mark.parametrize("label", ["batch", "donor"])
def test_balanced_condition_is_crossed(label):
    obs = simulate(condition="balanced").obs
    table = pd.crosstab(obs[label], obs["condition"]).to_numpy()
    assert table.min() > 0
    assert table.max() - table.min() <= 1


# ------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n_regulators": 2}, "n_regulators must be at least 3"),
        ({"n_genes": 40}, "n_genes must exceed"),
        ({"constant_genes": 360}, "n_genes must exceed"),
        ({"bystanders": 360}, "n_genes must exceed"),
        ({"constant_genes": -1}, "constant_genes"),
        ({"bystanders": -1}, "bystanders"),
        ({"duplicates": 21}, "duplicates"),
        ({"coupling": 1.1}, "coupling"),
        ({"donors": 0}, "at least 1"),
        ({"donors": 3}, "batches must not exceed donors"),
        ({"n_obs": 10}, "two cells for each donor"),
        ({"depth": 0}, "depth"),
        ({"depth": math.nan}, "depth"),
        ({"r2": 1.1}, "r2"),
        ({"r2": math.nan}, "r2"),
        ({"parents": 0.5}, "parents"),
        ({"donor_share": -0.1}, "shares"),
        ({"donor_share": math.nan}, "shares"),
        ({"donor_share": 0.5, "batch_share": 0.3, "hidden_share": 0.2}, "less than 1"),
        ({"donor_share": 0.5, "batch_share": 0.3, "cell_types": 2}, "cell types take 0.2"),
        ({"condition": "nested"}, "condition must be"),
        ({"condition": "aliased", "batches": 1}, "at least 2 batches"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arguments_out_of_range_are_refused_in_one_sentence(arguments, said):
    with pytest.raises(ValueError, match=said) as raised:
        simulate(**arguments)
    assert str(raised.value).count(". ") == 0


@pytest.mark.parametrize("r2", [0, 1])
def test_the_ends_of_r2_are_allowed(r2):
    assert np.isfinite(simulate(50, 20, 4, r2=r2).X.data).all()


# ------------------------------------------------- regulators that are not what they seem


def test_targets_follow_activity_and_not_its_mrna():
    """With coupling c the R² that mRNA can have falls to c² of what it was."""
    explained = {}
    for coupling in (1.0, 0.5):
        adata = simulate(
            3000, 120, 10, depth=DEEP, r2=0.8, coupling=coupling, seed=4, **PLAIN, condition=None
        )
        values = logged(adata)
        z, y = values[:, :10], values[:, 10:]
        fitted = z @ np.linalg.lstsq(z, y, rcond=None)[0]
        explained[coupling] = (fitted.var(axis=0) / y.var(axis=0)).mean()
    assert explained[0.5] / explained[1.0] == pytest.approx(0.25, abs=0.03)


def test_duplicates_are_the_same_regulator_measured_twice():
    adata = simulate(2000, 100, 12, depth=DEEP, duplicates=2, seed=5, **PLAIN, condition=None)
    r = correlation(logged(adata)[:, :12])
    assert r[0, 10] > 0.97
    assert r[1, 11] > 0.97
    assert r[2, 10] < 0.6
    assert not set(adata.uns["network"]["source"]) & {"TF011", "TF012"}


def test_bystanders_follow_no_regulator():
    adata = simulate(3000, 150, 10, depth=DEEP, r2=0.8, bystanders=60, seed=6, **PLAIN)
    values = logged(adata)
    z, y = values[:, :10], values[:, 10:]
    fitted = z @ np.linalg.lstsq(z, y, rcond=None)[0]
    r2 = fitted.var(axis=0) / y.var(axis=0)
    assert r2[:80].min() > 0.6
    assert r2[80:].max() < 0.1
    assert set(adata.uns["network"]["target"]) <= set(adata.var_names[10:90])
