"""Half-lives of relaxation: expectations by brute force, planted rates within their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import ttest_1samp
from statsmodels.tsa.stattools import acf

from infocheck.stats.relaxation import (
    HalfLife,
    Products,
    from_means,
    from_responses,
    keep,
    narrower,
)


def process(rng, times, half_life, series, genes, noise=0.0):
    """Ornstein-Uhlenbeck series of variance 1 with means of their own, (series, T, genes)."""
    rate = np.log(2) / half_life
    x = np.empty((series, len(times), genes))
    x[:, 0] = rng.standard_normal((series, genes))
    for i, step in enumerate(np.diff(times), start=1):
        left = np.exp(-rate * step)
        fresh = rng.standard_normal((series, genes))
        x[:, i] = left * x[:, i - 1] + np.sqrt(1 - left**2) * fresh
    means = rng.standard_normal((series, 1, genes))
    return x + means + noise * rng.standard_normal(x.shape)


def covers(found: HalfLife, truth: float) -> float:
    return float(((found.low <= truth) & (truth <= found.high)).mean())


def test_expected_products_equal_those_of_the_centred_covariance_matrix():
    times = np.array([0.0, 1.0, 1.5, 4.0, 9.0, 10.0])
    products = Products.of([times] * 5, list(np.zeros((5, 6, 2))))
    centring = np.eye(6) - 1 / 6
    for k in (0, 60, 159):
        rate = np.log(2) / products.half_life[k]
        covariance = np.exp(-rate * np.abs(times[:, None] - times))
        left = centring @ covariance @ centring
        for lag in range(3):
            expected = np.trace(left, offset=lag)
            np.testing.assert_allclose(products.expected[:, lag, k], expected, atol=1e-12)
            white = np.trace(centring, offset=lag)
            np.testing.assert_allclose(products.white[:, lag], white, atol=1e-12)


def test_observed_products_equal_a_loop():
    rng = np.random.default_rng(0)
    lengths = (4, 7, 3, 5, 9)
    times = [np.cumsum(rng.uniform(0.5, 2, n)) for n in lengths]
    values = [rng.standard_normal((n, 3)) for n in lengths]
    products = Products.of(times, values)
    for group, value in enumerate(values):
        centred = value - value.mean(axis=0)
        for lag in range(3):
            pairs = [centred[i] * centred[i + lag] for i in range(len(value) - lag)]
            np.testing.assert_allclose(products.observed[group, lag], np.sum(pairs, axis=0))


def test_blocks_of_one_series_add_up_to_the_whole():
    rng = np.random.default_rng(1)
    value = rng.standard_normal((47, 4))
    products = Products.of([np.arange(47.0)], [value])
    assert products.groups == 10
    centred = value - value.mean(axis=0)
    total = products.observed.sum(axis=0)
    np.testing.assert_allclose(total[1], (centred[:-1] * centred[1:]).sum(axis=0))
    np.testing.assert_allclose(products.white.sum(axis=0)[0], 46)


def test_memory_of_a_long_series_is_its_autocorrelation():
    """statsmodels' first autocorrelation of 5,000 samples, within .02 (seed 2)."""
    rng = np.random.default_rng(2)
    value = process(rng, np.arange(5000.0), 2.0, 1, 6)[0]
    found = Products.of([np.arange(5000.0)], [value]).half_lives(noise=False)
    reference = [acf(column, nlags=1)[1] for column in value.T]
    np.testing.assert_allclose(keep(found.estimate, 1.0), reference, atol=0.02)


def test_short_series_are_not_biased():
    """Six samples a series; the plain estimate is off by about (1 + 3ρ)/n (seed 3)."""
    rng = np.random.default_rng(3)
    times = np.arange(6.0)
    values = process(rng, times, 2.0, 60, 300)
    truth = float(keep(np.array(2.0), 1.0))
    centred = values - values.mean(axis=1, keepdims=True)
    plain = (centred[:, 1:] * centred[:, :-1]).sum((0, 1)) / (centred**2).sum((0, 1))
    assert plain.mean() < truth - 0.25
    found = Products.of([times] * 60, list(values)).half_lives(noise=False)
    assert keep(found.estimate, 1.0).mean() == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize(
    ("series", "times"),
    [
        (10, np.arange(21.0)),
        (97, np.arange(6.0)),
        (20, np.array([0, 1, 2, 4, 6, 8, 10, 12.0])),
        (4, np.arange(120.0)),
    ],
)
def test_intervals_cover_planted_half_lives(series, times, noise):
    """300 genes for each of three half-lives, 95 % nominal; noise is none or half a deviation."""
    rng = np.random.default_rng(4)
    for half_life in (0.5, 2.0, 5.0):
        values = process(rng, times, half_life, series, 300, noise)
        found = Products.of([times] * series, list(values)).half_lives(noise=True)
        assert 0.91 <= covers(found, half_life) <= 0.995


