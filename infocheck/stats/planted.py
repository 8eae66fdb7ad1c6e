"""Targets with planted regulators, made from real rows of the regulators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from infocheck.stats.spike_in import random_weights

# Mean number of regulators of a step function, and the spread of its noise (Kernfeld et al. 2024).
STEP_PARENTS, STEP_NOISE = 2.0, 0.1


@dataclass(frozen=True)
class Planted:
    """Regulators and effects of m simulated targets.

    Attributes
    ----------
    linear
        Weights of linear targets on standardised regulators, shape (p, m). Their
        regulators explain ``share`` of the variance.
    share
        In [0, 1], shape (m,).
    steps
        Which regulators a step function needs, shape (p, m): it is 1 where all of them are
        above their mean, else 0.
    """

    linear: sparse.csc_array
    share: np.ndarray
    steps: sparse.csc_array

    @classmethod
    def of(cls, gram: np.ndarray, share: np.ndarray, rng: np.random.Generator) -> Planted:
        """Draw regulators and weights.

        Parameters
        ----------
        gram
            Correlations of the regulators, shape (p, p).
        share
            Explained variance of the linear targets, shape (m,).
        rng
            Draws.
        """
        p, m = len(gram), len(share)
        weights = random_weights(p, m, rng)
        variance = np.einsum("ij,ij->j", weights, gram @ weights)
        scale = np.divide(share, variance, out=np.zeros(m), where=variance > 1e-12)
        number = np.minimum(np.maximum(rng.poisson(STEP_PARENTS, m), 1), p)
        rank = np.argsort(np.argsort(rng.random((p, m)), axis=0), axis=0)
        return cls(
            linear=sparse.csc_array(weights * np.sqrt(scale)),
            share=share,
            steps=sparse.csc_array((rank < number).astype(float)),
        )

    def linear_values(self, z: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Linear targets of variance 1 in these rows, (b, m); ``noise`` standard normal."""
        return (self.linear.T @ z.T).T + np.sqrt(1 - self.share) * noise

    def step_values(self, z: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Step functions with a little noise, shape (b, m)."""
        on = (self.steps.T @ (z > 0).astype(float).T).T
        return (on >= self.steps.sum(axis=0) - 0.5) + STEP_NOISE * noise
