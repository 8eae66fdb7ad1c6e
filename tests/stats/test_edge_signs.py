"""Signs of edges: against brute force."""

from __future__ import annotations

import numpy as np

from infocheck.stats import edge_signs


def test_shares_of_signs_are_those_of_loops():
    rng = np.random.default_rng(4)
    positive, sign = rng.random(50) < 0.6, rng.choice([-1, 1], 50)
    regulator = rng.integers(6, size=50)

    def loops(kept):
        up = [p for p, s, k in zip(positive, sign, kept, strict=True) if k and s > 0]
        down = [p for p, s, k in zip(positive, sign, kept, strict=True) if k and s < 0]
        match = [p == (s > 0) for p, s, k in zip(positive, sign, kept, strict=True) if k]
        return [np.mean(up), np.mean(down), np.mean(up) - np.mean(down), np.mean(match)]

    found = edge_signs.signs_without_each(positive, sign, regulator)
    np.testing.assert_allclose(found[0], loops(np.ones(50, bool)))
    for one in range(6):
        np.testing.assert_allclose(found[1 + one], loops(regulator != one))
    weights = (regulator != 2).astype(float)
    np.testing.assert_allclose(
        edge_signs.sign_statistics(positive, sign, weights), loops(regulator != 2)
    )


def test_rewiring_keeps_the_edges_of_every_gene_and_mode():
    rng = np.random.default_rng(5)
    pairs = rng.permutation(20 * 60)[:200]
    regulator, target = pairs // 60, pairs % 60
    fine = regulator != target
    regulator, target = regulator[fine], target[fine]
    sign = rng.choice([-1, 1], len(target), p=[0.2, 0.8])
    own = np.arange(20)
    drawn = edge_signs.rewired(regulator, target, sign, own, 30, rng)
    lost = (drawn < 0).any(axis=1)
    assert lost.mean() < 0.2
    for draw in drawn[~lost]:
        assert len(set(zip(regulator, draw, strict=True))) == len(target)
        assert not (draw == own[regulator]).any()
        for mode in (-1, 1):
            inside = sign == mode
            np.testing.assert_array_equal(np.sort(draw[inside]), np.sort(target[inside]))
    assert (drawn != target).mean() > 0.8


# --- responses ------------------------------------------------------------------------------------
