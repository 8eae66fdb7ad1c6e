"""Leading components of some columns, taken out of others."""

from __future__ import annotations

import numpy as np
from sklearn.utils.extmath import randomized_svd


def scores(values: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Left singular vectors of standardised columns, shape (n, count), orthonormal.

    Columns without variance are left out. A randomised decomposition (Halko,
    Martinsson & Tropp 2011), because only the leading few are wanted.
    """
    centred = values - values.mean(axis=0)
    sd = centred.std(axis=0)
    standard = centred[:, sd > 1e-12] / sd[sd > 1e-12]
    count = min(count, *standard.shape)
    left, _, _ = randomized_svd(standard, count, n_iter=4, random_state=seed)
    return left


def residual(values: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Columns less their mean and less their projection on orthonormal components."""
    centred = values - values.mean(axis=0)
    return centred - components @ (components.T @ centred)
