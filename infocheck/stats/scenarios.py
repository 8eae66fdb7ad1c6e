"""What would change if the study were another? Simulated targets, scenario by scenario.

All scenarios of one replicate share their parents, weights and noise, so that a gain
is a difference between pairs and known far better than either side of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import chi2, norm

from infocheck.stats.lasso import entry_scores
from infocheck.stats.partial import MAX_SHRINKAGE, MIN_SHRINKAGE, Shrunken, edge_scores
from infocheck.stats.ranking import Ranked, normalised
from infocheck.stats.spike_in import METHODS, Regulators, random_weights

# Share of false discoveries at which power is read.
FDP = 0.10
CORRELATION, PARTIAL, LASSO = METHODS


@dataclass(frozen=True)
class Prior:
    """A network known beforehand: which share of it is true, and of the truth is in it."""

    precision: float
    recall: float


@dataclass(frozen=True)
class Scenario:
    """One thing that is different from the data at hand.

    Attributes
    ----------
    rows
        Independent observations.
    depth
        Multiple of the molecules counted per cell.
    coupling
        Correlation of a regulator's mRNA with its activity, which is what acts.
    confounded
        Does a hidden factor as strong as the one that is known move regulators and
        targets?
    perturbed
        How many regulators are perturbed.
    prior
        A network that is known beforehand.
    """

    rows: float
    depth: float = 1.0
    coupling: float = 1.0
    confounded: bool = False
    perturbed: int = 0
    prior: Prior | None = None


@dataclass(frozen=True)
class Perturbations:
    """How regulators are perturbed where a scenario asks for it.

    ``shift`` is in standard deviations of the regulator's own true variation; every
    perturbation has ``rows`` observations, beside ``controls``.
    """

    shift: float
    rows: float
    controls: float


@dataclass(frozen=True)
class World:
    """What the data say, and all scenarios share.

    Attributes
    ----------
    gram
        Observed correlations of regulators, shape (p, p).
    shrinkage
        Weight λ of the partial correlations at ``rows`` observations.
    rows
        Independent observations that there are.
    shares, weights
        Distribution over targets of the variance that regulators explain, (k,).
    reliability, target_reliability
        Of regulators (p,) and of real targets (m,), in [0, 1]; 1 where unknown.
    shared, strength
        Covariance of regulators with the known factor's part of real targets, (p, m),
        and the variance of that part, (m,).
    perturbations
        How regulators would be perturbed.
    """

    gram: np.ndarray
    shrinkage: float
    rows: float
    shares: np.ndarray
    weights: np.ndarray
    reliability: np.ndarray
    target_reliability: np.ndarray
    shared: np.ndarray
    strength: np.ndarray
    perturbations: Perturbations
    # Filled when asked for; not taken along by a changed copy.
    _prepared: dict[float, tuple[Regulators, np.ndarray]] = field(
        default_factory=dict, init=False, repr=False
    )
    _models: dict[tuple[float, float], Shrunken] = field(
        default_factory=dict, init=False, repr=False
    )

    @cached_property
    def latent(self) -> np.ndarray:
        """Covariance of the regulators without counting noise, shape (p, p).

        In units in which their observed variance is 1. Sampling error can leave negative
        directions, which are set to 0.
        """
        latent = self.gram - np.diag(1 - self.reliability)
        values, vectors = np.linalg.eigh(latent)
        return latent if values[0] >= 0 else (vectors * np.maximum(values, 0)) @ vectors.T

    def prepared(self, depth: float) -> tuple[Regulators, np.ndarray]:
        """Regulators at a multiple of the depth, and their scale in today's units."""
        if depth not in self._prepared:
            noise = np.diag((1 - self.reliability) / depth)
            observed = self.latent + noise
            scale = 1 / np.sqrt(np.diag(observed))
            gram = observed * np.outer(scale, scale)
            made = Regulators.of(gram, self.rows, self.latent * scale[:, None])
            self._prepared[depth] = made, scale
        return self._prepared[depth]

    def model(self, scenario: Scenario) -> Shrunken:
        """Regulators of a scenario, with their correlations shrunk as an analyst would."""
        key = scenario.depth, scenario.rows
        if key not in self._models:
            # The numerator of the weight is sampling variance, which falls with the rows.
            weight = self.shrinkage * self.rows / scenario.rows
            shrinkage = float(np.clip(weight, MIN_SHRINKAGE, MAX_SHRINKAGE))
            self._models[key] = Shrunken.of(self.prepared(scenario.depth)[0].gram, shrinkage)
        return self._models[key]


