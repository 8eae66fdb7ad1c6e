"""Factors that stand for a hidden one: what they add to targets is what the data show."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck import hidden
from infocheck.calibration import hidden_factors
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.simulate import simulate

PLANTED = {"n_genes": 150, "n_regulators": 20, "donors": 12, "batches": 3, "depth": 8000}


def opened(adata):
    data = Dataset.open(adata)
    return data.with_moments(Moments.of(data))


@pytest.fixture(scope="module")
def batches():
    return opened(
        simulate(600, batch_share=0.4, donor_share=0.0, condition=None, seed=2, **PLANTED)
    )


def parts(data, factor):
    """Standardised regulators of all rows, and what the factor adds to every sampled target."""
    sample = data.moments.sample
    z = sample.values[:, : data.panel.p]
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    return z, factor.part(z, sample.rows, np.arange(len(data.panel.sampled)))


@pytest.mark.parametrize("number", [1, 5, 10])
def test_components_share_with_regulators_what_they_say(batches, number):
    (factor,) = hidden.components(batches, (number,))
    z, part = parts(batches, factor)
    assert np.abs(part.mean(axis=0)).max() < 1e-9
    assert part.var(axis=0) == pytest.approx(factor.strength, abs=1e-9)
    assert np.abs(z.T @ part / len(z) - factor.shared).max() < 1e-9
    assert factor.name.endswith("of the regulators")


def test_a_labelled_factor_shares_with_regulators_what_it_says(batches):
    factor = hidden.strongest(batches)
    assert factor.name in ("batch", "donor")
    z, part = parts(batches, factor)
    assert part.var(axis=0) == pytest.approx(factor.strength, abs=1e-9)
    assert np.abs(z.T @ part / len(z) - factor.shared).max() < 1e-9
    assert factor.level is not None


def test_the_headline_is_the_labelled_factor_else_most_components(batches):
    few, many = hidden.components(batches, (1, 5))
    labelled = hidden.strongest(batches)
    assert hidden.headline([labelled, few, many]) is labelled
    assert hidden.headline([few, many]) is many


def test_chance_alone_has_no_strength():
    """Of 200 rows five components explain .025 of anything; of noise nothing is left."""
    adata = simulate(200, r2=0.0, batch_share=0.0, donor_share=0.0, seed=3, **PLANTED)
    adata.obs = adata.obs[[]]
    (factor,) = hidden.components(opened(adata), (5,))
    assert np.mean(factor.strength) < 0.012


def test_labels_that_fit_every_row_are_no_factor():
    """As many levels as rows explain everything by chance, so nothing of it is strength."""
    adata = simulate(60, seed=5, **PLANTED)
    adata.obs = adata.obs[[]].assign(donor=[f"d{i}" for i in range(60)])
    data = opened(adata)
    assert all(factor.level is None for factor in hidden_factors(data))


def test_missing_labels_are_a_level_of_their_own():
    adata = simulate(300, batch_share=0.4, seed=4, **PLANTED)
    adata.obs = adata.obs[["batch"]].astype(str)
    adata.obs.iloc[:40, 0] = np.nan
    data = opened(adata)
    _, part = parts(data, hidden.strongest(data))
    assert np.isfinite(part).all()
    assert np.ptp(part[:40], axis=0).max() == 0
