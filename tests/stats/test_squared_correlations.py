"""Squared correlations without noise: against brute force, and against planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.stats.squared_correlations import squared_correlations


def cov(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.cov(x, y, bias=True)[0, 1])


def test_squared_correlations_are_those_of_loops():
    rng = np.random.default_rng(8)
    m1, m2 = (rng.standard_normal((40, 3)) for _ in range(2))
    t1, t2 = (rng.standard_normal((40, 4)) for _ in range(2))
    m1, m2, t1, t2 = (x - x.mean(axis=0) for x in (m1, m2, t1, t2))
    group = rng.permutation(40) % 4
    apart = rng.random((3, 4)) < 0.7
    top, bottom = squared_correlations((m1, m2), (t1, t2), group, apart)
    (a1, a2), (b1, b2) = (
        (x / ((x + y) / 2).std(axis=0), y / ((x + y) / 2).std(axis=0))
        for x, y in ((m1, m2), (t1, t2))
    )
    for left in (None, 0, 3):
        kept = group != left if left is not None else np.ones(40, bool)
        sides = [kept & (group % 2 == s) for s in (0, 1)]
        for j in range(4):
            numerator = denominator = 0.0
            for i in range(3):
                if not apart[i, j]:
                    continue
                m, t = (a1 + a2)[:, i] / 2, (b1 + b2)[:, j] / 2
                numerator += np.prod([(m[s] * t[s]).mean() for s in sides])
                denominator += cov(a1[kept, i], a2[kept, i]) * cov(b1[kept, j], b2[kept, j])
            row = 0 if left is None else 1 + left
            assert top[row, j] == pytest.approx(numerator)
            assert bottom[row, j] == pytest.approx(denominator)


def test_squared_correlations_do_not_grow_with_noise():
    """Correlation .5 throughout; noise in the targets of variance 4 (seed 9)."""
    rng = np.random.default_rng(9)
    m = rng.standard_normal((2000, 5))
    t = 0.5 * np.repeat(m, 20, axis=1) + np.sqrt(0.75) * rng.standard_normal((2000, 100))
    pair = tuple(t + 2 * rng.standard_normal(t.shape) for _ in range(2))
    pair = tuple(x - x.mean(axis=0) for x in pair)
    m = m - m.mean(axis=0)
    top, bottom = squared_correlations((m, m), pair, rng.permutation(2000) % 20)
    assert top[0].sum() / bottom[0].sum() == pytest.approx(0.25 / 5, abs=0.006)
