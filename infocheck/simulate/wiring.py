"""Networks with Hill regulation: who regulates whom, how strongly, and from which level on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from infocheck.simulate import observe

# Weakest edge, as a share of the strength that is asked for.
WEAKEST = 0.5
# An edge is half-way at a level between 1/2 and 2 of its regulator's reference.
THRESHOLD_FOLD = 2.0
# Largest spectral radius of the gains among regulators. Below 1 they have one steady state.
MAX_FEEDBACK = 0.8
# exp beyond this leaves single precision.
_MAX_EXPONENT = 40.0


@dataclass(frozen=True)
class Wiring:
    """Edges in the order of their targets, one entry an edge.

    Attributes
    ----------
    source, target
        Positions of regulator and target.
    sign
        +1 for activation, -1 for repression.
    strength
        Between 0 and 1: one minus the rate that is left when an activator is gone,
        or a repressor abounds, over the rate when it abounds, or is gone.
    threshold
        Level of the regulator at half effect, in units of its reference level.
    hill
        Hill exponent of all edges.
    """

    source: np.ndarray
    target: np.ndarray
    sign: np.ndarray
    strength: np.ndarray
    threshold: np.ndarray
    hill: float

    def among(self, low: int, high: int) -> Wiring:
        """Edges to targets from ``low`` up to below ``high``, counted from ``low``."""
        part = slice(*np.searchsorted(self.target, [low, high]))
        return replace(
            self,
            source=self.source[part],
            target=self.target[part] - low,
            sign=self.sign[part],
            strength=self.strength[part],
            threshold=self.threshold[part],
        )

    def gain(self) -> np.ndarray:
        """Steepest slope of log rate on log regulator, ``n (1 - q) / (1 + q)``, q² = 1 - s."""
        q = np.sqrt(1 - self.strength)
        return self.hill * (1 - q) / (1 + q)


def random_wiring(
    rng: np.random.Generator,
    targets: int,
    regulators: int,
    *,
    parents: float,
    regulator_parents: float,
    strength: float,
    hill: float,
    repressors: float,
) -> Wiring:
    """Draw edges among regulators, then from regulators to targets.

    Parameters
    ----------
    targets, regulators
        Numbers of genes; regulators come first.
    parents
        Mean number of regulators of a target, 1 + Poisson.
    regulator_parents
        Mean number of regulators of a regulator, Poisson, itself excluded; cycles are allowed.
    strength, hill
        Strength of the strongest edge, and Hill exponent of all.
    repressors
        Share of edges that repress.
    """
    number = np.minimum(rng.poisson(regulator_parents, regulators), regulators - 1)
    drawn = [rng.choice(regulators - 1, k, replace=False) for k in number]
    among = np.concatenate([*drawn, np.zeros(0, dtype=np.int64)])
    regulated = np.repeat(np.arange(regulators), number)
    among = among + (among >= regulated)  # skip the regulator itself
    outer, regulated_targets = observe.random_parents(rng, targets, regulators, parents)
    edges = len(among) + len(outer)
    wiring = Wiring(
        source=np.concatenate([among, outer]),
        target=np.concatenate([regulated, regulators + regulated_targets]),
        sign=np.where(rng.random(edges) < repressors, -1, 1),
        strength=strength * rng.uniform(WEAKEST, 1.0, edges),
        threshold=THRESHOLD_FOLD ** rng.uniform(-1.0, 1.0, edges),
        hill=hill,
    )
    return _with_one_steady_state(wiring, regulators)


def feedback(wiring: Wiring, regulators: int) -> float:
    """Spectral radius of the steepest gains among regulators; 0 without a cycle."""
    among = wiring.among(0, regulators)
    gains = np.zeros((regulators, regulators))
    gains[among.target, among.source] = among.gain()
    return float(np.abs(np.linalg.eigvals(gains)).max())


def _with_one_steady_state(wiring: Wiring, regulators: int) -> Wiring:
    """Weaken edges among regulators until their cycles cannot hold two states or oscillate.

    In logarithms the mean-field map from levels to levels has these gains as Lipschitz
    constants: with a spectral radius below 1 it is a contraction, with one fixed point.
    """
    radius = feedback(wiring, regulators)
    if radius <= MAX_FEEDBACK:
        return wiring
    inner = wiring.target < regulators
    gain = wiring.gain() * MAX_FEEDBACK / radius
    q = (wiring.hill - gain) / (wiring.hill + gain)
    return replace(wiring, strength=np.where(inner, 1 - q**2, wiring.strength))


class Regulation:
    """Rate of each gene relative to the reference, where every regulator stands at 1.

    Regulators multiply: each acts on the rate of bursts by its own factor
    ``(1 + (1 - s) x) / (1 + x)`` (repression) or ``(1 - s + x) / (1 + x)``
    (activation), ``x = (p / K) ** n``, whatever the others do.
    """

    def __init__(self, wiring: Wiring, genes: int) -> None:
        self.genes = genes
        self.source = wiring.source
        self.hill = np.float32(wiring.hill)
        rest = 1 - wiring.strength
        activates = wiring.sign > 0
        self.at_none = np.where(activates, rest, 1.0).astype(np.float32)[:, None]
        self.at_plenty = np.where(activates, 1.0, rest).astype(np.float32)[:, None]
        self.log_threshold = np.log(wiring.threshold).astype(np.float32)[:, None]
        self.regulated, self.starts = np.unique(wiring.target, return_index=True)
        self.reference = np.ones((len(self.regulated), 1), dtype=np.float32)
        if len(self.source):
            self.reference = self._product(np.zeros((int(self.source.max()) + 1, 1), np.float32))

    def __call__(self, log_protein: np.ndarray) -> np.ndarray:
        """Relative rates, genes × cells, from log levels, regulators × cells."""
        rate = np.ones((self.genes, log_protein.shape[1]), dtype=np.float32)
        if len(self.source):
            rate[self.regulated] = self._product(log_protein) / self.reference
        return rate

    def _product(self, log_protein: np.ndarray) -> np.ndarray:
        x = log_protein[self.source]
        x -= self.log_threshold
        x *= self.hill
        np.clip(x, -_MAX_EXPONENT, _MAX_EXPONENT, out=x)
        np.exp(x, out=x)
        factor = self.at_plenty * x
        factor += self.at_none
        x += 1
        factor /= x
        return np.multiply.reduceat(factor, self.starts, axis=0)
