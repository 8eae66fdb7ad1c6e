"""Components against factors: closed forms, exact permutations, size of the test."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from statsmodels.api import OLS, add_constant

from infocheck.stats.principal_regression import (
    Leading,
    Shuffle,
    explained,
    numeric_null,
    p_values,
    regression,
)
from infocheck.stats.variance import adjusted


def dummies(level):
    """Orthonormal centred columns of a factor."""
    columns = (level[:, None] == np.unique(level)).astype(float)
    left, values, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    return left[:, values > 1e-9]


def orthonormal(x):
    return np.linalg.qr(x - x.mean(axis=0))[0]


def test_leading_components_are_those_of_the_correlation_matrix():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 40)) @ rng.standard_normal((40, 40))
    leading = Leading.of(x, 5, 0)
    values, vectors = np.linalg.eigh(np.corrcoef(x, rowvar=False))
    assert leading.eigenvalues == pytest.approx(values[::-1][:5], rel=1e-3)
    assert leading.total == 40
    assert np.abs((leading.loadings * vectors[:, ::-1][:, :5]).sum(axis=0)) == pytest.approx(
        np.ones(5), abs=1e-3
    )
    assert np.abs(leading.scores.T @ leading.scores - np.eye(5)).max() < 1e-8


def test_a_constant_matrix_has_no_components():
    leading = Leading.of(np.ones((10, 4)), 5, 0)
    assert leading.scores.shape == (10, 0)
    assert leading.total == 0


def test_adjusted_r2_is_that_of_least_squares():
    rng = np.random.default_rng(2)
    level = rng.integers(4, size=120)
    scores = orthonormal(rng.standard_normal((120, 3)) + 0.5 * level[:, None])
    found = explained(scores, dummies(level))
    design = add_constant((level[:, None] == np.arange(1, 4)).astype(float))
    expected = [OLS(column, design).fit().rsquared_adj for column in scores.T]
    assert found == pytest.approx(expected, abs=1e-10)
    shuffle = Shuffle.rows(level)
    assert adjusted(shuffle.r2(scores), 120, 3) == pytest.approx(expected, abs=1e-10)


def test_adjusted_is_unknown_without_degrees_of_freedom():
    assert np.isnan(adjusted(np.array([1.0]), 10, 9)).all()


def test_regression_weighs_by_eigenvalue():
    assert regression(np.array([0.5, 0.1]), np.array([3.0, 1.0])) == pytest.approx(0.4)


def test_the_null_mean_is_the_levels_over_the_rows():
    """164 rows, 4 levels: 3/163 = .0184 without adjustment, 0 with it (500 draws, s.e. .0003)."""
    rng = np.random.default_rng(3)
    level = np.arange(164) % 4
    x = rng.standard_normal((164, 60))
    leading = Leading.of(x, 20, 0)
    null = Shuffle.rows(level).null(leading.scores, 500, rng)
    raw = regression(null, leading.eigenvalues).mean()
    assert raw == pytest.approx(3 / 163, abs=1.2e-3)
    assert regression(adjusted(null, 164, 3), leading.eigenvalues).mean() == pytest.approx(
        0, abs=1.2e-3
    )


def clustered(rng, donors=24, cells=24, icc=0.2, genes=30):
    """Independent genes; a share of the variance between donors; batches of donors."""
    donor = np.repeat(np.arange(donors), cells)
    between = np.sqrt(icc) * rng.standard_normal((donors, genes))
    x = between[donor] + np.sqrt(1 - icc) * rng.standard_normal((donors * cells, genes))
    batch = rng.permutation(np.arange(donors) % 2)[donor]
    return x, donor, batch


def test_donors_inside_batches_inflate_the_null():
    """24 donors of 24 cells, 2 batches, ICC .2: 1 + 23 · .2 = 5.6 times the null of cells.

    Of single genes, that is over all directions: the leading ones gather what donors share.
    """
    rng = np.random.default_rng(4)
    ratio = []
    for _ in range(60):
        x, donor, batch = clustered(rng)
        scores = x - x.mean(axis=0)
        scores /= np.linalg.norm(scores, axis=0)
        null = Shuffle.across(batch, donor).null(scores, 20, rng)
        ratio.append(null.mean() / (1 / (len(x) - 1)))
    assert np.mean(ratio) == pytest.approx(5.6, abs=0.3)


def adjusted_null(scheme, leading, rng):
    drawn = adjusted(scheme.null(leading.scores, 99, rng), len(scheme.unit), 1)
    return regression(drawn, leading.eigenvalues)


def test_the_excess_is_centred_and_the_test_has_its_size():
    """No batch effect, donors inside batches: mean excess 0; at most .05 of p below .05.

    150 data sets of 12 donors; three standard errors of the rate are .053. Permuted cells
    would reject nearly always.
    """
    rng = np.random.default_rng(5)
    excess, p, naive = [], [], []
    for number in range(150):
        x, donor, batch = clustered(rng, donors=12, cells=10, genes=25)
        leading = Leading.of(x, 8, 0)
        value = regression(
            adjusted(Shuffle.rows(batch).r2(leading.scores), len(x), 1), leading.eigenvalues
        )
        by_donor = adjusted_null(Shuffle.across(batch, donor), leading, rng)
        p.append(float(p_values(value, by_donor)))
        excess.append(value - by_donor.mean())
        if number < 30:
            naive.append(float(p_values(value, adjusted_null(Shuffle.rows(batch), leading, rng))))
    assert abs(np.mean(excess)) < 3 * np.std(excess) / np.sqrt(150)
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 0.053
    assert np.mean(p) == pytest.approx(0.5, abs=0.07)
    assert np.mean(np.array(naive) <= 0.05) > 0.8


def test_a_batch_effect_is_seen():
    rng = np.random.default_rng(6)
    x, donor, batch = clustered(rng, donors=12, cells=10, genes=25)
    x += 1.5 * batch[:, None] * rng.standard_normal(25)
    leading = Leading.of(x, 8, 0)
    scheme = Shuffle.across(batch, donor)
    null = regression(scheme.null(leading.scores, 199, rng), leading.eigenvalues)
    value = regression(scheme.r2(leading.scores), leading.eigenvalues)
    assert p_values(np.array(value), null) < 0.02


def test_permutations_are_those_of_whole_donors():
    """All labellings of 4 donors by brute force: the draws hit these values and no others."""
    rng = np.random.default_rng(7)
    donor = np.repeat(np.arange(4), [3, 5, 4, 6])
    label = np.array([0, 0, 1, 1])
    scores = orthonormal(rng.standard_normal((18, 2)))
    scheme = Shuffle.across(label[donor], donor)
    expected = {
        round(float(explained_raw(scores, np.array(order)[donor])), 9)
        for order in permutations(label)
    }
    drawn = {round(float(row[0]), 9) for row in scheme.null(scores, 200, rng)}
    assert drawn == expected
    assert np.exp(scheme.log_arrangements) == pytest.approx(len(expected))


def explained_raw(scores, level):
    return ((dummies(level).T @ scores[:, 0]) ** 2).sum()


def test_permutations_within_donors_keep_each_donors_samples():
    """2 levels in each of 5 donors: 2^5 ways, half of them the other names of the rest."""
    rng = np.random.default_rng(8)
    donor, level = np.divmod(np.arange(40) // 4, 2)
    scheme = Shuffle.within(level, donor)
    assert np.exp(scheme.log_arrangements) == pytest.approx(16)
    for _ in range(20):
        label = scheme._permuted(rng)[scheme.unit]
        for one in range(5):
            for sample in range(2):
                rows = (donor == one) & (level == sample)
                assert len(set(label[rows])) == 1
            assert set(label[donor == one]) == {0, 1}


def test_a_donor_effect_is_no_effect_of_what_varies_within_donors():
    rng = np.random.default_rng(9)
    donor, level = np.divmod(np.arange(240) // 10, 3)
    x = 2 * rng.standard_normal((8, 20))[donor] + rng.standard_normal((240, 20))
    leading = Leading.of(x, 6, 0)
    scheme = Shuffle.within(level, donor)
    null = regression(scheme.null(leading.scores, 199, rng), leading.eigenvalues)
    value = regression(scheme.r2(leading.scores), leading.eigenvalues)
    assert p_values(np.array(value), null) > 0.05


def test_a_numeric_covariate_is_permuted_within_blocks():
    """What lies between blocks stays in the null; what lies within them is seen."""
    rng = np.random.default_rng(10)
    block = np.repeat(np.arange(6), 40)
    x = block + rng.standard_normal(240)
    between = orthonormal((block + 0.1 * rng.standard_normal(240))[:, None])
    unit = orthonormal(x[:, None])
    value = ((unit.T @ between) ** 2).sum(axis=0)
    null = numeric_null(unit, between, block, 199, rng)
    assert null.mean() == pytest.approx(value[0], abs=0.05)
    assert p_values(value, null)[0] > 0.01
    inside = orthonormal((x + 0.1 * rng.standard_normal(240))[:, None])
    value = ((unit.T @ inside) ** 2).sum(axis=0)
    assert p_values(value, numeric_null(unit, inside, block, 199, rng))[0] < 0.01
    free = numeric_null(unit, inside, None, 300, rng)
    assert free.mean() == pytest.approx(1 / 239, rel=0.25)
    two = orthonormal(np.column_stack([x, rng.standard_normal(240)]))
    assert numeric_null(two, inside, None, 300, rng).mean() == pytest.approx(2 / 239, rel=0.25)


def test_p_values_count_ties_and_the_observed():
    assert p_values(np.array(2.0), np.array([1.0, 2.0, 3.0])) == pytest.approx(3 / 4)
    assert p_values(np.array(9.0), np.arange(4.0)) == pytest.approx(1 / 5)
