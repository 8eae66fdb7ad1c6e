"""Unspliced targets: the gain over spliced ones, against planted correlations."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.proxies import splicing
from infocheck.simulate import simulate

P, TARGETS, BACKGROUND = 10, 60, 40


def world(young: float, old: float, seed: int, *, depth=(1.0, 4.0), n: int = 1500):
    """Each target follows one regulator, with these correlations in either layer.

    Counts of unspliced and spliced transcripts are of mean ``depth``; further genes follow
    nothing. The mean squared correlations are ``young² / 10`` and ``old² / 10``.
    """
    rng = np.random.default_rng(seed)
    m = rng.standard_normal((n, P))
    parent, sign = rng.integers(P, size=TARGETS), rng.choice([-1, 1], TARGETS)
    size = np.exp(rng.normal(0, 0.3, (n, 1)))
    layers = {}
    for name, r, mean in (("unspliced", young, depth[0]), ("spliced", old, depth[1])):
        targets = r * sign * m[:, parent]
        targets = targets + np.sqrt(1 - r * r) * rng.standard_normal(targets.shape)
        latent = np.column_stack([m, targets, np.zeros((n, BACKGROUND))])
        layers[name] = rng.poisson(mean * size * np.exp(0.4 * latent)).astype(float)
    names = [f"TF{i}" for i in range(P)] + [f"G{i}" for i in range(TARGETS + BACKGROUND)]
    return anndata.AnnData(
        sum(layers.values()),
        obs=pd.DataFrame(index=[f"c{i}" for i in range(n)]),
        var=pd.DataFrame({"is_regulator": np.arange(len(names)) < P}, index=names),
        layers=layers,
    )


def opened(adata, targets) -> Dataset:
    data = Dataset.open(adata, targets=targets)
    return data.with_moments(Moments.of(data))


@pytest.fixture
def targets(tmp_path):
    path = tmp_path / "targets.txt"
    path.write_text("\n".join(f"G{i}" for i in range(TARGETS)))
    return path


def gain(adata, targets, seed: int = 0) -> pd.DataFrame:
    return splicing.gain(opened(adata, targets), np.random.default_rng(seed))


def test_sees_that_unspliced_targets_follow_more_closely(targets):
    found = gain(world(0.8, 0.4, 1), targets).set_index("statistic")
    assert found.loc["gain", "low"] > 0
    assert found.loc["unspliced targets", "estimate"] == pytest.approx(0.064, rel=0.15)
    assert found.loc["spliced targets", "estimate"] == pytest.approx(0.016, rel=0.25)
    assert found.loc["ratio", "low"] < 4 < found.loc["ratio", "high"]
    assert (found["targets"] == TARGETS).all()
    assert (found["regulators"] == P).all()


def test_passes_layers_that_follow_alike_though_one_is_sparse(targets):
    """A fifth of the counts is no lower correlation once noise is taken out."""
    found = gain(world(0.6, 0.6, 2, depth=(1.0, 5.0)), targets).set_index("statistic")
    assert found.loc["gain", "low"] < 0 < found.loc["gain", "high"]
    assert found.loc["ratio", "low"] < 1 < found.loc["ratio", "high"]


@pytest.mark.slow
def test_intervals_cover_the_truth(targets):
    """100 data sets, seeds 0 to 99; logarithms of small counts cost some per cent."""
    covered = []
    for seed in range(100):
        found = gain(world(0.8, 0.4, seed, n=800), targets, seed).set_index("statistic")
        truth = {"gain": 0.048, "spliced targets": 0.016}
        covered.append(
            [
                found.loc[key, "low"] <= value <= found.loc[key, "high"]
                for key, value in truth.items()
            ]
        )
    assert (np.mean(covered, axis=0) >= 0.90).all()


def test_no_ratio_where_spliced_targets_follow_nothing(targets):
    found = gain(world(0.6, 0.0, 3), targets).set_index("statistic")
    assert np.isnan(found.loc["ratio", "estimate"])
    assert found.loc["gain", "low"] > 0


def test_without_layers_or_counts_there_is_nothing(targets):
    plain = simulate(n_obs=200, seed=1)
    data = Dataset.open(plain)
    data = data.with_moments(Moments.of(data))
    assert not len(splicing.gain(data, np.random.default_rng(0)))
    smooth = world(0.8, 0.4, 5, n=300)
    smooth.layers["unspliced"] = smooth.layers["unspliced"] * 0.37
    assert not len(gain(smooth, targets))


def test_rows_without_any_spliced_or_unspliced_molecule_are_left_out(targets):
    adata = world(0.8, 0.4, 6, n=400)
    for layer in adata.layers.values():
        layer[:5] = 0
    found = gain(adata, targets)
    assert (found["observations"] == 395).all()
