"""Simulated targets on the real regulators: how well would their parents be found?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from infocheck.stats.lasso import entry_scores
from infocheck.stats.partial import Shrunken, edge_scores

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
        Their correlations R = Z'Z/n, shape (p, p).
    root
        A square root of R, ``root @ root.T = R``, shape (p, rank).
    n
        Observations.
    """

    gram: np.ndarray
    root: np.ndarray
    n: float

    @classmethod
    def of(cls, gram: np.ndarray, n: float) -> Regulators:
        values, vectors = np.linalg.eigh(gram)
        kept = values > _RANK_TOLERANCE * values[-1]
        return cls(gram, vectors[:, kept] * np.sqrt(values[kept]), float(n))

    def targets(self, r2: np.ndarray, rng: np.random.Generator) -> Targets:
        """Simulate one target for each R²; no row is touched.

        ``y = Zb + e`` with few random parents, ``b'Rb`` equal to R² and independent
        normal noise of variance ``1 - R²``. The correlations that n rows of it would
        show are drawn from their exact distribution:
        ``Z'y/n = Rb + u`` with ``u ~ N(0, (1-R²) R/n)``, and
        ``y'y/n = b'Rb + 2b'u + u'R⁻¹u + (1-R²) χ²/n`` with n - 1 - rank degrees of freedom
        (none, and no such term, where regulators span all rows).

        Parameters
        ----------
        r2
            Share of variance that the parents explain, shape (m,), in [0, 1].
        rng
            Draws parents, weights and noise.
        """
        weights = random_weights(len(self.gram), len(r2), rng)
        fitted = self.gram @ weights
        variance = np.einsum("ij,ij->j", weights, fitted)
        scale = np.sqrt(np.divide(r2, variance, out=np.zeros(len(r2)), where=variance > 0))
        b, signal = weights * scale, fitted * scale

        rank = self.root.shape[1]
        noise = (1 - r2) / self.n
        white = rng.standard_normal((rank, len(r2))) * np.sqrt(noise)
        u = self.root @ white
        square = r2 + 2 * np.einsum("ij,ij->j", b, u) + (white**2).sum(axis=0)
        spare = self.n - 1 - rank
        if spare > 0:
            square += noise * rng.chisquare(spare, len(r2))
        return Targets((signal + u) / np.sqrt(square), weights != 0)


def random_weights(p: int, m: int, rng: np.random.Generator) -> np.ndarray:
    """Weights of m targets on p regulators, shape (p, m): few parents, random signs."""
    number = np.minimum(rng.geometric(PARENTS, m), min(MOST_PARENTS, max(p - 1, 1)))
    order = rng.random((p, m)).argsort(axis=0).argsort(axis=0)
    size = rng.uniform(*WEIGHTS, (p, m)) * rng.choice([-1.0, 1.0], (p, m))
    return np.where(order < number, size, 0.0)


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
    return {
        "correlation": edges.correlation,
        "partial correlation": edges.partial,
        "lasso": entry_scores(gram, r, own),
    }


def average_precision(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Area under the precision-recall curve along the last axis; ties enter together.

    The mean over true items of the precision among all items that score as high:
    the step-wise area without interpolation. NaN where nothing is true.
    """
    level = rankdata(-scores, method="max", axis=-1)
    hits = rankdata(np.where(truth, -scores, np.inf), method="max", axis=-1)
    number = truth.sum(axis=-1)
    total = np.where(truth, hits / level, 0.0).sum(axis=-1)
    return np.divide(total, number, out=np.full(np.shape(total), np.nan), where=number > 0)


def normalised_precision(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Average precision on a scale from 0, guessing, to 1, perfect; along the last axis.

    ``(AUPR - prevalence) / (1 - prevalence)``. NaN where all items are true or none is.
    """
    prevalence = truth.mean(axis=-1)
    excess = average_precision(scores, truth) - prevalence
    open_ = (prevalence > 0) & (prevalence < 1)
    return np.divide(excess, 1 - prevalence, out=np.full(np.shape(excess), np.nan), where=open_)


def pooled_and_per_regulator(scores: np.ndarray, parent: np.ndarray) -> tuple[float, float]:
    """Normalised precision over all pairs, and its mean over regulators that have targets.

    Parameters
    ----------
    scores, parent
        Of p regulators (rows) and m targets; pairs with NaN are left out of the first
        and must not occur in the second.
    """
    pooled = float(normalised_precision(scores.ravel(), parent.ravel()))
    each = normalised_precision(scores, parent)
    each = each[np.isfinite(each)]
    return pooled, float(each.mean()) if len(each) else float("nan")


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
