"""Which pairs do other selectors keep, at which false discovery rate that they claim?

Every selector answers with a value like a q-value: a discovery at the nominal rate f is a pair
with ``q <= f``. Whether the rate is kept is for a calibration to find out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betainc, betaln, stdtr

from infocheck.stats.false_discovery import adjusted
from infocheck.stats.partial import Shrunken, edge_scores

# Share of the scores, the smallest, that is taken for the null when its width is estimated.
BULK = 0.75
# With fewer scores the width of the null is that of theory.
ENOUGH = 200
_LARGEST = 1 - 1e-15


def correlation_q(r: np.ndarray, n: float) -> np.ndarray:
    """Benjamini-Hochberg q-values of a t-test of every correlation.

    Parameters
    ----------
    r
        Correlations, shape (p, m); NaN for a target itself.
    n
        Independent observations, above 2.

    Notes
    -----
    Tests association, not regulation: every regulator that correlates with a true one is
    a discovery that no level keeps out. With rows that are not independent n is smaller
    than their number.
    """
    return adjusted(_two_sided(r, n - 2))


def _two_sided(r: np.ndarray, degrees: float) -> np.ndarray:
    """p-values of correlations by the t distribution."""
    size = np.minimum(np.abs(np.asarray(r, dtype=float)), _LARGEST)
    return 2 * stdtr(degrees, -size * np.sqrt(degrees / (1 - size**2)))


@dataclass(frozen=True)
class Mixture:
    """Absolute correlations as a mixture of a null of unknown width and anything else.

    Attributes
    ----------
    kappa
        Degrees of freedom of the null density
        ``f0(r) = (1 - r²)^((κ-3)/2) / B(1/2, (κ-1)/2)``; its variance is 1/κ.
    null_share
        Share of the scores that is null, in (0, 1].
    """

    kappa: float
    null_share: float

    @classmethod
    def of(cls, scores: np.ndarray, bulk: float = BULK, kappa: float | None = None) -> Mixture:
        """Fit to the smallest scores, taken for null.

        κ maximises the likelihood of the scores up to their quantile ``bulk``, truncated
        there; the null share is how many of all scores lie there against how many the null
        puts there (Strimmer 2008).

        Parameters
        ----------
        scores
            Absolute correlations or partial correlations, any shape; NaN is left out.
        kappa
            Where it is known it is not estimated.
        """
        size = np.abs(scores[np.isfinite(scores)])
        cut = float(np.quantile(size, bulk))
        below = size[size <= cut]
        if kappa is None:
            kappa = _width(below, cut)
        share = len(below) / len(size) / max(betainc(0.5, (kappa - 1) / 2, cut**2), 1e-300)
        return cls(float(kappa), float(min(share, 1.0)))

    def p_values(self, scores: np.ndarray) -> np.ndarray:
        """Two-sided, under the null."""
        return _two_sided(scores, self.kappa - 1)

    def tail_fdr(self, scores: np.ndarray) -> np.ndarray:
        """False share among scores as large, monotone, in [0, 1]."""
        return np.minimum(self.null_share * adjusted(self.p_values(scores)), 1.0)


def _width(below: np.ndarray, cut: float) -> float:
    """κ by the likelihood of scores that are known to lie below ``cut``.

    The scores enter through ``Σ log(1 - r²)`` alone, so a step costs nothing.
    """
    mean = float(np.log1p(-(np.minimum(below, _LARGEST) ** 2)).mean())
    # Without truncation the variance of the null is 1/κ: the optimum is near.
    centre = np.log(max(np.square(below).mean(), 1e-24))
    found = minimize_scalar(
        lambda log_kappa: -_log_likelihood(1 + np.exp(log_kappa), mean, cut),
        bounds=(-centre - 6, -centre + 3),
        method="bounded",
    )
    return float(1 + np.exp(found.x))


def _log_likelihood(kappa: float, mean: float, cut: float) -> float:
    """Mean log-likelihood of scores below ``cut``, up to a constant."""
    half = (kappa - 1) / 2
    inside = max(betainc(0.5, half, cut**2), 1e-300)
    return (kappa - 3) / 2 * mean - betaln(0.5, half) - np.log(inside)


def partial_mixture(
    model: Shrunken, r: np.ndarray, n: float, own: np.ndarray
) -> tuple[np.ndarray, Mixture]:
    """Absolute shrinkage partial correlations and the mixture that is fitted to them."""
    scores = edge_scores(model, r, own).partial
    few = np.isfinite(scores).sum() < ENOUGH
    return scores, Mixture.of(scores, kappa=max(n - 1.0, 2.0) if few else None)


def partial_q(model: Shrunken, r: np.ndarray, n: float, own: np.ndarray) -> np.ndarray:
    """Tail-area false discovery rates of shrinkage partial correlations.

    Parameters
    ----------
    model
        The shrunken regulator correlations.
    r
        Correlations of regulators with targets, shape (p, m).
    n
        Independent observations; used only where there are fewer than ``ENOUGH`` pairs,
        too few to estimate the width of the null, which is then ``κ = n - 1``.
    own
        For each target its position among the regulators, or -1.

    Notes
    -----
    Shrinkage narrows the null in a way that has no closed form; κ is estimated from the
    bulk of the scores instead. Misleads where the null is no single density of that
    form. With shrinkage its width differs between regulators, and the widest lie in the
    tail of the common one: among 100 correlated regulators in 50 rows a rate of .1 finds
    something in more than half of the data sets without any edge. And a regulator that
    only correlates with a true one keeps a partial correlation above 0: shrinkage towards
    independence partials out too little, the more so the fewer rows there are.
    Sources: Schäfer & Strimmer (2005), Strimmer (2008).
    """
    scores, mixture = partial_mixture(model, r, n, own)
    return mixture.tail_fdr(scores)


def shuffled_q(scores: np.ndarray, null_scores: np.ndarray) -> np.ndarray:
    """False discovery rates by counting links among shuffled data.

    At a score s: share of null pairs that reach s over share of pairs that do, made
    monotone, at most 1.

    Parameters
    ----------
    scores
        Higher is stronger, shape (p, m); NaN for a target itself.
    null_scores
        Scores of the same kind from shuffled targets, any shape, NaN left out.

    Notes
    -----
    Shuffling a target breaks its dependence on every regulator at once. Links to
    regulators that only correlate with a true one are thus not in this null: among
    correlated regulators the rate is too low.
    """
    scores = np.asarray(scores, dtype=float)
    q = np.full(scores.shape, np.nan)
    kept = np.isfinite(scores)
    null = np.sort(null_scores[np.isfinite(null_scores)], axis=None)
    level, back, number = np.unique(scores[kept], return_inverse=True, return_counts=True)
    if not len(level):
        return q
    reached = np.cumsum(number[::-1])[::-1] / number.sum()
    false = (len(null) - np.searchsorted(null, level, side="left")) / len(null)
    # A pair may be taken at any threshold up to its own score.
    q[kept] = np.minimum(np.minimum.accumulate(false / reached), 1.0)[back]
    return q


def shuffled_correlations(
    gram: np.ndarray, n: float, m: int, rng: np.random.Generator
) -> np.ndarray:
    """Correlations of regulators with m targets whose rows are shuffled, without rows.

    Over permutations of the rows of a target its correlations with regulators have mean
    0 and covariance ``R / (n - 1)``, exactly and whatever the target; they are drawn from
    the normal distribution with these moments.

    Parameters
    ----------
    gram
        Correlations R of the regulators, shape (p, p).
    n
        Rows.

    Returns
    -------
    numpy.ndarray
        Shape (p, m), in [-1, 1].

    Notes
    -----
    Targets with few rows that are not near 0 (dropout, one outlier) have longer tails.
    """
    values, vectors = np.linalg.eigh(gram)
    root = vectors * np.sqrt(np.maximum(values, 0.0) / (n - 1))
    return np.clip(root @ rng.standard_normal((len(gram), m)), -1.0, 1.0)
