"""Mixture knockoffs: one Gaussian is the plain draw, two clusters need two."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from infocheck.stats.exchangeability import exchangeability
from infocheck.stats.knockoff_filter import q_values
from infocheck.stats.knockoff_mixture import Component, Mixture
from infocheck.stats.knockoff_statistics import Products, ridge
from infocheck.stats.knockoffs import Gaussian
from infocheck.stats.standard import standardised


def two_clusters(rng, n=500, p=10, gap=3.0):
    """Clusters with means ``gap`` apart in every column, and correlations of other signs."""
    line = np.abs(np.subtract.outer(np.arange(p), np.arange(p)))
    label = rng.random(n) < 0.4
    shift = rng.choice([-1, 1], p) * gap / 2
    a, b = (rng.multivariate_normal(np.zeros(p), rho**line, n) for rho in (0.5, -0.5))
    return np.where(label[:, None], a + shift, b - shift), label


def drawn(mixture, x, rng):
    return mixture.draw(x, rng.normal(size=x.shape), rng.random(len(x)))


def test_one_component_is_the_gaussian_draw():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)) + 7
    noise = rng.normal(size=x.shape)
    mixture = Mixture.of(x, 1, rng)
    (only,) = mixture.components
    sigma = (1 - only.shrinkage) * np.corrcoef(x.T) + only.shrinkage * np.eye(5)
    plain = Gaussian.of(sigma).draw(standardised(x), noise)
    expected = x.mean(axis=0) + x.std(axis=0) * plain
    assert mixture.draw(x, noise, rng.random(200)) == pytest.approx(expected, abs=1e-6)


def test_posterior_is_that_of_scikit_learn():
    """The same parameters given to GaussianMixture; to 1e-8 (seed 2)."""
    rng = np.random.default_rng(2)
    x, label = two_clusters(rng, n=80, p=4, gap=0.8)
    parts = [Component.of(x[label == k], (label == k).mean()) for k in (0, 1)]
    mixture = Mixture(tuple(parts), None, np.zeros(4))
    reference = GaussianMixture(2)
    reference.weights_ = np.array([c.share for c in parts])
    reference.means_ = np.array([c.mean for c in parts])
    covariances = [c.gaussian.sigma * np.outer(c.sd, c.sd) for c in parts]
    reference.precisions_cholesky_ = np.array(
        [np.linalg.inv(np.linalg.cholesky(c)).T for c in covariances]
    )
    expected = reference.predict_proba(x)
    assert mixture.posterior(x) == pytest.approx(expected, abs=1e-8)
    assert (expected.max(axis=1) < 0.9).mean() > 0.02  # not all of it certain


def test_mean_and_covariance_are_those_of_the_columns():
    """8,000 rows of two clusters; 4 standard errors and what shrinkage takes (seed 3)."""
    rng = np.random.default_rng(3)
    x, label = two_clusters(rng, n=8000, p=6)
    found = drawn(Mixture.of(x, (1, 2, 3), rng), x, rng)
    assert found.mean(axis=0) == pytest.approx(x.mean(axis=0), abs=0.05)
    assert np.corrcoef(found.T) == pytest.approx(np.corrcoef(x.T), abs=0.03)
    # Between columns and other columns' knockoffs as between the columns, in each cluster.
    for k in (0, 1):
        own = np.cov(x[label == k].T)
        crossed = np.cov(x[label == k].T, found[label == k].T)[:6, 6:]
        others = ~np.eye(6, dtype=bool)
        assert crossed[others] == pytest.approx(own[others], abs=0.08)


def test_knockoffs_stay_in_the_cluster_of_their_row():
    rng = np.random.default_rng(4)
    x, label = two_clusters(rng, gap=6.0)
    found = drawn(Mixture.of(x, 2, rng), x, rng)
    side = np.sign(x[label].mean(axis=0) - x[~label].mean(axis=0))
    assert ((found @ side > (x @ side).mean()) == label).all()


@pytest.mark.parametrize("clusters", [1, 2, 3])
def test_number_of_clusters_is_found(clusters):
    """By the information criterion, in 7 of 8 draws of 300 rows (seeds 0 to 7)."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        centres = 2.5 * rng.normal(size=(clusters, 30))
        x = centres[rng.integers(clusters, size=300)] + rng.normal(size=(300, 30))
        found.append(len(Mixture.of(x, (1, 2, 3, 4), rng).components))
    assert found.count(clusters) >= 7


