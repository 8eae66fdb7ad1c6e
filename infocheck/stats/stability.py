"""Stability of edge scores between halves of the data: value, error, null."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from infocheck.stats.agreement import rank_agreement, resampled_targets, top_overlap
from infocheck.stats.partial import EdgeScores, Shrunken, edge_scores, shrinkage_weight
from infocheck.stats.resampling import jackknife_error
from infocheck.stats.standard import standardised
from infocheck.stats.sums import CrossSums

# Agreements of ranks, and which score of an edge each of them ranks.
RANKED = {"stab_pc": "partial", "stab_c": "correlation", "stab_pc0": "even"}

Halves = tuple[CrossSums, CrossSums]
Map = Callable[[Callable, Iterable], list]


@dataclass(frozen=True)
class Edges:
    """Which columns of the sums are regulators and targets.

    Attributes
    ----------
    p
        The first p columns are regulators.
    targets
        Columns of the q targets.
    own
        For each target its position among the regulators, or -1.
    candidates
        Number of genes that the targets were drawn from.
    """

    p: int
    targets: np.ndarray
    own: np.ndarray
    candidates: int

    def scores(self, sums: CrossSums, shrinkage: float) -> EdgeScores:
        """Scores of all edges from the sums of some rows."""
        correlation = sums.correlation()
        model = Shrunken.of(correlation[:, : self.p], shrinkage)
        return edge_scores(model, correlation[:, self.targets], self.own)


@dataclass(frozen=True)
class Split:
    """Both halves of one split, each scored with its own shrinkage."""

    halves: tuple[EdgeScores, EdgeScores]
    shrinkage: tuple[float, float]
    rows: tuple[int, int]

    @classmethod
    def of(cls, halves: Halves, edges: Edges) -> Split:
        weights = tuple(shrinkage_weight(sums) for sums in halves)
        scores = tuple(edges.scores(s, w) for s, w in zip(halves, weights, strict=True))
        return cls(scores, weights, tuple(sums.n for sums in halves))

    def pair(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The scores that an agreement ranks, of both halves."""
        a, b = (getattr(half, RANKED[name]) for half in self.halves)
        return a, b

    def agreement(self, name: str) -> float:
        return rank_agreement(*self.pair(name))


def summary(splits: list[Split]) -> dict[str, float]:
    """Rank agreements averaged over splits, and ``ln(0.1 + overlap of the top / chance)``."""
    values = {name: float(np.mean([s.agreement(name) for s in splits])) for name in RANKED}
    for name, of in (("stab_top", "stab_pc"), ("stab_top0", "stab_pc0")):
        overlap = float(np.mean([top_overlap(*s.pair(of)) for s in splits]))
        values[name] = math.log(0.1 + overlap)
    return values


@dataclass(frozen=True)
class Rows:
    """Rows of regulators and targets, for what sums cannot give.

    Attributes
    ----------
    values
        Regulators first, shape (n, columns).
    half
        Side of each row in each split, shape (splits, n).
    group
        Jackknife group of each row, from 0 without gaps.
    """

    values: np.ndarray
    half: np.ndarray
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_groups(self) -> int:
        return int(self.group.max()) + 1

    def sums(self, p: int, half: np.ndarray | None = None) -> list[Halves]:
        """Sums of both halves of every split."""
        half = self.half if half is None else half
        return [
            (
                CrossSums.of(self.values[~side], p, fourth=True),
                CrossSums.of(self.values[side], p, fourth=True),
            )
            for side in half
        ]


def standard_errors(
    rows: Rows,
    halves: list[Halves],
    edges: Edges,
    splits: list[Split],
    rng: np.random.Generator,
    mapped: Map,
) -> dict[str, float]:
    """Standard error of each rank agreement, from rows and from targets.

    Rows: one group is left out of both halves of all splits, at the shrinkage of
    the halves (``halves`` are the sums of these rows). Targets: a sample of the genes
    that may be. The two are independent, so their variances add.
    """
    weights = [[shrinkage_weight(sums) for sums in pair] for pair in halves]

    def without(task: tuple[int, int]) -> list[float]:
        split, group = task
        scores = []
        for side in (0, 1):
            out = (rows.half[split] == side) & (rows.group == group)
            rest = halves[split][side] - CrossSums.of(rows.values[out], edges.p)
            scores.append(edges.scores(rest, weights[split][side]))
        left_out = Split(tuple(scores), (0.0, 0.0), (0, 0))
        return [rank_agreement(*left_out.pair(name), coarse=True) for name in RANKED]

    tasks = [(split, group) for split in range(len(halves)) for group in range(rows.n_groups)]
    values = np.array(mapped(without, tasks)).reshape(len(halves), rows.n_groups, len(RANKED))
    by_rows = jackknife_error(values.mean(axis=0))
    errors = {}
    for i, name in enumerate(RANKED):
        pairs = [split.pair(name) for split in splits]
        errors[name] = math.hypot(by_rows[i], resampled_targets(pairs, edges.candidates, rng))
    return errors


def permuted(
    rows: Rows,
    halves: list[Halves],
    edges: Edges,
    draws: int,
    rng: np.random.Generator,
    mapped: Map,
) -> np.ndarray:
    """``stab_pc`` after the targets' rows were permuted jointly, shape (draws,).

    No edge is left, but regulators stay correlated among themselves: unequal
    variance of their scores alone can make halves agree.
    """
    lead, targets = rows.values[:, : edges.p], rows.values[:, edges.targets]
    outside = np.full(len(edges.own), -1)
    own = np.flatnonzero(edges.own >= 0)

    def prepared(inside: np.ndarray, sums: CrossSums) -> tuple:
        model = Shrunken.of(sums.correlation()[:, : edges.p], shrinkage_weight(sums))
        return np.flatnonzero(inside), standardised(lead[inside]), model

    models = [
        (prepared(~side, first), prepared(side, second))
        for side, (first, second) in zip(rows.half, halves, strict=True)
    ]

    def one(draw: np.random.Generator) -> float:
        order = draw.permutation(len(rows))
        agreements = []
        for pair in models:
            scores = []
            for inside, standard, model in pair:
                r = standard.T @ standardised(targets[order[inside]]) / len(inside)
                partial = edge_scores(model, r, outside).partial
                partial[edges.own[own], own] = np.nan
                scores.append(partial)
            agreements.append(rank_agreement(*scores, coarse=True))
        return float(np.mean(agreements))

    return np.array(mapped(one, rng.spawn(draws)))
