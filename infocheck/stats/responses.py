"""Agreement and likeness of responses that were estimated from rows of their own."""

from __future__ import annotations

import math

import numpy as np

from infocheck.stats.resampling import half_interval, jackknife_error, share_interval

# Below this agreement a correlation is not corrected for noise.
LEAST_AGREEMENT = 0.1
_QUANTILE = 0.95


def cross_correlation(a: np.ndarray, b: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Correlation of each row of ``a`` with each row of ``b``, shape (k, k).

    Over the columns that both keep. Rows must be finite. From matrix products alone.
    """
    w = kept.astype(float)
    a, b = a * w, b * w
    n = np.maximum(w @ w.T, 1.0)
    sum_a, sum_b = a @ w.T, w @ b.T
    covariance = a @ b.T - sum_a * sum_b / n
    var_a, var_b = (a * a) @ w.T - sum_a**2 / n, w @ (b * b).T - sum_b**2 / n
    scale = np.sqrt(np.maximum(var_a, 0) * np.maximum(var_b, 0))
    return np.divide(covariance, scale, out=np.full(scale.shape, np.nan), where=scale > 0)


def similarity(halves: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation between responses to different perturbations, without shared noise.

    Two responses that are compared with the same control rows share the noise of these rows:
    without any response they correlate ``(1/n_c) / (1/n_c + 1/n_p)``. Here one response comes
    from one half of all rows and the other from the other half. What noise takes away is given
    back by dividing by the root of the product of both split-half correlations.

    Parameters
    ----------
    halves
        Responses, shape (pairings, 2, k, g), finite.
    kept
        Columns that count for each, shape (k, g).

    Returns
    -------
    raw, corrected
        Symmetric, shape (k, k), means over pairings and directions. The diagonal of ``raw``
        is the split-half correlation, that of ``corrected`` 1; ``corrected`` is within [-1, 1],
        and NaN where either split-half correlation is below 0.1.
    """
    found = np.mean([cross_correlation(a, b, kept) for a, b in halves], axis=0)
    raw = (found + found.T) / 2
    own = np.diag(raw)
    clear = own >= LEAST_AGREEMENT
    scale = np.sqrt(np.outer(np.where(clear, own, np.nan), np.where(clear, own, np.nan)))
    corrected = np.clip(raw / scale, -1.0, 1.0)
    corrected[clear, clear] = 1.0
    return raw, corrected


def effective_number(
    halves: np.ndarray, kept: np.ndarray, groups: np.ndarray
) -> tuple[float, float, float]:
    """How many different responses there are, with a 95 % interval.

    Products of responses from one half with those from the other have no noise on average.
    Of their symmetric matrix (k × k) the eigenvalues are taken, those within the noise set to
    0, and the exponential of the entropy of the rest is the number (effective rank, Roy &
    Vetterli 2007). Noise is as often negative as positive, so the most negative eigenvalue
    says how large a positive one can be by chance. Between 1 and k; 0 where nothing exceeds
    noise. Large responses weigh more than small ones.

    Parameters
    ----------
    halves
        Responses, shape (pairings, 2, k, g), finite.
    kept
        Columns that count for each, shape (k, g).
    groups
        Group of each column for the jackknife, shape (g,). It takes groups of genes as
        independent, so that the interval is too narrow where noise is shared between them.
    """
    parts = np.array([_gram(halves, kept, groups == g) for g in np.unique(groups)])
    whole = parts.sum(axis=0)
    value = _entropy_rank(whole)
    error = float(jackknife_error(np.array([_entropy_rank(whole - part) for part in parts])))
    half = half_interval(math.inf) * error
    most = float(len(whole))
    return value, max(value - half, min(1.0, value)), min(value + half, most)


def _gram(halves: np.ndarray, kept: np.ndarray, columns: np.ndarray) -> np.ndarray:
    weight = kept[:, columns]
    total = sum((a[:, columns] * weight) @ (b[:, columns] * weight).T for a, b in halves)
    return (total + total.T) / (2 * len(halves))


def _entropy_rank(gram: np.ndarray) -> float:
    values = np.linalg.eigvalsh(gram)
    kept = values[values > max(-values[0], 0.0)]
    if not len(kept):
        return 0.0
    share = kept / kept.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def ceiling(agreement: np.ndarray | float) -> np.ndarray:
    """Best correlation of a prediction with a response that halves repeat at this agreement.

    ``sqrt(2r / (1 + r))``, the root of the reliability of the whole (Spearman 1910); 0 for
    halves that do not agree.
    """
    r = np.clip(agreement, 0.0, 1.0)
    return np.sqrt(2 * r / (1 + r))


def effective_columns(rows: np.ndarray, freedom: int) -> float:
    """Number of independent columns that vary as these do: ``(tr C)² / tr C²``.

    Between 1 and the number of columns; from centred rows with so many degrees of freedom.
    What noise of sampling adds to tr C² is taken off. NaN below 10 degrees of freedom.
    """
    if freedom < 10:
        return float("nan")
    small = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    trace = float(np.trace(small)) / freedom
    raw = float((small**2).sum()) / freedom**2
    if trace <= 0:
        return float("nan")
    squared = (raw - trace**2 / freedom) * freedom**2 / ((freedom - 1) * (freedom + 2))
    return float(np.clip(trace**2 / max(squared, 1e-300), 1.0, rows.shape[1]))


def responding_share(scores: np.ndarray, controls: np.ndarray) -> tuple[float, float, float]:
    """Least share of cells that respond, with a 95 % interval.

    If a share π of cells responds and the rest is as the controls, the share above any
    threshold is at most ``π + (1 - π) F`` with F the share of controls above it. So
    ``(above - .05) / .95`` at the 95 % quantile of controls is at most π: a lower limit, near π
    only where responding cells stand apart. Wilson interval of the share above, widened by the
    error of the quantile.

    Parameters
    ----------
    scores, controls
        How far each cell lies along the response, which was found in other cells.
    """
    above = float((scores > np.quantile(controls, _QUANTILE)).mean())
    error = np.sqrt(_QUANTILE * (1 - _QUANTILE) / len(controls))
    found = np.array([above, *share_interval(above, len(scores), error)])
    value, low, high = np.clip((found - (1 - _QUANTILE)) / _QUANTILE, 0.0, 1.0)
    return float(value), float(low), float(high)


def association(table: np.ndarray) -> float:
    """Cramér's V of a table of counts, corrected for chance (Bergsma 2013), in [0, 1].

    0 without association, 1 where one label says the other; NaN with fewer than two rows or
    columns that hold anything.
    """
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0].astype(float)
    n, (r, c) = table.sum(), table.shape
    if min(r, c) < 2 or n < 2:
        return float("nan")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi = max(0.0, ((table - expected) ** 2 / expected).sum() / n - (r - 1) * (c - 1) / (n - 1))
    rows, columns = r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)
    least = min(rows, columns) - 1
    return float(min(np.sqrt(phi / least), 1.0)) if least > 0 else float("nan")
