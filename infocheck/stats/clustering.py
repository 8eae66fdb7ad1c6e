"""How many independent observations do clustered or autocorrelated rows amount to?"""

from __future__ import annotations

import numpy as np
from scipy.stats import f

from infocheck.stats.standard import standardised

# Autocorrelations at lags beyond this share of the rows rest on too few of them.
LONGEST_LAG = 0.25


def intraclass_correlation(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Share of each gene's variance that lies between the levels of a grouping.

    One-way analysis of variance: ``(MSB - MSW) / (MSB + (m* - 1) MSW)`` with
    ``m* = (N - Σm²/N) / (J - 1)`` for J levels of m rows each.

    Parameters
    ----------
    n
        Rows per level, shape (levels,). Levels without rows do not count. Fractions
        are allowed: rows that repeat others may weigh less.
    total
        Sums of values by level, shape (levels, g).
    squares
        Sum of squared values over the rows of all levels, shape (g,).

    Returns
    -------
    numpy.ndarray
        Shape (g,), at most 1. Negative where levels differ less than chance would
        make them; use 0 then. NaN for genes without variance, for fewer than two
        levels, and where no level has a second row.

    Notes
    -----
    With few levels it is rough: its relative error is about ``sqrt(2 / (J - 1))``.
    Source: Fisher (1925), intraclass correlation from the analysis of variance.
    """
    used = n > 0
    n, total = n[used], total[used]
    rows, levels = float(n.sum()), len(n)
    if levels < 2 or rows <= levels:
        return np.full(total.shape[1], np.nan)
    mean = total.sum(axis=0) / rows
    # Around the mean, so that nothing is lost where levels hardly differ.
    between = np.einsum("l,lg->g", n, (total / n[:, None] - mean) ** 2)
    whole = squares - rows * mean**2
    whole = np.where(whole > 1e-12 * squares, whole, 0.0)  # rounding of a constant gene
    msb = between / (levels - 1)
    msw = np.maximum(whole - between, 0.0) / (rows - levels)
    typical = (rows - (n**2).sum() / rows) / (levels - 1)
    bottom = msb + (typical - 1) * msw
    return np.divide(msb - msw, bottom, out=np.full(len(bottom), np.nan), where=whole > 0)


def corrected(icc: np.ndarray, n: np.ndarray, probability: float = 0.5) -> np.ndarray:
    """Bounds of intraclass correlations; at 0.5 the estimate that errs up as often as down.

    The ratio of mean squares is divided by a quantile of its distribution for levels
    that are alike. With few levels the plain estimate is too small in most genes,
    and the median over genes would inherit that; the one at 0.5 is not.

    Parameters
    ----------
    icc
        Plain estimates, shape (g,).
    n
        Rows per level, shape (levels,).
    probability
        That the bound is not below the truth; exact for normal values and equal levels.
    """
    n = n[n > 0]
    rows, levels = float(n.sum()), len(n)
    typical = (rows - (n**2).sum() / rows) / (levels - 1)
    chance = f.ppf(1 - probability, levels - 1, rows - levels)
    top, rest = 1 + (typical - 1) * icc, chance * (1 - icc)  # ratio of mean squares, over chance
    bottom = top + (typical - 1) * rest
    return np.divide(top - rest, bottom, out=np.full(np.shape(icc), np.nan), where=bottom > 0)


def mean_size(n: np.ndarray) -> float:
    """Rows in the level of the average row, ``Σm² / Σm``."""
    return float((n**2).sum() / n.sum())


def effective_size(n: np.ndarray, icc_x: np.ndarray, icc_y: np.ndarray) -> np.ndarray:
    """Independent observations for the correlation of two clustered genes, all pairs.

    ``N / (1 + (m0 - 1) ICC_x ICC_y)`` with ``m0 = Σm² / Σm``: rows of a level repeat
    each other for a correlation only as far as both genes do, hence the product.

    Parameters
    ----------
    n
        Rows per level, shape (levels,).
    icc_x, icc_y
        Intraclass correlations, shapes (p,) and (q,) or single numbers; negative
        ones count as 0.

    Returns
    -------
    numpy.ndarray
        Shape (p, q), between ``N / m0`` and N.

    Notes
    -----
    The genes are taken to be unrelated between levels. With fewer than ten levels it
    is about 10 % too small. Misleads for what is constant within a level: see
    :func:`effective_size_of_contrast`. Source: Moulton (1986), for two regressors
    that both vary between and within groups.
    """
    x = np.atleast_1d(np.maximum(icc_x, 0.0))
    y = np.atleast_1d(np.maximum(icc_y, 0.0))
    return effective_size_of_design(n.sum(), mean_size(n), np.outer(x, y))


def effective_size_of_design(
    rows: np.ndarray | float, per_level: np.ndarray | float, product: np.ndarray | float
) -> np.ndarray:
    """The same for designs that are described by three numbers, broadcast.

    Parameters
    ----------
    rows
        N, all rows.
    per_level
        m0, rows in the level of the average row (:func:`mean_size`), at least 1.
    product
        Product of both intraclass correlations, in [0, 1].
    """
    return rows / (1 + (per_level - 1) * np.asarray(product))


def effective_size_of_contrast(n: np.ndarray, icc_y: np.ndarray) -> np.ndarray:
    """Independent observations for an effect that is constant within levels, shape (q,).

    Its own intraclass correlation is 1, so the size is about ``J / ICC_y``: more rows
    of the same J levels hardly help. Donor genotype and treatment are such effects.
    """
    return effective_size(n, np.ones(1), icc_y)[0]


def autocorrelated_size(
    x: np.ndarray, y: np.ndarray, series: np.ndarray | None = None
) -> np.ndarray:
    """Independent observations for the correlation of two autocorrelated genes, all pairs.

    ``n / (1 + 2 Σ_k w_k ρ_k(x) ρ_k(y))`` over lags k, with w_k the share of rows that
    have a row k steps later in the same series. The sum of a pair ends before its
    first negative product: what follows is noise.

    Parameters
    ----------
    x, y
        Values in the order of time, shapes (n, p) and (n, q).
    series
        Series of each row, in runs, shape (n,); None is one series.

    Returns
    -------
    numpy.ndarray
        Shape (p, q), at most n.

    Notes
    -----
    Genes without variance count as white noise. Misleads after smoothing, which makes
    neighbours alike, and in series of a few points. Source: Bartlett (1935).
    """
    n = len(x)
    series = np.zeros(n, np.int64) if series is None else series
    x, y = (standardised(values, _rounding(values)) for values in (x, y))
    total = np.zeros((x.shape[1], y.shape[1]))
    open_pairs = np.ones(total.shape, dtype=bool)
    for lag in range(1, int(n * LONGEST_LAG) + 1):
        together = np.flatnonzero(series[lag:] == series[:-lag])
        if not len(together) or not open_pairs.any():
            break
        product = np.outer(_lagged(x, together, lag), _lagged(y, together, lag))
        open_pairs &= product > 0
        total += np.where(open_pairs, product, 0.0) * (len(together) / n)
    return n / (1 + 2 * total)


def _rounding(values: np.ndarray) -> np.ndarray:
    """Standard deviations that rounding alone may leave of constant columns."""
    return 1e-9 * np.maximum(np.abs(values).max(axis=0, initial=0.0), 1e-300)


def _lagged(values: np.ndarray, rows: np.ndarray, lag: int) -> np.ndarray:
    """Autocorrelation at one lag over the rows that have a successor, shape (genes,)."""
    if len(rows) == len(values) - lag:
        return np.einsum("ij,ij->j", values[:-lag], values[lag:]) / len(rows)
    return np.einsum("ij,ij->j", values[rows], values[rows + lag]) / len(rows)