def test_noise_taken_for_dynamics_makes_half_lives_too_short_and_too_certain():
    rng = np.random.default_rng(5)
    times = np.arange(21.0)
    values = process(rng, times, 5.0, 10, 300, 0.5)
    products = Products.of([times] * 10, list(values))
    exact, allowed = products.half_lives(noise=False), products.half_lives(noise=True)
    assert np.median(exact.estimate) < 2.5
    assert covers(exact, 5.0) < 0.5
    assert covers(allowed, 5.0) > 0.91


def test_white_noise_has_no_half_life_and_drift_no_end():
    rng = np.random.default_rng(6)
    times = np.arange(30.0)
    white = Products.of([times] * 10, list(rng.standard_normal((10, 30, 200))))
    assert (white.half_lives(noise=False).low == 0).mean() > 0.9
    assert not white.half_lives(noise=True).resolved(4).any()
    walks = rng.standard_normal((10, 30, 200)).cumsum(axis=1)
    drift = Products.of([times] * 10, list(walks)).half_lives(noise=False)
    # At the edge of what is possible intervals are a little too short: 95 % nominal.
    assert np.isinf(drift.high).mean() > 0.85


def test_genes_that_never_vary_have_no_half_life():
    rng = np.random.default_rng(7)
    values = process(rng, np.arange(8.0), 1.0, 6, 2)
    values[..., 1] = 3.0
    found = Products.of([np.arange(8.0)] * 6, list(values)).half_lives(noise=True)
    assert np.isnan(found.estimate[1])
    assert not found.resolved(4)[1]


def test_bad_series_are_refused():
    with pytest.raises(ValueError, match="three samples"):
        Products.of([np.arange(2.0)], [np.zeros((2, 1))])
    with pytest.raises(ValueError, match="rise"):
        Products.of([np.array([0.0, 1.0, 1.0])], [np.zeros((3, 1))])


def test_what_is_kept_is_half_after_a_half_life():
    np.testing.assert_allclose(keep(np.array([2.0, 1.0, 0.0, np.inf]), 2.0), [0.5, 0.25, 0, 1])


TIMES = np.array([0, 6, 12, 24, 36, 48, 60, 72.0])


def test_means_equal_a_fit_by_scipy():
    """Best half-life within the spacing of those tried (4 %), and the end of its interval."""
    rng = np.random.default_rng(8)
    errors = np.full((len(TIMES), 5), 0.05)
    means = (1 - np.exp2(-TIMES / 10))[:, None] + errors * rng.standard_normal(errors.shape)
    found = from_means(TIMES, means, errors)

    def course(t, start, rise, log_half_life):
        return start + rise * (1 - np.exp2(-t / np.exp(log_half_life)))

    for gene in range(5):
        best, covariance = curve_fit(
            course,
            TIMES,
            means[:, gene],
            p0=(0, 1, np.log(10)),
            sigma=errors[:, gene],
            absolute_sigma=True,
        )
        assert found.estimate[gene] == pytest.approx(np.exp(best[2]), rel=0.04)
        misfit = (((means[:, gene] - course(TIMES, *best)) / 0.05) ** 2).sum()
        if misfit < len(TIMES) - 3:  # otherwise errors are widened
            half = 1.96 * np.sqrt(covariance[2, 2])
            ends = np.log([found.low[gene], found.high[gene]]) - best[2]
            np.testing.assert_allclose(ends, [-half, half], atol=0.12)


