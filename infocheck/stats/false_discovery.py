"""False discovery rates of many tests."""

from __future__ import annotations

import numpy as np
from scipy.stats import false_discovery_control


def adjusted(p_values: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's adjusted p-values over all that are not NaN, of any shape."""
    q = np.full(p_values.shape, np.nan)
    kept = np.isfinite(p_values)
    if kept.any():
        q[kept] = false_discovery_control(np.clip(p_values[kept], 0.0, 1.0))
    return q
