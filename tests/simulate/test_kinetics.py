"""Bursts, mRNA and protein against what is known in closed form and against an ODE solver."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from infocheck.simulate import kinetics
from infocheck.simulate.kinetics import Inputs
from infocheck.simulate.wiring import Wiring, random_wiring
from infocheck.stats.kinetics import coupling_ceiling

NO_EDGES = Wiring(*(np.zeros(0, dtype=int) for _ in range(5)), hill=2.0)
# So many bursts that mRNA follows its rate without noise of its own.
SMOOTH = 1e7


def rates(genes, regulators, *, mrna=9.0, protein=9.0, bursts=20.0, spread=0.0, seed=0):
    return kinetics.rates(
        np.random.default_rng(seed),
        genes,
        regulators,
        mrna_half_life=mrna,
        protein_half_life=protein,
        spread=spread,
        bursts=bursts,
    )


def inputs(regulators, cells, *, signal=0.0, signal_hours=48.0, since=0.0, stimulus=None):
    return Inputs(
        rate=np.ones((regulators, cells), dtype=np.float32),
        since=np.full(cells, since),
        stimulus=np.ones(regulators) if stimulus is None else np.asarray(stimulus, float),
        signal=signal,
        signal_hours=signal_hours,
        bystanders=0,
    )


def constitutive(*, cells=20_000, seed=1, **constants):
    """Three regulators and two targets that nothing regulates."""
    signal = {k: constants.pop(k) for k in ("signal", "signal_hours") if k in constants}
    rate = rates(5, 3, **constants)
    return kinetics.run(np.random.default_rng(seed), NO_EDGES, rate, inputs(3, cells, **signal))


# ------------------------------------------------------------- genes without regulation


@pytest.mark.parametrize("bursts", [0.5, 4.0, 30.0])
def test_mrna_of_a_bursting_gene_is_gamma(bursts):
    """Bursts of exponential size at rate f, decay d: Gamma with shape f / d."""
    mrna, _ = constitutive(bursts=bursts)
    np.testing.assert_allclose(mrna.mean(axis=1), 1, atol=4 / math.sqrt(20_000 * bursts))
    np.testing.assert_allclose(mrna.var(axis=1), 1 / bursts, rtol=0.1)
    for gene in mrna:
        assert stats.kstest(gene, stats.gamma(bursts, scale=1 / bursts).cdf).statistic < 0.02


@pytest.mark.parametrize(("mrna", "protein"), [(9, 3), (9, 9), (3, 30), (30, 3)])
def test_mrna_and_protein_correlate_as_half_lives_allow(mrna, protein):
    of_mrna, of_protein = constitutive(mrna=mrna, protein=protein, cells=10_000)
    r = [np.corrcoef(of_mrna[i], of_protein[i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(np.mean(r), coupling_ceiling(mrna, protein), atol=0.015)
    share = mrna / (mrna + protein)  # decay rates are inverse to half-lives
    np.testing.assert_allclose(of_protein.var(axis=1) * 20, share, rtol=0.1)
    np.testing.assert_allclose(of_protein.mean(axis=1), 1, atol=0.01)


def test_an_input_that_never_changes_couples_mrna_and_protein():
    """Both share the variance V of the input; bursts add B and r B, with covariance r B."""
    mrna, protein = constitutive(signal=0.3, signal_hours=math.inf, protein=36.0)
    of_input, of_bursts, r = math.expm1(0.3**2), 1 / 20, 9 / 45
    expected = math.sqrt((of_input + r * of_bursts) / (of_input + of_bursts))
    found = [np.corrcoef(mrna[i], protein[i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(np.mean(found), expected, atol=0.01)


@pytest.mark.parametrize("hours", [5.0, 48.0])
def test_a_fluctuating_input_is_filtered_by_decay(hours):
    """Small inputs of correlation time T: variance s² T / (T + lifetime of the mRNA)."""
    mrna, _ = constitutive(bursts=SMOOTH, signal=0.05, signal_hours=hours)
    lifetime = 9 / math.log(2)
    expected = 0.05**2 * hours / (hours + lifetime)
    np.testing.assert_allclose(mrna[:3].var(axis=1), expected, rtol=0.08)
    assert mrna[3:].var() < expected / 100  # targets have no input of their own


def test_inputs_correlate_within_blocks():
    rate = rates(11, 10, bursts=SMOOTH)
    outside = inputs(10, 8000, signal=0.05, signal_hours=math.inf)
    mrna, _ = kinetics.run(np.random.default_rng(2), NO_EDGES, rate, outside)
    r = np.corrcoef(mrna[:10])
    assert r[0, 1:5].mean() == pytest.approx(0.3, abs=0.03)
    assert r[0, 5:].mean() == pytest.approx(0.0, abs=0.03)


def test_bystanders_have_unseen_inputs():
    rate = rates(8, 3, bursts=SMOOTH)
    outside = Inputs(**{**vars(inputs(3, 4000, signal=0.3)), "bystanders": 2})
    mrna, _ = kinetics.run(np.random.default_rng(2), NO_EDGES, rate, outside)
    sd = mrna.std(axis=1)
    assert sd[6:].min() > 0.8 * sd[:3].mean()
    assert sd[3:6].max() < 0.01
    assert np.abs(np.corrcoef(mrna[[0, 1, 2, 6]])[3, :3]).max() < 0.06


# --------------------------------------------------------- networks, without noise


def network(seed=3, regulators=6, targets=10, **changes):
    options = {
        "parents": 2.0,
        "regulator_parents": 1.5,
        "strength": 0.9,
        "hill": 2.0,
        "repressors": 0.5,
    }
    rng = np.random.default_rng(seed)
    return random_wiring(rng, targets, regulators, **{**options, **changes})


def factor(wiring, edge, protein):
    """One Hill function, written out: relative to its value at 1."""

    def rate(level):
        bound = level**wiring.hill / (wiring.threshold[edge] ** wiring.hill + level**wiring.hill)
        active = bound if wiring.sign[edge] > 0 else 1 - bound
        return 1 - wiring.strength[edge] + wiring.strength[edge] * active

    return rate(protein) / rate(1.0)


def derivative(wiring, rate, drive, regulators):
    """The mean field: d mRNA / dt and d protein / dt, gene by gene."""

    def of(_, state):
        genes = len(rate.mrna_decay)
        mrna, protein = state[:genes], state[genes:]
        made = np.ones(genes)
        made[:regulators] = drive
        for edge in range(len(wiring.source)):
            made[wiring.target[edge]] *= factor(wiring, edge, protein[wiring.source[edge]])
        return np.concatenate(
            [
                rate.mrna_decay * (made - mrna),
                rate.protein_decay * (mrna[:regulators] - protein),
            ]
        )

    return of


@pytest.mark.parametrize("hours", [2.0, 11.0, 40.0, 400.0])
def test_a_stimulus_runs_as_an_ode_solver_says(hours):
    wiring, rate = network(), rates(16, 6, bursts=SMOOTH, spread=0.3, protein=5.0)
    stimulus = np.array([4.0, 1, 1, 1, 0.3, 1])
    outside = inputs(6, 4, since=hours, stimulus=stimulus)
    mrna, protein = kinetics.run(
        np.random.default_rng(0), wiring, rate, outside, longest=hours + 30
    )
    solved = integrate.solve_ivp(
        derivative(wiring, rate, stimulus, 6), (0, hours), np.ones(22), rtol=1e-8
    ).y[:, -1]
    np.testing.assert_allclose(mrna[:, 0], solved[:16], rtol=0.02, atol=0.005)
    np.testing.assert_allclose(protein[:, 0], solved[16:], rtol=0.02, atol=0.005)
    assert np.ptp(solved) > 0.3


def test_a_knock_out_settles_where_an_ode_solver_says():
    wiring, rate = network(seed=5), rates(16, 6, bursts=SMOOTH, spread=0.3)
    outside = inputs(6, 3)
    outside.rate[2, 1] = 0.0
    mrna, _ = kinetics.run(np.random.default_rng(0), wiring, rate, outside)
    drive = np.ones(6)
    drive[2] = 0.0
    solved = integrate.solve_ivp(
        derivative(wiring, rate, drive, 6), (0, 3000), np.ones(22), rtol=1e-8, method="LSODA"
    ).y[:16, -1]
    np.testing.assert_allclose(mrna[:, 1], solved, rtol=0.02, atol=0.005)
    np.testing.assert_allclose(mrna[:, [0, 2]], 1, atol=0.005)  # other cells do not notice
    assert (wiring.target[wiring.source == 2]).size > 0


def test_nothing_becomes_negative_under_extremes():
    wiring = network(hill=10.0, strength=0.99, regulator_parents=3.0)
    rate = rates(16, 6, bursts=0.05, protein=0.5)
    mrna, protein = kinetics.run(
        np.random.default_rng(0), wiring, rate, inputs(6, 500, signal=2.0, signal_hours=1.0)
    )
    for level in (mrna, protein):
        assert np.isfinite(level).all()
        assert level.min() >= 0
