"""How good is a ranking of edges against a known truth?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata


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


def normalised(area: np.ndarray | float, prevalence: np.ndarray | float) -> np.ndarray:
    """Average precision on a scale from 0, guessing, to 1, perfect.

    ``(AUPR - prevalence) / (1 - prevalence)``. NaN where all items are true or none is.
    """
    excess, prevalence = np.asarray(area) - prevalence, np.asarray(prevalence)
    open_ = (prevalence > 0) & (prevalence < 1)
    return np.divide(excess, 1 - prevalence, out=np.full(np.shape(excess), np.nan), where=open_)


def normalised_precision(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Normalised average precision along the last axis; NaN where all is true or nothing."""
    return normalised(average_precision(scores, truth), truth.mean(axis=-1))


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


@dataclass(frozen=True)
class Ranked:
    """Edges from the highest score to the lowest, beside the truth.

    Items of equal score enter together, so everything is read at the ends of ties.

    Attributes
    ----------
    order
        Positions of the items from the highest score on.
    scores
        In that order.
    hits
        True items among the first 1, 2, ... N.
    ends
        Where runs of equal scores end.
    """

    order: np.ndarray
    scores: np.ndarray
    hits: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, truth: np.ndarray) -> Ranked:
        """Rank all items; arrays of any shape, without NaN."""
        flat = scores.ravel()
        order = np.argsort(flat)[::-1]
        ranked = flat[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        return cls(order, ranked, np.cumsum(truth.ravel()[order]), ends)

    @property
    def prevalence(self) -> float:
        return float(self.hits[-1]) / len(self.hits)

    def average_precision(self) -> float:
        """Area under the precision-recall curve; NaN where nothing is true."""
        hits = self.hits[self.ends]
        if not hits[-1]:
            return float("nan")
        return float(np.diff(hits, prepend=0) @ (hits / (self.ends + 1)) / hits[-1])

    def cut(self, fdp: float) -> tuple[float, int, int]:
        """The longest head in which at most a share ``fdp`` is false.

        Returns
        -------
        threshold
            Lowest score that is kept; infinite where even the first is false.
        found, true
            Items that are kept, and how many of them are true.

        Notes
        -----
        It knows the truth: no analyst can cut there, so what it finds is an upper bound
        for any procedure that controls the false discovery rate with these scores.
        """
        hits, number = self.hits[self.ends], self.ends + 1
        kept = np.flatnonzero(number - hits <= fdp * number)
        if not len(kept):
            return np.inf, 0, 0
        last = kept[-1]
        return float(self.scores[self.ends[last]]), int(number[last]), int(hits[last])

    def precision_of_top(self, k: int) -> float:
        """Share of true items among the k that score highest; ties count in proportion."""
        last = int(np.searchsorted(self.ends, k - 1))
        end = self.ends[last]
        start = self.ends[last - 1] + 1 if last else 0
        before = int(self.hits[start - 1]) if start else 0
        ties = (k - start) * (self.hits[end] - before) / (end + 1 - start)
        return float((before + ties) / k)

    def benjamini_hochberg(self, p_values: np.ndarray, fdr: float) -> tuple[int, int]:
        """Discoveries at a nominal false discovery rate, and how many are true.

        Parameters
        ----------
        p_values
            Of the items in their order, never falling.
        fdr
            Nominal rate: all up to the last p-value of at most ``fdr·rank/number``
            (Benjamini & Hochberg 1995).
        """
        number = len(p_values)
        passing = np.flatnonzero(p_values <= fdr * np.arange(1, number + 1) / number)
        if not len(passing):
            return 0, 0
        return int(passing[-1] + 1), int(self.hits[passing[-1]])
