"""Network heritability: variance of targets that all regulators explain together, by REML."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Shares of variance at which the restricted likelihood is evaluated.
GRID = np.concatenate([[0.001], np.linspace(0.03, 0.98, 30)])
# Eigenvalues below this share of the largest are rounding.
_RANK_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Heritability:
    """Share of variance that regulators explain, by target.

    Attributes
    ----------
    grid
        Shares at which the likelihood was evaluated, shape (k,).
    loglik
        Restricted log-likelihood up to a constant of each target, shape (k, m).
    h2
        Posterior mean under a flat prior on the grid, shape (m,), in (0, 1).
    prior
        Distribution of the shares over targets, estimated from all of them, shape (k,).
    pooled
        Posterior mean under that prior, shape (m,).
    """

    grid: np.ndarray
    loglik: np.ndarray
    h2: np.ndarray
    prior: np.ndarray
    pooled: np.ndarray


def heritability(
    gram: np.ndarray, cross: np.ndarray, n: float, own: np.ndarray | None = None
) -> Heritability:
    """Restricted maximum likelihood on a grid, for all targets at once.

    The model is ``y = Zu + e`` with independent effects of equal variance, so the
    covariance of y is ``h ZZ'/p + (1-h) I``; the mean is projected out. It sums over
    many small effects that no single edge would show. Only the Gram matrix is
    needed: ``U'y`` follows from ``V'Z'y`` and the singular values.

    Parameters
    ----------
    gram
        Correlations of regulators, ``Z'Z/n`` of standardised columns, shape (p, p).
    cross
        Correlations of regulators with targets, ``Z'Y/n``, shape (p, m).
    n
        Observations; may be a fraction (an effective number). Directions beyond
        n - 1 are not used.
    own
        For each target its position among the regulators, or -1. Such a target is
        dropped from its own predictors, by an exact rank-one change.

    Notes
    -----
    Biased upwards when observations are few: the posterior cannot fall below the grid
    and a flat prior has mean one half. The pooled estimate borrows from all targets and
    removes part of the bias. Linear effects only; anything that regulators and targets
    share, batches for instance, counts as explained.

    Source: restricted likelihood of Patterson & Thompson (1971); genomic heritability
    of Yang et al. (2010) with regulators in the place of variants.
    """
    gram, cross = np.asarray(gram, dtype=float), np.asarray(cross, dtype=float)
    own = np.full(cross.shape[1], -1) if own is None else np.asarray(own)
    spectrum = _Spectrum.of(gram, n)
    loglik = _outside(spectrum, cross)
    inside = np.flatnonzero(own >= 0)
    if len(inside):
        loglik[:, inside] = _inside(spectrum, own[inside])
    flat = np.full(len(GRID), 1 / len(GRID))
    prior, _ = pool(loglik)
    return Heritability(
        grid=GRID,
        loglik=loglik,
        h2=_posterior(loglik, flat).T @ GRID,
        prior=prior,
        pooled=_posterior(loglik, prior).T @ GRID,
    )


def pool(
    loglik: np.ndarray, *, iterations: int = 500, tolerance: float = 1e-8
) -> tuple[np.ndarray, np.ndarray]:
    """Empirical Bayes over targets: the distribution on the grid by EM.

    Parameters
    ----------
    loglik
        Log-likelihood of each grid point for each target, shape (k, m).
    iterations, tolerance
        EM stops at that many steps, or when a step gains less log-likelihood per target.

    Returns
    -------
    prior
        Weights of the grid points, shape (k,), summing to 1.
    trace
        Marginal log-likelihood before each step; never decreases.

    Source: nonparametric maximum likelihood by EM, Laird (1978).
    """
    k, m = loglik.shape
    prior = np.full(k, 1 / k)
    top = loglik.max(axis=0)
    likelihood = np.exp(loglik - top)
    trace: list[float] = []
    for _ in range(iterations):
        marginal = prior @ likelihood
        trace.append(float((np.log(marginal) + top).sum()))
        if len(trace) > 1 and trace[-1] - trace[-2] < tolerance * m:
            break
        prior = prior * (likelihood @ (1 / marginal)) / m
    return prior / prior.sum(), np.array(trace)


@dataclass(frozen=True)
class _Spectrum:
    """Eigenvalues and eigenvectors of the Gram matrix, and the rows they come from."""

    values: np.ndarray  # (rank,)
    vectors: np.ndarray  # (p, rank)
    trace: float
    n: float

    @classmethod
    def of(cls, gram: np.ndarray, n: float) -> _Spectrum:
        values, vectors = np.linalg.eigh(gram)
        values, vectors = values[::-1], vectors[:, ::-1]
        rank = int((values > _RANK_TOLERANCE * values[0]).sum())
        rank = min(rank, max(int(n - 1 + 1e-9), 0))  # centred columns have rank n - 1 at most
        return cls(values[:rank], vectors[:, :rank], float(np.trace(gram)), float(n))

    @property
    def spare(self) -> float:
        """Directions without regulators."""
        spare = self.n - 1 - len(self.values)
        return spare if spare > 1e-9 else 0.0

    def variances(self, trace: float) -> np.ndarray:
        """Variance of each direction by share h, shape (k, rank), mean signal 1 per row."""
        scaled = self.values * (self.n / trace)
        return GRID[:, None] * scaled + (1 - GRID[:, None])

    def log_determinant(self, variances: np.ndarray) -> np.ndarray:
        return np.log(variances).sum(axis=1) + self.spare * np.log1p(-GRID)


def _outside(spectrum: _Spectrum, cross: np.ndarray) -> np.ndarray:
    """Log-likelihood of targets that are no regulators, shape (k, m)."""
    variances = spectrum.variances(spectrum.trace)
    projected = spectrum.vectors.T @ cross
    power = spectrum.n * projected**2 / spectrum.values[:, None]  # (U'y)²
    quadratic = (1 / variances) @ power
    if spectrum.spare:
        rest = np.maximum(spectrum.n - power.sum(axis=0), 0.0)
        quadratic += rest / (1 - GRID[:, None])
    return _loglik(spectrum, spectrum.log_determinant(variances)[:, None], quadratic)


def _inside(spectrum: _Spectrum, own: np.ndarray) -> np.ndarray:
    """Log-likelihood of targets that are regulators, each without itself, shape (k, len(own)).

    With A the covariance that includes regulator z and c its weight, the covariance
    without it is ``A - c zz'``: by the determinant lemma and Sherman-Morrison, with
    ``q = z'A⁻¹z``, its determinant is ``|A| (1 - cq)`` and the quadratic form of the
    target z is ``q / (1 - cq)``.
    """
    trace = spectrum.trace - 1  # of the Gram matrix without the target
    if trace <= 0:
        return np.zeros((len(GRID), len(own)))
    variances = spectrum.variances(trace)
    loading = spectrum.vectors[own].T ** 2  # (rank, m)
    power = spectrum.n * spectrum.values[:, None] * loading
    full = (1 / variances) @ power
    # 1 - cq without cancellation: loadings over all directions sum to 1.
    beyond = np.maximum(1 - loading.sum(axis=0), 0.0)
    left = ((1 - GRID[:, None]) / variances) @ loading + beyond
    log_determinant = spectrum.log_determinant(variances)[:, None] + np.log(left)
    return _loglik(spectrum, log_determinant, full / left)


def _loglik(spectrum: _Spectrum, log_determinant: np.ndarray, quadratic: np.ndarray) -> np.ndarray:
    tiny = np.finfo(float).tiny
    scale = (spectrum.n - 1) * np.log(np.maximum(quadratic, tiny))
    return -0.5 * (log_determinant + scale)


def _posterior(loglik: np.ndarray, prior: np.ndarray) -> np.ndarray:
    weight = np.exp(loglik - loglik.max(axis=0)) * prior[:, None]
    return weight / weight.sum(axis=0)
