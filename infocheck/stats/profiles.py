"""Agreement of predicted with observed profiles: correlation, error, strongest genes, direction.

All functions take one profile a row and compare it with the same row of another matrix,
over the genes that count for that row.
"""

from __future__ import annotations

import numpy as np


def products(
    a: np.ndarray, b: np.ndarray, counted: np.ndarray, *, centred: bool = False
) -> np.ndarray:
    """Mean products over the genes that count; of deviations from the mean when ``centred``.

    Parameters
    ----------
    a, b
        Profiles, shape (k, g).
    counted
        Which genes count, shape (k, g).

    Returns
    -------
    numpy.ndarray
        Shape (k,); NaN for a row without a gene or with a value that is not finite.
    """
    n = counted.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.einsum("kg,kg,kg->k", a, b, counted, optimize=False) / n
        if centred:
            means = (np.einsum("kg,kg->k", x, counted) / n for x in (a, b))
            found = found - next(means) * next(means)
    return found


def correlation(
    a: np.ndarray, b: np.ndarray, counted: np.ndarray, *, constant: float = 0.0
) -> np.ndarray:
    """Pearson correlation of each pair of rows, shape (k,).

    ``constant`` is the value where one of them does not vary: 0 for a prediction that says
    nothing, NaN where nothing can be said of it.
    """
    both = products(a, b, counted, centred=True)
    size = products(a, a, counted, centred=True) * products(b, b, counted, centred=True)
    flat = np.where(np.isfinite(both), constant, np.nan)
    return np.divide(both, np.sqrt(np.maximum(size, 0.0)), out=flat, where=size > 1e-30)


def squared_error(prediction: np.ndarray, observed: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Mean squared error of each row, shape (k,)."""
    wrong = prediction - observed
    return products(wrong, wrong, counted)


def strongest(profiles: np.ndarray, counted: np.ndarray, most: int) -> np.ndarray:
    """Marks the genes with the largest absolute values in each row, shape (k, g)."""
    size = np.where(counted, np.abs(profiles), -1.0)
    chosen = np.argpartition(-size, most - 1, axis=1)[:, :most]
    marked = np.zeros(profiles.shape, dtype=bool)
    np.put_along_axis(marked, chosen, True, axis=1)
    return marked


def overlap(
    prediction: np.ndarray, observed: np.ndarray, counted: np.ndarray, most: int
) -> np.ndarray:
    """Share of the strongest genes of one profile among those of the other, shape (k,)."""
    both = strongest(prediction, counted, most) & strongest(observed, counted, most)
    return both.sum(axis=1) / most


def direction(
    prediction: np.ndarray, observed: np.ndarray, counted: np.ndarray, most: int
) -> np.ndarray:
    """Share of the strongest observed genes whose sign is predicted, shape (k,).

    A prediction of exactly no change counts one half, as a coin would. The genes are chosen
    by what was observed, so some are strong by chance and no prediction reaches 1.
    """
    chosen = strongest(observed, counted, most)
    agreement = (np.sign(prediction) * np.sign(observed) + 1) / 2
    return np.where(chosen, agreement, 0.0).sum(axis=1) / most
