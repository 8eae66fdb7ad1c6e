"""Coupling to a response: against brute force, and against planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.stats.response_coupling import response_coupling, response_scores


def test_weights_come_from_other_folds_and_add_up():
    rng = np.random.default_rng(6)
    n, g = 90, 12
    treated, fold = np.arange(n) % 3 == 0, np.arange(n) % 5
    genes = rng.standard_normal((n, g))
    genes[treated, :4] += 2
    first, second = response_scores(genes, treated, fold, rng, deals=3)
    assert first.shape == second.shape == (3, n)
    centre = (genes[treated].mean(axis=0) + genes[~treated].mean(axis=0)) / 2
    for cell in range(n):
        up, down = treated & (fold != fold[cell]), ~treated & (fold != fold[cell])
        total = 0.0
        for gene in range(g):
            d = genes[up, gene].mean() - genes[down, gene].mean()
            least = 2 * np.sqrt(1 / up.sum() + 1 / down.sum())
            if abs(d) > least:
                total += (d - least**2 / d) * (genes[cell, gene] - centre[gene])
        np.testing.assert_allclose((first + second)[:, cell], total)
    assert not np.allclose(first[0], first[1])


def test_a_fold_without_the_other_arm_is_refused():
    treated = np.repeat([True, False], 10)
    with pytest.raises(ValueError, match="both arms"):
        response_scores(np.zeros((20, 3)), treated, 1 * treated, np.random.default_rng(0))


def test_coupling_to_a_response_is_that_of_weighted_covariances():
    """Against numpy's weighted covariance, each arm with weight one half."""
    rng = np.random.default_rng(7)
    treated = np.arange(150) < 40
    activity = rng.standard_normal(150) - 2 * treated
    mrna = activity + rng.standard_normal(150)
    m1, m2 = (mrna + 0.5 * rng.standard_normal(150) for _ in range(2))
    s1, s2 = (-b * activity + 0.5 * rng.standard_normal(150) for b in (1, 2))
    found = response_coupling((m1, m2), (s1, s2), treated, rng.permutation(150) % 10)
    weight = np.where(treated, 1 / 40, 1 / 110)
    matrix = np.cov([m1, m2, s1, s2], aweights=weight, bias=True)
    gaps = [s[treated].mean() - s[~treated].mean() for s in (s1, s2)]
    even = 4 * gaps[0] * gaps[1] / sum(gaps) ** 2
    shared = matrix[:2, 2:].mean()
    expected = -shared / np.sqrt(matrix[0, 1] * matrix[2, 3] / even)
    # The halves of the mRNA differ in their means by chance, which is not told apart.
    assert found.coupling == pytest.approx(expected, rel=2e-3)
    assert found.coupling < 0.9
    m, s = (m1 + m2) / 2, (s1 + s2) / 2
    assert found.mrna_reliability == pytest.approx(
        matrix[0, 1] / np.cov(m, aweights=weight, bias=True), rel=2e-3
    )
    spread = np.sqrt((m[treated].var() + m[~treated].var()) / 2)
    assert found.own_shift == pytest.approx((m[treated].mean() - m[~treated].mean()) / spread)
    assert found.responds
    inside = [[np.cov([m1[a], m2[a], s1[a], s2[a]], bias=True) for a in (treated, ~treated)]]
    matrix = np.mean(inside[0], axis=0)
    expected = -matrix[:2, 2:].mean() / np.sqrt(matrix[0, 1] * matrix[2, 3] / even)
    assert found.within == pytest.approx(expected, rel=5e-3)
    assert s[treated].mean() > s[~treated].mean()


def screen(rng, rho, n0=300, n1=100, genes=150, moved=40, depth=4.0):
    """Counts of a knocked-down regulator, and genes of which some follow its activity.

    Both arms in equal parts give activity and log mRNA the correlation rho.
    """
    treated = np.r_[np.zeros(n0, bool), np.ones(n1, bool)]
    activity = (rng.standard_normal(n0 + n1) - 2 * treated) / np.sqrt(2)
    m = rho * activity + np.sqrt(1 - rho**2) * rng.standard_normal(n0 + n1)
    load = np.zeros(genes)
    load[:moved] = 0.5 * rng.choice([-1, 1], moved) * rng.uniform(0.5, 1.5, moved)
    z = activity[:, None] * load + rng.standard_normal((n0 + n1, genes))
    counts = rng.poisson(depth * np.exp(0.4 * m))
    half = rng.binomial(counts, 0.5, size=(20, len(counts)))
    group = rng.permutation(len(m)) % 20
    scores = response_scores(z, treated, group % 5, rng)
    return (np.log1p(2 * half), np.log1p(2 * (counts - half))), scores, treated, group


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.9])
def test_intervals_of_responses_cover_the_truth(rho):
    """200 perturbations each, seeds 0 to 199."""
    covered, estimates = [], []
    for seed in range(200):
        found = response_coupling(*screen(np.random.default_rng(seed), rho))
        if found.responds and np.isfinite(found.coupling):
            covered.append(found.coupling_low <= rho <= found.coupling_high)
            estimates.append(found.coupling)
    assert len(covered) >= 190
    assert np.mean(covered) >= 0.90
    assert np.mean(estimates) == pytest.approx(rho, abs=0.05)


def test_nothing_responds_to_a_perturbation_without_effect():
    """100 of them, seeds 0 to 99; at two standard errors, one side."""
    responding = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        treated = np.arange(200) < 60
        group = rng.permutation(200) % 20
        scores = response_scores(rng.standard_normal((200, 60)), treated, group % 5, rng, deals=1)
        m = rng.standard_normal(200)
        responding += response_coupling((m, m), scores, treated, group).responds
    assert responding <= 10


# --- squared correlations -------------------------------------------------------------------------
