"""How a regulator's mRNA goes with an activity that is read from its targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from infocheck.stats.disattenuation import (
    correlation_interval,
    jackknife_variance,
    left_out,
    root,
)

# Values of one block of observations and edges: what a processor keeps at hand.
_BLOCK = 250_000
# Rounds in which draws that cannot be used are drawn again.
_ROUNDS = 30


@dataclass(frozen=True)
class Edges:
    """Regulators and their targets, sorted by regulator.

    Attributes
    ----------
    regulator
        Number of the regulator, from 0 and without gaps, rising, shape (E,).
    target
        Column of the target, shape (E,); not the regulator's own.
    sign
        1 or -1, shape (E,).
    """

    regulator: np.ndarray
    target: np.ndarray
    sign: np.ndarray

    @property
    def start(self) -> np.ndarray:
        """First edge of each regulator, shape (k,)."""
        return np.flatnonzero(np.diff(self.regulator, prepend=-1))

    @property
    def count(self) -> np.ndarray:
        """Targets of each regulator, shape (k,)."""
        return np.bincount(self.regulator)

    def part(self, first: int, last: int) -> Edges:
        """Edges of the regulators from ``first`` up to ``last``, numbered from 0."""
        inside = slice(*np.searchsorted(self.regulator, [first, last]))
        return Edges(self.regulator[inside] - first, self.target[inside], self.sign[inside])


@dataclass(frozen=True)
class Coupling:
    """Coupling of each of k regulators, every array of shape (k,).

    Attributes
    ----------
    estimate
        Correlation of mRNA and activity without measurement noise, cut at -1 and 1; NaN
        where the mRNA or the activity cannot be told from noise.
    low, high
        95 % interval, cut alike.
    correlation
        Of the mRNA and the activity as they are measured.
    mrna_reliability, activity_reliability
        Shares of their variance that are no noise; the latter is what targets share.
    mrna_signal, activity_signal
        Variance that is no noise, in its standard errors.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    correlation: np.ndarray
    mrna_reliability: np.ndarray
    activity_reliability: np.ndarray
    mrna_signal: np.ndarray
    activity_signal: np.ndarray


@dataclass(frozen=True)
class Null:
    """Random regulons beside the real ones.

    Attributes
    ----------
    observed
        Correlation of mRNA and activity of the real regulons, shape (k,).
    drawn
        The same of the random ones, shape (draws, k).
    mean, spread
        Mean and standard deviation over the draws of the covariance of the mRNA and one
        target, shape (k,).
    """

    observed: np.ndarray
    drawn: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @property
    def p(self) -> np.ndarray:
        """``(1 + #(drawn >= observed)) / (draws + 1)``, shape (k,)."""
        return (1 + (self.drawn >= self.observed).sum(axis=0)) / (len(self.drawn) + 1)

    @property
    def limit(self) -> np.ndarray:
        """95th percentile of the draws, shape (k,)."""
        return np.quantile(self.drawn, 0.95, axis=0)


# --- mRNA against the targets ---------------------------------------------------------------------


