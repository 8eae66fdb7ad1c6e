"""Bounds on rates against finite differences, least squares, and a differential equation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import curve_fit

from infocheck.stats import rate_information as rates

TIMES = np.array([0, 2, 5, 10, 20, 40.0])


def test_responses_solve_the_differential_equations():
    k_m, k_p = np.log(2) / 3, np.log(2) / 11

    def slope(_, state):
        return [k_m * (1 - state[0]), k_p * (state[0] - state[1])]

    solved = solve_ivp(slope, (0, 40), [0, 0], t_eval=TIMES, rtol=1e-10, atol=1e-12).y
    np.testing.assert_allclose(rates.mrna_response(TIMES, 3.0), solved[0], atol=1e-8)
    np.testing.assert_allclose(rates.protein_response(TIMES, 3.0, 11.0), solved[1], atol=1e-8)


def test_nothing_responds_before_the_stimulus():
    assert rates.mrna_response(np.array([-5.0]), 2.0)[0] == 0
    assert rates.protein_response(np.array([-5.0]), 2.0, 3.0)[0] == pytest.approx(0)


@pytest.mark.parametrize(("mrna", "protein"), [(3.0, 11.0), (9.0, 46.0), (11.0, 3.0), (5.0, 5.0)])
def test_information_equals_finite_differences(mrna, protein):
    """Central differences of the responses; equal half-lives are pulled apart by 1e-4."""
    samples, noise = np.array([3, 1, 2, 4, 1, 2.0]), 0.3

    def model(theta):
        m0, a, log_m, p0, b, log_p = theta
        halves = np.log(2) / np.exp([log_m, log_p])
        m = m0 + a * rates.mrna_response(TIMES, halves[0])
        return np.concatenate([m, p0 + b * rates.protein_response(TIMES, *halves)])

    centre = np.array([0, 1, np.log(np.log(2) / mrna), 0, 1, np.log(np.log(2) / protein)])
    slopes = []
    for i in range(6):
        step = np.zeros(6)
        step[i] = 1e-3
        slopes.append((model(centre + step) - model(centre - step)) / 2e-3)
    slopes = np.array(slopes).T
    weight = np.tile(samples, 2) / noise**2
    expected = slopes.T @ (slopes * weight[:, None])
    found = rates.information(TIMES, samples, noise, mrna, protein)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())
    alone = rates.information(TIMES, samples, noise, mrna)
    single = slopes[:6, :3]
    np.testing.assert_allclose(alone, single.T @ (single * weight[:6, None]), rtol=1e-4, atol=1e-4)


def test_bound_equals_the_spread_of_least_squares_fits():
    """600 fits by scipy at small noise, where the bound is reached (seed 0)."""
    rng = np.random.default_rng(0)
    samples, noise, half_life = 4, 0.05, 6.0
    t = np.repeat(TIMES, samples)
    truth = rates.mrna_response(t, half_life)

    def course(t, start, rise, log_rate):
        return start + rise * -np.expm1(-np.exp(log_rate) * t)

    start = (0, 1, np.log(np.log(2) / half_life))
    fits = [
        curve_fit(course, t, truth + noise * rng.standard_normal(len(t)), p0=start)[0][2]
        for _ in range(600)
    ]
    bound = rates.log_rate_errors(rates.information(TIMES, np.full(6, samples), noise, half_life))[
        0
    ]
    assert np.std(fits) == pytest.approx(bound, rel=0.08)


def test_bound_of_the_protein_equals_the_spread_of_joint_fits():
    """300 joint fits of both stages (seed 1)."""
    rng = np.random.default_rng(1)
    times, mrna, protein, noise, samples = np.linspace(0, 60, 10), 4.0, 15.0, 0.05, 6
    t = np.repeat(times, samples)

    def course(_, m0, a, log_m, p0, b, log_p):
        halves = np.log(2) / np.exp([log_m, log_p])
        m = m0 + a * rates.mrna_response(t, halves[0])
        return np.concatenate([m, p0 + b * rates.protein_response(t, *halves)])

    truth = (0, 1, np.log(np.log(2) / mrna), 0, 1, np.log(np.log(2) / protein))
    clean = course(None, *truth)
    fits = np.array(
        [
            curve_fit(course, None, clean + noise * rng.standard_normal(len(clean)), p0=truth)[0]
            for _ in range(300)
        ]
    )
    bound = rates.log_rate_errors(
        rates.information(times, np.full(10, samples), noise, mrna, protein)
    )
    np.testing.assert_allclose(fits[:, [2, 5]].std(axis=0), bound, rtol=0.12)


def test_protein_beside_mrna_never_takes_information_away():
    alone = rates.log_rate_errors(rates.information(TIMES, np.ones(6), 0.2, 5.0))
    both = rates.log_rate_errors(rates.information(TIMES, np.ones(6), 0.2, 5.0, 20.0))
    assert both[0] <= alone[0]


def test_more_samples_narrow_the_interval_by_their_root():
    one = rates.log_rate_errors(rates.information(TIMES, np.ones(6), 0.2, 5.0))
    nine = rates.log_rate_errors(rates.information(TIMES, np.full(6, 9), 0.2, 5.0))
    np.testing.assert_allclose(one / nine, 3)
    assert rates.fold(0.0) == 1
    assert rates.fold(np.log(2) / 1.959964) == pytest.approx(2, rel=1e-6)


def test_two_times_tell_no_rate():
    two = rates.information(np.array([0.0, 5.0]), np.ones(2), 0.1, 5.0)
    assert np.isinf(rates.log_rate_errors(two)).all()
    assert np.isinf(rates.mrna_fold(TIMES, np.ones(6), 0.1, np.array([1e-3]))[0])


def test_best_grid_is_no_worse_than_any_other_even_grid():
    length, factor = rates.best_duration(8, 5, 0.3, 9.0)
    for other in np.linspace(2, 300, 40):
        found = rates.mrna_fold(np.linspace(0, other, 8), np.full(8, 5), 0.3, np.array([9.0]))
        assert found[0] >= factor * 0.999
    assert 9 < length < 90


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="noise"):
        rates.information(TIMES, np.ones(6), 0.0, 5.0)
    with pytest.raises(ValueError, match="half-lives"):
        rates.information(TIMES, np.ones(6), 0.1, -1.0)
    with pytest.raises(ValueError, match="half-lives"):
        rates.protein_response(TIMES, 1.0, 0.0)
