"""What the data say of other studies: noise, and the factor that stands for a hidden one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from infocheck import alternatives
from infocheck.alternatives import DO, MAY_BE, MEASURED
from infocheck.dataset import Dataset
from infocheck.moments import Moments
from infocheck.proxies import coupling
from infocheck.simulate import simulate

PLANTED = {"n_genes": 150, "n_regulators": 20, "donors": 12, "batches": 3, "depth": 8000}


def opened(adata):
    data = Dataset.open(adata)
    return data.with_moments(Moments.of(data))


def standardised(data):
    values = data.moments.sample.values  # all rows: there are fewer than the sample takes
    assert len(values) == data.n
    return (values - values.mean(axis=0)) / values.std(axis=0)


def world(data):
    p = data.panel.p
    gram = data.moments.total().correlation()[:, :p]
    return alternatives.world(data, gram, 0.1, np.array([0.2]), np.array([1.0]))


def test_the_strongest_factor_is_that_of_rows():
    """Part of each target between batches, and what regulators share with it; to 1e-9."""
    adata = simulate(600, batch_share=0.4, donor_share=0.0, condition=None, seed=2, **PLANTED)
    del adata.obs["donor"]
    data = opened(adata)
    real, z = world(data), standardised(data)
    code = data.roles["batch"].codes
    targets = z[:, data.panel.sampled]
    means = np.stack([targets[code == level].mean(axis=0) for level in range(3)])
    part = means[code]
    raw, chance = part.var(axis=0), 2 / 599
    strength = np.maximum((raw - chance) / (1 - chance), 0)
    assert real.strength == pytest.approx(strength, abs=1e-9)
    covariance = z[:, : data.panel.p].T @ part / data.n * np.sqrt(strength / raw)
    assert np.abs(real.shared - covariance).max() < 1e-9
    names = [plan.name for plan in alternatives.alternatives(data)]
    assert "A hidden factor as strong as batch" in names
    assert np.median(real.strength) == pytest.approx(0.2, abs=0.15)


def test_without_labels_the_first_component_stands_for_it():
    adata = simulate(500, seed=3, **PLANTED)
    adata.obs = adata.obs[[]]
    data = opened(adata)
    real, z = world(data), standardised(data)
    regulators = z[:, : data.panel.p]
    score = np.linalg.svd(regulators, full_matrices=False)[0][:, 0] * np.sqrt(data.n)
    loading = score @ z[:, data.panel.sampled] / data.n
    chance = 1 / (data.n - 1)
    strength = np.maximum((loading**2 - chance) / (1 - chance), 0)
    assert real.strength == pytest.approx(strength, abs=1e-9)
    expected = (regulators.T @ score / data.n)[:, None] * np.sign(loading) * np.sqrt(strength)
    assert np.abs(real.shared - expected).max() < 1e-9


def test_reliability_is_that_of_the_simulation():
    adata = simulate(4000, depth=3000, donor_share=0, batch_share=0, n_genes=150, seed=4)
    data = opened(adata)
    real = world(data)
    names = data.names(np.arange(data.panel.p))
    truth = adata.var["true_reliability"][names].to_numpy()
    assert np.abs(real.reliability - truth).mean() < 0.05
    assert ((real.latent.diagonal() - real.reliability) > -1e-9).all()
    adata.X = np.log1p(adata.X.toarray())
    assert (world(opened(adata)).reliability == 1).all()


def test_every_study_is_a_number_or_a_reason():
    data = opened(simulate(300, seed=5, **PLANTED))
    plans = alternatives.alternatives(data)
    assert plans[0].name == MEASURED
    assert {plan.kind for plan in plans[1:]} == {DO, MAY_BE}
    assert len({plan.name for plan in plans}) == len(plans)
    for plan in plans:
        assert (plan.scenario is None) == bool(plan.missing)


def test_a_measured_coupling_replaces_the_assumed_ones():
    """Protein of every regulator that follows its mRNA closely: both ends of the range."""
    adata = simulate(400, seed=6, **PLANTED)
    rng = np.random.default_rng(6)
    names = list(adata.var_names[adata.var["is_regulator"]])
    mrna = np.log1p(adata[:, names].X.toarray())
    noisy = mrna + 0.1 * mrna.std(axis=0) * rng.normal(size=mrna.shape)
    adata.obsm["protein"] = pd.DataFrame(noisy, index=adata.obs_names, columns=names)
    data = opened(adata)
    plans = [plan for plan in alternatives.alternatives(data) if plan.name.startswith("mRNA")]
    assert all("(measured)" in plan.name for plan in plans)
    least, _, most = coupling.of(data).strength
    assert {plan.scenario.coupling for plan in plans} == {least, most}
    assert least > 0.5
    without = alternatives.alternatives(opened(simulate(400, seed=6, **PLANTED)))
    assumed = [plan.scenario.coupling for plan in without if plan.name.startswith("mRNA")]
    assert assumed == [0.9, 0.6, 0.3]
