"""Random networks: Hill functions as written, signs that hold everywhere, one steady state."""

from __future__ import annotations

import numpy as np
import pytest

from infocheck.simulate import wiring as module
from infocheck.simulate.wiring import Regulation, Wiring, feedback, random_wiring

CYCLIC = {
    "parents": 2.0,
    "regulator_parents": 4.0,
    "strength": 0.99,
    "hill": 8.0,
    "repressors": 0.5,
}


def draw(seed=0, targets=60, regulators=20, **changes):
    rng = np.random.default_rng(seed)
    return random_wiring(rng, targets, regulators, **{**CYCLIC, **changes})


def test_edges_are_drawn_as_asked():
    wiring = draw(targets=600, regulators=50, parents=3.0, regulator_parents=1.5, repressors=0.2)
    edges = np.column_stack([wiring.source, wiring.target])
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert (wiring.source != wiring.target).all()
    assert (np.diff(wiring.target) >= 0).all()
    assert wiring.source.max() < 50
    number = np.bincount(wiring.target, minlength=650)
    assert number[:50].mean() == pytest.approx(1.5, abs=0.5)
    assert number[50:].mean() == pytest.approx(3.0, abs=0.2)
    assert number[50:].min() >= 1
    assert (wiring.sign < 0).mean() == pytest.approx(0.2, abs=0.04)


def test_regulation_is_the_product_of_hill_functions():
    wiring = draw(hill=2.5)
    levels = np.random.default_rng(1).lognormal(0, 1, (20, 7))
    found = Regulation(wiring, 80)(np.log(levels).astype(np.float32))
    expected = np.ones((80, 7))
    for s, t, sign, strength, k in zip(
        wiring.source,
        wiring.target,
        wiring.sign,
        wiring.strength,
        wiring.threshold,
        strict=True,
    ):

        def hill(p, k=k, sign=sign, strength=strength):
            bound = p**2.5 / (p**2.5 + k**2.5)
            return 1 - strength + strength * (bound if sign > 0 else 1 - bound)

        expected[t] *= hill(levels[s]) / hill(1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_reference_is_one_and_genes_without_edges_stay_there():
    wiring = draw(regulator_parents=0.0)
    rate = Regulation(wiring, 80)(np.zeros((20, 3), np.float32))
    np.testing.assert_allclose(rate, 1, rtol=1e-5)
    other = Regulation(wiring, 80)(np.ones((20, 3), np.float32))
    np.testing.assert_array_equal(other[:20], 1)
    assert (other[20:] != 1).all()


@pytest.mark.parametrize("sign", [-1, 1])
def test_slope_has_its_sign_everywhere_and_never_exceeds_the_gain(sign):
    edge = Wiring(
        *(np.array([x]) for x in (0, 0, sign, 0.9, 1.7)),
        hill=3.0,
    )
    log_p = np.linspace(-3, 3, 121, dtype=np.float32)[None]
    slope = np.gradient(np.log(Regulation(edge, 1)(log_p)[0].astype(float)), log_p[0])
    assert (sign * slope > 0).all()
    assert np.abs(slope).max() == pytest.approx(edge.gain()[0], rel=0.01)


@pytest.mark.parametrize("repressors", [0.0, 0.5, 1.0])
def test_cycles_have_one_steady_state(repressors):
    """From a hundred starts, levels iterate to the reference and nowhere else."""
    wiring = draw(repressors=repressors)
    among = wiring.among(0, 20)
    assert feedback(wiring, 20) == pytest.approx(module.MAX_FEEDBACK)
    regulation = Regulation(among, 20)
    levels = np.random.default_rng(0).normal(0, 3, (20, 100)).astype(np.float32)
    for _ in range(400):
        levels = np.log(regulation(levels))
    np.testing.assert_allclose(levels, 0, atol=1e-3)


def test_without_weakening_the_same_cycles_would_have_several(monkeypatch):
    """What the guarantee is for: the test above is not idle."""
    monkeypatch.setattr(module, "MAX_FEEDBACK", np.inf)
    wiring = draw(repressors=0.0)
    regulation = Regulation(wiring.among(0, 20), 20)
    levels = np.random.default_rng(0).normal(0, 3, (20, 100)).astype(np.float32)
    for _ in range(400):
        levels = np.log(regulation(levels))
    assert np.ptp(levels, axis=1).max() > 1


def test_weakening_leaves_edges_to_targets_and_harmless_networks_alone(monkeypatch):
    weakened = draw()
    monkeypatch.setattr(module, "MAX_FEEDBACK", np.inf)
    drawn = draw()
    inner = drawn.target < 20
    assert (weakened.strength[inner] < drawn.strength[inner]).all()
    np.testing.assert_array_equal(weakened.strength[~inner], drawn.strength[~inner])
    assert (weakened.strength >= 0).all()
    assert feedback(draw(regulator_parents=0.0), 20) == 0
