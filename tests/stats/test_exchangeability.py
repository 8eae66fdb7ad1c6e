"""The swap test: neighbours counted one by one, its size, and what it can and cannot see."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from infocheck.stats.exchangeability import exchangeability, swap_test

P = 10
LINE = np.abs(np.subtract.outer(np.arange(P), np.arange(P)))
SIGMAS = {
    "independent": np.eye(P),
    "autoregressive": 0.6**LINE,
    "equicorrelated": 0.5 + 0.5 * np.eye(P),
    "near_singular": 0.999 ** LINE.astype(float),
}


def knockoffs(rng, x, sigma):
    """Exact Gaussian knockoffs, equicorrelated, of rows with mean 0 and covariance sigma."""
    s = 0.99 * min(1.0, 2 * np.linalg.eigvalsh(sigma)[0]) * np.eye(len(sigma))
    tied = np.linalg.solve(sigma, s)
    noise = rng.multivariate_normal(np.zeros(len(sigma)), 2 * s - s @ tied, len(x))
    return x - x @ tied + noise


def draw(rng, sigma, n=150):
    return rng.multivariate_normal(np.zeros(len(sigma)), sigma, n)


def rejected(test, runs, seed):
    rng = np.random.default_rng(seed)
    return sum(test(rng).p_value <= 0.05 for _ in range(runs))


def test_equals_neighbours_counted_one_by_one():
    """Distances, exclusions and sides written out for 12 rows; to 1e-12 (seed 1)."""
    rng = np.random.default_rng(1)
    n, p, k = 12, 4, 3
    x, other = rng.normal(size=(2, n, p)) * [1, 5, 0.1, 2]
    swapped = np.array([True, False, False, True])
    found = swap_test(x, other, swapped, rng, neighbours=k, flips=9)
    left = np.hstack([x, other])
    right = left.copy()
    for j in np.flatnonzero(swapped):
        right[:, [j, p + j]] = right[:, [p + j, j]]
    rows = np.vstack([left, right])
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    own = 0
    for i in range(2 * n):
        others = [j for j in range(2 * n) if j not in (i, (i + n) % (2 * n))]
        nearest = sorted(others, key=lambda j, i=i: np.sum((rows[i] - rows[j]) ** 2))[:k]
        own += sum((j < n) == (i < n) for j in nearest)
    assert found.statistic == pytest.approx(own / (2 * n * k), abs=1e-12)
    assert found.expected == 0.5


def test_flips_are_exchanged_rows():
    """Exchanging x and knockoff in the swapped columns of some rows is a flip of those rows.

    The neighbours remain, so over all 16 exchanges of 4 rows the statistic is .5 on
    average, and exchanging all rows changes nothing (seed 2).
    """
    x, other = np.random.default_rng(2).normal(size=(2, 4, 4))
    swapped = np.array([True, True, False, False])
    found = []
    for flip in range(16):
        turned = (flip >> np.arange(4) & 1).astype(bool)[:, None] & swapped
        pair = np.where(turned, other, x), np.where(turned, x, other)
        rng = np.random.default_rng(0)
        found.append(swap_test(*pair, swapped, rng, neighbours=1, flips=1).statistic)
    assert np.mean(found) == pytest.approx(0.5, abs=1e-12)
    assert found == found[::-1]
    assert len(set(found)) > 1


@pytest.mark.parametrize("name", SIGMAS)
def test_size_is_that_of_the_level(name):
    """Rejected at .05 in .05 ± .02 of 400 draws of 150 rows and 10 columns (seed 4)."""
    sigma = SIGMAS[name]

    def test(rng):
        x = draw(rng, sigma)
        return exchangeability(x, knockoffs(rng, x, sigma), rng)

    assert rejected(test, 400, 4) / 400 == pytest.approx(0.05, abs=0.02)


def test_knockoffs_equal_to_their_columns_pass():
    """All pairs coincide: nothing can be told apart (seed 5)."""
    rng = np.random.default_rng(5)
    x = draw(rng, SIGMAS["autoregressive"])
    assert exchangeability(x, x, rng).p_value > 0.05


def test_constant_columns_do_not_matter():
    rng = np.random.default_rng(6)
    x = draw(rng, SIGMAS["autoregressive"])
    other = knockoffs(rng, x, SIGMAS["autoregressive"])
    swapped = np.arange(P) < 5
    plain = swap_test(x, other, swapped, np.random.default_rng(7), neighbours=20, flips=50)
    wide = np.hstack([x, np.ones((len(x), 2))]), np.hstack([other, np.ones((len(x), 2))])
    mask = np.r_[swapped, True, False]
    assert swap_test(*wide, mask, np.random.default_rng(7), neighbours=20, flips=50) == plain


def permuted(rng, x):
    return rng.permutation(x)


def unrelated(rng, x):
    return rng.permuted(x, axis=0)


@pytest.mark.parametrize("wrong", [permuted, unrelated])
@pytest.mark.parametrize("name", ["autoregressive", "equicorrelated", "near_singular"])
def test_sees_knockoffs_that_ignore_the_rows(wrong, name):
    """Rows permuted, and columns each on its own: found in at least 9 of 10 (seed 8)."""

    def test(rng):
        x = draw(rng, SIGMAS[name], 300)
        return exchangeability(x, wrong(rng, x), rng, flips=100)

    assert rejected(test, 20, 8) >= 18


def test_a_full_swap_sees_nothing_of_permuted_rows():
    """``[x, x̃]`` and ``[x̃, x]`` are alike: rejected no more often than by chance (seed 9)."""
    sigma = SIGMAS["equicorrelated"]

    def test(rng):
        x = draw(rng, sigma, 300)
        swapped = np.ones(P, dtype=bool)
        return swap_test(x, rng.permutation(x), swapped, rng, neighbours=20, flips=100)

    assert binomtest(rejected(test, 40, 9), 40, 0.05, "greater").pvalue > 0.01


def test_more_neighbours_than_rows():
    x = np.random.default_rng(10).normal(size=(2, 3))
    found = exchangeability(x, x[::-1], np.random.default_rng(0), flips=5)
    assert 0 <= found.statistic <= 1


def test_one_column_is_swapped():
    """Knockoffs shifted far away: the two sides do not mix (seed 11)."""
    x = np.random.default_rng(11).normal(size=(200, 1))
    found = exchangeability(x, x + 50, np.random.default_rng(0))
    assert found.statistic > 0.99
    assert found.p_value == 1 / 201


@pytest.mark.parametrize("shape", [(20, 2), (10, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="same shape"):
        exchangeability(np.ones((20, 3)), np.ones(shape), np.random.default_rng(0))


def test_the_same_seed_gives_the_same_answer():
    x = draw(np.random.default_rng(12), SIGMAS["autoregressive"])
    first, second = (exchangeability(x, x[::-1], np.random.default_rng(3)) for _ in range(2))
    assert first == second
