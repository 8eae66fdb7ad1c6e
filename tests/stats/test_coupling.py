"""Correlation without noise: closed forms, scipy, planted truth and the coverage of intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr

from infocheck.stats.coupling import (
    LEAST_RELIABILITY,
    between_groups,
    centred,
    correlation,
    coupled,
    fisher_interval,
    of_unknown_noise,
    ranks,
)
from infocheck.stats.reliability import thinned_halves
from infocheck.stats.resampling import jackknife_error


def gaussian(rng, n, q, rho, donors=0, icc=0.2):
    """Two standard normal matrices with this correlation by column, clustered in donors."""
    z = rng.normal(size=(2, n, q))
    if donors:
        shared = rng.normal(size=(2, donors, q))[:, np.arange(n) % donors]
        z = np.sqrt(1 - icc) * z + np.sqrt(icc) * shared
    return z[0], rho * z[0] + np.sqrt(1 - rho**2) * z[1]


def counts(rng, latent, mean, sd):
    return rng.poisson(mean * np.exp(sd * latent - sd**2 / 2))


def fitted(mrna, protein, rng, groups):
    """From counts of both, as a caller does it."""
    n, one = len(mrna), np.ones(len(mrna))
    seen = np.ones(mrna.shape, dtype=bool)
    first, second = (
        [ranks(half, seen) for half in thinned_halves(c, one, rng)] for c in (mrna, protein)
    )
    whole = ranks(mrna, seen), ranks(protein, seen)
    return coupled([first], [second], whole, seen, np.arange(n) % groups)


# --- against other packages ---------------------------------------------------------------


def with_holes(rng, n=40, q=6):
    x, y = rng.normal(size=(2, n, q))
    x = np.round(x, 1)  # ties
    return x, y + x, rng.random((n, q)) > 0.2


def test_raw_is_spearmans_over_the_rows_seen():
    """Against scipy to 1e-12 (seed 0), and without each group against rows left out."""
    rng = np.random.default_rng(0)
    x, y, seen = with_holes(rng)
    group = np.arange(40) % 5
    a, b = ranks(x, seen), ranks(y, seen)
    found = coupled([[a]], [[b]], (a, b), seen, group)
    for j in range(6):
        rows = seen[:, j]
        expected = spearmanr(x[rows, j], y[rows, j]).statistic
        assert found.raw[j] == pytest.approx(expected, abs=1e-12)
        assert correlation(a, b, seen)[j] == pytest.approx(expected, abs=1e-12)
        for g in range(5):
            left = rows & (group != g)
            # The ranks are those of all rows.
            expected = pearsonr(a[left, j], b[left, j]).statistic
            assert found.raw_without[g, j] == pytest.approx(expected, abs=1e-12)
    assert (found.observations == seen.sum(axis=0)).all()
    # Measured once: nothing to divide by.
    np.testing.assert_array_equal(found.corrected, found.raw)
    assert (found.first == 1).all()


def test_ranks_are_those_of_scipy_centred():
    rng = np.random.default_rng(1)
    x, _, seen = with_holes(rng)
    found = ranks(x, seen)
    for j in range(6):
        own = rankdata(x[seen[:, j], j])
        np.testing.assert_allclose(found[seen[:, j], j], own - own.mean())
    assert (found[~seen] == 0).all()


def test_centred_within_groups_by_hand():
    values = np.array([[1.0], [3.0], [10.0], [20.0], [7.0]])
    seen = np.array([[True], [True], [True], [True], [False]])
    found = centred(values, seen, np.array([0, 0, 1, -1, 1]))
    np.testing.assert_allclose(found[:, 0], [-1, 1, 0, 0, 0])


def test_between_groups_is_the_correlation_of_means():
    """To 1e-12 (seed 2)."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 60, 4))
    group = rng.integers(-1, 6, size=60)
    r, number = between_groups(x, y, np.ones(x.shape, bool), group)
    means = [np.stack([v[group == g].mean(axis=0) for g in range(6)]) for v in (x, y)]
    for j in range(4):
        expected = pearsonr(means[0][:, j], means[1][:, j]).statistic
        assert r[j] == pytest.approx(expected, abs=1e-12)
    assert (number == 6).all()


