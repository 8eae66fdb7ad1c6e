"""The kinetic ceiling against its closed form and a simulated gene."""

from __future__ import annotations

import math

import numpy as np
import pytest

from infocheck.stats.kinetics import ceiling_interval, coupling_ceiling


def test_median_half_lives():
    assert coupling_ceiling(9, 46) == pytest.approx(0.404, abs=1e-3)


def test_equal_half_lives():
    assert coupling_ceiling(5, 5) == pytest.approx(math.sqrt(0.5))


def test_simulated_gene_reaches_the_ceiling():
    """mRNA as an Ornstein-Uhlenbeck process, protein made in proportion to it (seed 0)."""
    rng = np.random.default_rng(0)
    km, kp, dt, genes = math.log(2) / 9, math.log(2) / 46, 0.5, 20_000
    m, p = rng.normal(size=(2, genes))
    for _ in range(1200):
        p += (km * m - kp * p) * dt
        m += -km * m * dt + math.sqrt(2 * km * dt) * rng.normal(size=genes)
    assert np.corrcoef(m, p)[0, 1] == pytest.approx(coupling_ceiling(9, 46), abs=0.02)


@pytest.mark.parametrize("pair", [(0, 5), (5, -1), (float("nan"), 2)])
def test_impossible_half_lives_are_refused(pair):
    with pytest.raises(ValueError, match="above 0"):
        coupling_ceiling(*pair)


def test_many_genes_at_once():
    """Arrays give what single genes give; ends are those of a ratio twice off."""
    mrna, protein = np.array([9.0, 5.0, 2.0]), np.array([46.0, 5.0, 60.0])
    found = coupling_ceiling(mrna, protein)
    singles = [coupling_ceiling(m, p) for m, p in zip(mrna, protein, strict=True)]
    np.testing.assert_allclose(found, singles)
    low, high = ceiling_interval(mrna, protein, 2.0)
    np.testing.assert_allclose(low, coupling_ceiling(mrna, 2 * protein))
    np.testing.assert_allclose(high, coupling_ceiling(2 * mrna, protein))
    assert (low < found).all()
    assert (found < high).all()
    with pytest.raises(ValueError, match="fold"):
        ceiling_interval(9.0, 46.0, 0.5)
