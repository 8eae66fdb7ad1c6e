"""Knockoffs of rows that come from several populations: a mixture of Gaussians.

Cells of several types, or strains of several clades, are no single Gaussian: its knockoffs fill
the gap between the clusters, where no row lies, and originals can be told from them. Given the
component of a row, Gaussian knockoffs of that component are right (Gimenez, Ghorbani & Zou 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import softmax
from sklearn.mixture import GaussianMixture

from infocheck.stats.components import scores
from infocheck.stats.knockoffs import Gaussian
from infocheck.stats.partial import MAX_SHRINKAGE, shrinkage_weight
from infocheck.stats.sums import CrossSums

# Clusters are looked for among this many leading principal components. With ten, rows in the
# hundreds no longer pay for the parameters of a second component.
DIRECTIONS = 5
# Starts of each fit, of which the best is kept.
_STARTS = 3
# With fewer rows correlations say nothing.
_ENOUGH = 4
# Variance that a density needs in a column which is constant within a component, as a
# share of that column's variance over all rows.
_LEAST = 1e-6


@dataclass(frozen=True)
class Component:
    """One Gaussian of the mixture.

    Attributes
    ----------
    share
        Of the rows, in (0, 1].
    mean, sd
        Of the columns, shape (p,).
    shrinkage
        Weight of independence in its correlations.
    gaussian
        Knockoffs on its correlation scale.
    """

    share: float
    mean: np.ndarray
    sd: np.ndarray
    shrinkage: float
    gaussian: Gaussian

    @classmethod
    def of(cls, rows: np.ndarray, share: float) -> Component:
        """Mean, spread and shrunken correlations of rows, shape (n_k, p), any n_k > 0."""
        sums = CrossSums.of(rows - rows.mean(axis=0), rows.shape[1], fourth=True)
        few = len(rows) < _ENOUGH
        weight = MAX_SHRINKAGE if few else shrinkage_weight(sums)
        sigma = (1 - weight) * sums.correlation()
        np.fill_diagonal(sigma, 1.0)
        sd = np.sqrt(sums.variance())
        return cls(share, rows.mean(axis=0), sd, weight, Gaussian.of(sigma))

    def draw(self, z: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Knockoffs of rows of this component; columns that are constant in it stay so."""
        scale = np.divide(1.0, self.sd, out=np.zeros_like(self.sd), where=self.sd > 0)
        return self.mean + self.sd * self.gaussian.draw((z - self.mean) * scale, noise)

    def log_density(self, z: np.ndarray, least: np.ndarray) -> np.ndarray:
        """Log density of rows up to a constant, shape (n,); variances get ``least`` more."""
        sd = np.sqrt(self.sd**2 + least)
        lower = np.linalg.cholesky(self.gaussian.sigma)
        white = solve_triangular(lower, ((z - self.mean) / sd).T, lower=True)
        size = np.log(np.diag(lower)).sum() + np.log(sd).sum()
        return -0.5 * np.einsum("ij,ij->j", white, white) - size


@dataclass(frozen=True)
class Mixture:
    """Knockoffs of a mixture of Gaussians with correlations of their own.

    Attributes
    ----------
    components
        At least one.
    known
        Component of each row where labels were given, shape (n,); otherwise None.
    least
        What is added to variances in densities, shape (p,).
    """

    components: tuple[Component, ...]
    known: np.ndarray | None
    least: np.ndarray

    @classmethod
    def of(
        cls,
        z: np.ndarray,
        components: int | Sequence[int],
        rng: np.random.Generator,
    ) -> Mixture:
        """Find the components.

        Parameters
        ----------
        z
            Rows, shape (n, p), finite.
        components
            How many; of several numbers the one with the least Bayesian information
            criterion.
        rng
            Seeds the fits.

        Raises
        ------
        ValueError
            When no number of components is between 1 and the number of rows.

        Notes
        -----
        Clusters are found by full-covariance fits in the leading principal components of
        the standardised columns, since in all p columns a second component costs more
        parameters than rows can pay for. Means, spreads and correlations are then those of
        the rows of each cluster in all columns, the correlations shrunk towards
        independence (Schäfer & Strimmer 2005), so that a component with fewer rows than
        columns can be inverted. A cluster that shows in no leading component is missed.
        """
        seed = int(rng.integers(2**31))
        counts = [k for k in np.atleast_1d(components) if 1 <= k <= len(z)]
        if not counts:
            raise ValueError("components must be at least 1 and at most as many as rows")
        if max(counts) == 1:
            return cls._from(z, np.zeros(len(z), np.int64), known=False)
        directions = scores(z, DIRECTIONS, seed) * np.sqrt(len(z))
        fits = [
            GaussianMixture(count, n_init=_STARTS, random_state=seed).fit(directions)
            for count in counts
        ]
        best = fits[int(np.argmin([fit.bic(directions) for fit in fits]))]
        return cls._from(z, best.predict(directions), known=False)

    @classmethod
    def given(cls, z: np.ndarray, labels: np.ndarray) -> Mixture:
        """Take the components from labels, such as cell types.

        Knockoffs are then exchangeable given the labels: these are a confounder, and a
        statistic should have them taken out as well.

        Parameters
        ----------
        z
            Rows, shape (n, p), finite.
        labels
            Of each row, shape (n,), numbers or words. A label of a single row makes the
            knockoff of that row equal to it: valid, and without power.
        """
        if np.shape(labels) != (len(z),):
            raise ValueError("labels must have one entry for each row")
        return cls._from(z, np.unique(labels, return_inverse=True)[1], known=True)

    @classmethod
    def _from(cls, z: np.ndarray, code: np.ndarray, *, known: bool) -> Mixture:
        # A component that won no row is left out.
        _, code = np.unique(code, return_inverse=True)
        parts = [z[code == k] for k in range(int(code.max()) + 1)]
        return cls(
            tuple(Component.of(rows, len(rows) / len(z)) for rows in parts),
            code if known else None,
            _LEAST * z.var(axis=0) + np.finfo(float).tiny,
        )

    def posterior(self, z: np.ndarray) -> np.ndarray:
        """Probability of each component for each row, shape (n, components)."""
        if self.known is not None:
            if len(self.known) != len(z):
                raise ValueError("labels are known for other rows than these")
            return np.eye(len(self.components))[self.known]
        log = [np.log(c.share) + c.log_density(z, self.least) for c in self.components]
        return softmax(np.column_stack(log), axis=1)

    def draw(self, z: np.ndarray, noise: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Knockoffs of rows: a component from its posterior, then its Gaussian knockoff.

        Parameters
        ----------
        z
            Rows, shape (n, p); with given labels the rows that they belong to.
        noise
            Independent standard normals, shape (n, p).
        uniform
            Independent, uniform on [0, 1), shape (n,); they choose the components.

        Returns
        -------
        numpy.ndarray
            Shape (n, p). Rows stay independent given the mixture.

        Notes
        -----
        Misleads where the components are not Gaussian (counts with many zeros), and where
        they are fitted to hardly more rows than columns: knockoffs then follow the
        rows at hand rather than their population.
        """
        cumulative = np.cumsum(self.posterior(z), axis=1)[:, :-1]
        chosen = (uniform[:, None] >= cumulative).sum(axis=1)
        knockoffs = np.empty_like(z, dtype=float)
        for k, component in enumerate(self.components):
            own = chosen == k
            if own.any():
                knockoffs[own] = component.draw(z[own], noise[own])
        return knockoffs
