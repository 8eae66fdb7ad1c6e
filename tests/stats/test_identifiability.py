"""VIF, irrepresentability and confusable regulators against closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import norm
from statsmodels.stats.outliers_influence import variance_inflation_factor

from infocheck.stats.identifiability import (
    Spectrum,
    as_if_exact,
    chance_told_apart,
    draw_supports,
    groups,
    irrepresentable,
    largest_told_apart,
    nearest,
    noise_edge,
    share_told_apart,
    z_error,
)


def correlated(p: int, rho: float) -> np.ndarray:
    return np.full((p, p), rho) + (1 - rho) * np.eye(p)


def autoregressive(p: int, rho: float) -> np.ndarray:
    return rho ** np.abs(np.subtract.outer(np.arange(p), np.arange(p)))


def draw(r: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((n, len(r))) @ np.linalg.cholesky(r).T


# --- variance inflation and spectrum -----------------------------------------------------


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.9, 0.999])
def test_vif_of_two_columns(rho):
    vif = Spectrum.of(np.array([[1, rho], [rho, 1]])).variance_inflation()
    assert vif == pytest.approx(1 / (1 - rho**2), rel=1e-9)


def test_vif_equals_statsmodels():
    rows = draw(autoregressive(12, 0.8), 60, np.random.default_rng(0))
    vif = Spectrum.of(np.corrcoef(rows.T)).variance_inflation()
    x = sm.add_constant(rows)
    expected = [variance_inflation_factor(x, j) for j in range(1, 13)]
    assert vif == pytest.approx(expected, rel=1e-9)


def test_vif_is_infinite_for_the_members_of_a_dependence_alone():
    rng = np.random.default_rng(1)
    free = draw(autoregressive(4, 0.5), 50, rng)
    rows = np.column_stack([free, free[:, 0] - 2 * free[:, 1]])
    vif = Spectrum.of(np.corrcoef(rows.T)).variance_inflation()
    assert np.isinf(vif).tolist() == [True, True, False, False, True]
    x = sm.add_constant(np.delete(rows, [2, 4], axis=1))
    expected = 1 / (1 - sm.OLS(rows[:, 2], x).fit().rsquared)
    assert vif[2] == pytest.approx(expected, rel=1e-6)


def test_fewer_observations_than_regulators_leave_no_finite_vif():
    spectrum = Spectrum.of(np.corrcoef(np.random.default_rng(2).normal(size=(30, 40)).T))
    assert spectrum.rank == 29
    assert np.isinf(spectrum.variance_inflation()).all()
    assert np.isfinite(spectrum.condition_number)


def test_condition_number_equals_that_of_the_rows():
    rows = draw(autoregressive(8, 0.7), 80, np.random.default_rng(3))
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    spectrum = Spectrum.of(np.corrcoef(rows.T))
    assert spectrum.condition_number == pytest.approx(np.linalg.cond(standard), rel=1e-9)


def test_directions_over_noise_are_the_planted_ones():
    rng = np.random.default_rng(4)
    noise, n, p = rng.standard_normal((600, 60)), 600, 60
    factors = rng.standard_normal((n, 3)) @ rng.choice([-1.0, 1.0], (3, p))
    edge = noise_edge(p, n)
    assert edge == pytest.approx((1 + 0.1**0.5) ** 2)
    assert Spectrum.of(np.corrcoef((noise + 0.7 * factors).T)).above(edge) == 3
    assert Spectrum.of(np.corrcoef(noise.T)).above(edge) <= 1


# --- irrepresentable condition -----------------------------------------------------------


@pytest.mark.parametrize("r", [np.eye(30), autoregressive(30, 0.7), autoregressive(30, -0.5)])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 10])
def test_irrepresentable_holds_where_it_must(r, size):
    supports, signs = draw_supports(30, size, 200, np.random.default_rng(5))
    given, worst = irrepresentable(r, supports, signs)
    assert (worst < 1).all()
    assert (given <= worst + 1e-12).all()


@pytest.mark.parametrize("size", [1, 2, 5, 10])
@pytest.mark.parametrize("rho", [0.2, 0.9])
def test_irrepresentable_value_of_equal_correlations(size, rho):
    supports, signs = draw_supports(20, size, 50, np.random.default_rng(6))
    given, worst = irrepresentable(correlated(20, rho), supports, np.ones_like(signs))
    assert given == pytest.approx(size * rho / (1 + (size - 1) * rho))
    assert worst == pytest.approx(given)


def test_irrepresentable_equals_brute_force():
    rng = np.random.default_rng(7)
    r = np.corrcoef(rng.normal(size=(25, 12)).T)
    supports, signs = draw_supports(12, 3, 20, rng)
    given, worst = irrepresentable(r, supports, signs)
    for support, sign, one, most in zip(supports, signs, given, worst, strict=True):
        rest = np.setdiff1d(np.arange(12), support)
        slope = r[np.ix_(rest, support)] @ np.linalg.inv(r[np.ix_(support, support)])
        assert one == pytest.approx(np.abs(slope @ sign).max(), rel=1e-9)
        assert most == pytest.approx(np.abs(slope).sum(axis=1).max(), rel=1e-9)


def test_irrepresentable_fails_for_copies():
    r = correlated(4, 0.0)
    r[0, 1] = r[1, 0] = 1.0
    values = irrepresentable(r, np.array([[0, 1], [0, 2], [2, 3]]), np.ones((3, 2)))
    for value in values:
        assert np.isinf(value[0])
        assert value[1] == pytest.approx(1.0)
        assert value[2] == pytest.approx(0.0)


def test_supports_are_sets_of_the_asked_size():
    supports, signs = draw_supports(9, 4, 500, np.random.default_rng(8))
    assert supports.shape == signs.shape == (500, 4)
    assert all(len(set(support)) == 4 for support in supports.tolist())
    assert np.bincount(supports.ravel(), minlength=9) == pytest.approx(500 * 4 / 9, rel=0.2)


# --- confusable regulators ---------------------------------------------------------------


def test_chance_at_the_worked_example():
    assert chance_told_apart(0.9, 200, 0.1) == pytest.approx(0.841, abs=5e-4)
    assert chance_told_apart(-0.9, 200, 0.1) == chance_told_apart(0.9, 200, 0.1)
    assert chance_told_apart(1.0, 1e9, 0.4) == pytest.approx(0.5)
    one_sided = norm.cdf(np.sqrt(0.1 * 200 * 0.1 / 2))
    assert chance_told_apart(0.9, 200, 0.1) == pytest.approx(one_sided, abs=1e-5)


@pytest.mark.parametrize(("n", "r"), [(200, 0.9), (200, -0.6), (60, 0.0), (40, 0.3)])
def test_chance_matches_a_simulation(n, r):
    """6,000 draws of a parent with R² .1 and a rival, seed 9; standard error at most .006."""
    rng = np.random.default_rng(9)
    noise = rng.standard_normal((3, 6000, n))
    parent = noise[0]
    rival = r * parent + np.sqrt(1 - r * r) * noise[1]
    target = np.sqrt(0.1) * parent + np.sqrt(0.9) * noise[2]

    def correlation(a, b):
        a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
        return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))

    won = np.abs(correlation(parent, target)) > np.abs(correlation(rival, target))
    assert won.mean() == pytest.approx(float(chance_told_apart(r, n, 0.1)), abs=0.025)


def test_the_limit_turns_the_chance_round():
    for n in (60, 200, 5000):
        limit = largest_told_apart(n, 0.1, 0.9)
        assert chance_told_apart(limit, n, 0.1) == pytest.approx(0.9, abs=1e-6)
    assert largest_told_apart(20, 0.1, 0.9) == -1.0
    assert largest_told_apart(1e15, 0.4, 0.9) < 1.0


def test_nearest_rival():
    r = np.array([[1, 0.2, -0.8], [0.2, 1, 0.1], [-0.8, 0.1, 1]])
    rival, size = nearest(r)
    assert rival.tolist() == [2, 0, 0]
    assert size.tolist() == [0.8, 0.2, 0.8]
    assert r[0, 0] == 1


def test_groups_are_chains_of_pairs_the_largest_first():
    pairs = np.zeros((7, 7), dtype=bool)
    for a, b in ((0, 1), (2, 3), (3, 5)):
        pairs[a, b] = pairs[b, a] = True
    assert groups(pairs).tolist() == [1, 1, 0, 0, -1, 0, -1]


def test_error_is_that_of_theory_for_normal_rows_and_larger_for_dependent_ones():
    def error(rows, fold):
        rest = [np.corrcoef(rows[fold != f].T)[0, 1:] for f in range(5)]
        return z_error(len(rows), np.array(rest))

    rng = np.random.default_rng(10)
    unit = np.arange(500) % 100
    rows = rng.standard_normal((500, 200))
    assert error(rows, unit % 5) == pytest.approx(1 / np.sqrt(497), rel=0.25)
    # A hundred observations, each written five times and whole in its fold.
    repeated = rng.standard_normal((100, 200))[unit]
    assert error(repeated, unit % 5) == pytest.approx(1 / np.sqrt(97), rel=0.25)
    assert z_error(100, np.ones((5, 4))) == pytest.approx(1 / np.sqrt(97))


def test_share_counts_copies_whatever_the_error():
    size = np.array([1.0, 1.0, 0.2, 0.2])
    share, low, high = share_told_apart(size, limit=0.9, error=1e-3)
    assert (share, low, high) == (0.5, 0.5, 0.5)
    assert share_told_apart(size, limit=0.9, error=10.0)[1:] == (0.0, 0.5)
    assert share_told_apart(size, limit=-1.0, error=0.1) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("n", "rhos"), [(100, (0.3, 0.6, 0.66, 0.68, 0.75)), (60, (0.0,) * 5)])
def test_interval_of_the_share_covers_the_truth(n, rhos):
    """95 % nominal, simultaneous and so wider; 200 data sets of 5 × 10 regulators, seed 11."""
    rng = np.random.default_rng(11)
    limit = largest_told_apart(n, 0.1, 0.9)
    blocks = [correlated(2, rho) for rho in rhos for _ in range(5)]
    truth = np.mean([rho <= limit for rho in rhos])
    assert limit > 0
    covered = 0
    for _ in range(200):
        rows = np.hstack([draw(block, n, rng) for block in blocks])
        size = nearest(np.corrcoef(rows.T))[1]
        _, low, high = share_told_apart(size, limit, 1 / np.sqrt(n - 3))
        covered += low <= truth <= high
    assert covered >= 190


def test_noisy_readings_are_as_hard_to_tell_apart_as_their_exact_equivalents():
    """By simulation (seed 3): two regulators read with noise, the target follows one."""
    rng = np.random.default_rng(3)
    n, r2, rho, reliability, draws = 200, 0.1, 0.8, 0.5, 4000
    a = rng.normal(size=(draws, n))
    b = rho * a + np.sqrt(1 - rho**2) * rng.normal(size=(draws, n))
    noise = np.sqrt(1 / reliability - 1)
    x, other = a + noise * rng.normal(size=a.shape), b + noise * rng.normal(size=a.shape)
    # R² of the observed reading is r2, as the assumption has it.
    slope = np.sqrt(r2 / reliability)
    y = slope * a + np.sqrt(1 - slope**2) * rng.normal(size=a.shape)

    def size(u):
        u = u - u.mean(axis=1, keepdims=True)
        v = y - y.mean(axis=1, keepdims=True)
        return np.abs((u * v).sum(axis=1) / np.sqrt((u**2).sum(axis=1) * (v**2).sum(axis=1)))

    won = (size(x) > size(other)).mean()
    equivalent = as_if_exact(np.array(rho * reliability), np.array(reliability))
    assert chance_told_apart(equivalent, n, r2) == pytest.approx(won, abs=0.02)
    # Without the correction the pair would look far easier.
    assert chance_told_apart(rho * reliability, n, r2) > won + 0.1


def test_exact_readings_need_no_correction_and_two_of_one_regulator_are_copies():
    r = np.array([0.0, 0.3, 0.99, 1.0])
    assert np.allclose(as_if_exact(r, np.ones(4)), r)
    assert np.allclose(as_if_exact(r[1:3], r[1:3]), 1.0)
