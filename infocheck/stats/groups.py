"""Sums and means of groups of rows, for all columns at once."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def indicator(code: np.ndarray, levels: int | None = None) -> sp.csr_matrix:
    """Which rows are in which group, shape (levels, n): times a matrix it sums its rows.

    Parameters
    ----------
    code
        Group of each row, from 0 on, shape (n,).
    levels
        Number of groups; by default as many as there are.
    """
    n = len(code)
    levels = int(code.max(initial=-1)) + 1 if levels is None else levels
    return sp.csr_matrix((np.ones(n), (code, np.arange(n))), shape=(levels, n))


def centred(
    values: np.ndarray, seen: np.ndarray | None = None, group: np.ndarray | None = None
) -> np.ndarray:
    """Without the mean of the seen rows of each column, or of each group; 0 elsewhere.

    Parameters
    ----------
    values
        Shape (n, q).
    seen
        Which values count, boolean, shape (n, q); None for all.
    group
        Group of each row, from 0 on, -1 for rows that belong to none and become 0; None is
        one group.
    """
    seen = np.ones(values.shape, dtype=bool) if seen is None else seen
    values = np.where(seen, values, 0.0)
    if group is None:
        group = np.zeros(len(values), dtype=np.int64)
    inside = group >= 0
    by_group = indicator(np.where(inside, group, group.max(initial=0) + 1))
    number = by_group @ seen.astype(float)
    means = (by_group @ values) / np.maximum(number, 1.0)
    return np.where(seen & inside[:, None], values - by_group.T @ means, 0.0)