def test_fisher_interval_is_that_of_scipy():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 30))
    result = pearsonr(x, y)
    low, high = fisher_interval(np.array([result.statistic]), np.array([30.0]))
    expected = result.confidence_interval(0.95)
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high))
    low, high = fisher_interval(np.array([0.5]), np.array([3.0]))
    assert low[0] < -0.999
    assert high[0] > 0.999


def test_correction_is_that_of_spearman():
    """Halves of a normal measurement: r / sqrt(rel rel), by hand (seed 4)."""
    rng = np.random.default_rng(4)
    x, y = gaussian(rng, 500, 3, 0.6)
    first, second = ([v + rng.normal(size=v.shape) for _ in range(2)] for v in (x, y))
    seen = np.ones(x.shape, bool)
    halves = [[centred(v, seen) for v in pair] for pair in (first, second)]
    whole = tuple(sum(pair) / 2 for pair in halves)
    found = coupled([halves[0]], [halves[1]], whole, seen, np.arange(500) % 20)
    r = np.corrcoef(np.hstack([*first, *second]).T)
    for j in range(3):
        a, b, u, v = (j + 3 * k for k in range(4))
        cross = (r[a, u] + r[a, v] + r[b, u] + r[b, v]) / 4
        assert found.corrected[j] == pytest.approx(cross / np.sqrt(r[a, b] * r[u, v]))
        assert found.first[j] == pytest.approx(2 * r[a, b] / (1 + r[a, b]))
    # The mean of two such halves has reliability 2/3: closed form, within sampling error.
    assert found.raw.mean() == pytest.approx(0.6 * 2 / 3, abs=0.06)
    assert found.corrected.mean() == pytest.approx(0.6, abs=0.08)


def test_several_halvings_are_averaged():
    """Twice the same halves change nothing; other halves make the estimate less noisy."""
    rng = np.random.default_rng(9)
    x, y = gaussian(rng, 300, 40, 0.6)
    mrna, protein = counts(rng, x, 1.0, 0.7), counts(rng, y, 5.0, 0.8)
    seen, one = np.ones(x.shape, bool), np.ones(300)
    whole = ranks(mrna, seen), ranks(protein, seen)

    def of(draws):
        return coupled(*zip(*draws, strict=True), whole, seen, np.arange(300) % 20)

    def halves():
        return [[ranks(h, seen) for h in thinned_halves(c, one, rng)] for c in (mrna, protein)]

    draws = [halves() for _ in range(16)]
    np.testing.assert_allclose(of(draws[:1]).corrected, of(draws[:1] * 2).corrected)
    once = np.stack([of([draw]).corrected for draw in draws[:2]])
    often = np.stack([of(draws[:8]).corrected, of(draws[8:]).corrected])
    assert np.nanmean(np.abs(np.diff(often, axis=0))) < 0.6 * np.nanmean(
        np.abs(np.diff(once, axis=0))
    )


def test_noise_can_only_hide():
    low, high = of_unknown_noise(np.array([0.2, -0.2, -0.6]), np.array([0.4, 0.3, -0.1]), 0.5)
    np.testing.assert_allclose(low, [0.2, -0.4, -1.0])
    np.testing.assert_allclose(high, [0.8, 0.6, -0.1])


# --- against planted truth ----------------------------------------------------------------


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.3, 0.8])
def test_counting_noise_is_taken_out(rho):
    """4,000 cells of counts of both (seed 5): within 0.04, where raw is far lower."""
    rng = np.random.default_rng(5)
    x, y = gaussian(rng, 4000, 10, rho)
    found = fitted(counts(rng, x, 3.0, 0.4), counts(rng, y, 4.0, 0.5), rng, 20)
    assert found.corrected.mean() == pytest.approx(rho, abs=0.04)
    # Reliability is the correlation of two measurements of the same cells, here made anew.
    seen = np.ones(x.shape, bool)
    for reliability, latent, mean, sd in ((found.first, x, 3.0, 0.4), (found.second, y, 4.0, 0.5)):
        again = [ranks(counts(rng, latent, mean, sd), seen) for _ in range(2)]
        assert reliability.mean() == pytest.approx(correlation(*again, seen).mean(), abs=0.03)
    assert abs(found.raw.mean()) < 0.5 * abs(rho) + 0.02