@dataclass(frozen=True)
class Draws:
    """Everything random in one replicate; scenarios differ in nothing else.

    Attributes
    ----------
    weights
        Of m targets on p regulators, shape (p, m), in units of today's targets.
    noise, chi
        Standard normal (p, m), and uniform (m,), from which sampling noise is made.
    target_noise
        Share of counting noise in today's targets, shape (m,).
    like
        Which real target each is confounded like, shape (m,).
    order, pert_noise
        In which order regulators are perturbed (p,), and the noise of what is seen, (p, m).
    prior
        Uniform, shape (p, m): decides what a prior network holds.
    """

    weights: np.ndarray
    noise: np.ndarray
    chi: np.ndarray
    target_noise: np.ndarray
    like: np.ndarray
    order: np.ndarray
    pert_noise: np.ndarray
    prior: np.ndarray

    @classmethod
    def of(
        cls, world: World, targets: int, rng: np.random.Generator, *, evidence: bool = True
    ) -> Draws:
        """Parents, weights and noise of this many targets.

        Without ``evidence`` there is none for scenarios with perturbations or a prior.

        Explained variance is drawn from its distribution over targets and cannot exceed
        the reliability of the target, so that the largest of one go with the largest of
        the other.
        """
        p = len(world.gram)
        share = np.sort(rng.choice(world.shares, targets, p=world.weights))
        like = rng.integers(len(world.target_reliability), size=targets)
        like = like[np.argsort(world.target_reliability[like], kind="stable")]
        mixed = rng.permutation(targets)
        share, like = share[mixed], like[mixed]
        weights = random_weights(p, targets, rng)
        regulators, _ = world.prepared(1.0)
        whitened = regulators.signal @ weights
        explained = np.einsum("ij,ij->j", whitened, whitened)
        variance = np.einsum("ij,ij->j", weights, world.latent @ weights)
        reliability = world.target_reliability[like]
        some = (explained > 0) & (variance > 0)
        by_share = np.divide(share, explained, out=np.zeros(targets), where=some)
        by_noise = np.divide(reliability, variance, out=np.zeros(targets), where=some)
        return cls(
            weights=weights * np.sqrt(np.minimum(by_share, by_noise)),
            noise=rng.standard_normal((p, targets)),
            chi=rng.random(targets),
            target_noise=1 - reliability,
            like=like,
            order=rng.permutation(p),
            pert_noise=rng.standard_normal((p, targets if evidence else 0)),
            prior=rng.random((p, targets if evidence else 0)),
        )

    @property
    def parent(self) -> np.ndarray:
        return self.weights != 0


@dataclass(frozen=True)
class Outcome:
    """What one method finds in one scenario of one replicate.

    Attributes
    ----------
    power
        Share of true edges found where 10 % of what is found is false.
    found
        Edges found there, per target.
    aupr_ratio
        Area under the precision-recall curve over that of guessing.
    normalised_aupr
        The same area, from 0 for guessing to 1.
    precision_top
        Share of true edges among the best, as many as there are targets.
    """

    power: float
    found: float
    aupr_ratio: float
    normalised_aupr: float
    precision_top: float


@dataclass(frozen=True)
class Nominal:
    """Benjamini-Hochberg on correlations at a nominal 10 %: found per target, share false."""

    found: float
    fdp: float