def without(values: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What is left of centred variables once matching centred ones are regressed out.

    Both of shape (k, n); one row of ``other`` may serve all.
    """
    squares = np.einsum("ij,ij->i", other, other)
    both = values @ other[0] if len(other) == 1 else np.einsum("ij,ij->i", values, other)
    slope = np.divide(both, squares, out=np.zeros_like(both), where=squares > 1e-12)
    return values - slope[:, None] * other


def background(whole: np.ndarray, edges: Edges, own: np.ndarray) -> np.ndarray:
    """Sum of all genes but the regulator and its targets, centred, shape (k, n).

    Parameters
    ----------
    whole
        Genes × observations, shape (g, n).
    edges, own
        As in :func:`regulon_coupling`.
    """
    ones = np.ones(len(edges.sign), whole.dtype)
    listed = sparse.csr_array((ones, (edges.regulator, edges.target)), (len(own), len(whole)))
    rest = whole.sum(axis=0) - listed @ whole - whole[own]
    return rest - rest.mean(axis=1, keepdims=True)


def regulon_coupling(
    first: np.ndarray,
    second: np.ndarray,
    edges: Edges,
    own: np.ndarray,
    group: np.ndarray,
    null: Null | None = None,
) -> Coupling:
    """Coupling of mRNA and activity, where the activity is what the targets share.

    Let a target be ``s_j = sign · (b_j a + o_j)`` with activity ``a`` of variance 1, and let
    the mRNA m have correlation ρ with a. Then, b being the mean of b_j over the regulon::

        mean_j sign_j cov(m, s_j)             = b ρ sd(m)
        mean_{j≠k} sign_j sign_k cov(s_j, s_k) ≈ b²

    if all o are unrelated to each other and to m, and ρ is the first over the root of the
    second times var(m). The mean over pairs is that of all splits of the regulon into two
    halves (Cronbach 1951). Every product takes the mRNA from one half of the counts and the
    targets from the other; the variance of the mRNA is the covariance of its halves.

    Parameters
    ----------
    first, second
        Genes by two halves of the counts, centred columns scaled by the spread of the whole
        measurement, shape (n, g). The same array twice where values are no counts: then
        measurement noise stays in the mRNA, and ρ comes out too small.
    edges
        At least 3 targets of every regulator.
    own
        Column of each regulator, shape (k,).
    group
        Jackknife group of each row: whole donors, or sets of cells, shape (n,).
    null
        Random regulons. Their mean covariance is taken off; their spread is the least
        standard error that is attributed to the choice of targets.

    Returns
    -------
    Coupling
        With intervals of a ratio (Fieller 1954), its variances from the jackknife over groups
        of rows and over targets. Both are added, which is too much rather than too little.

    Notes
    -----
    Whatever else moves the targets of one regulon together (another regulator of the same
    targets, a cell state) enters the denominator: unrelated to the mRNA it makes ρ too
    small; related to the mRNA and not to genes at large it makes ρ too large. The mean of
    the genes outside the regulon is regressed out of both sides. mRNA that is *driven by*
    what drives the targets looks coupled: this is no proof of regulation.

    References
    ----------
    Cronbach (1951); Spearman (1904) for the correction; Quenouille (1956); Fieller (1954).
    """
    order = np.argsort(group, kind="stable")
    start = np.flatnonzero(np.diff(group[order], prepend=-1))
    first, second = _by_gene(first[order], second[order])
    k, most = len(own), max(1, _BLOCK // len(order))
    ends = np.append(edges.start, len(edges.sign))
    parts, at = [], 0
    outside = background((first + second) / 2, edges, own)
    while at < k:
        stop = max(at + 1, int(np.searchsorted(ends, ends[at] + most, side="right")) - 1)
        columns = slice(at, stop)
        parts.append(
            _products(first, second, edges.part(at, stop), own[columns], outside[columns], start)
        )
        at = stop
    return _estimates(
        *(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True)),
        edges,
        len(start),
        null,
    )


def _products(
    first: np.ndarray,
    second: np.ndarray,
    edges: Edges,
    own: np.ndarray,
    outside: np.ndarray,
    start: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Covariances of some regulators, with groups of rows left out and per edge."""
    of, n = edges.regulator, first.shape[1]
    m1, m2 = (without(half[own], outside) for half in (first, second))
    sign, wide = edges.sign[:, None], outside[of]
    u1, u2 = (without(half[edges.target] * sign, wide) for half in (first, second))
    a1, a2 = (np.add.reduceat(u, edges.start, axis=0) for u in (u1, u2))
    shared = (left_out(m1, a2, start) + left_out(m2, a1, start)) / 2
    alone = left_out(u1, u2, start)
    pairs = left_out(a1, a2, start) - np.add.reduceat(alone, edges.start, axis=1)
    mrna, activity = (m1 + m2) / 2, (a1 + a2) / 2
    with_mrna, with_all = (
        (np.einsum("ij,ij->i", x1[of], u2) + np.einsum("ij,ij->i", x2[of], u1)) / (2 * n)
        for x1, x2 in ((m1, m2), (a1, a2))
    )
    return (
        shared,
        left_out(m1, m2, start),
        pairs,
        with_mrna,
        with_all - alone[0],
        mrna.var(axis=1),
        activity.var(axis=1),
        (mrna * activity).mean(axis=1),
    )


def _by_gene(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Genes × observations, each gene in one piece of memory; equal ones stay one array."""
    turned = np.ascontiguousarray(first.T)
    return turned, turned if second is first else np.ascontiguousarray(second.T)


def _estimates(
    shared: np.ndarray,
    mrna: np.ndarray,
    pairs: np.ndarray,
    with_mrna: np.ndarray,
    with_rest: np.ndarray,
    mrna_variance: np.ndarray,
    activity_variance: np.ndarray,
    together: np.ndarray,
    edges: Edges,
    groups: int,
    null: Null | None,
) -> Coupling:
    count, of = edges.count, edges.regulator
    none = np.zeros(len(count))
    mean, spread = (none, none) if null is None else (null.mean, null.spread)
    between = pairs / (count * (count - 1))
    top, bottom = shared / count - mean, root(mrna, between)
    # Without each target in turn.
    m = count[of]
    fewer = (shared[0][of] - with_mrna) / (m - 1) - mean[of]
    rest = (pairs[0][of] - 2 * with_rest) / ((m - 1) * (m - 2))
    below = root(mrna[0][of], rest)
    by_target = [_jackknife_by(*x, edges) for x in ((fewer, fewer), (below, below), (fewer, below))]
    variances = (
        jackknife_variance(top) + np.maximum(by_target[0], spread**2),
        jackknife_variance(bottom) + by_target[1],
        jackknife_variance(top, bottom) + by_target[2],
    )
    estimate, low, high = correlation_interval(top[0], bottom[0], variances, groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Coupling(
            estimate,
            low,
            high,
            together / np.sqrt(mrna_variance * activity_variance),
            np.clip(mrna[0] / mrna_variance, 0, 1),
            np.clip(count**2 * between[0] / activity_variance, 0, 1),
            mrna[0] / np.sqrt(jackknife_variance(mrna)),
            between[0] / np.sqrt(jackknife_variance(between) + _jackknife_by(rest, rest, edges)),
        )


def _jackknife_by(first: np.ndarray, second: np.ndarray, edges: Edges) -> np.ndarray:
    """Jackknife (co)variance over the targets of each regulator, shape (k,)."""
    count, start, of = edges.count, edges.start, edges.regulator
    parts = [x - (np.add.reduceat(x, start) / count)[of] for x in (first, second)]
    return (count - 1) / count * np.add.reduceat(parts[0] * parts[1], start)


# --- random regulons ------------------------------------------------------------------------------


def expression_bins(mean: np.ndarray, variance: np.ndarray, size: int = 60) -> np.ndarray:
    """Bins of about so many genes that are alike in mean and variance, shape (g,).

    Genes are cut into slices of equal size by mean, and every slice by variance.
    """
    g = len(mean)
    cuts = max(1, round(np.sqrt(g / size)))
    by_mean = np.empty(g, dtype=np.int64)
    by_mean[np.argsort(mean, kind="stable")] = np.arange(g) * cuts // g
    order = np.lexsort((variance, by_mean))
    rank = np.empty(g, dtype=np.int64)
    rank[order] = np.arange(g)
    first = np.searchsorted(by_mean[order], np.arange(cuts))
    many = np.bincount(by_mean, minlength=cuts)
    return by_mean * cuts + (rank - first[by_mean]) * cuts // many[by_mean]


def matched_targets(
    edges: Edges, own: np.ndarray, bins: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """For each edge a random gene of the same bin, that is no target of the regulator.

    Parameters
    ----------
    edges, own
        As in :func:`regulon_coupling`.
    bins
        Bin of each gene, shape (g,).
    draws
        Random regulons for each regulator.

    Returns
    -------
    numpy.ndarray
        Columns, each at most once in a random regulon; -1 where the bin holds no gene that
        is free, shape (draws, E).
    """
    g = len(bins)
    order = np.argsort(bins, kind="stable")
    labels, first, many = np.unique(bins[order], return_index=True, return_counts=True)
    at = np.searchsorted(labels, bins[edges.target])
    taken = np.unique(
        np.concatenate([edges.regulator * g + edges.target, np.arange(len(own)) * g + own])
    )
    chosen = np.full((draws, len(edges.sign)), -1, dtype=np.int64)
    for _ in range(_ROUNDS):
        draw, edge = np.nonzero(chosen < 0)
        if not len(draw):
            break
        bin_of = at[edge]
        gene = order[first[bin_of] + rng.integers(many[bin_of])]
        code = edges.regulator[edge] * g + gene
        free = taken[np.minimum(np.searchsorted(taken, code), len(taken) - 1)] != code
        chosen[draw[free], edge[free]] = gene[free]
        chosen[repeated(chosen, edges.regulator, g)] = -1
    return chosen


def repeated(chosen: np.ndarray, regulator: np.ndarray, g: int) -> np.ndarray:
    """Which of the draws repeat an earlier one of the same regulator and draw."""
    code = np.where(chosen < 0, -1, regulator * g + chosen)
    order = np.argsort(code, axis=1, kind="stable")
    ranked = np.take_along_axis(code, order, axis=1)
    again = np.zeros(code.shape, dtype=bool)
    again[:, 1:] = (ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] >= 0)
    repeated = np.empty_like(again)
    np.put_along_axis(repeated, order, again, axis=1)
    return repeated


def random_regulons(
    first: np.ndarray,
    second: np.ndarray,
    edges: Edges,
    own: np.ndarray,
    chosen: np.ndarray,
    rows: np.ndarray | slice = slice(None),
) -> Null:
    """Correlations of the mRNA with the activity of random regulons.

    Parameters
    ----------
    first, second, edges, own
        As in :func:`regulon_coupling`.
    chosen
        Targets of random regulons by :func:`matched_targets`, shape (draws, E).
    rows
        Rows that the variance of each activity is taken over; a few hundred are enough for
        its root to be known within some per cent.
    """
    first, second = _by_gene(first, second)
    whole = (first + second) / 2
    g, n = whole.shape
    outside = background(whole, edges, own)
    outside /= np.maximum(outside.std(axis=1, keepdims=True), 1e-12)
    m1, m2 = (without(half[own], outside) for half in (first, second))
    with_mrna = (m1 @ second.T + m2 @ first.T) / (2 * n)
    with_outside = outside @ whole.T / n
    spread = ((m1 + m2) / 2).std(axis=1)
    some = whole[:, rows]
    some = some - some.mean(axis=1, keepdims=True)

    def of(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        there = targets >= 0
        sign = np.where(there, edges.sign, 0)
        column = np.where(there, targets, 0)
        total, common = (
            np.add.reduceat(sign * table[edges.regulator, column], edges.start)
            for table in (with_mrna, with_outside)
        )
        values = sign.astype(some.dtype)
        weights = sparse.csr_array((values, (edges.regulator, column)), (len(own), g))
        score = weights @ some
        variance = np.einsum("ij,ij->i", score, score) / some.shape[1] - common**2
        count = np.maximum(np.add.reduceat(there, edges.start), 1)
        scale = spread * np.sqrt(np.maximum(variance, 1e-12))
        return np.where(scale > 1e-9, total / np.maximum(scale, 1e-9), 0.0), total / count

    observed, _ = of(edges.target)
    drawn = [of(targets) for targets in chosen]
    each = np.array([mean for _, mean in drawn])
    return Null(
        observed,
        np.array([value for value, _ in drawn]),
        each.mean(axis=0),
        each.std(axis=0, ddof=1) if len(each) > 1 else np.zeros(len(own)),
    )
