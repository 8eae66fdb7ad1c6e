"""Simulated targets on the real regulators: how well would their parents be found?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infocheck.stats.lasso import entry_scores
from infocheck.stats.partial import Shrunken, edge_scores
from infocheck.stats.ranking import pooled_and_per_regulator

# The tested methods.
METHODS = ("correlation", "partial correlation", "lasso")
# Number of parents: geometric with this success probability, at most so many.
PARENTS, MOST_PARENTS = 0.4, 8
# Range of the size of a weight; its sign is random.
WEIGHTS = (0.5, 1.5)
_RANK_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Targets:
    """Simulated targets.

    Attributes
    ----------
    r
        Sample correlations of regulators with targets, shape (p, m).
    parent
        Which regulators are parents, shape (p, m).
    """

    r: np.ndarray
    parent: np.ndarray


@dataclass(frozen=True)
class Regulators:
    """The real regulators, from which targets are simulated.

    Attributes
    ----------
    gram
        Their correlations R = Z'Z/n as they are observed, shape (p, p).
    basis
        Directions in which they vary, orthonormal, shape (p, rank).
    root
        A square root of R, ``root @ root.T = R``, shape (p, rank).
    signal
        Covariance of the whitened regulators with what moves the targets,
        shape (rank, p): ``root.T`` when that is the observed regulators themselves.
    n
        Observations.
    """

    gram: np.ndarray
    basis: np.ndarray
    root: np.ndarray
    signal: np.ndarray
    n: float

    @classmethod
    def of(cls, gram: np.ndarray, n: float, latent: np.ndarray | None = None) -> Regulators:
        """Prepare once, for any number of targets.

        Parameters
        ----------
        gram, n
            As above.
        latent
            Covariance of the observed regulators (rows) with the variables that move
            the targets (columns), shape (p, p): less than ``gram`` on the diagonal where
            regulators are measured with noise. Default: ``gram``.
        """
        values, vectors = np.linalg.eigh(gram)
        kept = values > _RANK_TOLERANCE * values[-1]
        basis, scale = vectors[:, kept], np.sqrt(values[kept])
        root = basis * scale
        signal = root.T if latent is None else (basis / scale).T @ latent
        return cls(gram, basis, root, signal, float(n))

    @property
    def whitening(self) -> np.ndarray:
        """Makes regulators uncorrelated with variance 1, shape (rank, p)."""
        return (self.basis / np.sqrt(np.einsum("ij,ij->j", self.root, self.root))).T

    @property
    def spare(self) -> float:
        """Dimensions of the rows that the regulators leave free; none where they span all."""
        return max(self.n - 1 - self.root.shape[1], 0.0)

    def correlations(
        self, whitened: np.ndarray, noise: np.ndarray, chi_square: np.ndarray
    ) -> np.ndarray:
        """Sample correlations of regulators with targets; no row is touched.

        A target is ``y = Zγ + e`` with independent normal e. The correlations that n rows
        of it show are drawn from their exact distribution given R. In whitened
        coordinates ``a = root⁺Z'y/n`` is normal around ``root'γ`` with variance
        ``σ²/n``, and ``y'y/n = a'a + σ²χ²/n`` with n - 1 - rank degrees of freedom.

        Parameters
        ----------
        whitened
            ``root'γ`` of targets of variance 1, shape (rank, m): its squares sum to the
            share of variance that observed regulators explain.
        noise
            Standard normal, shape (rank, m).
        chi_square
            With ``spare`` degrees of freedom, shape (m,).

        Notes
        -----
        Where there are fewer observations than directions (an effective number of rows
        below the number of regulators) noise enters y'y with its n - 1 degrees alone.
        """
        residual = np.maximum(1 - np.einsum("ij,ij->j", whitened, whitened), 0.0) / self.n
        observed = whitened + noise * np.sqrt(residual)
        square = np.einsum("ij,ij->j", observed, observed) + residual * chi_square
        excess = self.root.shape[1] - max(self.n - 1, 1.0)
        if excess > 0:
            share = excess / self.root.shape[1]
            square -= share * residual * np.einsum("ij,ij->j", noise, noise)
        top = self.root @ observed
        return np.clip(top / np.sqrt(np.maximum(square, 1e-12)), -1.0, 1.0)

    def targets(self, r2: np.ndarray, rng: np.random.Generator) -> Targets:
        """Simulate one target for each R² from few random parents.

        ``y = Zb + e`` with ``b'Rb`` equal to R² and independent normal noise of variance
        ``1 - R²``.

        Parameters
        ----------
        r2
            Share of variance that the parents explain, shape (m,), in [0, 1].
        rng
            Draws parents, weights and noise.
        """
        m = len(r2)
        weights = random_weights(len(self.gram), m, rng)
        whitened = self.signal @ weights
        variance = np.einsum("ij,ij->j", whitened, whitened)
        whitened *= np.sqrt(np.divide(r2, variance, out=np.zeros(m), where=variance > 0))
        noise = rng.standard_normal((self.root.shape[1], m))
        spare = self.spare
        chi_square = rng.chisquare(spare, m) if spare > 0 else np.zeros(m)
        return Targets(self.correlations(whitened, noise, chi_square), weights != 0)


def mean_parents(p: int) -> float:
    """Mean number of parents that :func:`random_weights` draws among p regulators."""
    most = min(MOST_PARENTS, max(p - 1, 1))
    return (1 - (1 - PARENTS) ** most) / PARENTS


def random_weights(p: int, m: int, rng: np.random.Generator) -> np.ndarray:
    """Weights of m targets on p regulators, shape (p, m): few parents, random signs."""
    most = min(MOST_PARENTS, max(p - 1, 1))
    number = np.minimum(rng.geometric(PARENTS, m), most)
    place = rng.random((p, m))
    size = rng.uniform(*WEIGHTS, (p, m)) * rng.choice([-1.0, 1.0], (p, m))
    if p == 1:
        return size
    # Parents are those in the first places: fewer of them than regulators.
    first = np.sort(np.partition(place, most, axis=0)[: most + 1], axis=0)
    return np.where(place < first[number, np.arange(m)], size, 0.0)


def panel_scores(
    gram: np.ndarray, model: Shrunken, r: np.ndarray, own: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Scores of all edges by each method of the panel, each of shape (p, m).

    Parameters
    ----------
    gram, r
        Correlations of regulators, (p, p), and with targets, (p, m).
    model
        The shrunken regulator correlations.
    own
        For each target its position among the regulators, or -1.
    """
    own = np.full(r.shape[1], -1) if own is None else own
    edges = edge_scores(model, r, own)
    scores = (edges.correlation, edges.partial, entry_scores(gram, r, own))
    return dict(zip(METHODS, scores, strict=True))


def replicate(
    regulators: Regulators,
    model: Shrunken,
    r2: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, tuple[float, float]]:
    """One simulated network, scored by each method of the panel.

    Parameters
    ----------
    regulators, model
        The real regulators and their shrunken correlations.
    r2
        Share of variance that regulators explain in each simulated target, shape (m,).
    rng
        Draws the targets.

    Returns
    -------
    dict
        For each method the normalised precision over all pairs and the mean over regulators.
    """
    made = regulators.targets(r2, rng)
    scored = panel_scores(regulators.gram, model, made.r)
    return {name: pooled_and_per_regulator(s, made.parent) for name, s in scored.items()}