def run(
    world: World, scenarios: Mapping[str, Scenario], draws: Draws
) -> tuple[dict[tuple[str, str], Outcome], dict[str, Nominal]]:
    """One replicate of every scenario.

    Parameters
    ----------
    world, draws
        What all of them share.
    scenarios
        By name.

    Returns
    -------
    outcomes
        By scenario and method.
    nominal
        By scenario: what the textbook procedure would report.
    """
    parent, targets = draws.parent, draws.parent.shape[1]
    # What is known beside the expression data does not change the data.
    bare = {name: replace(one, perturbed=0, prior=None) for name, one in scenarios.items()}
    scores = _expression(world, list(dict.fromkeys(bare.values())), draws)
    ranks = {
        one: {method: Ranked.of(values, parent) for method, values in of.items()}
        for one, of in scores.items()
    }
    outcomes, nominal = {}, {}
    for name, scenario in scenarios.items():
        of = ranks[bare[name]]
        nominal[name] = _nominal(of[CORRELATION], scenario.rows, targets)
        for method, ranked in of.items():
            if scenario != bare[name]:
                ranked = Ranked.of(_with_evidence(ranked, world, scenario, draws), parent)
            outcomes[name, method] = _outcome(ranked, targets)
    return outcomes, nominal


def correlations(world: World, scenario: Scenario, draws: Draws) -> np.ndarray:
    """Sample correlations of regulators with the simulated targets, shape (p, m)."""
    regulators, scale = world.prepared(scenario.depth)
    regulators = replace(regulators, n=scenario.rows)
    whitened = scenario.coupling * (regulators.signal @ draws.weights)
    variance = 1 - draws.target_noise * (1 - 1 / scenario.depth)
    if scenario.confounded:
        shared = world.shared[:, draws.like]
        whitened += regulators.whitening @ (shared * scale[:, None])
        both = np.einsum("ij,ij->j", draws.weights, shared)
        variance = variance + world.strength[draws.like] + 2 * scenario.coupling * both
    whitened /= np.sqrt(np.maximum(variance, 1e-12))
    explained = np.einsum("ij,ij->j", whitened, whitened)
    whitened *= np.sqrt(np.minimum(1, _MOST / np.maximum(explained, _MOST)))
    chi_square = np.zeros(len(draws.chi))
    if regulators.spare > 0:
        chi_square = chi2.ppf(draws.chi, regulators.spare)
    return regulators.correlations(whitened, regulators.basis.T @ draws.noise, chi_square)


# More than this share of variance cannot be explained: estimates of covariances that do
# not fit together would say so.
_MOST = 0.999


def _expression(
    world: World, scenarios: list[Scenario], draws: Draws
) -> dict[Scenario, dict[str, np.ndarray]]:
    """Scores of all edges from expression alone, by scenario and method."""
    r = {scenario: correlations(world, scenario, draws) for scenario in scenarios}
    nobody = np.full(len(draws.chi), -1)  # a simulated target is no regulator
    scores = {}
    for scenario in scenarios:
        edges = edge_scores(world.model(scenario), r[scenario], nobody)
        scores[scenario] = {CORRELATION: edges.correlation, PARTIAL: edges.partial}
    for depth in {scenario.depth for scenario in scenarios}:
        # Paths of all scenarios with the same regulators are followed together.
        alike = [scenario for scenario in scenarios if scenario.depth == depth]
        gram = world.prepared(depth)[0].gram
        entry = entry_scores(gram, np.hstack([r[scenario] for scenario in alike]))
        for scenario, part in zip(alike, np.hsplit(entry, len(alike)), strict=True):
            scores[scenario][LASSO] = part
    return scores


def _nominal(ranked: Ranked, rows: float, targets: int) -> Nominal:
    """Benjamini-Hochberg on the p-values of correlations, by Fisher's z."""
    z = np.arctanh(np.minimum(ranked.scores, 1 - 1e-12)) * np.sqrt(max(rows - 3, 0.0))
    found, true = ranked.benjamini_hochberg(2 * norm.sf(z), FDP)
    return Nominal(found / targets, (found - true) / found if found else 0.0)


