"""Biological variation of genes against their level, from counts of any depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

# Points of the integral over the spread of genes around the line.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_LOG_WEIGHTS = np.log(_WEIGHTS / _WEIGHTS.sum())
# Genes enter with n · mean² of at least this: below it the estimate of CV² rests on a
# handful of cells with two counts, and its distribution is far from normal.
INFORMATION = 10.0
_FEWEST = 20
# A spread this small stands for none: the integral needs one.
_SMALLEST_SD = 0.02
_WIDEST_SD = 3.0


@dataclass(frozen=True)
class Line:
    """Log squared coefficient of variation of a gene given its log level.

    Attributes
    ----------
    centre
        Log level at which the intercept stands.
    intercept, slope
        Of the natural log of biological CV², at the centre and per unit of log level.
    sd
        Standard deviation of genes around the line, on the same scale.
    genes
        Genes that it rests on.
    """

    centre: float
    intercept: float
    slope: float
    sd: float
    genes: int


def squared_cv(
    n: float, total: np.ndarray, squares: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of normalised counts and their biological squared coefficient of variation.

    ``(var(c/s) - mean(c/s²)) / mean(c/s)²``: unbiased up to 1/n, so it is negative for
    many genes of few counts, and must not be cut off before it is averaged.

    Parameters
    ----------
    n, total, squares, noise
        As in :func:`infocheck.stats.reliability.closed_form`, shape (genes,).

    Returns
    -------
    tuple of numpy.ndarray
        Mean and squared coefficient of variation; NaN for genes without counts.
    """
    mean = total / n
    variance = (squares - total**2 / n) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean, np.where(mean > 0, (variance - noise / n) / mean**2, np.nan)


def fit_line(mean: np.ndarray, cv2: np.ndarray, n: float, *, start: Line | None = None) -> Line:
    """Line of log CV² on log mean with log-normal spread, by maximum likelihood.

    A gene's true CV² is log-normal around the line; its estimate is normal around the
    truth with the error that a negative binomial count of that mean and dispersion has.
    Genes whose estimate is negative therefore count, and genes of few counts weigh little.
    Genes so rare that their estimate is not nearly normal are left out, so that for them
    the line is an extrapolation.

    Parameters
    ----------
    mean
        Mean normalised count of each gene, above 0, shape (genes,).
    cv2
        Estimate of its biological CV², may be negative.
    n
        Independent rows that the estimates rest on.
    start
        An earlier fit to nearly the same genes; makes a refit fast.

    Returns
    -------
    Line
        Its centre is the mean log level of the genes that it rests on, or that of ``start``.

    Raises
    ------
    ValueError
        Fewer than five genes with a finite estimate.

    Notes
    -----
    Misleads where size factors are wrong: their error counts as variation of every gene.
    The error of an estimate of CV² is taken from the negative binomial (moments of
    Anscombe, 1950).
    """
    keep = np.isfinite(cv2) & (mean > 0)
    if keep.sum() < 5:
        raise ValueError("a line of variation against level needs at least five genes")
    informative = keep & (n * np.square(mean) >= INFORMATION)
    if informative.sum() < min(_FEWEST, keep.sum()):
        frequent = np.sort(mean[keep])[-min(_FEWEST, int(keep.sum()))]
        informative = keep & (mean >= frequent)
    keep = informative
    mean, cv2 = np.asarray(mean, float)[keep], np.asarray(cv2, float)[keep]
    level = np.log(mean)
    centre = float(level.mean()) if start is None else start.centre
    x = level - centre
    narrow = float(np.std(x)) < 1e-9

    def loss(parameters: np.ndarray) -> float:
        intercept, slope, log_sd = parameters
        if abs(slope) > 3 or abs(intercept) > 12:
            return 1e12
        sd = float(np.clip(np.exp(log_sd), _SMALLEST_SD, _WIDEST_SD))
        line = intercept + (0.0 if narrow else slope) * x
        truth = np.exp(line[:, None] + sd * _NODES)
        variance = _error_variance(mean[:, None], truth, n)
        log_density = -0.5 * ((cv2[:, None] - truth) ** 2 / variance + np.log(variance))
        # A weak pull on the slope keeps it finite where all genes have the same level.
        return -float(logsumexp(log_density + _LOG_WEIGHTS, axis=1).sum()) + 0.5 * slope**2

    if start is None:
        # The ratio of sums is an average of CV² in which frequent genes weigh more.
        middle = float((cv2 * mean**2).sum() / (mean**2).sum())
        first = np.array([np.log(max(middle, 1e-3)), 0.0, np.log(0.5)])
    else:
        first = np.array([start.intercept, start.slope, np.log(max(start.sd, _SMALLEST_SD))])
    step = np.array([0.4, 0.2, 0.4]) * (1.0 if start is None else 0.15)
    simplex = np.vstack([first, first + np.diag(step)])
    options = {"initial_simplex": simplex, "xatol": 2e-3, "fatol": 1e-2, "maxiter": 400}
    found = minimize(loss, first, method="Nelder-Mead", options=options).x
    sd = float(np.clip(np.exp(found[2]), _SMALLEST_SD, _WIDEST_SD))
    slope = 0.0 if narrow else float(found[1])
    return Line(centre, float(found[0]), slope, sd, int(keep.sum()))


def _error_variance(mean: np.ndarray, cv2: np.ndarray, n: float) -> np.ndarray:
    """Variance of the estimate of CV² of negative binomial counts.

    With v = 1/mean + cv2, ``(2 v² (1 + 3 cv2) - 4 cv2 v / mean) / n``.
    """
    v = 1 / mean + cv2
    return (2 * v**2 * (1 + 3 * cv2) - 4 * cv2 * v / mean) / n
