"""Entry into the lasso path against scikit-learn, a solver on rows, and its own conditions."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso, lars_path_gram

from infocheck.stats.lasso import RIDGE, STOP, coefficients, entry_scores


def correlations(n, p, m=30, *, factors=2, seed=0):
    """Correlated regulators and targets that depend on some of them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, factors)) @ rng.normal(size=(factors, p))
    z += 0.6 * rng.normal(size=(n, p))
    y = 0.4 * z[:, :4] @ rng.normal(size=(4, m)) + rng.normal(size=(n, m))
    z, y = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (z, y))
    return z, y, z.T @ z / n, z.T @ y / n


@pytest.mark.parametrize(("n", "p"), [(60, 30), (200, 60), (25, 40)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_equals_least_angle_regression_in_scikit_learn(n, p):
    _, _, gram, cross = correlations(n, p)
    scores = entry_scores(gram, cross, most=p)
    left = 0
    for j, r in enumerate(cross.T):
        penalty, _, path = lars_path_gram(
            r,
            gram + RIDGE * np.eye(p),
            n_samples=1,
            alpha_min=STOP * np.abs(r).max(),
            method="lasso",
            max_iter=10_000,
        )
        entered = np.flatnonzero(path.any(axis=1))
        knot = (path[entered] != 0).argmax(axis=1) - 1
        assert np.array_equal(np.flatnonzero(scores[:, j] > 0), entered)
        assert np.allclose(scores[entered, j], penalty[knot], atol=1e-10)
        left += int(((path[:, :-1] != 0) & (path[:, 1:] == 0)).sum())
    assert left > 0  # regulators also leave the paths: that knot is tested too


def test_equals_coordinate_descent_on_rows():
    """Just above its entry a regulator is out of the lasso of the rows, just below it is in."""
    n, p = 120, 12
    z, y, gram, cross = correlations(n, p, m=4)
    scores = entry_scores(gram, cross)
    # The ridge as p further rows; with divisor n the penalties agree.
    rows = np.vstack([z, np.sqrt(n * RIDGE) * np.eye(p)])
    for j in range(4):
        padded = np.concatenate([y[:, j], np.zeros(p)])
        order = np.argsort(-scores[:, j])
        for i in order[scores[order, j] > 0][:5]:
            active = []
            for penalty in (scores[i, j] + 1e-4, scores[i, j] - 1e-4):
                alpha = penalty * n / (n + p)
                fit = Lasso(alpha, fit_intercept=False, tol=1e-12, max_iter=100_000)
                active.append(fit.fit(rows, padded).coef_[i] != 0)
            assert active == [False, True]


def test_conditions_of_the_optimum_hold_at_every_entry():
    """At the penalty at which a regulator enters, its correlation with the residual is it."""
    p = 20
    _, _, gram, cross = correlations(100, p, m=5)
    scores = entry_scores(gram, cross)
    ridged = gram + RIDGE * np.eye(p)
    for j in range(5):
        for i in np.flatnonzero(scores[:, j] > 0):
            penalty = scores[i, j]
            b = coordinate_descent(ridged, cross[:, j], penalty)
            slack = np.abs(cross[:, j] - ridged @ b)
            assert slack.max() <= penalty + 1e-8
            assert slack[i] == pytest.approx(penalty, abs=1e-7)
            assert b[i] == pytest.approx(0, abs=1e-6)


def test_coefficients_are_those_of_the_optimum():
    """At one penalty for all and at one a target; 0 above the path."""
    p = 20
    _, _, gram, cross = correlations(100, p, m=6)
    ridged = gram + RIDGE * np.eye(p)
    penalty = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 2.0])
    each = coefficients(gram, cross, penalty, most=p)
    every = coefficients(gram, cross, 0.05, most=p)
    for j in range(6):
        b = coordinate_descent(ridged, cross[:, j], penalty[j])
        assert np.allclose(each[:, j], b, atol=1e-8)
        assert np.allclose(every[:, j], coordinate_descent(ridged, cross[:, j], 0.05), atol=1e-8)
    assert (each[:, :4] != 0).any(axis=0).all()
    assert (each[:, 5] == 0).all()


