"""Removing confounders from regulators, knockoffs and targets; decoys; the swap test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infocheck import adjustment
from infocheck.adjustment import Left, Rows, standardised
from infocheck.calibration import CORRELATION, KNOCKOFFS, hidden_factors
from infocheck.dataset import Dataset
from infocheck.hidden import headline
from infocheck.moments import Moments
from infocheck.simulate import simulate


def opened(adata, **options):
    data = Dataset.open(adata, **options)
    return data.with_moments(Moments.of(data))


def rows_with(x, y, own=None, **more):
    """Rows of given regulators and targets, and nothing else."""
    fields = {
        "regulators": standardised(x),
        "targets": standardised(y),
        "own": np.full(y.shape[1], -1) if own is None else own,
        "simulated": {},
        "truth": np.zeros((x.shape[1], 0), bool),
        "replicate": np.zeros(0, int),
        "components": np.zeros((len(x), 0)),
        "known": None,
    }
    return Rows(**fields | more)


def rows_of(data, rng):
    return Rows.of(data, headline(hidden_factors(data)), rng)


@pytest.fixture(scope="module")
def planted():
    """A latent factor moves 30 regulators and 60 targets, which have one regulator each."""
    rng = np.random.default_rng(1)
    n, p, m = 600, 30, 60
    latent = rng.standard_normal((n, 1))
    x = rng.standard_normal((n, p)) + latent @ rng.uniform(0.5, 1, (1, p))
    parent = rng.integers(p, size=m)
    y = 0.6 * x[:, parent] + 1.5 * latent + rng.standard_normal((n, m))
    truth = np.arange(p)[:, None] == parent
    return x, y, latent / np.linalg.norm(latent), truth


def false_share(q, truth):
    kept = q <= 0.1 * (1 + 1e-9)
    return (kept & ~truth).sum() / max(kept.sum(), 1), (kept & truth).sum() / truth.sum()


@pytest.mark.parametrize("statistic", ["marginal", "ridge", "lasso"])
def test_removing_the_factor_restores_the_rate(planted, statistic):
    """Without: most discoveries are false. From regulators, knockoffs and targets: few are."""
    x, y, latent, truth = planted
    rows = rows_with(x, y)
    before = Left.of(rows, None, np.random.default_rng(2)).real(statistic)
    after = Left.of(rows, latent - latent.mean(), np.random.default_rng(2)).real(statistic)
    for selector in (KNOCKOFFS + statistic, CORRELATION):
        wrong, _ = false_share(before[selector], truth)
        assert wrong > 0.4, selector
        wrong, power = false_share(after[selector], truth)
        assert wrong < 0.25, selector
        assert power > 0.8, selector


def test_removed_is_removed(planted):
    x, y, latent, _ = planted
    basis = np.linalg.qr(latent - latent.mean())[0]
    left = Left.of(rows_with(x, y), basis, np.random.default_rng(3))
    for values in (left.x, left.y):
        assert np.abs(basis.T @ values).max() < 1e-9
        assert values.var(axis=0) == pytest.approx(np.ones(values.shape[1]))
    assert left.n == len(x) - 1
    residual = y - y.mean(axis=0)
    residual -= basis @ (basis.T @ residual)
    expected = np.corrcoef(left.x, residual, rowvar=False)[: x.shape[1], x.shape[1] :]
    assert np.abs(left.correlations - expected).max() < 1e-9


@pytest.mark.parametrize("statistic", ["marginal", "ridge", "coefficient"])
def test_a_target_that_is_a_regulator_gets_knockoffs_of_the_others(statistic):
    """Chains of regulators: neighbours are found, nobody finds itself.

    Mean share false over six chains (seeds 0 to 5) at a nominal .1; its standard error is
    about .03.
    """
    n, p = 800, 20
    neighbours = np.abs(np.subtract.outer(np.arange(p), np.arange(p))) == 1
    wrong = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((n, p))
        for k in range(1, p):
            x[:, k] += 0.6 * x[:, k - 1]
        left = Left.of(rows_with(x, x, np.arange(p)), None, rng)
        q = left.real(statistic)[KNOCKOFFS + statistic]
        assert np.isnan(np.diag(q)).all()
        assert np.isfinite(q).sum() == p * (p - 1)
        share, power = false_share(np.nan_to_num(q, nan=1.0), neighbours)
        wrong.append(share)
        assert power > 0.9
    assert np.mean(wrong) <= 0.16


def test_decoys_are_found_by_correlation_and_hardly_by_knockoffs(planted):
    x, _, _, truth = planted
    rng = np.random.default_rng(5)
    independent = rng.standard_normal(x.shape)
    y = independent @ truth + 0.7 * rng.standard_normal((len(x), truth.shape[1]))
    table = adjustment.decoys(rows_with(independent, y), "ridge", rng)
    at = table[table["nominal"] == 0.2].set_index("selector")["share"]
    assert at[CORRELATION] > 0.4
    assert not at[KNOCKOFFS + "ridge"] > 0.3


def test_the_decoy_of_a_target_is_no_discovery():
    rng = np.random.default_rng(6)
    x = rng.standard_normal((300, 12))
    table = adjustment.decoys(rows_with(x, x, np.arange(12)), "ridge", rng)
    at = table[(table["nominal"] == 0.01) & (table["selector"] == CORRELATION)].iloc[0]
    assert at["decoys_found"] <= 2  # independent regulators: only its own copy resembles one


def test_the_swap_test_sees_regulators_that_are_not_gaussian():
    rng = np.random.default_rng(7)
    size = rng.exponential(1, (400, 1)) ** 2
    heavy = rng.standard_normal((400, 8)) * size
    y = rng.standard_normal((400, 1))
    odd = adjustment.swap_test(rows_with(heavy, y), rng)["p_value"][0]
    sound = adjustment.swap_test(rows_with(rng.standard_normal((400, 8)), y), rng)["p_value"][0]
    assert odd < 0.05 < sound


def test_rows_of_a_data_set():
    data = opened(simulate(400, n_genes=120, n_regulators=20, donors=8, seed=8))
    rows = rows_of(data, np.random.default_rng(9))
    n, p = rows.regulators.shape
    assert (n, p) == (400, 20)
    assert set(rows.simulated) >= {""}
    assert rows.truth.shape[0] == p
    assert rows.truth.shape[1] == len(rows.replicate)
    assert np.abs(rows.components.T @ rows.components - np.eye(50)).max() < 1e-6
    assert np.abs(rows.known.T @ rows.known - np.eye(rows.known.shape[1])).max() < 1e-9
    curve = adjustment.adjustment_curve(
        rows, "marginal", 0.1, np.random.default_rng(10), lambda f, tasks: [f(t) for t in tasks]
    )
    steps = list(dict.fromkeys(curve["removed"]))
    assert steps[:3] == ["nothing", "labelled factors", "1 component"]
    assert steps[-1] == "50 components"
    assert curve[curve["targets"] == "real"]["realised"].isna().all()
    assert curve[curve["targets"] == "simulated"]["realised"].between(0, 1).all()


def test_labels_that_leave_no_rows_are_not_removed():
    adata = simulate(40, n_genes=60, n_regulators=8, donors=4, batches=2, seed=11)
    adata.obs["donor"] = [f"d{i // 2}" for i in range(40)]
    data = opened(adata, donor="donor")
    assert rows_of(data, np.random.default_rng(12)).known is None


def test_where_all_genes_are_regulators_they_are_targets():
    data = opened(simulate(150, n_genes=40, n_regulators=8, seed=13), regulators="all")
    rows = rows_of(data, np.random.default_rng(14))
    assert (rows.own >= 0).all()
    table = adjustment.among_regulators(rows, np.random.default_rng(15))
    assert table["selector"].nunique() == 7
    assert (table["targets"] == len(rows.own)).all()
    p = rows.regulators.shape[1]
    assert (table["pairs"] == (p - 1) * len(rows.own)).all()


def test_trees_find_strong_regulators():
    """Regulators with most of the variance of 10 targets, others independent."""
    rng = np.random.default_rng(16)
    x = rng.standard_normal((300, 15))
    truth = np.arange(15)[:, None] == np.arange(10)
    y = x @ truth + 0.3 * rng.standard_normal((300, 10))
    rows = replace(
        rows_with(x, y), simulated={"": standardised(y)}, truth=truth, replicate=np.zeros(10, int)
    )
    table = adjustment.trees(rows, rng, lambda f, tasks: [f(task) for task in tasks])
    at = table[table["nominal"] == 0.1].iloc[0]
    assert at["power"] == 1
    assert at["realised"] < 0.4
