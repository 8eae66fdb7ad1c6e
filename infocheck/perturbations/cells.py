"""Rows of a perturbation study in few dimensions, with their perturbed gene beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.extmath import randomized_svd

from infocheck.moments import on_scale, panel_blocks
from infocheck.perturbations.deltas import Deltas
from infocheck.stats.groups import centred
from infocheck.stats.resampling import some

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Leading components, and random directions that stand for everything outside them.
COMPONENTS, SKETCH = 30, 128
# Rows of one perturbation, and rows to compare with, beyond which a random part is used.
MOST_ROWS = 2000


@dataclass(frozen=True)
class Targets:
    """Values of perturbed genes where they are perturbed and where they are not.

    Attributes
    ----------
    genes
        Positions in the panel, shape (t,).
    n
        Rows to compare with by stratum, shape (strata,): controls, or all labelled rows.
    total
        Sums of c/s (or of the values where they are no counts) by stratum, (strata, t).
    squares, noise
        Sums of (c/s)² and c/s² over all of them, shape (t,).
    own_n, own_total
        Rows of each perturbation by stratum, shape (strata, k), and sums of its own targets,
        averaged over these where it has several, same shape.
    own_squares
        Sums of the squares of that average, shape (k,).
    """

    genes: np.ndarray
    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    noise: np.ndarray
    own_n: np.ndarray
    own_total: np.ndarray
    own_squares: np.ndarray


@dataclass(frozen=True)
class Cells:
    """Rows on the leading components and on random directions outside them.

    Attributes
    ----------
    rows
        Positions among the kept rows, sorted, shape (n,).
    scores
        Shape (n, d).
    level, stratum, part
        Of each row, as in the arms; level by position in ``Deltas.names``, -1 for others.
    reference
        Which rows others are compared with, boolean: controls, or a sample of all labelled.
    own
        Perturbed genes of each row, on the scale of the analysis less the pilot mean, in the
        order of ``Deltas.targets``; 0 behind the last, shape (n, most genes of one).
    elsewhere
        All perturbed genes of the reference rows, likewise, shape (reference rows, t).
    loadings
        Of the panel on these directions, shape (g, d).
    targets
        Their sums over all rows.
    share
        Of the variance within strata that the leading components hold.
    """

    rows: np.ndarray
    scores: np.ndarray
    level: np.ndarray
    stratum: np.ndarray
    part: np.ndarray
    reference: np.ndarray
    own: np.ndarray
    elsewhere: np.ndarray
    loadings: np.ndarray
    targets: Targets
    share: float

    def perturbed(self, chosen: np.ndarray, perturbation: int, genes: np.ndarray) -> np.ndarray:
        """Genes of one perturbation in its rows and in reference rows, shape (chosen, genes)."""
        place = np.searchsorted(self.targets.genes, genes)
        position = np.cumsum(self.reference) - 1
        inside = self.level[chosen] == perturbation
        values = np.empty((len(chosen), len(genes)))
        values[inside] = self.own[chosen[inside], : len(genes)]
        values[~inside] = self.elsewhere[np.ix_(position[chosen[~inside]], place)]
        return values

    def without(self, chosen: np.ndarray, perturbation: int, genes: np.ndarray) -> np.ndarray:
        """Scores of its rows and of reference rows without its genes, shape (chosen, d)."""
        left_out = self.perturbed(chosen, perturbation, genes) @ self.loadings[genes]
        return self.scores[chosen] - left_out

    def compared(self, perturbation: int) -> np.ndarray:
        """Positions of the rows of one perturbation and of those it is compared with."""
        return np.flatnonzero((self.level == perturbation) | self.reference)

    @classmethod
    def of(cls, data: Dataset, deltas: Deltas, rng: np.random.Generator) -> Cells:
        """One more pass over the rows."""
        return _Pass(data, deltas, rng).run()


class _Pass:
    def __init__(self, data: Dataset, deltas: Deltas, rng: np.random.Generator) -> None:
        arms, role = data.arms, data.roles["perturbation"]
        self.data, self.deltas, self.shift = data, deltas, data.moments.shift
        place = np.full(role.n_levels + 1, -1)
        place[[role.levels.index(name) for name in deltas.names]] = np.arange(len(deltas.names))
        self.level = place[arms.level]
        self.stratum = arms.stratum[arms.block]
        self.part = arms.part[arms.block]
        labelled = arms.level < role.n_levels
        self.candidates = arms.level == arms.control if arms.control is not None else labelled
        self.reference = np.zeros(data.n, dtype=bool)
        found = np.flatnonzero(self.candidates)
        self.reference[found[some(len(found), MOST_ROWS, rng)]] = True
        self.chosen = self.reference | self._chosen(rng)
        self.loadings, self.share = components(data, rng)
        self.genes = np.unique(np.concatenate([[], *deltas.targets])).astype(np.int64)

    def _chosen(self, rng: np.random.Generator) -> np.ndarray:
        """Which rows of each perturbation are kept: at most 2,000, at random."""
        rank = np.empty(len(self.level), dtype=np.int64)
        shuffled = rng.permutation(len(self.level))
        order = shuffled[np.argsort(self.level[shuffled], kind="stable")]
        sizes = np.bincount(self.level + 1, minlength=1)
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        rank[order] = np.arange(len(order)) - starts
        return (self.level >= 0) & (rank < MOST_ROWS)

    def run(self) -> Cells:
        data, k, t = self.data, len(self.deltas.names), len(self.genes)
        strata = data.arms.n_strata
        targets = Targets(
            genes=self.genes,
            n=np.zeros(strata),
            total=np.zeros((strata, t)),
            squares=np.zeros(t),
            noise=np.zeros(t),
            own_n=np.zeros((strata, k)),
            own_total=np.zeros((strata, k)),
            own_squares=np.zeros(k),
        )
        aim = shares_of_targets(self.deltas, self.genes)
        kept = np.flatnonzero(self.chosen)
        scores = np.zeros((len(kept), self.loadings.shape[1]), dtype=np.float32)
        most = max((len(aimed) for aimed in self.deltas.targets), default=0)
        own = np.zeros((len(kept), most), dtype=np.float32)
        elsewhere = np.zeros((int(self.reference.sum()), t), dtype=np.float32)
        padded = np.full((k, most), -1)
        for row, aimed in zip(padded, self.deltas.targets, strict=True):
            row[: len(aimed)] = aimed
        done = seen = 0
        for rows, raw in panel_blocks(data, step="Projecting rows"):
            natural = raw[:, self.genes]
            factor = None if data.size_factors is None else data.size_factors[rows][:, None]
            natural = natural if factor is None else natural / factor
            self._add(targets, rows, natural, factor, aim)
            inside = self.chosen[rows]
            on = on_scale(data, raw[inside], rows[inside]) - self.shift
            place = slice(done, done + len(on))
            scores[place] = on @ self.loadings
            own[place] = _picked(on, padded, self.level[rows[inside]])
            reference = on[self.reference[rows[inside]]][:, self.genes]
            elsewhere[seen : seen + len(reference)] = reference
            done, seen = done + len(on), seen + len(reference)
        return Cells(
            rows=kept,
            scores=scores,
            level=self.level[kept],
            stratum=self.stratum[kept],
            part=self.part[kept],
            reference=self.reference[kept],
            own=own,
            elsewhere=elsewhere,
            loadings=self.loadings,
            targets=targets,
            share=self.share,
        )

    def _add(
        self,
        targets: Targets,
        rows: np.ndarray,
        natural: np.ndarray,
        factor: np.ndarray | None,
        aim: np.ndarray,
    ) -> None:
        """Sums of perturbed genes, over all rows and not only those that are kept."""
        level, stratum = self.level[rows], self.stratum[rows]
        own = level >= 0
        np.add.at(targets.own_n, (stratum[own], level[own]), 1)
        mean = np.einsum("it,it->i", natural[own], aim[level[own]])
        np.add.at(targets.own_total, (stratum[own], level[own]), mean)
        np.add.at(targets.own_squares, level[own], mean**2)
        inside = self.candidates[rows]
        np.add.at(targets.n, stratum[inside], 1)
        np.add.at(targets.total, stratum[inside], natural[inside])
        targets.squares[:] += (natural[inside] ** 2).sum(axis=0)
        if factor is not None:
            targets.noise[:] += (natural[inside] / factor[inside]).sum(axis=0)


def _picked(values: np.ndarray, columns: np.ndarray, level: np.ndarray) -> np.ndarray:
    """The columns of its level of each row; 0 where there is none, (rows, columns of one)."""
    of = np.where(level[:, None] >= 0, columns[level], -1)
    found = np.take_along_axis(values, np.maximum(of, 0), axis=1)
    return np.where(of >= 0, found, 0.0)


def shares_of_targets(deltas: Deltas, genes: np.ndarray) -> np.ndarray:
    """Weight of each of these genes in the own gene of each perturbation, shape (k, t)."""
    aim = np.zeros((len(deltas.names), len(genes)))
    for row, aimed in zip(aim, deltas.targets, strict=True):
        row[np.searchsorted(genes, aimed)] = 1 / max(len(aimed), 1)
    return aim


def components(data: Dataset, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Directions in which distances are taken, shape (g, d), and the share of the leading ones.

    The 30 leading components of the row sample within strata, orthonormal, and 128 random
    combinations of what is outside them, scaled so that squared lengths are kept on average
    (Johnson & Lindenstrauss 1984): a response of few genes is in no leading component. Panels
    of at most 158 genes are kept as they are. What differs between batches or donors is no
    direction of interest; what differs between perturbations is, and stays in. Labels of
    perturbations are not looked at, so shuffled ones have the same directions.
    """
    sample = data.moments.sample
    rows = sample.values - data.moments.shift
    genes = rows.shape[1]
    if genes <= COMPONENTS + SKETCH:
        return np.eye(genes), 1.0
    arms = data.arms
    rows = centred(rows, group=arms.stratum[arms.block[sample.rows]])
    count = min(COMPONENTS, len(rows) - 1)
    seed = int(rng.integers(2**31))
    _, values, right = randomized_svd(rows, count, n_iter=4, random_state=seed)
    total = float((rows**2).sum())
    random = rng.choice([-1.0, 1.0], size=(genes, SKETCH)) / np.sqrt(SKETCH)
    random -= right.T @ (right @ random)
    share = float((values**2).sum() / total) if total > 0 else float("nan")
    return np.column_stack([right.T, random]), share
