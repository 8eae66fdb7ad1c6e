"""Ridge from sums by fold: equals scikit-learn on rows, and PRESS is the reference."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from infocheck.stats.ridge import PENALTIES, cross_validated, unique
from infocheck.stats.sums import CrossSums


def planted(n=200, p=8, m=12, r2=0.4, seed=0, noise_targets=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, p)) @ (np.eye(p) + 0.4 * rng.normal(size=(p, p)))
    signal = z @ rng.normal(size=(p, m))
    signal /= signal.std(axis=0)
    y = np.sqrt(r2) * signal + np.sqrt(1 - r2) * rng.normal(size=(n, m))
    y[:, m - noise_targets :] = rng.normal(size=(n, noise_targets))
    return z * 3 + 5, y * 2 - 1, np.arange(n) % 5


def sums(z, y, fold):
    rows = np.hstack([z, y])
    return [CrossSums.of(rows[fold == k], z.shape[1]) for k in range(5)]


def by_rows(z, y, train, penalty):
    """Prediction for all rows of a ridge fitted to some, standardised there."""
    mean, sd = z[train].mean(axis=0), z[train].std(axis=0)
    sd = np.where(sd > 0, sd, 1)
    model = Ridge(alpha=penalty * train.sum()).fit((z[train] - mean) / sd, y[train])
    return model.predict((z - mean) / sd)


def brute(z, y, fold):
    """Nested cross-validation with scikit-learn: R² and the chosen penalties of one target."""
    residual, total, chosen = 0.0, 0.0, []
    for k in range(5):
        errors = np.zeros(len(PENALTIES))
        for j in set(range(5)) - {k}:
            train = (fold != k) & (fold != j)
            for i, penalty in enumerate(PENALTIES):
                errors[i] += ((y - by_rows(z, y, train, penalty))[fold == j] ** 2).sum()
        chosen.append(int(errors.argmin()))
        train = fold != k
        fitted = by_rows(z, y, train, PENALTIES[chosen[-1]])
        residual += ((y - fitted)[fold == k] ** 2).sum()
        total += ((y[fold == k] - y[train].mean()) ** 2).sum()
    return 1 - residual / total, chosen


@pytest.mark.parametrize(("n", "p"), [(60, 8), (40, 50), (12, 5)])
def test_equals_nested_cross_validation_on_rows(n, p):
    z, y, fold = planted(n, p, m=4)
    scores = cross_validated(sums(z, y, fold), np.arange(p, p + 4))
    for j in range(4):
        r2, chosen = brute(z, y[:, j], fold)
        assert scores.penalty[:, j].tolist() == chosen
        assert scores.r2[j] == pytest.approx(r2, abs=1e-8)


def test_penalty_is_as_good_as_that_of_press():
    """PRESS, by scikit-learn and by its closed form, chooses about the same penalties."""
    z, y, fold = planted(90, 30, m=6, r2=0.3, seed=3)
    train = fold != 0
    zt = (z[train] - z[train].mean(axis=0)) / z[train].std(axis=0)
    n = train.sum()
    scores = cross_validated(sums(z, y, fold), np.arange(30, 36))
    for j in range(6):
        press = []
        for penalty in PENALTIES:
            u, s, _ = np.linalg.svd(zt, full_matrices=False)
            d = s**2 / (s**2 + penalty * n)
            leverage = (u * u) @ d + 1 / n
            centred = y[train, j] - y[train, j].mean()
            left_out = (centred - u @ (d * (u.T @ centred))) / (1 - leverage)
            model = Ridge(alpha=penalty * n)
            predicted = cross_val_predict(model, zt, y[train, j], cv=LeaveOneOut())
            press.append((left_out**2).sum())
            # Standardised once, so the held-out row moves the mean alone: exact.
            if penalty == PENALTIES[5]:
                assert np.allclose(left_out, y[train, j] - predicted, atol=1e-10)
        assert abs(int(np.argmin(press)) - scores.penalty[0, j]) <= 1


def test_sees_planted_r2_and_nothing_in_noise():
    z, y, fold = planted(4000, 10, m=300, r2=0.4, noise_targets=150, seed=1)
    r2 = cross_validated(sums(z, y, fold), np.arange(10, 310)).r2
    assert r2[:150].mean() == pytest.approx(0.4, abs=0.01)
    assert abs(r2[150:].mean()) < 0.002


def test_as_many_rows_as_predictors_is_no_trap():
    """Where generalised cross-validation fails (-2.8 in the study), noise stays near 0."""
    z, y, fold = planted(100, 100, m=60, r2=0.3, noise_targets=30, seed=2)
    r2 = cross_validated(sums(z, y, fold), np.arange(100, 160)).r2
    assert -0.1 < r2[30:].mean() < 0.02
    assert r2[:30].mean() > r2[30:].mean()


def test_a_regulator_is_no_predictor_of_itself():
    z, y, fold = planted(80, 6, m=3)
    own = np.array([2, 4])
    scores = cross_validated(sums(z, y, fold), own, own)
    for column, j in enumerate(own):
        r2, chosen = brute(np.delete(z, j, axis=1), z[:, j], fold)
        assert scores.penalty[:, column].tolist() == chosen
        assert scores.r2[column] == pytest.approx(r2, abs=1e-8)


def test_left_out_fold_takes_no_part():
    z, y, fold = planted(100, 5, m=3)
    targets = np.arange(5, 8)
    before = cross_validated(sums(z, y, fold), targets)
    z[fold == 3] += 100
    after = cross_validated(sums(z, y, fold), targets)
    assert np.allclose(before.without[3], after.without[3], atol=1e-6)
    assert not np.allclose(before.r2, after.r2, atol=1e-3)


def test_constant_columns_and_constant_targets_are_no_numbers():
    z, y, fold = planted(50, 4, m=2)
    z[:, 1], y[:, 0] = 7.0, 3.0
    scores = cross_validated(sums(z, y, fold), np.arange(4, 6))
    assert np.isnan(scores.r2[0])
    assert scores.r2[1] == pytest.approx(brute(z, y[:, 1], fold)[0], abs=1e-8)
    what = unique(sums(z, y, fold), np.arange(4, 6), np.full(2, -1), 0.1)
    assert what.lost[1, 1] == 0


@pytest.mark.parametrize("penalty", [0.003, 0.3])
def test_what_one_regulator_adds_equals_a_model_without_it(penalty):
    z, y, fold = planted(70, 6, m=3, seed=5)
    found = unique(sums(z, y, fold), np.arange(6, 9), np.full(3, -1), penalty)

    def r2(columns, j, penalty):
        errors = total = 0.0
        for k in range(5):
            train = fold != k
            fitted = by_rows(z[:, columns], y[:, j], train, penalty)
            errors += ((y[:, j] - fitted)[~train] ** 2).sum()
            total += ((y[~train, j] - y[train, j].mean()) ** 2).sum()
        return 1 - errors / total

    for i in range(6):
        rest = [c for c in range(6) if c != i]
        for j in range(3):
            full = r2(list(range(6)), j, penalty)
            assert found.lost[i, j] == pytest.approx(full - r2(rest, j, penalty), abs=1e-8)
            assert found.alone[i, j] == pytest.approx(r2([i], j, 0.0), abs=1e-8)


def test_what_a_regulator_adds_to_itself_is_no_number():
    z, y, fold = planted(70, 6, m=3, seed=5)
    found = unique(sums(z, y, fold), np.array([1, 6]), np.array([1, -1]), 0.1)
    assert np.isnan(found.alone[1, 0])
    assert np.isnan(found.lost[1, 0])
    assert np.isfinite(found.alone[:, 1]).all()


def test_workers_change_no_bit():
    z, y, fold = planted(60, 8, m=4)
    plain = cross_validated(sums(z, y, fold), np.arange(8, 12))
    backwards = cross_validated(
        sums(z, y, fold),
        np.arange(8, 12),
        mapped=lambda f, tasks: [f(t) for t in list(tasks)[::-1]][::-1],
    )
    assert np.array_equal(plain.residual, backwards.residual)
