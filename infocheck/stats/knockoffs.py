"""Model-X knockoffs of Gaussian regulators: negative controls with their correlations.

Everything is on the correlation scale: columns have mean 0 and variance 1 (divisor n). ``s`` is
the diagonal of S; ``Cov(X, X̃) = Σ - S``, so a larger s makes a knockoff less like its original
and the selection more powerful, as far as ``2Σ - S`` stays positive semidefinite (Candès et al.
2018). Nothing here draws on its own: every random number is handed in.

When it misleads: the false discovery rate holds for rows that are independent and follow the
model. Gaussian knockoffs of strongly skewed or clustered values are not exchangeable with the
originals. Nor is a Σ estimated from few rows Σ itself: with hardly more rows than regulators the
share of false discoveries exceeds its level even where all values are Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

# A regulator that the others determine up to this share of its variance counts as determined.
_DETERMINED = 1e-8
# Leaves 2Σ - S positive semidefinite after rounding.
_HAIR = 1 - 1e-9
_NEWTON_STEPS = 100
_CHUNK = 64


# --- how far a knockoff may lie from its original ------------------------------------------


def equicorrelated(sigma: np.ndarray) -> np.ndarray:
    """The same s for all regulators: ``min(1, 2 λ_min)`` (Barber & Candès 2015).

    The reference to compare with, not a choice: two regulators that are nearly the same pull
    the s of all others down with theirs, and ``[X, X̃]`` has a singular covariance.

    Parameters
    ----------
    sigma
        Correlations, shape (p, p), positive definite.

    Returns
    -------
    numpy.ndarray
        s, shape (p,), in (0, 1].

    Raises
    ------
    ValueError
        Where sigma is no correlation matrix or is singular.
    """
    sigma = _correlations(sigma)
    _inverse_correlations(sigma)  # refuses what is singular
    smallest = float(np.linalg.eigvalsh(sigma)[0])
    return np.full(len(sigma), min(1.0, 2 * smallest * _HAIR))


def min_variance(sigma: np.ndarray, tolerance: float = 1e-9) -> np.ndarray:
    """s of least ``tr (2Σ-S)⁻¹ + Σ 1/s_j`` (MVR; Spector & Janson 2022).

    That sum is ``tr Cov(X, X̃)⁻¹``: the total variance of the 2p least squares coefficients of a
    target on regulators and knockoffs, up to the noise, as small as knockoffs allow. At the
    minimum ``s_j² [(2Σ-S)⁻²]_jj = 1``, which keeps s within (0, 1].

    A single s may be smaller than that of `equicorrelated` and the power still larger, for
    combinations of knockoffs may not reproduce a regulator either.

    Parameters
    ----------
    sigma
        Correlations, shape (p, p), positive definite.
    tolerance
        Stop when the expected gain of the next step is below this share of the sum. Steps
        converge quadratically: a loose tolerance saves one or two of about eight.

    Returns
    -------
    numpy.ndarray
        s, shape (p,), in (0, 1].

    Raises
    ------
    ValueError
        Where sigma is no correlation matrix or is singular.
    """
    return _minimise(_correlations(sigma), _variance, tolerance)


def max_entropy(sigma: np.ndarray, tolerance: float = 1e-9) -> np.ndarray:
    """s of largest ``log det (2Σ-S) + Σ log s_j`` (ME; Spector & Janson 2022).

    The joint distribution of regulators and knockoffs then has the largest entropy that
    exchangeability allows. At the maximum ``s_j [(2Σ-S)⁻¹]_jj = 1``. Parameters, value and
    errors as in `min_variance`, to which it is close; the tolerance is relative to the
    objective, or absolute where that is below 1.
    """
    return _minimise(_correlations(sigma), _entropy, tolerance)


@dataclass(frozen=True)
class _Local:
    """An objective of log s: value, gradient (p,) and Hessian (p, p)."""

    value: float
    gradient: Callable[[], tuple[np.ndarray, np.ndarray]]


def _variance(s: np.ndarray, lower: np.ndarray) -> _Local:
    """``tr D⁻¹ + Σ 1/s``; ``lower`` is the Cholesky factor of D = 2Σ - S.

    With A = D⁻¹: ∂/∂s_j = (A²)_jj - 1/s_j² and ∂²/∂s_j∂s_k = 2 A_jk (A²)_jk, plus 2/s_j³ on
    the diagonal. Both terms rise with log s in a convex way, so the sum is convex in log s too.
    """
    inverse = _inverse(lower)

    def gradient() -> tuple[np.ndarray, np.ndarray]:
        square = inverse @ inverse.T
        slope = s * np.diag(square)
        hessian = 2 * inverse * square * s[:, None] * s
        hessian[np.diag_indices(len(s))] += slope + 1 / s
        return slope - 1 / s, hessian

    return _Local(float(np.trace(inverse) + (1 / s).sum()), gradient)


def _entropy(s: np.ndarray, lower: np.ndarray) -> _Local:
    """``-log det D - Σ log s``: ∂/∂s_j = A_jj - 1/s_j, ∂²/∂s_j∂s_k = A_jk², plus 1/s_j²."""

    def gradient() -> tuple[np.ndarray, np.ndarray]:
        inverse = _inverse(lower)
        slope = s * np.diag(inverse)
        hessian = inverse * inverse * s[:, None] * s
        hessian[np.diag_indices(len(s))] += slope
        return slope - 1, hessian

    return _Local(float(-2 * np.log(np.diag(lower)).sum() - np.log(s).sum()), gradient)


def _minimise(
    sigma: np.ndarray, objective: Callable[[np.ndarray, np.ndarray], _Local], tolerance: float
) -> np.ndarray:
    """Newton steps on log s, halved until 2Σ - S stays positive definite and the value falls.

    A step costs a few p × p matrix products. Updating one s_j at a time costs p rank-one
    updates a sweep, the same number of operations, but each one bound by memory.
    """
    # The variance of each regulator that the others leave unexplained: right for independent
    # regulators and of the right order for others.
    s = 1 / np.diag(_inverse_correlations(sigma))
    while (lower := _factor(_difference(sigma, s))) is None:
        s = s / 2
    here = objective(s, lower)
    for _ in range(_NEWTON_STEPS):
        gradient, hessian = here.gradient()
        step = -_solve(hessian, gradient)
        gain = float(-gradient @ step)
        if gain <= tolerance * max(abs(here.value), 1.0):
            # Once more, for it is paid: the error squares itself.
            last = s * np.exp(step)
            return np.minimum(s if _factor(_difference(sigma, last)) is None else last, 1.0)
        length = 1.0
        while length > 1e-10:
            proposed = s * np.exp(length * step)
            lower = _factor(_difference(sigma, proposed))
            if lower is not None:
                there = objective(proposed, lower)
                if there.value <= here.value - 1e-4 * length * gain:
                    break
            length /= 2
        else:  # no descent left above rounding
            break
        s, here = proposed, there
    return np.minimum(s, 1.0)


def _difference(sigma: np.ndarray, s: np.ndarray) -> np.ndarray:
    d = 2 * sigma
    d[np.diag_indices(len(s))] -= s
    return d


# --- knockoffs of rows ---------------------------------------------------------------------


@dataclass(frozen=True)
class Gaussian:
    """Knockoffs of Gaussian rows: ``X̃ = X (I - ΩS) + E``, ``E ~ N(0, 2S - SΩS)``.

    Given the model, rows are independent: they may be drawn in any blocks.

    Attributes
    ----------
    sigma, omega
        Correlations of the regulators and their inverse, shape (p, p).
    s
        Diagonal of S, shape (p,).
    slope
        ``I - ΩS``, shape (p, p).
    root
        A square root of the noise covariance, shape (p, p):
        ``root @ root.T = 2S - SΩS``.
    """

    sigma: np.ndarray
    omega: np.ndarray
    s: np.ndarray
    slope: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, sigma: np.ndarray, s: np.ndarray | None = None) -> Gaussian:
        """Prepare once; draws any number of rows.

        Parameters
        ----------
        sigma
            Correlations, shape (p, p), positive definite: shrink those of few rows first.
        s
            Shape (p,), by default that of `min_variance`.

        Raises
        ------
        ValueError
            Where sigma is no correlation matrix or is singular, or where s leaves (0, 1] or
            makes 2Σ - S indefinite.
        """
        sigma = _correlations(sigma)
        omega = _inverse_correlations(sigma)
        s = min_variance(sigma) if s is None else np.asarray(s, dtype=float)
        if s.shape != (len(sigma),) or not (np.isfinite(s) & (s > 0) & (s <= 1)).all():
            raise ValueError(f"s must hold {len(sigma)} numbers in (0, 1], one a regulator")
        slope = np.eye(len(sigma)) - omega * s
        noise = np.diag(2 * s) - omega * np.outer(s, s)
        return cls(sigma, omega, s, slope, _root(noise))

    def draw(self, z: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Knockoffs of rows.

        Parameters
        ----------
        z
            Regulators, shape (n, p), columns with mean 0 and variance 1.
        noise
            Independent standard normals, shape (n, p); see `keyed_normal`.
        """
        return z @ self.slope + noise @ self.root.T

    def leave_out(
        self, z: np.ndarray, knockoffs: np.ndarray, k: int, noise: np.ndarray
    ) -> np.ndarray:
        """Knockoffs of all regulators but the k-th, for a target that is regulator k.

        Knockoffs of all regulators depend on regulator k and may not stand beside it as
        predictors of it. ``X̃_-k + u_k a_k`` with ``u_k = X Ω_k / Ω_kk + ζ / √Ω_kk`` and
        ``a_k = Ω_k,-k S_-k`` takes that dependence out again and has the distribution of
        knockoffs that were built without k, with the same s for the others.

        Parameters
        ----------
        z, knockoffs
            Regulators and what `draw` made of them, shape (n, p).
        k
            Position of the target among the regulators.
        noise
            Independent standard normals ζ, shape (n,), not those of `draw`.

        Returns
        -------
        numpy.ndarray
            Shape (n, p - 1); no longer a function of ``z[:, k]``.
        """
        pivot = self.omega[k, k]
        u = z @ self.omega[:, k] / pivot + noise / np.sqrt(pivot)
        others = np.arange(len(self.s)) != k
        return knockoffs[:, others] + np.outer(u, self._weights(k)[others])

    def left_out(self, sums: Sums) -> LeftOut:
        """Prepare the sums of `leave_out` for every regulator at once, O(p³)."""
        pivot = np.diag(self.omega)
        scaled = self.omega / pivot  # column k: Ω_k / Ω_kk
        root = np.sqrt(pivot)
        xx_scaled = sums.xx @ scaled
        uu = (
            np.einsum("ij,ij->j", scaled, xx_scaled)
            + 2 * np.einsum("ij,ij->j", scaled, sums.xe) / root
            + sums.ee / pivot
        )
        return LeftOut(
            self, sums, xx_scaled + sums.xe / root, sums.xk.T @ scaled + sums.ke / root, uu
        )

    def _weights(self, k: int) -> np.ndarray:
        """a_k, shape (p,); the k-th number is without meaning."""
        return self.omega[k] * self.s


