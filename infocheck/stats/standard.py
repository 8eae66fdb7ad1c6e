"""Columns on a common scale."""

from __future__ import annotations

import numpy as np


def standardised(values: np.ndarray, least: np.ndarray | float = 1e-12) -> np.ndarray:
    """Columns with mean 0 and variance 1 (divisor n); constant ones become 0.

    Parameters
    ----------
    values
        Shape (n, g).
    least
        Standard deviation up to which a column counts as constant: what rounding leaves
        of it. One number or one a column.
    """
    centred = values - values.mean(axis=0)
    sd = centred.std(axis=0)
    return centred * np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > least)
