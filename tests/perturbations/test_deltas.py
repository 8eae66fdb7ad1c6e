"""Responses from sums equal those from rows; halves share no row; truth is found."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.errors import NotAssessed
from infocheck.moments import Moments
from infocheck.perturbations.deltas import Deltas

GENES, LEVELS = 12, ("control", "G0", "G1")


def screen(seed: int = 0, n: int = 300, *, batch: float = 0.0, label: bool = True):
    rng = np.random.default_rng(seed)
    level = rng.integers(3, size=n)
    plate = np.where(rng.random(n) < 0.3 + 0.2 * level, 1, 0)
    values = rng.normal(size=(n, GENES)) - 5.0 + batch * plate[:, None]
    values[level == 1, 0] -= 2.0
    values[level == 2, 5] += 1.0
    obs = pd.DataFrame(index=[f"c{i}" for i in range(n)])
    if label:
        obs["perturbation"] = np.array(LEVELS)[level]
    obs["batch"] = np.array(["p0", "p1"])[plate]
    names = [f"G{i}" for i in range(GENES)]
    return anndata.AnnData(
        values, obs=obs, var=pd.DataFrame({"is_regulator": [True] * GENES}, index=names)
    )


def opened(adata: anndata.AnnData) -> Dataset:
    data = Dataset.open(adata)
    return data.with_moments(Moments.of(data))


def test_differences_equal_those_of_rows_within_batches():
    adata = screen(batch=3.0)
    data = opened(adata)
    found = Deltas.of(data)
    assert list(found.names) == ["G0", "G1"]
    assert found.held == ("batch",)
    x = adata.X[:, data.panel.genes]
    expected, weights = np.zeros(GENES), 0.0
    for plate in ("p0", "p1"):
        here = (adata.obs["batch"] == plate).to_numpy()
        a = here & (adata.obs["perturbation"] == "G0").to_numpy()
        b = here & (adata.obs["perturbation"] == "control").to_numpy()
        w = a.sum() * b.sum() / (a.sum() + b.sum())
        expected += w * (x[a].mean(axis=0) - x[b].mean(axis=0))
        weights += w
    np.testing.assert_allclose(found.delta[0], expected / weights, atol=1e-10)


def test_a_batch_effect_does_not_look_like_a_response():
    found = Deltas.of(opened(screen(batch=3.0)))
    z = found.delta / found.error
    quiet = np.ones(z.shape, dtype=bool)
    quiet[0, 0] = quiet[1, 5] = False
    assert np.abs(z[quiet]).max() < 4
    assert z[0, 0] < -8
    assert z[1, 5] > 4
    assert list(found.targets[0]) == [0]
    assert not found.without_targets()[0, 0]


def test_errors_cover():
    z = []
    for seed in range(60):  # seeds 0 to 59
        found = Deltas.of(opened(screen(seed, n=120)))
        z.append((found.delta / found.error)[0, 6:])
    share = (np.abs(np.concatenate(z)) < 1.96).mean()
    assert 0.92 < share < 0.98


def test_halves_share_no_row_so_noise_of_controls_makes_no_agreement():
    together, apart = [], []
    for seed in range(40):  # seeds 0 to 39
        found = Deltas.of(opened(screen(seed, n=200)))
        quiet = slice(6, None)
        whole = found.delta[:, quiet]
        together.append(np.corrcoef(whole)[0, 1])
        a, b = found.halves[0][0][:, quiet], found.halves[0][1][:, quiet]
        apart.append(np.corrcoef(a[0], b[1])[0, 1])
    assert np.mean(together) > 0.35  # one control for both: about one half
    assert abs(np.mean(apart)) < 0.2


def test_a_panel_of_single_knockouts_has_differences_without_errors():
    rng = np.random.default_rng(0)
    names = [f"G{i}" for i in range(30)]
    adata = anndata.AnnData(
        rng.normal(size=(30, 30)) - 4,
        obs=pd.DataFrame({"perturbation": names}, index=[f"r{i}" for i in range(30)]),
        var=pd.DataFrame({"is_regulator": [True] * 30}, index=names),
    )
    found = Deltas.of(opened(adata))
    assert found.compared == "all other rows"
    assert np.isfinite(found.delta).all()
    assert np.isnan(found.error).all()


def test_no_label_is_not_assessed():
    with pytest.raises(NotAssessed, match="Bring"):
        Deltas.of(opened(screen(label=False)))
