"""What rates of synthesis and decay allow."""

from __future__ import annotations

import math


def coupling_ceiling(mrna_half_life: float, protein_half_life: float) -> float:
    """Largest correlation of mRNA and protein of one gene in steady state.

    ``sqrt(k_p / (k_p + k_m))`` with decay rates ``k = ln 2 / half-life``, for a
    protein made in proportion to its mRNA and without noise of its own.

    Parameters
    ----------
    mrna_half_life, protein_half_life
        Both in the same unit, above 0.

    Returns
    -------
    float
        In (0, 1).
    """
    if not (mrna_half_life > 0 and protein_half_life > 0):
        raise ValueError("half-lives must be above 0")
    mrna_decay = math.log(2) / mrna_half_life
    protein_decay = math.log(2) / protein_half_life
    return math.sqrt(protein_decay / (protein_decay + mrna_decay))
