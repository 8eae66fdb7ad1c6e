"""What rates of synthesis and decay allow."""

from __future__ import annotations

import numpy as np

Numbers = float | np.ndarray


def coupling_ceiling(mrna_half_life: Numbers, protein_half_life: Numbers) -> Numbers:
    """Largest correlation of mRNA and protein of one gene in steady state.

    ``sqrt(k_p / (k_p + k_m))`` with decay rates ``k = ln 2 / half-life``, for a
    protein made in proportion to its mRNA and without noise of its own.

    Parameters
    ----------
    mrna_half_life, protein_half_life
        Both in the same unit, above 0; numbers or arrays, broadcast.

    Returns
    -------
    float or numpy.ndarray
        In (0, 1).

    Raises
    ------
    ValueError
        A half-life is not above 0.

    Notes
    -----
    Holds when transcription fluctuates fast around a steady state. Misleads for differences
    that last, as between cell types: protein has time to follow those, and the correlation
    can come near 1.
    """
    mrna, protein = np.asarray(mrna_half_life, float), np.asarray(protein_half_life, float)
    if not ((mrna > 0).all() and (protein > 0).all()):
        raise ValueError("half-lives must be above 0")
    # k_p / (k_p + k_m) = 1 / (1 + protein half-life / mRNA half-life)
    return 1 / np.sqrt(1 + protein / mrna)


def ceiling_interval(
    mrna_half_life: Numbers, protein_half_life: Numbers, fold: float
) -> tuple[Numbers, Numbers]:
    """Ends of the ceiling when the ratio of both half-lives is off by up to ``fold``.

    Parameters
    ----------
    mrna_half_life, protein_half_life
        As in :func:`coupling_ceiling`.
    fold
        At least 1; 2 is a ratio between half and twice the given one.
    """
    if fold < 1:
        raise ValueError("fold must be at least 1")
    protein = np.asarray(protein_half_life, float)
    return (
        coupling_ceiling(mrna_half_life, protein * fold),
        coupling_ceiling(mrna_half_life, protein / fold),
    )