def _outcome(ranked: Ranked, targets: int) -> Outcome:
    """How well this ranking of all pairs of regulators and targets finds the true edges."""
    _, found, true = ranked.cut(FDP)
    area, prevalence = ranked.average_precision(), ranked.prevalence
    return Outcome(
        power=true / float(ranked.hits[-1]),
        found=found / targets,
        aupr_ratio=area / prevalence,
        normalised_aupr=float(normalised(area, prevalence)),
        precision_top=ranked.precision_of_top(targets),
    )


def _with_evidence(ranked: Ranked, world: World, scenario: Scenario, draws: Draws) -> np.ndarray:
    """Log odds of every edge given its rank and what else is known, shape (p, m).

    How much a rank, a shift or a line of the prior network says is taken from the truth,
    which an analyst does not have.
    """
    parent = draws.parent
    odds = np.empty(parent.size)
    odds[ranked.order] = log_odds(ranked.hits)
    odds = odds.reshape(parent.shape)
    if scenario.perturbed:
        odds[draws.order[: scenario.perturbed]] += _of_perturbations(world, scenario, draws)
    if scenario.prior:
        prior, share = scenario.prior, parent.mean()
        false = prior.recall * share * (1 - prior.precision) / (prior.precision * (1 - share))
        known = draws.prior < np.where(parent, prior.recall, false)
        with_, without = prior.recall / false, (1 - prior.recall) / (1 - false)
        odds = odds + np.log(np.where(known, with_, without))
    return odds


def _of_perturbations(world: World, scenario: Scenario, draws: Draws) -> np.ndarray:
    """Logarithm of the Bayes factor of an edge from the shift of its target, (k, m).

    Shifts are normal around 0 with variance 1 without an edge and ``1 + τ²`` with one;
    τ² is the mean square of the true shifts in their standard error.
    """
    how = world.perturbations
    spread = how.shift * np.sqrt(how.rows * how.controls / (how.rows + how.controls))
    true = spread * np.sqrt(world.reliability)[:, None] * draws.weights
    variance = np.square(true[draws.parent]).mean()
    rows = draws.order[: scenario.perturbed]
    z = true[rows] + draws.pert_noise[rows]
    return (z**2 * variance / (1 + variance) - np.log1p(variance)) / 2


def log_odds(hits: np.ndarray) -> np.ndarray:
    """Log odds of an edge by its rank, never rising, shape (N,).

    Parameters
    ----------
    hits
        True edges among the first 1, 2, ... N.

    Notes
    -----
    Shares of true edges in bins of rank, made monotone by isotonic regression and kept off
    0 and 1; straight in the logarithm of the rank between bins. A slope too small to
    matter keeps the order inside flat parts.
    """
    number = len(hits)
    ends = np.unique(np.geomspace(1, number, min(_BINS, number)).astype(int))
    size, true = np.diff(ends, prepend=0), np.diff(hits[ends - 1], prepend=0)
    fitted = isotonic_regression(true / size, weights=size, increasing=False).x
    fitted = np.clip(fitted, 1 / (number + 2), (hits[-1] + 1) / (hits[-1] + 2))
    rank = np.log(np.arange(1, number + 1))
    middle = np.log(ends - (size - 1) / 2)
    return np.interp(rank, middle, np.log(fitted / (1 - fitted))) - _SLOPE * rank


_BINS, _SLOPE = 60, 1e-6


def found_by_regulator(
    world: World, scenario: Scenario, draws: Draws
) -> tuple[np.ndarray, np.ndarray]:
    """Edges found by partial correlation and edges there are, for each regulator, (p,) each.

    Found: from the score on at which 10 % of all that is found is false.
    """
    r = correlations(world, scenario, draws)
    scores = edge_scores(world.model(scenario), r, np.full(r.shape[1], -1)).partial
    parent = draws.parent
    threshold, _, _ = Ranked.of(scores, parent).cut(FDP)
    return ((scores >= threshold) & parent).sum(axis=1), parent.sum(axis=1)
