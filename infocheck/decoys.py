"""Decoys: genes that are no regulators but are measured as well as one.

A regulator that predicts targets no better than a gene of the same mean and spread
tells of co-expression, not of regulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from infocheck.panel import Panel
from infocheck.values import COUNTS, NON_INTEGER, Scan

DRAWS = 3
# More regulators than this make the comparison slower, not sharper.
MAX_MATCHED = 300
MIN_TARGETS = 40
# Each draw matches within a random part of the pool, so that draws differ.
POOL_SHARE = 2 / 3


@dataclass(frozen=True)
class Decoys:
    """Regulators, their matched decoys and the targets that judge them.

    Attributes
    ----------
    regulators
        Panel positions of the k regulators that were matched.
    draws
        Panel positions of their decoys, shape (3, k); empty (3, 0) when too few genes
        are neither regulators nor targets.
    targets
        Panel positions of the targets; none of them is a decoy.
    needed, others
        How many genes that are no regulators would be needed, and how many there are.
    """

    regulators: np.ndarray
    draws: np.ndarray
    targets: np.ndarray
    needed: int
    others: int


def choose(
    scan: Scan, regulator: np.ndarray, panel: Panel, rng: np.random.Generator
) -> tuple[Panel, Decoys]:
    """Match decoys to regulators; returns the panel with them in it.

    Parameters
    ----------
    scan
        The first pass: means and variances.
    regulator
        Which genes are candidate regulators, shape (genes,).
    panel
        Regulators and targets so far.
    rng
        Draws regulators (where there are more than 300), targets and pools.
    """
    others = np.flatnonzero(~regulator & scan.varies)
    k = min(panel.p, MAX_MATCHED)
    needed = k + MIN_TARGETS
    if len(others) < needed:
        nobody = np.empty(0, np.int64)
        return panel, Decoys(nobody, np.empty((DRAWS, 0), np.int64), nobody, needed, len(others))
    matched = np.sort(rng.choice(panel.p, k, replace=False))
    targets = panel.sampled
    if len(targets) > len(others) - k:
        targets = np.sort(rng.choice(targets, len(others) - k, replace=False))
    pool = np.setdiff1d(others, panel.genes[targets])
    place = features(scan)
    size = max(k, round(POOL_SHARE * len(pool)))
    draws = np.stack(
        [
            nearest(place, panel.genes[matched], rng.choice(pool, size, replace=False))
            for _ in range(DRAWS)
        ]
    )
    extended = panel.with_genes(draws)
    return extended, Decoys(matched, extended.positions(draws), targets, needed, len(others))


def features(scan: Scan) -> np.ndarray:
    """Standardised mean and log standard deviation of every gene, shape (genes, 2).

    Of counts, the logarithm of the mean: levels differ by orders of magnitude.
    """
    mean, variance = scan.mean, scan.variance
    if scan.kind in (COUNTS, NON_INTEGER):
        n, total, squares, _ = scan.normalised()
        mean = total / n
        variance = squares / n - mean**2
        mean = np.log(np.maximum(mean, np.finfo(float).tiny))
    spread = 0.5 * np.log(np.maximum(variance, np.finfo(float).tiny))
    place = np.column_stack([mean, spread])
    inside = place[scan.varies]
    sd = inside.std(axis=0)
    return (place - inside.mean(axis=0)) / np.where(sd > 0, sd, 1.0)


def nearest(place: np.ndarray, genes: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """One gene of the pool for each gene, none twice, at the least total squared distance."""
    distance = cdist(place[genes], place[pool], "sqeuclidean")
    return pool[linear_sum_assignment(distance)[1]]
