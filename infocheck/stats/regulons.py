"""How a regulator's mRNA goes with an activity that is read from other genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.stats import t as student

from infocheck.stats.resampling import LEVEL

# Values of one block of observations and edges: what a processor keeps at hand.
_BLOCK = 250_000
# A signal or a response is told from noise at this many standard errors.
READABLE = 2.0
# Least correction for halves of the responding genes that respond unequally.
_UNEVEN = 0.25
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


# --- covariances with one group of rows left out ------------------------------------------------


def left_out(x: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Covariances of matching variables: of all observations, then without each group.

    Parameters
    ----------
    x, y
        Variables × observations that are sorted by group, shape (k, n).
    start
        First observation of each group, shape (groups,).

    Returns
    -------
    numpy.ndarray
        Divisor n, shape (1 + groups, k).
    """
    size = np.diff(start, append=x.shape[1]).astype(float)[:, None]
    parts = [np.add.reduceat(part, start, axis=1).T for part in (x * y, x, y)]
    xy, sx, sy = (np.vstack([s.sum(axis=0), s.sum(axis=0) - s]) for s in parts)
    n = np.vstack([[size.sum()], size.sum() - size])
    return xy / n - sx / n * (sy / n)


def jackknife_variance(values: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Jackknife variance of the first row from the others, one per group left out, (k,).

    With ``others`` of the same shape the covariance of the two.
    """
    parts = [part[1:] - part[1:].mean(axis=0) for part in (values, others) if part is not None]
    groups = len(values) - 1
    return (groups - 1) / groups * (parts[0] * parts[-1]).sum(axis=0)


def root(mrna: np.ndarray, activity: np.ndarray) -> np.ndarray:
    """Root of the product of two variances; 0 where an estimate of one is not above 0."""
    return np.sqrt(np.maximum(mrna, 0) * np.maximum(activity, 0))


def half_width(error: np.ndarray, groups: int) -> np.ndarray:
    """Half of a 95 % interval, with Student's t for so many independent groups."""
    return _student(groups) * error


def _student(groups: int) -> float:
    return float(student.ppf((1 + LEVEL) / 2, max(groups - 1, 1)))


def correlation_interval(
    top: np.ndarray,
    bottom: np.ndarray,
    variances: tuple[np.ndarray, np.ndarray, np.ndarray],
    groups: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratio, and the 95 % interval of all ratios that the two parts do not contradict.

    The values r for which ``top - r · bottom`` is no further from 0 than its standard error
    allows (Fieller 1954). Unlike an interval of the ratio itself it is right where the lower
    part is badly known; where that cannot be told from 0 every ratio is possible.

    Parameters
    ----------
    top, bottom
        Of the ratio, any shape.
    variances
        Of the upper part, of the lower part, and their covariance.
    groups
        Independent groups behind the variances, for Student's t.

    Returns
    -------
    tuple of numpy.ndarray
        Ratio, low and high, cut at -1 and 1; all NaN where every ratio is possible.
    """
    t2 = _student(groups) ** 2
    above, below, both = variances
    a, b, c = bottom**2 - t2 * below, top * bottom - t2 * both, top**2 - t2 * above
    bounded = (a > 0) & (bottom > 0)
    a = np.where(bounded, a, np.nan)
    spread = np.sqrt(np.maximum(b * b - a * c, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(bounded, top / np.where(bounded, bottom, 1), np.nan)
    return tuple(np.clip(x, -1, 1) for x in (middle, (b - spread) / a, (b + spread) / a))


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
        chosen[_repeated(chosen, edges.regulator, g)] = -1
    return chosen


def _repeated(chosen: np.ndarray, regulator: np.ndarray, g: int) -> np.ndarray:
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


# --- signs ----------------------------------------------------------------------------------------


def sign_statistics(
    positive: np.ndarray, sign: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """Shares of positive correlations among activations and repressions, and what follows.

    Parameters
    ----------
    positive
        Is the correlation of an edge positive? Shape (..., E).
    sign
        Annotated mode, 1 or -1, shape (E,).
    weight
        How often an edge counts, shape (..., E); once by default.

    Returns
    -------
    numpy.ndarray
        Share of positive correlations among activations, among repressions, their
        difference, and share of edges whose sign is the annotated one, shape (..., 4). NaN
        where there is no edge of that mode.
    """
    weight = np.ones_like(positive, dtype=float) if weight is None else weight
    up, down = weight * (sign > 0), weight * (sign < 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        n_up, n_down = up.sum(axis=-1), down.sum(axis=-1)
        hit_up, hit_down = (positive * up).sum(axis=-1), (positive * down).sum(axis=-1)
        shares = hit_up / n_up, hit_down / n_down
        match = (hit_up + n_down - hit_down) / (n_up + n_down)
    return np.stack([*shares, shares[0] - shares[1], match], axis=-1)


def rewired(
    regulator: np.ndarray,
    target: np.ndarray,
    sign: np.ndarray,
    own: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Targets of random networks in which every gene keeps its edges of either mode.

    Targets are permuted among the edges of one mode; pairs of a gene with itself and pairs
    that are there already are permuted again, together with some others.

    Parameters
    ----------
    regulator, target, sign
        Of every edge, shape (E,).
    own
        Column of each regulator, shape (k,).
    draws
        Random networks.

    Returns
    -------
    numpy.ndarray
        Columns of the targets, -1 where no permitted one was found, shape (draws, E).

    Notes
    -----
    The configuration model with its few forbidden pairs exchanged (Maslov & Sneppen 2002 for
    the null); not exactly uniform where the network is dense.
    """
    g = int(max(target.max(), own.max())) + 1
    mode = (sign > 0).astype(np.int64)
    drawn = np.tile(target, (draws, 1))

    def wrong(some: np.ndarray) -> np.ndarray:
        return (drawn[some] == own[regulator]) | _repeated(drawn[some], regulator, g)

    unsettled = np.arange(draws)
    moving = np.ones(drawn.shape, dtype=bool)
    for _ in range(_ROUNDS):
        # Targets of the moving edges of one mode are permuted, in every network.
        draw, edge = np.nonzero(moving)
        order = np.lexsort((mode[edge], draw))
        mixed = np.lexsort((rng.random(len(edge)), mode[edge], draw))
        drawn[unsettled[draw[order]], edge[order]] = drawn[unsettled[draw[mixed]], edge[mixed]]
        bad = wrong(unsettled)
        still = bad.any(axis=1)
        unsettled, bad = unsettled[still], bad[still]
        if not len(unsettled):
            return drawn
        # The bad ones move again, among about twice as many others.
        moving = bad | (rng.random(bad.shape) < 2 * bad.mean(axis=1, keepdims=True))
    drawn[unsettled] = np.where(bad, -1, drawn[unsettled])
    return drawn


def signs_without_each(positive: np.ndarray, sign: np.ndarray, regulator: np.ndarray) -> np.ndarray:
    """:func:`sign_statistics` of all edges, then without those of each regulator.

    Returns
    -------
    numpy.ndarray
        Shape (1 + regulators, 4).
    """
    code = np.unique(regulator, return_inverse=True)[1]
    parts = [
        np.bincount(code, weight)
        for weight in (
            sign > 0,
            sign < 0,
            (sign > 0) & positive,
            (sign < 0) & positive,
        )
    ]
    n_up, n_down, hit_up, hit_down = (np.append(s.sum(), s.sum() - s) for s in parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        up, down = hit_up / n_up, hit_down / n_down
        match = (hit_up + n_down - hit_down) / (n_up + n_down)
    return np.stack([up, down, up - down, match], axis=-1)


# --- the response to a perturbation of the regulator ----------------------------------------------


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


# --- squared correlations of many pairs -----------------------------------------------------------


def squared_correlations(
    mrna: tuple[np.ndarray, np.ndarray],
    targets: tuple[np.ndarray, np.ndarray],
    group: np.ndarray,
    apart: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators, by target, of squared correlations with the regulators.

    Sums of numerators over sums of denominators are the mean squared correlation without
    measurement noise, in which each pair counts in proportion to both reliabilities. A
    single target must not be divided by its own denominator, which is noisy, and to keep
    the targets where it is large would make the mean too small.

    A square is the product of the covariances of two disjoint halves of the groups: a square
    from all rows would be too large by the sampling variance, and more so for noisier
    targets. Variances are covariances of two halves of the counts.

    Parameters
    ----------
    mrna, targets
        Two halves of the counts, centred, each (n, p) and (n, t).
    group
        Jackknife group of each row, at least 4, shape (n,). Groups are dealt to the halves
        in turn.
    apart
        Pairs that count, shape (p, t), boolean; all by default.

    Returns
    -------
    numerator, denominator : numpy.ndarray
        Of all rows, then without each group, each of shape (1 + groups, t). Numerators are
        unbiased about 0, so single ones can be negative.
    """
    labels, code = np.unique(group, return_inverse=True)
    order = np.argsort(code, kind="stable")
    start = np.searchsorted(code[order], np.arange(len(labels)))
    size = np.bincount(code).astype(float)
    (m1, m2), (t1, t2) = (_scaled(a[order], b[order]) for a, b in (mrna, targets))
    own, own_t = (left_out(a.T, b.T, start) for a, b in ((m1, m2), (t1, t2)))
    m, t = (m1 + m2) / 2, (t1 + t2) / 2
    ends = np.append(start[1:], len(m))
    products = np.stack([m[a:b].T @ t[a:b] for a, b in zip(start, ends, strict=True)])
    side = np.arange(len(labels)) % 2
    total = [products[side == s].sum(axis=0) for s in (0, 1)]
    many = [size[side == s].sum() for s in (0, 1)]
    weight = np.ones(total[0].shape) if apart is None else apart.astype(float)

    def of(left: int | None) -> np.ndarray:
        halves = []
        for s in (0, 1):
            gone = left is not None and side[left] == s
            cross = total[s] - products[left] if gone else total[s]
            halves.append(cross / (many[s] - size[left] if gone else many[s]))
        return (halves[0] * halves[1] * weight).sum(axis=0)

    numerator = np.stack([of(None), *(of(k) for k in range(len(labels)))])
    return numerator, (own @ weight) * own_t


def _scaled(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both divided by the spread of their mean, by column; columns without any become 0."""
    spread = ((first + second) / 2).std(axis=0)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    return first * scale, second * scale
