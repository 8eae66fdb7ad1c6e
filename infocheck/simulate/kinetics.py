"""Bursts, mRNA and protein in time, for many cells at once.

A piecewise-deterministic process: mRNA jumps at bursts and decays in between, protein
is made from mRNA and decays. Promoters burst at rates that depend on protein.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from infocheck.simulate.observe import correlate, normal
from infocheck.simulate.wiring import Regulation, Wiring

# Length of a time step over the shortest lifetime.
STEP = 0.2
# Lifetimes after which the start is forgotten.
FORGOTTEN = 6.0
# Level below which a protein counts as absent; its logarithm must be finite.
_ABSENT = 1e-6


@dataclass(frozen=True)
class Rates:
    """Kinetic constants of the genes; hours and 1/hours.

    Attributes
    ----------
    mrna_decay
        Shape (genes,).
    protein_decay
        Shape (regulators,): only their proteins are followed.
    bursts
        Mean number of bursts within the lifetime of an mRNA at the reference level.
    step
        Hours of a time step.
    settle, settle_targets
        Hours until regulators, and targets, have forgotten where they started.
    """

    mrna_decay: np.ndarray
    protein_decay: np.ndarray
    bursts: float
    step: float
    settle: float
    settle_targets: float


@dataclass(frozen=True)
class Inputs:
    """What acts on a block of cells from outside the network.

    Attributes
    ----------
    rate
        Constant factor of the rate of bursts, regulators × cells.
    since
        Hours since the stimulus at the moment of sampling, shape (cells,).
    stimulus
        Factor of the rate after the stimulus, shape (regulators,).
    signal
        Standard deviation of the logarithm of the fluctuating factor.
    signal_hours
        Hours after which its correlation with itself has fallen to 1/e.
    bystanders
        How many of the genes, the last ones, have such a factor without being regulators.
    """

    rate: np.ndarray
    since: np.ndarray
    stimulus: np.ndarray
    signal: float
    signal_hours: float
    bystanders: int


def rates(
    rng: np.random.Generator,
    n_genes: int,
    n_regulators: int,
    *,
    mrna_half_life: float,
    protein_half_life: float,
    spread: float,
    bursts: float,
) -> Rates:
    """Half-lives lognormal around their medians, and the time steps that resolve them."""
    mrna = mrna_half_life * np.exp(spread * rng.standard_normal(n_genes)) / math.log(2)
    protein = protein_half_life * np.exp(spread * rng.standard_normal(n_regulators)) / math.log(2)
    lifetimes = np.array([mrna_half_life, protein_half_life]) / math.log(2)
    return Rates(
        mrna_decay=1 / mrna,
        protein_decay=1 / protein,
        bursts=bursts,
        step=float(STEP * lifetimes.min()),
        settle=float(FORGOTTEN * lifetimes.sum()),
        settle_targets=float(FORGOTTEN * lifetimes[0]),
    )


def run(
    rng: np.random.Generator, wiring: Wiring, rate: Rates, inputs: Inputs, *, longest: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """mRNA (genes × cells) and protein (regulators × cells) at the moment of sampling.

    Every cell is a trajectory of its own, started near the reference level and run until
    it has settled, plus ``longest`` hours for the time course. Targets have no effect on
    regulators, so they are only followed for the last part.

    Within a step rates are frozen, bursts are compound Poisson with exponential sizes,
    and decay is exact: nothing becomes negative and no step is unstable.
    """
    p, cells = inputs.rate.shape
    genes = len(rate.mrna_decay)
    regulation = Regulation(wiring.among(0, p), p), Regulation(wiring.among(p, genes), genes - p)
    promoters = _Promoters(rate, slice(0, p)), _Promoters(rate, slice(p, genes))
    keep = np.exp(-rate.protein_decay * rate.step).astype(np.float32)[:, None]
    signal = _Signal(rng, (p, cells), inputs, rate.step)
    unseen = _Signal(rng, (inputs.bystanders, cells), inputs, rate.step)
    steps = math.ceil((rate.settle + longest) / rate.step)
    followed = math.ceil(rate.settle_targets / rate.step)

    mrna = promoters[0].settled(rng, inputs.rate)
    protein = inputs.rate.astype(np.float32)
    of_targets = None
    for left in range(steps - 1, -1, -1):
        log_protein = np.log(np.maximum(protein, _ABSENT))
        if left < followed:
            fold = regulation[1](log_protein)
            fold[len(fold) - inputs.bystanders :] *= unseen.next()
            if of_targets is None:
                of_targets = promoters[1].settled(rng, fold)
            of_targets = promoters[1].advance(rng, of_targets, fold)
        fold = regulation[0](log_protein)
        fold *= inputs.rate
        fold *= signal.next()
        _stimulate(fold, inputs, left * rate.step, rate.step)
        before = mrna
        mrna = promoters[0].advance(rng, mrna, fold)
        protein = keep * protein + (1 - keep) * (before + mrna) / 2
    return np.concatenate([mrna, of_targets]), protein


def _stimulate(fold: np.ndarray, inputs: Inputs, left: float, step: float) -> None:
    """Apply the stimulus for the part of the step that lies after it, in place."""
    part = np.clip((inputs.since - left) / step, 0.0, 1.0)
    if part.any():
        hit = inputs.stimulus != 1
        fold[hit] *= 1 + (inputs.stimulus[hit, None] - 1) * part


class _Promoters:
    """Bursts and decay of mRNA."""

    def __init__(self, rate: Rates, genes: slice) -> None:
        self.bursts = rate.bursts
        decayed = rate.mrna_decay[genes] * rate.step
        self.keep = np.exp(-decayed).astype(np.float32)[:, None]
        self.expected = (rate.bursts * decayed).astype(np.float32)[:, None]
        # Mean level 1 at the reference; what comes within a step decays for the rest of it.
        self.burst = (-np.expm1(-decayed) / decayed / rate.bursts).astype(np.float32)[:, None]

    def settled(self, rng: np.random.Generator, fold: np.ndarray) -> np.ndarray:
        """Stationary levels at rates that do not change: Gamma with mean ``fold``."""
        shape = (self.bursts * fold).astype(np.float32)
        return rng.standard_gamma(shape, dtype=np.float32) / np.float32(self.bursts)

    def advance(self, rng: np.random.Generator, mrna: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Levels one time step later, at rates frozen over the step."""
        number = rng.poisson(self.expected * fold)
        # The sum of k exponential sizes is Gamma(k); of none, 0.
        size = rng.standard_gamma(number.astype(np.float32), dtype=np.float32)
        return self.keep * mrna + self.burst * size


class _Signal:
    """Fluctuating inputs: exponential of a stationary Ornstein-Uhlenbeck process, mean 1."""

    def __init__(
        self, rng: np.random.Generator, shape: tuple[int, int], inputs: Inputs, step: float
    ) -> None:
        self.rng, self.shape, self.sd = rng, shape, inputs.signal if shape[0] else 0.0
        self.keep = math.exp(-step / inputs.signal_hours)
        self.state = self._draw() if self.sd else None

    def next(self) -> np.ndarray | float:
        if self.state is None:
            return 1.0
        self.state *= self.keep
        if self.keep < 1:
            self.state += math.sqrt(1 - self.keep**2) * self._draw()
        return np.exp(self.sd * self.state - self.sd**2 / 2)

    def _draw(self) -> np.ndarray:
        """Standard normal, correlated within blocks of genes."""
        values = normal(self.rng, self.shape[::-1])
        correlate(self.rng, values)
        return np.ascontiguousarray(values.T)
