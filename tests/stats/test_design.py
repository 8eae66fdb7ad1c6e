"""What a design can separate: known designs, statsmodels, and the null space by brute force."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from infocheck.stats.design import dependencies, relation, separate, usable_beside


def dummies(codes):
    return (codes[:, None] == np.arange(codes.max() + 1)).astype(float)


def test_crossed_design_is_fully_usable():
    effect, batch = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    separation = separate(effect, batch, np.ones(4), 2)
    assert separation.usable == pytest.approx([1, 1])
    assert separation.aliased == []


def test_condition_that_is_batch_is_aliased():
    separation = separate(np.array([0, 1]), np.array([0, 1]), np.ones(2), 2)
    assert separation.usable == pytest.approx([0, 0])
    assert separation.aliased == [(0, 1)]


def test_differences_within_one_batch_stay_estimable():
    """Levels 0 and 1 share batch 0; level 2 is alone in batch 1."""
    separation = separate(np.array([0, 1, 2]), np.array([0, 0, 1]), np.ones(3), 3)
    assert separation.aliased == [(0, 2), (1, 2)]


def test_a_bridge_through_a_third_level_counts():
    """0 and 2 share no batch but are linked through 1."""
    effect, batch = np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1])
    assert separate(effect, batch, np.ones(4), 3).aliased == []


def test_usable_share_equals_one_minus_r2():
    rng = np.random.default_rng(5)
    effect, batch = rng.integers(2, size=30), rng.integers(3, size=30)
    y = (effect == 1).astype(float)
    r2 = sm.OLS(y, sm.add_constant(dummies(batch)[:, 1:])).fit().rsquared
    assert separate(effect, batch, np.ones(30), 2).usable[1] == pytest.approx(1 - r2, abs=1e-10)


def test_levels_without_units_are_in_no_pair():
    separation = separate(np.array([0, 2]), np.array([0, 1]), np.ones(2), 4)
    assert separation.aliased == [(0, 2)]
    assert separation.usable == pytest.approx([0, 0, 0, 0])
    nothing = np.empty(0, dtype=int)
    assert separate(nothing, nothing, np.empty(0), 2).aliased == []


def test_usable_beside_many_factors_is_the_inverse_of_the_variance_inflation():
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    rng = np.random.default_rng(6)
    effect, batch, type_ = (
        rng.integers(2, size=80),
        rng.integers(3, size=80),
        rng.integers(4, size=80),
    )
    batch[effect == 1] = np.minimum(batch[effect == 1] + 1, 2)  # correlated, not aliased
    others = np.hstack([dummies(batch), dummies(type_)])  # rank deficient on purpose
    x = np.column_stack([np.ones(80), effect, dummies(batch)[:, 1:], dummies(type_)[:, 1:]])
    usable = usable_beside((effect == 1) * 1.0, others, np.ones(80))
    assert 1 / usable == pytest.approx(variance_inflation_factor(x, 1), rel=1e-9)
    assert usable < 0.95


def test_usable_beside_counts_units_by_their_weight():
    rng = np.random.default_rng(7)
    effect, batch, weight = rng.integers(2, size=9), rng.integers(3, size=9), rng.integers(1, 5, 9)
    long = np.repeat(np.arange(9), weight)
    plain = usable_beside(effect[long] * 1.0, dummies(batch)[long], np.ones(len(long)))
    assert usable_beside(effect * 1.0, dummies(batch), weight * 1.0) == pytest.approx(plain)
    assert usable_beside(np.ones(9), dummies(batch), weight * 1.0) == 0.0


def test_dependencies_name_the_alias():
    """Columns a, b, a + b, 1 - a, c: the third and fourth are combinations of the first two."""
    a, b, c = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]], float)
    found = dependencies(np.column_stack([a, b, a + b, 1 - a, c]))
    assert set(found) == {2, 3}
    assert found[2] == pytest.approx({0: 1.0, 1: 1.0})
    assert found[3] == pytest.approx({0: -1.0})


def test_dependencies_are_as_many_as_the_null_space_has_dimensions():
    rng = np.random.default_rng(8)
    for _ in range(20):
        codes = [rng.integers(k, size=12) for k in (3, 4, 2)]
        x = np.hstack([dummies(c)[:, 1:] for c in codes])
        rank = np.linalg.matrix_rank(np.column_stack([np.ones(12), x]))
        found = dependencies(x)
        assert len(found) == x.shape[1] + 1 - rank
        for k, used in found.items():
            rest = x[:, k] - sum(weight * x[:, j] for j, weight in used.items())
            assert np.ptp(rest) < 1e-9  # but for a constant


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([[1, 0], [0, 1]], "same"),
        ([[1, 0], [1, 0], [0, 1]], "first in second"),
        ([[1, 1, 0], [0, 0, 1]], "second in first"),
        ([[1, 1], [1, 1]], "crossed"),
        ([[1, 1, 0], [0, 1, 1], [1, 0, 1]], "connected"),
        ([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], "separate"),
    ],
)
def test_relations_of_two_factors(present, expected):
    assert relation(np.array(present, bool)) == expected
