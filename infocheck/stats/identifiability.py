"""Can regulators be told from each other? From their correlations alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.stats import norm

from infocheck.stats.resampling import LEVEL, jackknife_error

# Rounding of an eigenvalue, in units of the largest and for one regulator.
ROUNDING = 10 * np.finfo(float).eps
# Squared part of a regulator in a linear dependence below which it is rounding.
MEMBER = 1e-8
# Smallest eigenvalue of a few regulators that are not linearly dependent.
DEPENDENT = 1e-10
# Above this a correlation is that of a copy, whose Fisher z is infinite.
COPY = 1 - 1e-9


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues and eigenvectors of a correlation matrix.

    Attributes
    ----------
    values
        Ascending, shape (p,).
    vectors
        In columns, shape (p, p).

    Notes
    -----
    These are squares of the singular values of the standardised rows: singular values
    below about 1e-6 of the largest are lost in rounding and count as zero.
    """

    values: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, r: np.ndarray) -> Spectrum:
        """Of correlations, shape (p, p)."""
        return cls(*np.linalg.eigh(r))

    @property
    def kept(self) -> np.ndarray:
        """Which eigenvalues are not zero, shape (p,)."""
        return self.values > len(self.values) * ROUNDING * self.values[-1]

    @property
    def rank(self) -> int:
        """Number of regulators that no linear combination of others replaces."""
        return int(self.kept.sum())

    @property
    def condition_number(self) -> float:
        """Largest over smallest non-zero singular value of the standardised regulators, ≥ 1.

        Misleads where the rank is deficient: what is lost completely does not count.
        """
        return float(np.sqrt(self.values[-1] / self.values[self.kept][0]))

    def above(self, edge: float) -> int:
        """Number of eigenvalues above an edge."""
        return int((self.values > edge).sum())

    def variance_inflation(self) -> np.ndarray:
        """By how much the error of a regulator's coefficient grows through all others.

        ``1 / (1 - R²)`` of each regulator on all others, in [1, ∞], shape (p,);
        infinite for exactly those that take part in an exact linear dependence
        (Marquardt 1970). With at least as many regulators as observations that is
        every one of them.
        """
        kept, squared = self.kept, self.vectors**2
        inflation = squared[:, kept] @ (1 / self.values[kept])
        dependent = squared[:, ~kept].sum(axis=1) > MEMBER
        return np.where(dependent, np.inf, np.maximum(inflation, 1.0))


def noise_edge(p: int, n: float) -> float:
    """Largest eigenvalue that p independent variables show in n observations.

    ``(1 + sqrt(p / n))²``, the upper edge of Marchenko & Pastur (1967), p and n
    large. The largest eigenvalue of noise scatters around it, so one just above
    says nothing.
    """
    return float((1 + np.sqrt(p / n)) ** 2)


