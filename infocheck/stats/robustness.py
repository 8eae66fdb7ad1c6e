"""How strong would a factor that nobody recorded have to be to create an edge?"""

from __future__ import annotations

import numpy as np

from infocheck.stats.covariance_split import Split


def robustness_value(f: np.ndarray | float) -> np.ndarray:
    """Partial R² that a hidden variable needs with both ends of an edge to null it.

    ``(sqrt(f⁴ + 4 f²) - f²) / 2`` with Cohen's f of the edge.

    Parameters
    ----------
    f
        ``|t| / sqrt(df)`` of the coefficient, or ``|r| / sqrt(1 - r²)`` of a partial
        correlation, which is the same; any shape.

    Returns
    -------
    numpy.ndarray
        In [0, 1]; 0 for an edge of no strength.

    Notes
    -----
    The two partial R² are those with the regulator given what is recorded, and with the
    target given what is recorded and the regulator. It is about the estimate, not about its
    error: more rows do not change it. Source: Cinelli & Hazlett (2020).
    """
    squared = np.square(np.asarray(f, dtype=float))
    # The same as the formula above, and stable where f is large.
    return np.divide(
        2 * squared,
        np.sqrt(squared**2 + 4 * squared) + squared,
        out=np.zeros_like(squared),
        where=squared != 0,
    )


def of_correlation(r: np.ndarray | float) -> np.ndarray:
    """Robustness value of partial correlations; 1 for a correlation of 1, NaN for NaN."""
    r2 = np.minimum(np.square(np.asarray(r, dtype=float)), 1 - 1e-15)
    return robustness_value(np.sqrt(r2 / (1 - r2)))


def reach(with_x: np.ndarray, with_y: np.ndarray) -> np.ndarray:
    """Largest robustness value of an edge that a variable of this strength can null.

    A variable with partial R² of A with the regulator and B with the target given the
    regulator moves the coefficient by ``sqrt(A B / (1 - A))`` in units of f at most, so it
    nulls every edge whose robustness value is not above that of this f. With A = B the reach
    is A itself.

    Parameters
    ----------
    with_x, with_y
        Partial R² in [0, 1], any shape. Below 0, as adjusted ones may be, they count as 0.
    """
    a = np.clip(np.asarray(with_x, dtype=float), 0.0, 1 - 1e-15)
    b = np.clip(np.asarray(with_y, dtype=float), 0.0, 1.0)
    return robustness_value(np.sqrt(a * b / (1 - a)))


def partial_shares(whole: Split, without: Split) -> tuple[np.ndarray, np.ndarray]:
    """Adjusted partial R² of a factor with both ends of edges, given all other factors.

    With the regulator given the other factors; with the target given those and the
    regulator, as the robustness value wants it. Adjusted for the dimensions of the factor,
    so that a factor of many levels does not look strong by chance.

    Parameters
    ----------
    whole, without
        The same edges split by all factors, and by all but this one.

    Returns
    -------
    tuple of numpy.ndarray
        Of the shape of the edges; slightly negative where the factor adds less than chance,
        NaN where a gene has no variance left or the factors leave too few rows.
    """
    with_x = _added(without.x_within, without.freedom, whole.x_within, whole.freedom)
    left, rest = _beside(without), _beside(whole)
    with_y = _added(left, without.freedom - 1, rest, whole.freedom - 1)
    return with_x, with_y


def _beside(split: Split) -> np.ndarray:
    """Variance of the target that factors and regulator leave."""
    taken = np.divide(
        split.within**2,
        split.x_within,
        out=np.zeros(np.shape(split.within)),
        where=split.x_within > 0,
    )
    return np.maximum(split.y_within - taken, 0.0)


def _added(before: np.ndarray, rows: float, after: np.ndarray, left: float) -> np.ndarray:
    """One less the ratio of the unexplained variances, each by its degrees of freedom."""
    if left < 1:
        return np.full(np.shape(before), np.nan)
    ratio = np.divide(after, before, out=np.full(np.shape(before), np.nan), where=before > 0)
    return 1 - ratio * rows / left
