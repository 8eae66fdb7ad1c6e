"""Agreement between halves against scipy, and the intervals of it by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from infocheck.stats.agreement import rank_agreement, resampled_targets, top_overlap


def tables(seed=0, p=20, q=15, shared=0.5):
    rng = np.random.default_rng(seed)
    common = rng.random((p, q))
    return tuple(shared * common + (1 - shared) * rng.random((p, q)) for _ in range(2))


def test_equals_scipy_with_ties_and_missing_edges():
    a, b = (np.round(t, 1) for t in tables())
    a[3, 4] = np.nan
    b[3, 4] = np.nan
    keep = np.isfinite(a)
    assert rank_agreement(a, b) == pytest.approx(spearmanr(a[keep], b[keep])[0], abs=1e-12)


@pytest.mark.parametrize("power", [1, 4])
def test_coarse_ranks_are_near(power):
    a, b = (t**power for t in tables(p=200, q=100))
    assert rank_agreement(a, b, coarse=True) == pytest.approx(rank_agreement(a, b), abs=1e-4)


def test_identical_halves_agree_fully():
    a, _ = tables()
    assert rank_agreement(a, a) == pytest.approx(1.0)
    assert top_overlap(a, a) == pytest.approx(a.size / min(max(5, 30), a.size // 5 + 1))


def test_a_table_of_equal_scores_agrees_with_nothing():
    a, b = tables()
    assert rank_agreement(np.zeros_like(a), b) == 0.0
    assert rank_agreement(np.zeros_like(a), b, coarse=True) == 0.0


def test_top_overlap_of_independent_halves_is_chance():
    rng = np.random.default_rng(5)
    values = [top_overlap(rng.random((40, 30)), rng.random((40, 30))) for _ in range(300)]
    assert np.mean(values) == pytest.approx(1.0, abs=0.08)


def test_error_from_targets_matches_the_spread_over_draws_of_targets():
    """Targets differ in how well halves agree; their choice is the only randomness here."""
    rng = np.random.default_rng(11)
    pools = [tables(seed=k, p=15, q=1, shared=k % 2) for k in range(400)]

    def draw(q=100):
        chosen = rng.choice(400, q, replace=False)
        return tuple(np.hstack([pools[k][side] for k in chosen]) for side in (0, 1))

    spread = np.std([rank_agreement(*draw()) for _ in range(200)], ddof=1)
    error = np.mean([resampled_targets([draw()], 400, rng) for _ in range(20)])
    assert error == pytest.approx(spread, rel=0.25)


def test_all_targets_leave_no_error_from_their_choice():
    assert resampled_targets([tables(q=15)], 15, np.random.default_rng(0)) == 0.0
    assert resampled_targets([tables(q=15)], 60, np.random.default_rng(0)) > 0.0