@dataclass(frozen=True)
class Sums:
    """Sums over rows of regulators X, knockoffs K and the noise E of `Gaussian.leave_out`.

    Sums of disjoint rows can be added.

    Attributes
    ----------
    xx, xk, kk, xe, ke
        ``X'X``, ``X'K``, ``K'K``, ``X'E``, ``K'E``, shape (p, p).
    ee
        Sum of squares of each column of E, shape (p,).
    """

    xx: np.ndarray
    xk: np.ndarray
    kk: np.ndarray
    xe: np.ndarray
    ke: np.ndarray
    ee: np.ndarray

    @classmethod
    def of(cls, z: np.ndarray, knockoffs: np.ndarray, noise: np.ndarray) -> Sums:
        """Sums of a block of rows; all three of shape (n, p), column k of noise for target k."""
        return cls(
            z.T @ z,
            z.T @ knockoffs,
            knockoffs.T @ knockoffs,
            z.T @ noise,
            knockoffs.T @ noise,
            np.einsum("ij,ij->j", noise, noise),
        )

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class LeftOut:
    """Sums with the knockoffs of all regulators but one, for any one; see `Gaussian.left_out`.

    Attributes
    ----------
    model, sums
        What it was made of.
    xu, ku
        ``X'U`` and ``K'U``, shape (p, p), where column k of U is the u_k of
        `Gaussian.leave_out`.
    uu
        Sum of squares of each column of U, shape (p,).
    """

    model: Gaussian
    sums: Sums
    xu: np.ndarray
    ku: np.ndarray
    uu: np.ndarray

    def gram(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Sums of ``[X_-k, X̃_-k]`` and of their products with target X_k, O(p²).

        The same numbers as from the rows of `Gaussian.leave_out` with column k of the noise.

        Returns
        -------
        gram
            Shape (2(p-1), 2(p-1)): originals first, then knockoffs, both in order without k.
        cross
            Products with X_k, shape (2(p-1),).
        """
        xx, xk, kk = self.sums.xx, self.sums.xk, self.sums.kk
        m = len(xx) - 1
        a = np.delete(self.model._weights(k), k)
        xu, ku = np.delete(self.xu[:, k], k), np.delete(self.ku[:, k], k)
        gram = np.empty((2 * m, 2 * m))
        _without(xx, k, gram[:m, :m])
        mixed, own = gram[:m, m:], gram[m:, m:]
        _without(xk, k, mixed)
        mixed += np.outer(xu, a)
        gram[m:, :m] = mixed.T
        _without(kk, k, own)
        # (K + u a')'(K + u a'), the square of u shared between both mixed terms.
        half = np.outer(ku + 0.5 * self.uu[k] * a, a)
        own += half
        own += half.T
        cross = np.concatenate([np.delete(xx[k], k), np.delete(xk[k], k) + self.xu[k, k] * a])
        return gram, cross

    def marginal(self) -> tuple[np.ndarray, np.ndarray]:
        """What correlations need, for all targets k at once, O(p²).

        Returns
        -------
        cross, squares
            Shape (p, p), row k for target k, column j for the knockoff of regulator j that was
            built without k: its product with X_k and its sum of squares. The diagonal is
            without meaning and set to NaN. The originals have ``sums.xx`` itself.
        """
        a = self.model.omega * self.model.s  # row k: a_k
        cross = self.sums.xk + np.diag(self.xu)[:, None] * a
        squares = np.diag(self.sums.kk) + 2 * self.ku.T * a + self.uu[:, None] * a * a
        np.fill_diagonal(cross, np.nan)
        np.fill_diagonal(squares, np.nan)
        return cross, squares


def _without(matrix: np.ndarray, k: int, out: np.ndarray) -> None:
    """Copy all but row and column k, in four blocks."""
    out[:k, :k] = matrix[:k, :k]
    out[:k, k:] = matrix[:k, k + 1 :]
    out[k:, :k] = matrix[k + 1 :, :k]
    out[k:, k:] = matrix[k + 1 :, k + 1 :]


# --- more regulators than rows -------------------------------------------------------------


def wide(z: np.ndarray, shrinkage: float, noise: np.ndarray, ratio: float = 0.9) -> np.ndarray:
    """Knockoffs without any p × p matrix, for many more regulators than rows.

    The model is ``Σ = (1-λ) Z'Z/n + λI`` with the one s that it allows for all regulators,
    ``S = 2 ρ λ I``. Ω differs from I/λ on the n row directions only, so that one thin singular
    value decomposition, O(n² p), gives both mean and noise of `Gaussian`.

    When it misleads: s is near 2ρλ, so with little shrinkage knockoffs are nearly copies and
    nothing is found.

    Parameters
    ----------
    z
        Regulators, shape (n, p), columns with mean 0 and variance 1 (divisor n).
    shrinkage
        Weight λ of the identity, in (0, 1].
    noise
        Independent standard normals, shape (n, p).
    ratio
        ρ, the share of the largest admissible s, in (0, 1]. At 1 the covariance of regulators
        and knockoffs is singular.

    Raises
    ------
    ValueError
        Where values are not finite, or weight or ratio out of range.
    """
    z = np.asarray(z, dtype=float)
    if not np.isfinite(z).all():
        raise ValueError("regulators hold values that are not finite")
    if not (0 < shrinkage <= 1 and 0 < ratio <= 1):
        raise ValueError("shrinkage and ratio must lie in (0, 1]")
    s = min(1.0, 2 * ratio * shrinkage)
    _, singular, directions = np.linalg.svd(z, full_matrices=False)
    inside = (1 - shrinkage) * singular**2 / len(z) + shrinkage
    # Of noise covariance 2S - SΩS: eigenvalues within the row directions and outside them.
    own = np.sqrt(np.maximum(2 * s - s * s / inside, 0))
    rest = np.sqrt(max(2 * s - s * s / shrinkage, 0))
    # X - s X Ω: rows of X have no part outside the row directions.
    mean = (z @ directions.T * (1 - s / inside)) @ directions
    return mean + rest * noise + (noise @ directions.T * (own - rest)) @ directions


# --- noise that belongs to rows --------------------------------------------------------------


def keyed_normal(seed: int | Sequence[int], first_row: int, n: int, width: int) -> np.ndarray:
    """Standard normals of rows ``first_row .. first_row + n``, shape (n, width).

    A row has the same numbers whatever block it is asked in, by whatever worker: chunks of 64
    aligned rows have a stream each, keyed by seed and chunk. Ask with the same width always;
    another width is another table.
    """
    if first_row < 0 or n < 0:
        raise ValueError("rows are counted from 0")
    out = np.empty((n, width))
    stop = first_row + n
    for chunk in range(first_row // _CHUNK, -(-stop // _CHUNK)):
        begin = chunk * _CHUNK
        key = np.random.SeedSequence(seed, spawn_key=(chunk,))
        values = np.random.default_rng(key).standard_normal((_CHUNK, width))
        low, high = max(first_row, begin), min(stop, begin + _CHUNK)
        out[low - first_row : high - first_row] = values[low - begin : high - begin]
    return out


# --- matrices ------------------------------------------------------------------------------


def _correlations(sigma: np.ndarray) -> np.ndarray:
    """Refuse what is no correlation matrix; exactly symmetric with a diagonal of 1."""
    sigma = np.asarray(sigma, dtype=float)
    if sigma.ndim != 2 or sigma.shape[0] != sigma.shape[1] or not len(sigma):
        raise ValueError("correlations must be a square matrix of at least one regulator")
    if not np.isfinite(sigma).all():
        raise ValueError("correlations hold values that are not finite")
    if np.abs(sigma - sigma.T).max() > 1e-8 or np.abs(np.diag(sigma) - 1).max() > 1e-8:
        raise ValueError("correlations must be symmetric with ones on the diagonal")
    sigma = (sigma + sigma.T) / 2
    np.fill_diagonal(sigma, 1.0)
    return sigma


def _inverse_correlations(sigma: np.ndarray) -> np.ndarray:
    lower = _factor(sigma)
    omega = None if lower is None else _inverse(lower)
    if omega is None or np.diag(omega).max() > 1 / _DETERMINED:
        raise ValueError(
            "some regulators are determined by the others: shrink the correlations first"
        )
    return omega


def _factor(matrix: np.ndarray) -> np.ndarray | None:
    """Lower Cholesky factor, or None where the matrix is not positive definite."""
    lower, failed = dpotrf(matrix, lower=1, clean=1)
    return None if failed else lower


def _inverse(lower: np.ndarray) -> np.ndarray:
    half, _ = dpotri(lower, lower=1)
    return half + np.tril(half, -1).T


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    lower = _factor(matrix)
    if lower is None:
        raise np.linalg.LinAlgError("the curvature of the objective is not positive definite")
    return dpotrs(lower, right, lower=1)[0]


def _root(covariance: np.ndarray) -> np.ndarray:
    """Square root of a covariance; eigenvalues below zero by no more than rounding count as 0."""
    lower = _factor(covariance)
    if lower is not None:
        return lower
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -1e-8 * max(values[-1], 1e-300):
        raise ValueError("s is too large: 2Σ - S is not positive semidefinite")
    return vectors * np.sqrt(np.maximum(values, 0))
