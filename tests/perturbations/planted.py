"""Responses with a known truth, as differences of four parts that share no row."""

from __future__ import annotations

import numpy as np

from infocheck.perturbations.baselines import mean_of_others
from infocheck.perturbations.ceiling import Shared
from infocheck.perturbations.deltas import PAIRINGS


def parts(rng, true, rows=60, controls=600, common=0.0):
    """Differences from the control in each part; rows have variance 1.

    ``common`` is the share of it that three directions of genes hold, so that noise correlates.
    """
    k, g = true.shape
    loadings = rng.normal(size=(3, g)) * np.sqrt(common / 3)

    def noise(of, n):
        own = np.sqrt(1 - common) * rng.normal(size=(of, g))
        return (rng.normal(size=(of, 3)) @ loadings + own) / np.sqrt(n)

    return np.stack([true + noise(k, rows / 4) - noise(1, controls / 4) for _ in range(4)])


def halves(parts):
    return np.stack(
        [np.stack([parts[list(side)].mean(axis=0) for side in pair]) for pair in PAIRINGS]
    )


def others(halves):
    return np.stack([np.stack([mean_of_others(half) for half in way]) for way in halves])


def shared(halves, *, centred=True):
    counted = np.ones(halves.shape[2:], dtype=bool)
    return Shared.of(halves, others(halves), counted, centred=centred)


def dense(rng, k, g, size=0.2, common=0.0):
    """Every gene responds; ``common`` is the share of variance that all perturbations have."""
    alike = np.sqrt(common) * rng.normal(size=(1, g))
    return size * (alike + np.sqrt(1 - common) * rng.normal(size=(k, g)))


def sparse(rng, k, g, share=0.05, size=0.6):
    return np.where(rng.random((k, g)) < share, size * rng.normal(size=(k, g)), 0.0)
