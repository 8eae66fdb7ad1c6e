"""A gene's own mRNA against the response of all others to its perturbation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infocheck.stats.disattenuation import (
    READABLE,
    correlation_interval,
    half_width,
    jackknife_variance,
    root,
)

# Least correction for halves of the responding genes that respond unequally.
_UNEVEN = 0.25


@dataclass(frozen=True)
class Response:
    """One perturbation of one regulator; an estimate stands beside its 95 % interval.

    Attributes
    ----------
    coupling
        Correlation of own mRNA and response without measurement noise, over perturbed and
        control cells in equal parts; NaN where one of them cannot be told from noise.
    within
        The same inside the arms.
    own_shift
        Difference of own mRNA between arms, in standard deviations inside an arm.
    response_shift
        The same of the response, whose direction was learnt on other cells.
    mrna_reliability, response_reliability
        Shares of the variance of both over the two arms that are no noise.
    responds
        Do cells that had no part in finding the direction move along it?
    """

    coupling: float
    coupling_low: float
    coupling_high: float
    within: float
    within_low: float
    within_high: float
    own_shift: float
    own_shift_low: float
    own_shift_high: float
    response_shift: float
    response_shift_low: float
    response_shift_high: float
    mrna_reliability: float
    response_reliability: float
    responds: bool


def response_scores(
    genes: np.ndarray,
    treated: np.ndarray,
    fold: np.ndarray,
    rng: np.random.Generator,
    deals: int = 5,
) -> tuple[np.ndarray, np.ndarray]:
    """Two scores of the response from two disjoint halves of the genes, each (deals, n).

    The score of a cell is the sum of its genes, each weighted by its difference d between
    perturbed and control cells of the other folds. Weights are ``d (1 - (2 se / d)²)``, and 0
    where d is less than two standard errors. Genes are dealt to halves in pairs of like d.

    Parameters
    ----------
    genes
        Cells × genes without the regulator itself, standard deviation near 1 in an arm.
    treated
        Perturbed or control, shape (n,), boolean.
    fold
        Fold of each cell, shape (n,).
    rng
        Deals the genes.
    deals
        How often they are dealt.

    Raises
    ------
    ValueError
        A fold holds all the cells of one arm.
    """
    labels, fold = np.unique(fold, return_inverse=True)
    arm = np.stack([~treated, treated]).astype(float)
    # Half-way between the arms, so that weights that differ by fold shift no cell.
    genes = genes - (arm / arm.sum(axis=1, keepdims=True) @ genes).mean(axis=0)
    inside = (fold == np.arange(len(labels))[:, None])[:, None] * arm
    n = inside.sum(axis=-1)
    total = (inside.reshape(-1, len(genes)) @ genes).reshape(*n.shape, -1)
    rest = n.sum(axis=0) - n
    if (rest < 2).any():
        raise ValueError("every fold needs cells of both arms outside it")
    means = (total.sum(axis=0) - total) / rest[..., None]
    delta = means[:, 1] - means[:, 0]
    least = READABLE * np.sqrt((1 / rest).sum(axis=1))[:, None]
    weight = np.where(np.abs(delta) > least, delta - least**2 / np.where(delta, delta, 1), 0.0)
    overall = np.abs(delta.mean(axis=0))
    rank = np.empty(len(overall), dtype=np.int64)
    rank[np.argsort(-overall, kind="stable")] = np.arange(len(overall))
    weighted = genes * weight[fold]
    coin = rng.integers(2, size=(deals, len(overall) // 2 + 1))
    half = (rank + coin[:, rank // 2]) % 2
    first = half @ weighted.T
    return first, weighted.sum(axis=1) - first


def response_coupling(
    mrna: tuple[np.ndarray, np.ndarray],
    scores: tuple[np.ndarray, np.ndarray],
    treated: np.ndarray,
    group: np.ndarray,
) -> Response:
    """Coupling of a regulator's own mRNA with the response to its perturbation.

    With mRNA m of correlation ρ with activity a, and scores ``b_1 a + e_1`` and
    ``b_2 a + e_2`` of disjoint genes, ρ is ``(cov(m, s_1) + cov(m, s_2)) / 2`` over
    ``sqrt(var(m) cov(s_1, s_2))`` for equal b, and var(m) is the covariance of two halves of
    its counts. Unequal b show in the differences of both scores between arms, d_1 and d_2:
    the covariance is divided by ``4 d_1 d_2 / (d_1 + d_2)²``. Each arm weighs one half, so
    that ρ does not depend on how many cells either has. Activity is taken to fall in
    perturbed cells, unless their own mRNA is raised by more than two standard errors.

    Parameters
    ----------
    mrna
        Two halves of the counts of the regulator, or twice the same values, each (n,); or
        many such divisions of the same counts, each (divisions, n).
    scores
        By :func:`response_scores`, each (deals, n), or (n,).
    treated
        Perturbed or control, shape (n,), boolean.
    group
        Jackknife group of each cell, shape (n,).

    Notes
    -----
    A knock-out that leaves its mRNA in place gives a low ρ, rightly: mRNA then does not
    stand for activity. Whatever else moves the responding genes together inside an arm
    makes ρ too small, or too large if it also moves the regulator's mRNA. The direction is
    held fixed in the jackknife: near 1, in small samples, intervals are too short by a sixth.
    """
    m = np.mean([np.atleast_2d(half).mean(axis=0) for half in mrna], axis=0)
    product = (np.atleast_2d(mrna[0]) * np.atleast_2d(mrna[1])).mean(axis=0)
    deals = zip(*(np.atleast_2d(score) for score in scores), strict=True)
    values = np.mean([_arms(m, product, deal, treated, group) for deal in deals], axis=0)
    groups = len(values) - 1
    error = np.sqrt(jackknife_variance(values))
    direction = 1 if values[0, 8] > READABLE * error[8] else -1
    found = []
    for first in (0, 4):
        shared, variance, score, _ = values[:, first : first + 4].T
        bottom = root(variance, score)
        variances = (
            jackknife_variance(shared),
            jackknife_variance(bottom),
            jackknife_variance(shared, bottom),
        )
        ratio, low, high = correlation_interval(shared[0], bottom[0], variances, groups)
        low, high = (low, high) if direction > 0 else (-high, -low)
        found += [float(direction * ratio), float(low), float(high)]
    shifts = []
    for at in (8, 9):
        half = half_width(error[at], groups)
        shifts += [float(values[0, at] + d) for d in (0, -half, half)]
    spread = np.mean([m[arm].var() for arm in (treated, ~treated)])
    spread += (m[treated].mean() - m[~treated].mean()) ** 2 / 4
    with np.errstate(invalid="ignore", divide="ignore"):
        reliability = values[0, 1] / spread, values[0, 2] / values[0, 3]
    return Response(
        *found,
        *shifts,
        *(float(np.clip(np.nan_to_num(r), 0, 1)) for r in reliability),
        responds=bool(values[0, 9] > READABLE * error[9]),
    )


def _arms(
    m: np.ndarray,
    product: np.ndarray,
    scores: tuple[np.ndarray, np.ndarray],
    treated: np.ndarray,
    group: np.ndarray,
) -> np.ndarray:
    """What the coupling is made of, of all cells and without each group, (1 + groups, 10).

    Over both arms in equal parts: covariance of mRNA and score, variance of the mRNA without
    noise, of the score without and with it; the same inside arms; both shifts.
    """
    s = (scores[0] + scores[1]) / 2
    columns = [np.ones(len(m)), m, s, *scores, m * s, product, scores[0] * scores[1], s * s, m * m]
    labels, code = np.unique(group, return_inverse=True)
    both = []
    for arm in (treated, ~treated):
        sums = np.stack([np.bincount(code[arm], x[arm], len(labels)) for x in columns])
        total = sums.sum(axis=1, keepdims=True)
        left = np.hstack([total, total - sums])
        with np.errstate(invalid="ignore", divide="ignore"):
            both.append(left / left[0])
    inside, whole = [], []
    # Positions of two factors and of their product.
    for a, b, ab in ((1, 2, 5), (1, 1, 6), (3, 4, 7), (2, 2, 8), (1, 1, 9)):
        inside.append(sum(arm[ab] - arm[a] * arm[b] for arm in both) / 2)
        whole.append(inside[-1] + (both[0][a] - both[1][a]) * (both[0][b] - both[1][b]) / 4)
    shifts = [
        (both[0][at] - both[1][at]) / np.sqrt(np.maximum(spread, 1e-12))
        for at, spread in ((1, inside[4]), (2, inside[3]))
    ]
    # Halves that respond unequally share less than their mean does.
    gaps = [both[0][at] - both[1][at] for at in (3, 4)]
    with np.errstate(invalid="ignore", divide="ignore"):
        even = 4 * gaps[0] * gaps[1] / (gaps[0] + gaps[1]) ** 2
    even = np.clip(np.nan_to_num(even, nan=_UNEVEN), _UNEVEN, 1)
    whole[2], inside[2] = whole[2] / even, inside[2] / even
    return np.stack([*whole[:4], *inside[:4], *shifts], axis=1)