def test_coefficients_where_the_path_is_full():
    """With ``most`` in it the path ends; the last one has only just entered."""
    p = 20
    _, _, gram, cross = correlations(100, p, m=4)
    b = coefficients(gram, cross, 1e-4, most=5)
    scores = entry_scores(gram, cross, stop=1e-4, most=5)
    for j in range(4):
        last = scores[scores[:, j] > 0, j].min()
        expected = coordinate_descent(gram + RIDGE * np.eye(p), cross[:, j], last)
        assert np.allclose(b[:, j], expected, atol=1e-7)
        assert 0 < (b[:, j] != 0).sum() < 5


def test_several_columns_may_be_closed_to_a_target():
    p = 15
    _, _, gram, cross = correlations(80, p, m=2)
    own = np.array([[3, 7], [-1, -1]])
    rest = np.delete(np.arange(p), [3, 7])
    few = np.ix_(rest, rest)
    scores = entry_scores(gram, cross, own)
    assert np.isnan(scores[[3, 7], 0]).all()
    assert np.allclose(scores[rest, :1], entry_scores(gram[few], cross[rest, :1]), atol=1e-12)
    assert np.allclose(scores[:, 1:], entry_scores(gram, cross[:, 1:]), atol=1e-12)
    b = coefficients(gram, cross, 0.1, own)
    assert (b[[3, 7], 0] == 0).all()
    assert np.allclose(b[rest, :1], coefficients(gram[few], cross[rest, :1], 0.1), atol=1e-12)


def coordinate_descent(gram, r, penalty, sweeps=3000):
    b = np.zeros(len(r))
    for _ in range(sweeps):
        before = b.copy()
        for i in range(len(r)):
            z = r[i] - gram[i] @ b + gram[i, i] * b[i]
            b[i] = np.sign(z) * max(abs(z) - penalty, 0) / gram[i, i]
        if np.abs(b - before).max() < 1e-13:
            break
    return b


def test_a_target_among_the_regulators_is_dropped_from_them():
    p = 15
    _, _, gram, cross = correlations(80, p, m=2)
    own = np.array([3, -1])
    joined = np.column_stack([gram[:, 3], cross[:, 1]])
    scores = entry_scores(gram, joined, own)
    rest = np.delete(np.arange(p), 3)
    alone = entry_scores(gram[np.ix_(rest, rest)], gram[rest, 3][:, None])[:, 0]
    assert np.isnan(scores[3, 0])
    assert np.allclose(scores[rest, 0], alone, atol=1e-12)
    assert np.allclose(scores[:, 1], entry_scores(gram, cross[:, 1:])[:, 0], atol=1e-12)


def test_those_that_never_enter_rank_below_by_correlation():
    _, _, gram, cross = correlations(300, 40)
    scores = entry_scores(gram, cross, most=5)
    out = scores <= 0
    assert out.any()
    # Five at once; the few that left before stay entered.
    assert (~out).sum(axis=0).min() >= 3
    assert (~out).sum(axis=0).max() < 8
    assert np.allclose(scores[out], np.abs(cross[out]) - 1)


def test_copies_and_targets_without_correlation_are_finite():
    _, _, gram, cross = correlations(60, 10, m=3)
    twice = np.ix_(*[np.repeat(np.arange(10), 2)] * 2)
    cross = np.repeat(cross, 2, axis=0)
    cross[:, 2] = 0
    scores = entry_scores(gram[twice], cross)
    assert np.isfinite(scores).all()
    assert (scores[:, 2] == -1).all()
    assert np.allclose(scores[::2, :2], scores[1::2, :2], atol=1e-9)
