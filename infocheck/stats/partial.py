"""Shrinkage partial correlations of all regulators with all targets at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from infocheck.stats.sums import CrossSums

MIN_SHRINKAGE, MAX_SHRINKAGE = 0.001, 0.999


@dataclass(frozen=True)
class Shrunken:
    """Regulator correlations shrunk towards independence, and their inverse.

    Attributes
    ----------
    shrinkage
        Weight λ of the identity.
    omega
        Inverse of ``(1-λ) r + λ I``, shape (p, p).
    """

    shrinkage: float
    omega: np.ndarray

    @classmethod
    def of(cls, r: np.ndarray, shrinkage: float) -> Shrunken:
        """Invert once; serves any number of targets."""
        p = len(r)
        shrunk = (1 - shrinkage) * r
        shrunk[np.diag_indices(p)] = 1.0
        lower, failed = dpotrf(shrunk, lower=1, clean=1)
        if failed:
            raise np.linalg.LinAlgError("shrunken correlations are not positive definite")
        half, _ = dpotri(lower, lower=1)
        return cls(shrinkage, half + np.tril(half, -1).T)


def shrinkage_weight(sums: CrossSums) -> float:
    """λ = ΣVar(r_ij) / Σr_ij², clipped to [.001, .999] (Schäfer & Strimmer 2005)."""
    p = len(sums.gram)
    r = sums.correlation()[:, :p]
    signal = float((r * r).sum() - (np.diag(r) ** 2).sum())
    if signal <= 0:
        return MAX_SHRINKAGE
    return float(np.clip(sums.correlation_noise() / signal, MIN_SHRINKAGE, MAX_SHRINKAGE))


@dataclass(frozen=True)
class EdgeScores:
    """Scores of p regulators (rows) for q targets (columns); NaN where a target is itself.

    ``correlation`` and ``partial`` are absolute values. ``even`` is the partial
    score scaled to equal variance under independence: with correlated regulators
    ``partial`` alone ranks some regulators high whatever the target.
    """

    correlation: np.ndarray
    partial: np.ndarray
    even: np.ndarray

    def by_name(self) -> dict[str, np.ndarray]:
        return {"stab_c": self.correlation, "stab_pc": self.partial, "stab_pc0": self.even}


def edge_scores(model: Shrunken, r: np.ndarray, own: np.ndarray) -> EdgeScores:
    """Absolute correlation, partial correlation and its even-variance form.

    Parameters
    ----------
    model
        The shrunken regulator correlations.
    r
        Correlations of regulators with targets, shape (p, q).
    own
        For each target its position among the regulators, or -1. A target that is
        a regulator is dropped from its own predictors.
    """
    omega, weight = model.omega, 1 - model.shrinkage
    diagonal = np.diag(omega)
    slope = weight * (omega @ r)
    residual = np.maximum(1 - weight * np.einsum("ij,ij->j", r, slope), 1e-12)
    partial = slope / np.sqrt(residual * diagonal[:, None] + slope**2)
    # diag(Ω R Ω) with R = (R_shrunk - λI) / (1 - λ).
    squared = np.einsum("ij,ij->i", omega, omega)
    null = (diagonal - model.shrinkage * squared) / weight
    even = np.abs(slope) / np.sqrt(np.maximum(null, 1e-12))[:, None]

    correlation = np.abs(r)
    inside = np.flatnonzero(own >= 0)
    if len(inside):
        j = own[inside]
        column = omega[:, j]
        partial[:, inside] = -column / np.sqrt(np.outer(diagonal, diagonal[j]))
        even[:, inside] = _even_within(omega, squared, model.shrinkage, j)
        for scores in (correlation, partial, even):
            scores[j, inside] = np.nan
    return EdgeScores(correlation, np.abs(partial), even)


def _even_within(
    omega: np.ndarray, squared: np.ndarray, shrinkage: float, j: np.ndarray
) -> np.ndarray:
    """The even-variance score when target j is one of the regulators, shape (p, len(j)).

    Dropping regulator j from the inverse is a rank-one change,
    Ω⁻ = Ω - Ω_j Ω_j' / Ω_jj; its diagonal and row norms follow in closed form.
    """
    column, pivot = omega[:, j], omega[j, j]
    ratio = column / pivot
    diagonal = np.diag(omega)[:, None] - column * ratio
    product = omega @ column  # (Ω²)_ij
    norms = (
        squared[:, None]
        - column**2
        - 2 * ratio * (product - column * pivot)
        + ratio**2 * (squared[j] - pivot**2)
    )
    null = (diagonal - shrinkage * norms) / (1 - shrinkage)
    return np.abs(ratio) / np.sqrt(np.maximum(null, 1e-12))