@pytest.mark.parametrize("p", [10, 40])
def test_passes_the_swap_test_where_a_single_gaussian_fails(p):
    """Rejected at .05 in 15 draws: single at least 9, mixture and labels at most 3 (seed 5)."""
    rng = np.random.default_rng(5)
    rejected = {"single": 0, "mixture": 0, "labels": 0}
    for _ in range(15):
        x, label = two_clusters(rng, p=p)
        made = {
            "single": Mixture.of(x, 1, rng),
            "mixture": Mixture.of(x, (1, 2, 3), rng),
            "labels": Mixture.given(x, label),
        }
        for name, mixture in made.items():
            p_value = exchangeability(x, drawn(mixture, x, rng), rng, flips=60).p_value
            rejected[name] += p_value <= 0.05
    assert rejected["single"] >= 9
    assert max(rejected["mixture"], rejected["labels"]) <= 3


def test_keeps_the_rate_that_a_single_gaussian_loses():
    """Steps of the columns as targets, nominal .1, mean of 8 draws (seeds 0 to 7)."""
    rates = {1: [], 2: []}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x, _ = two_clusters(rng, p=20)
        n, p = x.shape
        parents = np.zeros((p, 150), dtype=bool)
        for target in range(150):
            parents[rng.choice(p, max(1, rng.poisson(2)), replace=False), target] = True
        below = (x <= x.mean(axis=0)).astype(float)
        y = standardised((below @ parents == 0) + 0.1 * rng.normal(size=(n, 150)))
        for count, rate in rates.items():
            rows = standardised(np.hstack([x, drawn(Mixture.of(x, count, rng), x, rng)]))
            w = ridge(Products(rows.T @ rows / n, rows.T @ y / n, rows=n))
            kept = q_values(w) <= 0.1
            rate.append((kept & ~parents).sum() / max(kept.sum(), 1))
    single, mixture = np.mean(rates[1]), np.mean(rates[2])
    assert single > 0.25
    assert mixture < 0.16


def test_fewer_rows_than_columns_in_a_component():
    rng = np.random.default_rng(6)
    x, label = two_clusters(rng, n=60, p=50)
    mixture = Mixture.given(x, label)
    found = drawn(mixture, x, rng)
    assert np.isfinite(found).all()
    for component in mixture.components:
        assert np.linalg.cond(component.gaussian.sigma) < 1e4
        assert component.shrinkage > 0.05


def test_a_label_of_one_row_makes_a_copy():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(40, 3))
    found = drawn(Mixture.given(x, np.array(["a"] * 37 + ["b"] + ["c"] * 2)), x, rng)
    assert found[37] == pytest.approx(x[37], abs=1e-12)
    assert np.isfinite(found).all()


def test_a_column_that_is_constant_in_a_component_stays_so():
    """A gene that is silent in one cell type (seed 8)."""
    rng = np.random.default_rng(8)
    x, label = two_clusters(rng, p=5)
    x[label, 2] = 0.0
    for mixture in (Mixture.given(x, label), Mixture.of(x, 2, rng)):
        found = drawn(mixture, x, rng)
        assert (found[label, 2] == 0).all()
        assert found[~label, 2].std() > 0.5


def test_rows_may_be_drawn_in_any_blocks():
    rng = np.random.default_rng(9)
    x, _ = two_clusters(rng, gap=1.0)
    noise, uniform = rng.normal(size=x.shape), rng.random(len(x))
    mixture = Mixture.of(x, 2, rng)
    blocks = [
        mixture.draw(x[part], noise[part], uniform[part])
        for part in (slice(0, 7), slice(7, 300), slice(300, 500))
    ]
    assert np.vstack(blocks) == pytest.approx(mixture.draw(x, noise, uniform), abs=1e-10)


def test_uniform_numbers_choose_the_components():
    """The first .3 of them the first component, whose share that is (seed 10)."""
    rng = np.random.default_rng(10)
    parts = [Component.of(rng.normal(c, 0.01, (50, 1)), share) for c, share in ((0, 0.3), (9, 0.7))]
    # Densities so wide that only the shares count.
    mixture = Mixture(tuple(parts), None, np.array([1e6]))
    nothing = np.zeros((4000, 1))
    found = mixture.draw(nothing, nothing, np.linspace(0, 1, 4000, endpoint=False))
    near = np.abs(found[:, 0] - found[0, 0]) < 1e-9
    assert near.mean() == pytest.approx(0.3, abs=0.001)
    assert not near[1250:].any()


def test_wrong_input_is_refused():
    x = np.random.default_rng(11).normal(size=(20, 2))
    with pytest.raises(ValueError, match="one entry for each row"):
        Mixture.given(x, np.zeros(19))
    with pytest.raises(ValueError, match="at least 1"):
        Mixture.of(x, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="other rows"):
        Mixture.given(x, np.zeros(20)).draw(x[:5], x[:5], np.zeros(5))