def test_genes_too_noisy_to_tell_are_left_out():
    rng = np.random.default_rng(6)
    x, y = gaussian(rng, 400, 20, 0.9)
    found = fitted(counts(rng, x, 0.01, 0.5), counts(rng, y, 50.0, 0.8), rng, 20)
    assert (found.first[np.isfinite(found.corrected)] >= LEAST_RELIABILITY).all()
    assert np.isnan(found.corrected).mean() > 0.5
    low, high = found.corrected_interval(400.0)
    assert np.isnan(low[np.isnan(found.corrected)]).all()
    assert np.isnan(high[np.isnan(found.corrected)]).all()
    assert np.isfinite(found.raw).all()


def test_a_constant_column_has_no_correlation():
    rng = np.random.default_rng(7)
    x, y = rng.poisson(5, size=(2, 100, 2))
    x[:, 0] = 3
    found = fitted(x, y, rng, 10)
    assert np.isnan(found.raw[0])
    assert np.isnan(found.corrected[0])
    assert np.isfinite(found.raw[1])


@pytest.mark.slow
@pytest.mark.parametrize("cells", [(60, 0), (400, 0), (1000, 10)], ids=str)
@pytest.mark.parametrize("means", [(0.3, 2.0), (1.0, 10.0), (10.0, 100.0)], ids=str)
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.9])
def test_intervals_cover_the_truth(cells, means, rho):
    """Every column is one run: 200 that are readable (seed 1), at least 90 % of them covered.

    The truth is that of the logarithms, before any noise."""
    n, donors = cells
    rng = np.random.default_rng(1)
    x, y = gaussian(rng, n, 420, rho, donors)
    found = fitted(counts(rng, x, means[0], 0.7), counts(rng, y, means[1], 0.8), rng, donors or 20)
    low, high = found.corrected_interval(float(n))
    readable = np.flatnonzero(np.isfinite(low))[:200]
    assert len(readable) == 200
    covered = ((low <= rho) & (rho <= high))[readable].mean()
    assert covered >= 0.90
    # Not by being without limits.
    if n == 1000 and means == (10.0, 100.0):
        assert np.median(high - low) < 0.4


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_intervals_of_values_with_unknown_noise_cover_the_truth(rho):
    """Reliability 0.6 of each, 80 rows (seed 2): the range allows for 0.5; at least 90 %."""
    rng = np.random.default_rng(2)
    x, y = gaussian(rng, 80, 200, rho)
    x, y = (v + np.sqrt(1 / 0.6 - 1) * rng.normal(size=v.shape) for v in (x, y))
    seen = np.ones(x.shape, bool)
    a, b = ranks(x, seen), ranks(y, seen)
    found = coupled([[a]], [[b]], (a, b), seen, np.arange(80) % 20)
    low, high = of_unknown_noise(*found.corrected_interval(80.0), 0.5)
    assert ((low <= rho) & (rho <= high)).mean() >= 0.90


def test_the_jackknife_sees_donors():
    """Clustered rows: the error is larger than that of as many free rows (seed 8)."""
    rng = np.random.default_rng(8)
    found = {}
    for icc in (0.0, 0.5):
        x, y = gaussian(rng, 600, 60, 0.0, donors=12, icc=icc)
        seen = np.ones(x.shape, bool)
        a, b = ranks(x, seen), ranks(y, seen)
        found[icc] = jackknife_error(
            coupled([[a]], [[b]], (a, b), seen, np.arange(600) % 12).raw_without
        ).mean()
    assert found[0.5] > 2 * found[0.0]