@pytest.mark.parametrize("error", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("half_life", [5.0, 20.0, 60.0])
def test_intervals_from_means_cover_planted_half_lives(half_life, error):
    """1,000 genes; at least the nominal 95 %, because misfit only widens (seed 9)."""
    rng = np.random.default_rng(9)
    errors = np.full((len(TIMES), 1000), error)
    rise = rng.choice([-1.0, 1.0], 1000)
    means = (1 - np.exp2(-TIMES / half_life))[:, None] * rise
    found = from_means(TIMES, means + errors * rng.standard_normal(errors.shape), errors)
    assert covers(found, half_life) >= 0.94


def test_genes_that_do_not_change_resolve_nothing():
    rng = np.random.default_rng(10)
    errors = np.full((len(TIMES), 2000), 0.1)
    found = from_means(TIMES, 0.1 * rng.standard_normal(errors.shape), errors)
    assert found.resolved(4).mean() < 0.02


def test_constant_means_and_few_times():
    found = from_means(TIMES, np.ones((8, 2)), np.zeros((8, 2)))
    assert np.isnan(found.estimate).all()
    with pytest.raises(ValueError, match="four times"):
        from_means(TIMES[:3], np.ones((3, 1)), np.ones((3, 1)))


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("series", [3, 5, 20])
def test_intervals_from_common_responses_cover_planted_half_lives(series, memory):
    """1,000 genes, 95 % nominal, whether deviations have a memory or not (seed 11)."""
    rng = np.random.default_rng(11)
    for half_life in (5.0, 20.0):
        shape = (series, len(TIMES), 1000)
        own = process(rng, TIMES, half_life, series, 1000) if memory else rng.standard_normal(shape)
        rise = rng.choice([-1.0, 1.0], 1000)
        course = (1 - np.exp2(-TIMES / half_life))[:, None] * rise
        found = from_responses(TIMES, course + 0.15 * own)
        assert covers(found, half_life) >= 0.94
        assert np.median(found.estimate) == pytest.approx(half_life, rel=0.1)
        assert from_responses(TIMES, 0.15 * own).resolved(4).mean() < 0.01


def test_ends_of_a_common_response_are_those_of_a_t_test():
    """Projections on the derivative of the curve by a finite difference, tested by SciPy."""
    rng = np.random.default_rng(12)
    values = (1 - np.exp2(-TIMES / 10))[:, None] + 0.1 * rng.standard_normal((6, 8, 3))
    found = from_responses(TIMES, values)
    judged = 0
    for gene in range(3):
        for end in (found.low[gene], found.high[gene]):
            left = np.exp2(-TIMES / end)
            change = np.exp2(-TIMES / (end * 1.0001)) - left
            basis = np.column_stack([np.ones(8), left])
            change = change - basis @ np.linalg.lstsq(basis, change, rcond=None)[0]
            p = ttest_1samp(values[:, :, gene] @ change, 0).pvalue
            # The end is the first half-life that is rejected, and they are 4 % apart; a misfit
            # of the best curve only widens.
            assert 1e-3 < p < 0.05
            judged += p > 0.02
    assert judged >= 2


def test_baselines_of_series_change_nothing():
    rng = np.random.default_rng(13)
    values = (1 - np.exp2(-TIMES / 10))[:, None] + 0.1 * rng.standard_normal((6, 8, 20))
    shifted = from_responses(TIMES, values + rng.standard_normal((6, 1, 20)))
    found = from_responses(TIMES, values)
    np.testing.assert_array_equal(found.low, shifted.low)
    np.testing.assert_array_equal(found.high, shifted.high)


def test_the_narrower_interval_is_taken():
    first = HalfLife(
        np.array([1.0, 1, 1, np.nan]),
        np.array([0.5, 0, 0.9, 0]),
        np.array([2, np.inf, 1.1, np.inf]),
    )
    second = HalfLife(
        np.array([3.0, 3, 3, 3]), np.array([2.0, 2, 0, 0]), np.array([4, 5, 6, np.inf])
    )
    found, other = narrower(first, second)
    assert other.tolist() == [True, True, False, True]
    assert found.high.tolist() == [4, 5, 1.1, np.inf]


def test_few_series_and_times_have_no_common_response():
    with pytest.raises(ValueError, match="four times and two series"):
        from_responses(TIMES[:3], np.zeros((5, 3, 1)))
    with pytest.raises(ValueError, match="four times and two series"):
        from_responses(TIMES, np.zeros((1, 8, 1)))
    flat = from_responses(TIMES, np.ones((4, 8, 1)))
    assert np.isnan(flat.estimate).all()
    assert not flat.resolved(4).any()


def test_a_course_that_goes_and_comes_back_has_no_rate():
    rng = np.random.default_rng(14)
    course = np.where(TIMES < 40, 1 - np.exp2(-TIMES / 5), 0.0)[:, None]
    found = from_responses(TIMES, course + 0.1 * rng.standard_normal((10, 8, 300)))
    assert found.resolved(4).mean() < 0.02


@pytest.mark.parametrize("noise", [False, True])
def test_ends_of_an_interval_are_those_of_a_t_test_over_series(noise):
    """Every half-life that is tried, gap by gap, with SciPy's t-test."""
    rng = np.random.default_rng(15)
    times = np.arange(25.0)
    products = Products.of([times] * 8, list(process(rng, times, 2.0, 8, 5)))
    found = products.half_lives(noise=noise)
    share = (products.white / products.white[:, :1])[:, :, None] if noise else 0.0
    seen, model = (x - share * x[:, :1] for x in (products.observed, products.expected))
    top, bottom = (2, 1) if noise else (1, 0)
    tried = np.concatenate([[0], products.half_life, [np.inf]])
    for gene in range(5):
        p = [
            ttest_1samp(
                seen[:, top, gene] * model[:, bottom, k] - seen[:, bottom, gene] * model[:, top, k],
                0,
            ).pvalue
            for k in range(len(products.half_life))
        ]
        kept = np.flatnonzero(np.array(p) >= 0.05)
        assert found.low[gene] == tried[kept[0]]
        assert found.high[gene] == tried[kept[-1] + 2]
