"""How well do two halves of the data agree on edges?"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata

# Classes of a coarse ranking; with 150,000 edges a class holds a few of them.
_CLASSES = 1 << 17


def rank_agreement(a: np.ndarray, b: np.ndarray, *, coarse: bool = False) -> float:
    """Spearman correlation of two tables of scores ≥ 0 over the edges that both have.

    Average ranks for ties (Spearman 1904). 0 when one side has no variation: a
    table of equal scores agrees with nothing. ``coarse`` ranks classes of scores
    instead of scores, for resampling: 15 times faster, and right to about 1e-5.
    """
    return float(agreement_from_sums(_rank_sums(a, b, coarse=coarse).sum(axis=1)))


def resampled_targets(
    pairs: list[tuple[np.ndarray, np.ndarray]],
    candidates: int,
    rng: np.random.Generator,
    draws: int = 200,
) -> float:
    """Standard error of the mean rank agreement from the choice of targets.

    Targets (columns) are drawn with replacement, the same in every split; edges
    of a target stay together because they are dependent. Ranks are kept. The
    targets are a sample of ``candidates`` genes: when they are all of them, their
    choice adds no error.
    """
    q = pairs[0][0].shape[1]
    if q >= candidates:
        return 0.0
    sums = np.stack([_rank_sums(a, b) for a, b in pairs])  # (splits, 6, targets)
    weights = rng.multinomial(q, np.full(q, 1 / q), size=draws).T.astype(float)
    drawn = np.moveaxis(sums @ weights, 1, 0)  # (6, splits, draws)
    error = float(np.std(agreement_from_sums(drawn).mean(axis=0), ddof=1))
    return error * math.sqrt(1 - q / candidates)


def top_overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of the k highest edges of both halves, relative to chance.

    k = min(max(5, 2·targets), ⌊M/5⌋+1) of M edges; 1 is chance.
    """
    keep = np.isfinite(a) & np.isfinite(b)
    x, y = a[keep], b[keep]
    m = len(x)
    k = min(max(5, 2 * a.shape[1]), m // 5 + 1)
    best = [set(np.argsort(-v, kind="stable")[:k].tolist()) for v in (x, y)]
    return len(best[0] & best[1]) / k / (k / m)


def _rank_sums(a: np.ndarray, b: np.ndarray, *, coarse: bool = False) -> np.ndarray:
    """Per target: edge count and sums of centred ranks, squares and products; (6, targets)."""
    keep = np.isfinite(a) & np.isfinite(b)
    x, y = (_centred_ranks(scores, keep, coarse) for scores in (a, b))
    parts = (keep.astype(float), x, y, x * x, y * y, x * y)
    return np.stack([part.sum(axis=0) for part in parts])


def _centred_ranks(scores: np.ndarray, keep: np.ndarray, coarse: bool) -> np.ndarray:
    table = np.zeros(scores.shape)
    values = scores[keep]
    many = len(values) > _CLASSES // 8  # fewer are sorted faster than classes are counted
    ranks = _class_ranks(values) if coarse and many else rankdata(values)
    table[keep] = ranks - ranks.mean()
    return table


def _class_ranks(values: np.ndarray) -> np.ndarray:
    """Average ranks of classes that are equally wide on the square-root scale."""
    root = np.sqrt(values)
    largest = root.max(initial=0.0)
    if largest <= 0:
        return np.zeros(len(values))
    code = (root * ((_CLASSES - 1) / largest)).astype(np.int64)
    count = np.bincount(code, minlength=_CLASSES)
    return (np.cumsum(count) - (count - 1) / 2)[code]


def agreement_from_sums(sums: np.ndarray) -> np.ndarray | float:
    """Pearson correlation from sums (n, x, y, xx, yy, xy) along the first axis."""
    n, x, y, xx, yy, xy = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = xy - x * y / n
        scale = np.sqrt((xx - x * x / n) * (yy - y * y / n))
        value = np.where(scale > 0, covariance / scale, 0.0)
    return float(value) if np.ndim(value) == 0 else value
