"""The knockoff filter against brute force over thresholds and against values known by hand."""

import numpy as np
import pytest

from infocheck.stats.knockoff_filter import discovery_floor, fdp, q_values, realised


def by_hand(w):
    """Over all thresholds, one by one."""
    flat = w[np.isfinite(w)]
    thresholds = np.unique(np.abs(flat[flat != 0]))
    q = np.where(np.isnan(w), np.nan, 1.0)
    for place, value in np.ndenumerate(w):
        ratios = [
            (1 + (flat <= -t).sum()) / max((flat >= t).sum(), 1) for t in thresholds if t <= value
        ]
        if ratios:
            q[place] = min(1.0, *ratios)
    return q


def test_ten_positive_and_none_negative():
    assert (q_values(np.arange(1.0, 11.0)) == 0.1).all()
    nine = q_values(np.arange(1.0, 10.0))
    assert (nine == 1 / 9).all()
    assert not (nine <= 0.1).any()


@pytest.mark.parametrize("seed", range(8))
def test_equals_brute_force_with_ties(seed):
    rng = np.random.default_rng(seed)
    w = np.round(rng.normal(0.5, 1.0, size=(30, 4)), 1)
    w[rng.random(w.shape) < 0.1] = 0.0
    w[rng.random(w.shape) < 0.1] = np.nan
    assert np.array_equal(q_values(w), by_hand(w), equal_nan=True)
    assert np.array_equal(q_values(np.asfortranarray(w)), by_hand(w), equal_nan=True)
    alone = np.column_stack([by_hand(column) for column in w.T])
    assert np.array_equal(q_values(w, per_target=True), alone, equal_nan=True)
    assert np.array_equal(q_values(w[:, 0]), alone[:, 0], equal_nan=True)


def test_what_is_no_evidence_is_no_discovery():
    w = np.array([[-1.0, -0.2, 0.0], [-3.0, np.nan, 0.0]])
    q = q_values(w)
    assert np.isnan(q[1, 1])
    assert (q[np.isfinite(q)] == 1).all()
    assert np.isnan(q_values(np.full((2, 3), np.nan))).all()
    assert q_values(np.empty((0, 3))).shape == (0, 3)
    assert q_values(np.empty((0, 3)), per_target=True).shape == (0, 3)


def test_a_pair_is_judged_with_all_that_score_higher():
    """The negative at 15.5 stands against the pairs below it, that outnumber it."""
    w = np.concatenate([np.arange(1.0, 21.0), [-15.5]])
    q = q_values(w)
    assert (q[:20] == 2 / 20).all()
    assert q[20] == 1
    few = q_values(np.array([1.0, 2.0, 3.0, -0.5, 0.4]))
    assert few.tolist() == [1 / 3, 1 / 3, 1 / 3, 1.0, 2 / 4]


def test_the_filter_keeps_its_rate_when_signs_are_coins():
    """Nulls with fair signs, true pairs positive: the mean FDP stays at the nominal rate."""
    rng = np.random.default_rng(3)
    share = []
    for _ in range(400):
        w = np.abs(rng.normal(size=300))
        truth = np.arange(300) < 40
        w[truth] += 2
        w[~truth] *= rng.choice([-1, 1], 260)
        found, true = realised(q_values(w), truth, np.array([0.1, 0.2]))
        share.append(fdp(found, true))
    mean, se = np.mean(share, axis=0), np.std(share, axis=0) / 20
    assert (mean <= [0.1 + 2 * se[0], 0.2 + 2 * se[1]]).all()
    assert mean[0] > 0.06  # and it is not idle


@pytest.mark.parametrize(
    ("nominal", "floor"), [(0.1, 10), (0.2, 5), (0.05, 20), (0.3, 4), (0.01, 100), (1.0, 1)]
)
def test_floor(nominal, floor):
    assert discovery_floor(nominal) == floor
    w = np.arange(1.0, floor + 1)
    assert (q_values(w) <= nominal).all()
    if floor > 1:
        assert not (q_values(w[1:]) <= nominal).any()


@pytest.mark.parametrize("nominal", [0.0, -0.1, 1.5, np.nan])
def test_floor_refuses_what_is_no_rate(nominal):
    with pytest.raises(ValueError, match="nominal"):
        discovery_floor(nominal)


def test_realised_counts():
    rng = np.random.default_rng(0)
    q, truth = rng.random((20, 10)), rng.random((20, 10)) < 0.3
    q[rng.random(q.shape) < 0.2] = np.nan
    nominal = np.array([0.05, 0.1, 0.5, 1.0])
    found, true = realised(q, truth, nominal)
    for level, k, hits in zip(nominal, found, true, strict=True):
        assert k == (q <= level).sum()
        assert hits == ((q <= level) & truth).sum()
    assert fdp(found, true) == pytest.approx((found - true) / np.maximum(found, 1))
    assert fdp(np.array([0]), np.array([0])) == 0


def test_realised_keeps_a_rate_that_rounding_moved():
    q = np.array([0.3])
    assert realised(q, np.array([True]), np.array([0.1 * 3, 1 - 0.7]))[0].tolist() == [1, 1]