def irrepresentable(
    r: np.ndarray, supports: np.ndarray, signs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How well the rest imitates sets of true regulators; below 1 the lasso can find them.

    Largest ``|C21 C11⁻¹ s|`` over the regulators outside a set, where C11 are the
    correlations inside it and C21 those of the rest with it (Zhao & Yu 2006).

    Parameters
    ----------
    r
        Correlations, shape (p, p).
    supports
        Positions of the true regulators, shape (draws, size), size < p.
    signs
        Signs of their effects, shape (draws, size).

    Returns
    -------
    given, worst
        The value at these signs and at the worst signs, shape (draws,);
        infinite where the set itself is linearly dependent.

    Notes
    -----
    Sampling noise in the correlations raises both values: with few observations and
    many regulators the condition fails even where the truth is uncorrelated.
    """
    draws = len(supports)
    inside = r[supports[:, :, None], supports[:, None, :]]
    dependent = np.linalg.eigvalsh(inside)[:, 0] <= DEPENDENT
    inside[dependent] = np.eye(supports.shape[1])
    weights = np.linalg.solve(inside, r[supports])  # (draws, size, p)
    outside = np.ones((draws, len(r)), dtype=bool)
    np.put_along_axis(outside, supports, values=False, axis=1)
    given = np.abs(np.einsum("dsp,ds->dp", weights, signs))
    worst = np.abs(weights).sum(axis=1)
    values = (np.where(outside, value, 0.0).max(axis=1) for value in (given, worst))
    given, worst = (np.where(dependent, np.inf, value) for value in values)
    return given, worst


def draw_supports(
    p: int, size: int, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random sets of regulators and random signs, both of shape (draws, size)."""
    order = rng.random((draws, p)).argpartition(size, axis=1)
    return order[:, :size], rng.choice([-1.0, 1.0], (draws, size))


def chance_told_apart(r: np.ndarray | float, n: float, r2: float) -> np.ndarray:
    """Probability that a target's only parent correlates with it more than a rival does.

    With ``e = r2 n`` and |r| the correlation of parent and rival, the sum and the
    difference of both scores are independent, so the larger size is the parent's with
    probability ``ab + (1-a)(1-b)``, ``a = Φ(sqrt(e(1-|r|)/2))``,
    ``b = Φ(sqrt(e(1+|r|)/2))``. b is near 1 unless observations are few, and then
    a alone remains. In [.5, 1). Derived for this project.

    Parameters
    ----------
    r
        Observed correlations of parent and rival, any shape.
    n
        Effective observations.
    r2
        Share of the target's observed variance that the parent explains; the
        approximation is for small ones and is a little too low at large ones.

    Notes
    -----
    Misleads: noise of measurement lowers r, so regulators that are badly measured look
    easier to tell apart than they are; see :func:`as_if_exact`.
    """
    size, effect = np.minimum(np.abs(r), 1.0), r2 * n / 2
    a, b = norm.cdf(np.sqrt(effect * (1 - size))), norm.cdf(np.sqrt(effect * (1 + size)))
    return a * b + (1 - a) * (1 - b)


def as_if_exact(r: np.ndarray, reliability: np.ndarray) -> np.ndarray:
    """Correlation of two exact readings that are as hard to tell apart as these noisy ones.

    Without noise two regulators correlate at ``ρ = |r| / sqrt(rel_j rel_k)``. The
    rival's score falls behind by the share 1 - ρ, while the error of the difference
    follows the observed r, so the pair is as exact ones with ``1 - (1-ρ)² / (1-|r|)``.
    Two readings of one regulator give 1, however noisy they are. Derived for this
    project, for two regulators that are measured about equally well.

    Parameters
    ----------
    r
        Observed correlations, any shape.
    reliability
        Geometric mean of both reliabilities, in (0, 1], same shape.
    """
    size = np.minimum(np.abs(r), 1.0)
    gap = 1 - np.minimum(size / reliability, 1.0)
    return 1 - np.divide(gap**2, 1 - size, out=np.zeros_like(gap), where=gap > 0)


def largest_told_apart(n: float, r2: float, chance: float) -> float:
    """The |r| up to which that chance is reached; -1 where no |r| is small enough."""
    if chance_told_apart(0.0, n, r2) < chance:
        return -1.0
    limit = brentq(lambda r: chance_told_apart(r, n, r2) - chance, 0.0, 1.0)
    return min(float(limit), COPY)  # no number of observations tells copies apart


def nearest(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position of each regulator's nearest rival and its |r|, both of shape (p,)."""
    size = np.abs(r)
    np.fill_diagonal(size, -1.0)
    rival = size.argmax(axis=1)
    return rival, np.minimum(size[np.arange(len(r)), rival], 1.0)


def z_error(n: float, left_out: np.ndarray) -> float:
    """Standard error of the Fisher z of a correlation: of theory or of folds, the larger.

    Parameters
    ----------
    n
        Effective observations; theory gives ``1 / sqrt(n - 3)`` for normal values
        (Fisher 1921), and at most 1 is returned for it.
    left_out
        Correlations with one fold left out, shape (folds, pairs). Their jackknife
        variance is averaged over the pairs: five folds alone say little of one pair,
        and together they show heavy tails and dependent rows. Copies are left out.
    """
    theory = 1 / np.sqrt(max(n - 3, 1.0))
    pairs = left_out[:, (np.abs(left_out) < COPY).all(axis=0)]
    if not pairs.size:
        return float(theory)
    folds = jackknife_error(np.arctanh(pairs))
    return float(max(theory, np.sqrt(np.mean(folds**2))))


def share_told_apart(
    nearest: np.ndarray, limit: float, error: float, reliability: np.ndarray | float = 1.0
) -> tuple[float, float, float]:
    """Share of regulators whose every rival lies within a limit, with its 95 % interval.

    Parameters
    ----------
    nearest
        |r| of each regulator with its nearest rival, shape (p,).
    limit
        The largest |r| of exact readings that can be told apart.
    error
        Standard error of the Fisher z of a correlation.
    reliability
        Geometric mean of the reliabilities of each pair, taken as given.

    Returns
    -------
    share, low, high
        In [0, 1]. The bounds hold when every correlation lies at the upper or lower
        end of a band that covers all p(p-1)/2 of them at once (Bonferroni). A band
        for single correlations would not do: the nearest of many rivals is partly the
        luckiest, and in few observations the estimate is too low for that reason.
    """
    if limit < 0:  # not even an uncorrelated rival
        return 0.0, 0.0, 0.0
    p = len(nearest)
    half = norm.isf((1 - LEVEL) / (p * (p - 1))) * error
    z = np.arctanh(np.minimum(nearest, COPY))
    # No error lifts a copy's correlation below that of a copy.
    ends = np.where(nearest >= COPY, 1.0, np.tanh(np.maximum(z - half, 0))), np.tanh(z + half)
    share, high, low = (
        float((as_if_exact(size, np.broadcast_to(reliability, (p,))) <= limit).mean())
        for size in (nearest, *ends)
    )
    return share, low, high


def groups(confusable: np.ndarray) -> np.ndarray:
    """Connected components of pairs that cannot be told apart.

    Parameters
    ----------
    confusable
        Shape (p, p), symmetric, without the diagonal.

    Returns
    -------
    numpy.ndarray
        Group of each regulator, the largest is 0; -1 for those with no rival.
        Misleads in chains: the two ends of a chain may well be told apart.
    """
    _, label = connected_components(csr_matrix(confusable), directed=False)
    size = np.bincount(label)
    order = np.argsort(-size, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return np.where(size[label] > 1, rank[label], -1)
