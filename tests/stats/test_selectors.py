"""Selectors against scipy, brute force and real permutations, and what they claim against truth."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import false_discovery_control, pearsonr

from infocheck.stats.knockoff_filter import fdp, realised
from infocheck.stats.partial import Shrunken, shrinkage_weight
from infocheck.stats.selectors import (
    Mixture,
    correlation_q,
    partial_mixture,
    partial_q,
    shuffled_correlations,
    shuffled_q,
)
from infocheck.stats.sums import CrossSums

NOMINAL = np.array([0.1])


def correlated(rng, n, p, rho=0.6, size=5):
    """Regulators in blocks of equal correlation."""
    shared = np.repeat(rng.normal(size=(n, p // size)), size, axis=1)
    return np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.normal(size=(n, p))


def planted(rng, x, m, effect, parents=2):
    truth = np.zeros((x.shape[1], m), dtype=bool)
    for column in truth.T:
        column[rng.choice(x.shape[1], parents, replace=False)] = True
    return effect * x @ truth + rng.normal(size=(len(x), m)), truth


def model_and_correlations(x, y, shrinkage=None):
    p = x.shape[1]
    sums = CrossSums.of(np.hstack([x, y]), p, fourth=True)
    weight = shrinkage_weight(sums) if shrinkage is None else shrinkage
    r = sums.correlation()
    return Shrunken.of(r[:, :p].copy(), weight), r[:, p:]


def outside(m):
    return np.full(m, -1)


def test_correlation_q_is_benjamini_hochberg_of_scipy():
    rng = np.random.default_rng(0)
    x = correlated(rng, 80, 10)
    y, _ = planted(rng, x, 12, 0.3)
    r = np.corrcoef(x.T, y.T)[:10, 10:]
    p_values = np.array([[pearsonr(a, b).pvalue for b in y.T] for a in x.T])
    r[3, 4] = p_values[3, 4] = np.nan
    kept = np.isfinite(r)
    q = correlation_q(r, 80)
    assert np.allclose(q[kept], false_discovery_control(p_values[kept]), rtol=1e-10)
    assert np.isnan(q[3, 4])
    assert correlation_q(np.array([[1.0, -1.0]]), 50).max() < 1e-12
    assert np.isnan(correlation_q(np.full((2, 2), np.nan), 50)).all()


def test_correlation_q_keeps_its_rate_with_independent_regulators_only():
    share = {0.0: [], 0.6: []}
    for rho, values in share.items():
        for seed in range(40):
            rng = np.random.default_rng(seed)
            x = correlated(rng, 200, 40, rho)
            y, truth = planted(rng, x, 30, 0.5)
            r = np.corrcoef(x.T, y.T)[:40, 40:]
            found, true = realised(correlation_q(r, 200), truth, NOMINAL)
            values.append(fdp(found, true)[0])
    assert np.mean(share[0.0]) <= 0.1 + 2 * np.std(share[0.0]) / np.sqrt(40)
    assert np.mean(share[0.6]) > 0.5


def test_mixture_is_the_best_of_a_grid():
    """Likelihood written out, with its constant by quadrature; κ on a fine grid."""
    rng = np.random.default_rng(1)
    null = rng.normal(size=(3000, 41))
    null = null[:, 0] / np.linalg.norm(null, axis=1)  # a correlation with κ = 41
    scores = np.abs(np.concatenate([null, rng.uniform(0.3, 0.9, 300)]))
    mixture = Mixture.of(scores)
    cut = np.quantile(scores, 0.75)
    below = scores[scores <= cut]

    def density(r, kappa):
        return (1 - r**2) ** ((kappa - 3) / 2)

    grid = np.arange(mixture.kappa - 3, mixture.kappa + 3, 0.05)
    likelihood = [
        np.log(density(below, kappa)).sum()
        - len(below) * np.log(quad(density, 0, cut, args=(kappa,))[0])
        for kappa in grid
    ]
    assert abs(grid[np.argmax(likelihood)] - mixture.kappa) <= 0.05
    inside = quad(density, 0, cut, args=(mixture.kappa,))[0]
    whole = quad(density, 0, 1, args=(mixture.kappa,))[0]
    expected = len(below) / len(scores) * whole / inside
    assert mixture.null_share == pytest.approx(expected, rel=1e-6)
    assert mixture.kappa == pytest.approx(41, rel=0.15)
    assert mixture.null_share == pytest.approx(3000 / 3300, abs=0.04)


def test_p_values_are_those_of_the_null_density():
    mixture = Mixture(kappa=25.4, null_share=1.0)

    def density(r):
        return (1 - r**2) ** ((25.4 - 3) / 2)

    for r in (0.0, 0.1, 0.35, 0.8):
        tail = quad(density, r, 1)[0] / quad(density, 0, 1)[0]
        assert mixture.p_values(np.array(r)) == pytest.approx(tail, rel=1e-8)
    assert mixture.p_values(np.array(1.0)) < 1e-15


def test_tail_rate_never_rises_with_the_score():
    mixture = Mixture(kappa=30.0, null_share=0.9)
    scores = np.sort(np.abs(np.random.default_rng(2).normal(size=60)) * 0.2)
    tail = mixture.tail_fdr(scores)
    assert (np.diff(tail) <= 1e-12).all()
    assert ((tail >= 0) & (tail <= 1)).all()


def test_width_of_the_null_without_shrinkage():
    """A partial correlation given p - 1 others among n rows has κ = n - p."""
    n, p, m = 120, 12, 80
    kappa = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        model, r = model_and_correlations(correlated(rng, n, p, size=3), rng.normal(size=(n, m)), 0)
        kappa.append(partial_mixture(model, r, n, outside(m))[1].kappa)
    assert np.mean(kappa) == pytest.approx(n - p, rel=0.08)


def any_discovery(n, p, shrinkage, draws=100, m=60):
    """How often a rate of .1 finds something among targets that depend on nothing."""
    hits = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        x = correlated(rng, n, p)
        x += 0.7 * rng.normal(size=(n, 2)) @ rng.normal(size=(2, p))
        model, r = model_and_correlations(x, rng.normal(size=(n, m)), shrinkage)
        hits += (partial_q(model, r, n, outside(m)) <= 0.1).any()
    return hits / draws


def test_partial_q_without_any_edge():
    """Near its rate without shrinkage, the width being estimated; far above it with p > n.

    Shrinkage gives every regulator a null of its own width: the widest lie in the tail of
    the common one.
    """
    assert any_discovery(150, 40, 0.0) < 0.1 + 3 * np.sqrt(0.1 * 0.9 / 100)
    assert any_discovery(50, 100, None) > 0.2


def test_partial_q_sees_edges():
    n, p, m = 300, 40, 60
    share, power = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = correlated(rng, n, p)
        y, truth = planted(rng, x, m, 0.5)
        model, r = model_and_correlations(x, y)
        found, true = realised(partial_q(model, r, n, outside(m)), truth, NOMINAL)
        share.append(fdp(found, true)[0])
        power.append(true[0] / truth.sum())
    assert np.mean(power) > 0.5
    assert np.mean(share) < 0.3  # the rate itself is for a calibration to measure


def test_partial_q_of_few_pairs_takes_the_width_of_theory():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(50, 6))
    model, r = model_and_correlations(x, rng.normal(size=(50, 5)), 0.1)
    own = np.array([-1, 2, -1, -1, -1])
    scores, mixture = partial_mixture(model, r, 50, own)
    assert mixture.kappa == 49
    q = partial_q(model, r, 50, own)
    assert np.isnan(q[2, 1])
    assert np.array_equal(np.isnan(q), np.isnan(scores))


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0])
def test_mixture_of_scores_of_any_size(scale):
    """Strong shrinkage makes all partial correlations tiny: κ grows, p-values stay."""
    scores = scale * np.abs(np.random.default_rng(5).normal(size=4000)) / 30
    mixture = Mixture.of(scores)
    assert mixture.kappa == pytest.approx(900 / scale**2, rel=0.12)
    assert mixture.tail_fdr(scores).min() > 0.05
    assert Mixture.of(np.zeros(500)).tail_fdr(np.zeros(500)).min() == 1


def by_counting(scores, null):
    q = np.full(scores.shape, np.nan)
    flat = scores[np.isfinite(scores)]
    ratio = {
        s: (null >= s).mean() / (flat >= s).mean()  # at the threshold s
        for s in np.unique(flat)
    }
    for place, value in np.ndenumerate(scores):
        if np.isfinite(value):
            q[place] = min(1.0, *(ratio[s] for s in ratio if s <= value), 1.0)
    return q


def test_shuffled_q_counts():
    rng = np.random.default_rng(6)
    scores = np.round(np.abs(rng.normal(size=(12, 9))) * 1.5, 1)
    null = np.round(np.abs(rng.normal(size=(12, 30))), 1)
    scores[2, 3] = np.nan
    expected = by_counting(scores, null)
    null = np.append(null.ravel(), np.nan)
    assert np.allclose(shuffled_q(scores, null), expected, rtol=1e-12, equal_nan=True)
    assert np.isnan(shuffled_q(np.full((2, 2), np.nan), null)).all()


def test_shuffled_correlations_have_the_moments_of_permutations():
    rng = np.random.default_rng(7)
    n, p, draws = 40, 5, 2000
    x = correlated(rng, n, p) ** 3  # far from normal
    y = np.exp(x[:, 0] / 5) + rng.exponential(size=n)
    real = np.array([np.corrcoef(x.T, rng.permutation(y))[:p, p] for _ in range(draws)])
    gram = np.corrcoef(x.T)
    drawn = shuffled_correlations(gram, n, 20_000, rng).T
    for sample in (real, drawn):
        deviation = 3.5 / np.sqrt(len(sample) * (n - 1))  # of a mean
        assert np.abs(sample.mean(axis=0)).max() < deviation
        error = np.cov(sample.T) * (n - 1) - gram
        assert np.abs(error).max() < 3.5 * np.sqrt(2 / len(sample)) * 1.5


def test_shuffled_correlations_of_singular_regulators():
    gram = np.ones((3, 3))
    r = shuffled_correlations(gram, 10, 50, np.random.default_rng(8))
    assert np.allclose(r, r[0], atol=1e-7)
    assert np.abs(r).max() <= 1


def test_shuffling_hides_indirect_links():
    """The rate that shuffling claims holds for independent regulators, not correlated ones."""
    share = {}
    for rho in (0.0, 0.6):
        values = []
        for seed in range(30):
            rng = np.random.default_rng(seed)
            x = correlated(rng, 200, 40, rho)
            y, truth = planted(rng, x, 30, 0.5)
            joint = np.corrcoef(x.T, y.T)
            null = np.abs(shuffled_correlations(joint[:40, :40], 200, 300, rng))
            q = shuffled_q(np.abs(joint[:40, 40:]), null)
            values.append(fdp(*realised(q, truth, NOMINAL))[0])
        share[rho] = np.mean(values), np.std(values) / np.sqrt(30)
    assert share[0.0][0] <= 0.1 + 2 * share[0.0][1]
    assert share[0.6][0] > 0.5
