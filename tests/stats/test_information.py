"""Bits against brute force and closed forms, and a decoder that the bound must bind."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from infocheck.stats.information import (
    bits_per_observation,
    choice_bits,
    required_bits,
    required_observations,
)


def needed(p: int, d: int, r2: float, error: float = 0.1, wrong: int = 0) -> float:
    bits = required_bits(choice_bits(p, d, wrong), error)
    return required_observations(bits, float(bits_per_observation(r2)))


def test_worked_examples():
    assert bits_per_observation(0.04) == pytest.approx(0.0294, abs=5e-5)
    assert choice_bits(1000, 1) == pytest.approx(9.966, abs=5e-4)
    assert needed(1000, 1, 0.04) == pytest.approx(270.6, abs=0.05)
    assert needed(50, 1, 0.02) == pytest.approx(280, abs=0.5)


@pytest.mark.parametrize("r2", [0.001, 0.1, 0.75])
def test_bits_per_observation_are_the_capacity_of_a_gaussian_channel(r2):
    signal_to_noise = r2 / (1 - r2)
    assert bits_per_observation(r2) == pytest.approx(0.5 * math.log2(1 + signal_to_noise))


def test_bits_at_the_ends():
    assert bits_per_observation(0.0) == 0
    assert np.isinf(bits_per_observation(1.0))
    assert np.isinf(required_observations(3.0, 0.0))
    assert required_observations(-0.5, 0.1) == 0


@pytest.mark.parametrize(("p", "d"), [(5, 1), (12, 3), (30, 10), (1000, 10)])
def test_choice_equals_the_binomial(p, d):
    assert choice_bits(p, d) == pytest.approx(math.log2(math.comb(p, d)), rel=1e-9)


@pytest.mark.parametrize(("p", "d", "wrong"), [(7, 3, 1), (8, 4, 2), (6, 5, 2), (9, 2, 0)])
def test_partial_choice_equals_counting(p, d, wrong):
    """Answers of d names of which at most so many are not in the truth, counted one by one."""
    truth = set(range(d))
    good = sum(len(truth - set(answer)) <= wrong for answer in combinations(range(p), d))
    expected = math.log2(math.comb(p, d) / good)
    assert choice_bits(p, d, wrong) == pytest.approx(expected, abs=1e-9)


def test_choice_without_choice_costs_nothing():
    assert choice_bits(3, 3) == 0
    assert choice_bits(5, 3, 3) == 0
    with pytest.raises(ValueError, match="cannot name"):
        choice_bits(3, 4)


def test_demand_rises_with_candidates_and_falls_with_r2_and_tolerance():
    assert needed(50, 3, 0.1) < needed(500, 3, 0.1)
    assert needed(500, 3, 0.2) < needed(500, 3, 0.1)
    assert needed(500, 3, 0.1, wrong=1) < needed(500, 3, 0.1)
    assert needed(500, 3, 0.1, error=0.5) < needed(500, 3, 0.1, error=0.1)


def share_right(n: int, p: int, r2: float, runs: int, rng: np.random.Generator) -> float:
    """How often the largest correlation, the best decoder of one regulator, is the right one."""
    right = 0
    for _ in range(runs):
        x = rng.standard_normal((n, p))
        y = math.sqrt(r2) * x[:, 0] + math.sqrt(1 - r2) * rng.standard_normal(n)
        score = np.abs((x - x.mean(axis=0)).T @ (y - y.mean())) / x.std(axis=0)
        right += score.argmax() == 0
    return right / runs


@pytest.mark.parametrize("error", [0.1, 0.5])
def test_no_decoder_beats_the_bound(error):
    """Just below the bound the error exceeds what it allows (p 50, R² .1, 400 runs, seed 1)."""
    n = math.floor(needed(50, 1, 0.1, error)) - 1
    wrong = 1 - share_right(n, 50, 0.1, 400, np.random.default_rng(1))
    assert wrong > error


def test_how_loose_the_bound_is():
    """At the bound .44 are right, and .90 at 2.9 times the n (p 50, R² .02, seed 2)."""
    rng, n = np.random.default_rng(2), needed(50, 1, 0.02)
    assert share_right(round(n), 50, 0.02, 500, rng) == pytest.approx(0.45, abs=0.06)
    assert share_right(round(2.9 * n), 50, 0.02, 300, rng) == pytest.approx(0.91, abs=0.04)
