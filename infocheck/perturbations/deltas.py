"""Responses to perturbations: differences from the controls, whole and in disjoint halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infocheck.errors import NotAssessed
from infocheck.stats.weighted_difference import Difference, within_strata

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# The three ways to make two halves of four parts.
PAIRINGS = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
# Rows' worth of the variance over all perturbations that stands beside each one's own.
_PRIOR_ROWS = 10.0


@dataclass(frozen=True)
class Deltas:
    """Responses of all panel genes to all perturbations.

    Attributes
    ----------
    names
        Labels of the perturbations, without the control, shape (k,).
    rows, reference_rows
        Rows of each perturbation, and of what it is compared with, shape (k,).
    targets
        For each perturbation, positions in the panel of the genes it is aimed at.
    parts
        For each perturbation, the names it is made of.
    delta
        Differences of means on the scale of the analysis, shape (k, g); NaN without a row to
        compare with.
    error
        Their standard errors, shape (k, g); NaN where rows are not replicated.
    variance
        Of rows within perturbation and stratum, over all perturbations, shape (g,); NaN where
        nothing is replicated.
    halves
        The same differences in two halves that share no row, for three ways to halve, shape
        (3, 2, k, g).
    compared
        ``control``, or ``all other rows``.
    unit
        What the halves keep whole: ``donors`` or ``cells``.
    held, aliased
        Factors that were held constant, and that could not be.
    """

    names: np.ndarray
    rows: np.ndarray
    reference_rows: np.ndarray
    targets: tuple[np.ndarray, ...]
    parts: tuple[tuple[str, ...], ...]
    delta: np.ndarray
    error: np.ndarray
    variance: np.ndarray
    halves: np.ndarray
    compared: str
    unit: str
    held: tuple[str, ...]
    aliased: tuple[str, ...]

    def without_targets(self) -> np.ndarray:
        """Which genes count for each perturbation: all but those aimed at, shape (k, g)."""
        kept = np.ones(self.delta.shape, dtype=bool)
        for row, aimed in zip(kept, self.targets, strict=True):
            row[aimed] = False
        return kept

    @classmethod
    def of(cls, data: Dataset) -> Deltas:
        """From the sums of the second pass.

        Raises
        ------
        NotAssessed
            No perturbation is labelled.
        """
        arms, sums, role = data.arms, data.moments.arms, data.roles.get("perturbation")
        if arms is None or sums is None or role is None:
            raise NotAssessed(
                "No perturbation is labelled. Bring a column with the perturbed gene of each "
                "observation, and name it with --perturbation."
            )
        levels = np.array([i for i in range(role.n_levels) if i != arms.control])
        whole = _difference(data, np.arange(arms.n_blocks), levels)
        own, pooled = _variances(data, levels)
        error = np.sqrt(own * whole.per_row[:, None] + pooled * whole.per_reference[:, None])
        if arms.unit == "donors":
            error = _over_strata(data, levels, whole, error)
        halves = np.stack(
            [
                np.stack([_difference(data, _blocks(data, side), levels).delta for side in pair])
                for pair in PAIRINGS
            ]
        )
        error[~np.isfinite(whole.delta)] = np.nan
        guides, place = data.evidence.guides, _places(data)
        names = [role.levels[i] for i in levels]
        rows = sums.n.sum(axis=0)
        reference = rows[arms.control] if arms.control is not None else rows[:-1].sum()
        return cls(
            names=np.array(names, dtype=object),
            rows=rows[levels],
            reference_rows=np.full(len(levels), reference)
            - (0 if arms.control is not None else rows[levels]),
            targets=tuple(_measured(place, guides.targets.get(name, ())) for name in names),
            parts=tuple(guides.parts.get(name, (name,)) for name in names),
            delta=whole.delta,
            error=error,
            variance=pooled,
            halves=halves,
            compared="all other rows" if arms.control is None else "control",
            unit=arms.unit,
            held=arms.held,
            aliased=arms.aliased,
        )


def _measured(place: np.ndarray, genes: tuple[int, ...]) -> np.ndarray:
    found = place[np.array(genes, dtype=np.int64)]
    return found[found >= 0]


def _places(data: Dataset) -> np.ndarray:
    """Position in the panel of every gene of the data, -1 for genes outside it."""
    place = np.full(len(data.genes), -1, dtype=np.int64)
    place[data.panel.genes] = np.arange(len(data.panel.genes))
    return place


def _blocks(data: Dataset, parts: tuple[int, ...]) -> np.ndarray:
    return np.flatnonzero(np.isin(data.arms.part, parts))


def _difference(data: Dataset, blocks: np.ndarray, levels: np.ndarray) -> Difference:
    """Differences within strata, from some of the blocks."""
    return _within(data, *_by_stratum(data, blocks), levels)


def _within(data: Dataset, n: np.ndarray, total: np.ndarray, levels: np.ndarray) -> Difference:
    """From rows and sums by stratum and level, shapes (strata, levels + 1) and (…, g)."""
    control = data.arms.control
    if control is not None:
        reference = n[:, [control]], total[:, [control]]
    else:
        labelled, sums = n[:, :-1], total[:, :-1]
        reference = (
            labelled.sum(axis=1, keepdims=True) - n[:, levels],
            sums.sum(axis=1, keepdims=True) - total[:, levels],
        )
    return within_strata(n[:, levels], total[:, levels], *reference)


def _by_stratum(data: Dataset, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    arms, sums = data.arms, data.moments.arms
    n = np.zeros((arms.n_strata, sums.n.shape[1]))
    total = np.zeros((arms.n_strata, *sums.total.shape[1:]))
    np.add.at(n, arms.stratum[blocks], sums.n[blocks])
    np.add.at(total, arms.stratum[blocks], sums.total[blocks])
    return n, total


def _variances(data: Dataset, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of rows within each perturbation and stratum, and over all of them.

    The variance of a perturbation is averaged with that over all, which counts as ten rows.
    """
    sums = data.moments.arms
    n, total = _by_stratum(data, np.arange(data.arms.n_blocks))
    means = np.divide(total**2, n[..., None], out=np.zeros_like(total), where=n[..., None] > 0).sum(
        axis=0
    )
    inside = np.maximum(sums.squares - means, 0.0)[:-1]
    freedom = np.maximum(n - 1, 0).sum(axis=0)[:-1]
    if freedom.sum() < 1:
        return np.full((len(levels), total.shape[2]), np.nan), np.full(total.shape[2], np.nan)
    pooled = inside.sum(axis=0) / freedom.sum()
    own = (inside[levels] + _PRIOR_ROWS * pooled) / (freedom[levels] + _PRIOR_ROWS)[:, None]
    return own, pooled


def _over_strata(
    data: Dataset, levels: np.ndarray, whole: Difference, error: np.ndarray
) -> np.ndarray:
    """Errors from how differences vary between strata, which are donors here.

    A perturbation that fewer than three strata hold keeps the error of its rows.
    """
    n, total = _by_stratum(data, np.arange(data.arms.n_blocks))
    squares = np.zeros_like(whole.delta)
    for stratum in range(len(n)):  # as many as donors; each is one matrix
        weight = whole.weight[stratum][:, None]
        here = _within(data, n[[stratum]], total[[stratum]], levels).delta
        squares += np.where(weight > 0, weight**2 * (here - whole.delta) ** 2, 0.0)
    count = (whole.weight > 0).sum(axis=0)[:, None]
    spread = np.sqrt(squares * count / np.maximum(count - 1, 1))
    return np.where(count >= 3, spread, error)
