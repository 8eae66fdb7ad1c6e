"""The model of a study: power and cost of designs, and the best of them.

Everything is a closed form on the few numbers of a :class:`infocheck.planning.system.System`. The
optimiser is the grid itself: every design on it is evaluated and the best one is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.special import expit, ndtr, ndtri

from infocheck import thresholds
from infocheck.planning.system import signal
from infocheck.stats.edge_power import attenuated, power_at_fdr
from infocheck.stats.sequencing import effective_rows, observed_icc, singlets, umis_from_reads

# Genes of each kind stand for equal shares of all: the middles of so many slices.
SLICES = 9
# Weaker and stronger edges than the one that is asked for, always shown beside it.
MULTIPLES = (0.5, 1.0, 1.5)
# Values of an axis given as a range.
STEPS = {"donors": 10, "cells": 10, "depth": 8}
MOST_DESIGNS = 20_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is looked for, at which error rate, and what things cost.

    Attributes
    ----------
    effect
        Correlation of regulator and target free of noise.
    in_degree
        Regulators of a target that are that strong.
    regulators, targets
        How many of each are tested against each other.
    coupling
        Correlation of a regulator's mRNA with its activity.
    fdr
        False discovery rate of the edges that are called.
    power
        Share of the edges that is to be found, where no budget is given.
    cost_donor, cost_cell, cost_read
        Per donor, per row (cell or sample), per read.
    budget
        What may be spent; None looks for the cheapest design that reaches ``power``.
    """

    effect: float = 0.3
    in_degree: float = 3.0
    regulators: int
    targets: int
    coupling: float = 1.0
    fdr: float = 0.1
    power: float = 0.8
    cost_donor: float
    cost_cell: float
    cost_read: float
    budget: float | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense, in one sentence."""
        for name in ("effect", "fdr", "power"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name):g}")
        if not 0 < self.coupling <= 1:
            raise ValueError(f"coupling must be above 0 and at most 1, not {self.coupling:g}")
        if self.regulators < 1 or self.targets < 1:
            raise ValueError("there must be at least one regulator and one target")
        if not 0 < self.in_degree <= self.regulators:
            raise ValueError(
                f"in-degree must be above 0 and at most the {self.regulators:,} regulators, "
                f"not {self.in_degree:g}"
            )
        costs = (self.cost_donor, self.cost_cell, self.cost_read)
        if not all(math.isfinite(cost) and cost >= 0 for cost in costs):
            raise ValueError("costs must be numbers of at least 0")
        if not any(costs):
            raise ValueError("at least one cost must be above 0, else every design is free")
        if self.budget is not None and not (math.isfinite(self.budget) and self.budget > 0):
            raise ValueError(f"the budget must be a number above 0, not {self.budget:g}")

    @property
    def share(self) -> float:
        """Share of the tested pairs that are edges."""
        return self.in_degree / self.regulators


@dataclass(frozen=True)
class Designs:
    """Studies that could be made, one an element.

    ``depth`` are reads per row; all 1 where depth cannot be chosen.
    """

    donors: np.ndarray
    cells: np.ndarray
    depth: np.ndarray
    batches: np.ndarray

    def __len__(self) -> int:
        return len(self.donors)

    def __getitem__(self, which: object) -> Designs:
        return Designs(*(np.atleast_1d(axis[which]) for axis in vars(self).values()))

    @classmethod
    def grid(
        cls,
        donors: Sequence[int],
        cells: Sequence[int],
        depth: Sequence[int],
        batches: Sequence[int] = (1,),
    ) -> Designs:
        """All combinations in which every batch can hold two donors.

        Raises
        ------
        ValueError
            No combination is left, or there are too many.
        """
        count = len(donors) * len(cells) * len(depth) * len(batches)
        if count > MOST_DESIGNS:
            raise ValueError(
                f"the grid has {count:,} designs; at most {MOST_DESIGNS:,}: give fewer values"
            )
        rows = np.array(list(product(donors, cells, depth, batches)), dtype=float).reshape(-1, 4)
        fits = (rows[:, 3] == 1) | (rows[:, 0] >= 2 * rows[:, 3])
        if not fits.any():
            raise ValueError(
                f"{max(donors)} donors cannot be spread over {min(batches)} batches with two in "
                "each; give more donors or fewer batches"
            )
        return cls(*rows[fits].T)

    def cost(self, plan: Plan) -> np.ndarray:
        """What each would cost."""
        rows = self.donors * self.cells
        reads = rows * self.depth * plan.cost_read
        return self.donors * plan.cost_donor + rows * plan.cost_cell + reads

    def times(self, axis: str, factor: float) -> Designs:
        """The same designs with more of one axis."""
        return replace(self, **{axis: getattr(self, axis) * factor})


# --- the model -----------------------------------------------------------------------------


def umis(values: Mapping[str, float], designs: Designs) -> np.ndarray:
    """Counts per row that the reads give: molecules where they are counted, else reads."""
    if "umis_at_saturation" not in values:
        return designs.depth
    return umis_from_reads(designs.depth, values["umis_at_saturation"])


def _log_counts(values: Mapping[str, float], designs: Designs) -> np.ndarray:
    """What is added to the log signal of a gene: log counts, or nothing for arrays."""
    if "regulator_reliability" in values:
        return np.zeros(len(designs))
    return np.log(umis(values, designs))


def rows_left(values: Mapping[str, float], designs: Designs) -> np.ndarray:
    """Rows per donor that are no doublets, each donor in a channel of its own."""
    if "doublets_per_thousand" not in values:
        return designs.cells
    return singlets(designs.cells, 1, values["doublets_per_thousand"])


def reliabilities(
    values: Mapping[str, float], designs: Designs, who: str, slices: int = SLICES
) -> np.ndarray:
    """Reliability of the genes that stand for all, shape (designs, slices)."""
    mean, spread = signal(values, who)
    middles = ndtri((np.arange(slices) + 0.5) / slices)
    return expit(mean + spread * middles + _log_counts(values, designs)[:, None])


def readable_share(values: Mapping[str, float], designs: Designs) -> np.ndarray:
    """Share of regulators whose reliability reaches the threshold of the reports."""
    mean, spread = signal(values, "regulator")
    needed = math.log(thresholds.READABLE / (1 - thresholds.READABLE))
    return ndtr((mean + _log_counts(values, designs) - needed) / max(spread, 1e-9))


def counts_needed(values: Mapping[str, float], share: float) -> float:
    """Counts per row at which that share of regulators is readable."""
    mean, spread = signal(values, "regulator")
    needed = math.log(thresholds.READABLE / (1 - thresholds.READABLE))
    return math.exp(needed - mean + spread * float(ndtri(share)))


@dataclass(frozen=True)
class _Pairs:
    """Regulator × target pairs of a set of designs, each array (designs, slices²)."""

    regulator: np.ndarray
    target: np.ndarray
    rows: np.ndarray
    donors: np.ndarray
    spread: float

    @classmethod
    def of(cls, values: Mapping[str, float], designs: Designs, slices: int = SLICES) -> _Pairs:
        """Reliabilities of both genes, and effective rows of the pair."""
        shape = (len(designs), slices, slices)
        genes = (reliabilities(values, designs, who, slices) for who in ("regulator", "target"))
        x, y = next(genes)[:, :, None], next(genes)[:, None, :]
        x, y = np.broadcast_to(x, shape), np.broadcast_to(y, shape)
        x, y = x.reshape(len(designs), -1), y.reshape(len(designs), -1)
        icc = values["icc"]
        rows = effective_rows(
            designs.donors[:, None],
            rows_left(values, designs)[:, None],
            observed_icc(icc, x),
            observed_icc(icc, y),
        )
        return cls(x, y, rows, designs.donors[:, None], values["edge_spread"])

    def power(
        self, plan: Plan, effect: float, adjusters: np.ndarray, kept: np.ndarray | float = 1.0
    ) -> np.ndarray:
        """Share of edges of that strength that are found, mean over the pairs.

        ``kept`` is the share of the regulator's variance that rivals leave.
        """
        z = np.arctanh(attenuated(effect, self.regulator * kept, self.target, plan.coupling))
        free = np.maximum(self.rows - adjusters[:, None] - 3, 0.0)
        # An edge of another strength in every donor: their mean is no surer than that.
        free = free / (1 + free * (self.spread * z) ** 2 / self.donors)
        # Every pair has effective rows of its own, so it enters as what one unit of
        # information would show: tanh of its mean z, with 4 rows, of which 3 are spent.
        unit = np.tanh(np.sqrt(free) * z)
        even = np.ones(unit.shape[1])
        return power_at_fdr(unit, even, 4.0, plan.share, plan.fdr)[0]


def edge_power(
    values: Mapping[str, float],
    plan: Plan,
    designs: Designs,
    *,
    multiple: float = 1.0,
    slices: int = SLICES,
) -> np.ndarray:
    """Share of the edges that each design finds at the false discovery rate.

    Parameters
    ----------
    values
        Of the fields of a system.
    plan
        What is looked for.
    designs
        Which studies.
    multiple
        Of the effect.
    slices
        Genes of each kind that stand for all.
    """
    effect = min(plan.effect * multiple, 0.999)
    return _Pairs.of(values, designs, slices).power(plan, effect, designs.batches - 1)


def partial_power(values: Mapping[str, float], plan: Plan, designs: Designs) -> np.ndarray:
    """The same for ordinary partial correlations given all other regulators.

    The others explain a share of the regulator's variance, which is lost to the test,
    and cost a degree of freedom each.
    """
    pairs = _Pairs.of(values, designs)
    kept = 1 - values["regulator_r2"] * pairs.regulator
    return pairs.power(plan, plan.effect, designs.batches + plan.regulators - 2, kept)


def median_rows(values: Mapping[str, float], designs: Designs) -> np.ndarray:
    """Effective rows for the pair of the median regulator and the median target."""
    return _Pairs.of(values, designs).rows[:, SLICES * SLICES // 2]


# --- the optimum ---------------------------------------------------------------------------


def best(power: np.ndarray, cost: np.ndarray, plan: Plan) -> tuple[int, bool]:
    """Position of the best design, and whether it does what was asked.

    With a budget the most power that it buys, else the cheapest design that finds the
    wanted share of the edges, and if none does the one with most power. Ties go to the
    cheaper one.
    """
    if plan.budget is not None:
        open_to = cost <= plan.budget
        if not open_to.any():
            raise ValueError(
                f"the budget of {plan.budget:,.0f} buys no design of this grid; the cheapest "
                f"costs {cost.min():,.0f}"
            )
        return _most(power, cost, open_to), True
    enough = power >= plan.power
    if enough.any():
        return int(np.where(enough, cost, np.inf).argmin()), True
    return _most(power, cost, np.ones(len(power), dtype=bool)), False


def _most(power: np.ndarray, cost: np.ndarray, open_to: np.ndarray) -> int:
    """Most power, of equals the cheapest."""
    most = power[open_to].max()
    equals = open_to & (power >= most - 1e-9)
    return int(np.where(equals, cost, np.inf).argmin())


# --- axes ----------------------------------------------------------------------------------


def axis(given: object, name: str) -> list[int]:
    """Whole values of an axis from what a person writes.

    ``4:40`` is a range in equal ratios, both ends included; ``4:40:12`` one of twelve
    values; ``50,200,1000`` a list; numbers and sequences of numbers are taken as they are.

    Raises
    ------
    ValueError
        In one sentence, what is wrong.
    """
    hint = f"{name}: {given!r} is no number, no list such as 50,200,1000 and no range such as 4:40"
    try:
        if isinstance(given, str):
            if ":" in given:
                return _range(given, name)
            values = [float(part) for part in given.split(",")]
        elif isinstance(given, Iterable):
            values = [float(part) for part in given]
        else:
            values = [float(given)]
    except (TypeError, ValueError) as problem:
        if isinstance(problem, _AxisError):
            raise
        raise _AxisError(hint) from None
    if not values:
        raise _AxisError(hint)
    return sorted({_whole(value, name) for value in values})


class _AxisError(ValueError):
    """An axis that cannot be read; already said in a sentence."""


def _whole(value: float, name: str) -> int:
    if not (math.isfinite(value) and value >= 1 and value <= 1e12):
        raise _AxisError(f"{name}: {value:g} must be a whole number of at least 1")
    if value != round(value):
        raise _AxisError(f"{name}: {value:g} must be a whole number")
    return round(value)


def _range(given: str, name: str) -> list[int]:
    parts = given.split(":")
    if len(parts) > 3:
        raise ValueError
    low, high = (_whole(float(part), name) for part in parts[:2])
    count = _whole(float(parts[2]), name) if len(parts) == 3 else STEPS.get(name, 8)
    if low > high:
        raise _AxisError(f"{name}: the range {given} ends before it begins")
    if low == high:
        return [low]
    if not 2 <= count <= 200:
        raise _AxisError(f"{name}: a range has from 2 to 200 values, not {count}")
    values = np.geomspace(low, high, count)
    rounded = {low, high, *(_tidy(value) for value in values[1:-1])}
    return sorted(value for value in rounded if low <= value <= high)


def _tidy(value: float) -> int:
    """A whole number of two digits at most that are not 0."""
    if value < 100:
        return round(value)
    unit = 10 ** (math.floor(math.log10(value)) - 1)
    return round(value / unit) * unit
