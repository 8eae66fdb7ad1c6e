"""A ranking of pairs against a known network: areas, early precision, null networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

from infocheck.stats.resampling import jackknife_error, t_interval, wilson

METRICS = ("aupr", "aupr_ratio", "auroc", "epr")
WRONG_LABELS, REWIRED = "wrong labels", "same degrees"
NULLS = (WRONG_LABELS, REWIRED)
# Rounds of trades before the first rewired network and between two of them.
BURN_IN, THIN = 20, 4
# Groups of targets of the jackknife.
GROUPS = 20
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Pairs:
    """Pairs of a regulator (row) and a target (column) that can be judged.

    They are numbered from 0 to ``size - 1``, in the order of rows, then columns.

    Attributes
    ----------
    rows, columns
        Number of regulators and of targets.
    own
        For each row the column of the same gene, or -1, shape (rows,). A gene with
        itself is no pair.
    listed
        Codes ``row * columns + column`` of the pairs, sorted; None: all pairs but ``own``.
    """

    rows: int
    columns: int
    own: np.ndarray
    listed: np.ndarray | None = None

    @property
    def size(self) -> int:
        """Number of pairs."""
        if self.listed is not None:
            return len(self.listed)
        return self.rows * self.columns - int((self.own >= 0).sum())

    def position(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Number of each pair, or -1 for what is no pair."""
        code = np.asarray(row, np.int64) * self.columns + column
        if self.listed is not None:
            return _found(self.listed, code)
        own = self.own[row]
        before = np.cumsum(self.own >= 0) - (self.own >= 0)
        place = code - before[row] - ((own >= 0) & (column > own))
        return np.where(column == own, -1, place)

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of every pair, in the order of their numbers."""
        if self.listed is not None:
            return np.divmod(self.listed, self.columns)
        inside = np.ones((self.rows, self.columns), dtype=bool)
        there = np.flatnonzero(self.own >= 0)
        inside[there, self.own[there]] = False
        return np.nonzero(inside)


def _found(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each wanted number stands in sorted values, or -1."""
    if not len(values):
        return np.full(np.shape(wanted), -1)
    at = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
    return np.where(values[at] == wanted, at, -1)


@dataclass(frozen=True)
class Scores:
    """How well a ranking agrees with a network.

    Attributes
    ----------
    aupr, auroc
        Areas under the precision-recall and the receiver operating curve, in [0, 1].
    epr
        Early precision ratio: precision among as many pairs as there are edges, over
        the prevalence.
    prevalence
        Share of edges among the pairs: the AUPR of guessing.
    """

    aupr: float
    auroc: float
    epr: float
    prevalence: float

    @property
    def aupr_ratio(self) -> float:
        """AUPR over prevalence: 1 is guessing."""
        return self.aupr / self.prevalence

    def values(self) -> np.ndarray:
        """In the order of ``METRICS``, shape (4,)."""
        return np.array([getattr(self, name) for name in METRICS])


@dataclass(frozen=True)
class Ranking:
    """Pairs from best to worst, in blocks without an order inside.

    Attributes
    ----------
    size
        Number of pairs.
    start, end
        Pairs before each block and up to its end, shape (blocks,).
    block
        Block of each pair of ``ranked``, or of every pair.
    ranked
        Sorted numbers of the pairs that are not in the last block; None where ``block``
        holds every pair.
    """

    size: int
    start: np.ndarray
    end: np.ndarray
    block: np.ndarray
    ranked: np.ndarray | None = None

    @classmethod
    def of_scores(cls, scores: np.ndarray) -> Ranking:
        """Rank all pairs, shape (size,); pairs of equal score share a block."""
        order = np.argsort(-scores, kind="stable")
        changes = np.flatnonzero(np.diff(scores[order])) + 1
        bounds = np.concatenate([[0], changes, [len(scores)]])
        block = np.empty(len(scores), np.int64)
        block[order] = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        return cls(len(scores), bounds[:-1], bounds[1:], block)

    @classmethod
    def of_order(cls, positions: np.ndarray, size: int) -> Ranking:
        """Rank distinct pairs in this order; all others share the last block."""
        order = np.argsort(positions)
        start = np.arange(len(positions) + 1)
        end = np.append(start[1:], size)
        return cls(size, start, end, order, np.asarray(positions)[order])

    def blocks(self, positions: np.ndarray) -> np.ndarray:
        """The block of each of these pairs."""
        if self.ranked is None:
            return self.block[positions]
        at = _found(self.ranked, positions)
        last = len(self.start) - 1
        return np.where(at >= 0, self.block[at], last) if len(self.block) else at + 1

    def subset(self, kept: np.ndarray) -> Ranking:
        """The same order of a part of the pairs, shape (size,); their numbers close up."""
        if self.ranked is not None:
            raise ValueError("only a ranking of every pair has subsets")
        block = self.block[kept]
        end = np.cumsum(np.bincount(block, minlength=len(self.start)))
        return Ranking(len(block), np.append(0, end[:-1]), end, block)

    def score(self, true: np.ndarray) -> Scores:
        """Hold the ranking against a network.

        Parameters
        ----------
        true
            Numbers of the pairs that are edges, each once.

        Returns
        -------
        Scores
            NaN throughout where all pairs are edges or none is.

        Notes
        -----
        Within a block edges are spread evenly, which is what random orders give on
        average: a block of n pairs with h edges after n0 pairs with t edges has
        ``t + h j / n`` edges among its first j pairs. AUPR is the sum of precision times the
        gain in recall over all ranks (Marbach et al. 2012 for pairs that were not
        predicted); with one block it is the prevalence. AUROC counts pairs of equal rank
        half. The early precision ratio cuts through a block in proportion.
        """
        edges, others = len(true), self.size - len(true)
        if not edges or not others:
            return Scores(*[math.nan] * 4)
        block, hits = np.unique(self.blocks(true), return_counts=True)
        start, length = self.start[block], (self.end - self.start)[block]
        before, rate = np.cumsum(hits) - hits, hits / length
        harmonic = _harmonic(start, length)
        area = rate * (hits + (before - rate * start) * harmonic)
        below = others - (start - before) - (length - hits) / 2
        early = rate @ np.clip(edges - start, 0, length)
        prevalence = edges / self.size
        return Scores(
            aupr=float(area.sum() / edges),
            auroc=float(hits @ below / (edges * others)),
            epr=float(early / edges / prevalence),
            prevalence=prevalence,
        )


def _harmonic(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Sum of 1/k over the ranks k of each block."""
    total = 1.0 / (start + 1)
    long = np.flatnonzero(length > 1)
    ends = start[long], start[long] + length[long]
    total[long] = digamma(ends[1] + 1.0) - digamma(ends[0] + 1.0)
    return total


def wrong_labels(pairs: Pairs, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Other names for regulators and for targets: the new row and column of each."""
    return rng.permutation(pairs.rows), rng.permutation(pairs.columns)


def rewired(
    pairs: Pairs, row: np.ndarray, column: np.ndarray, draws: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Random networks in which every gene keeps its number of edges.

    In each round regulators meet in random couples, and a couple deals the targets that only
    one of them has out again at random, each keeping its number: global trades of the
    Curveball algorithm (Strona et al. 2014; Carstens et al. 2018). A target that is no
    pair with the other regulator stays. Trades are symmetric, so that all networks which
    they can reach are equally likely in the long run.

    Parameters
    ----------
    pairs
        The pairs that may be edges.
    row, column
        The edges.
    draws
        How many networks.

    Yields
    ------
    numpy.ndarray
        The new regulator (row) of each edge; its target stays.

    Notes
    -----
    Draws are of one chain, with ``THIN`` rounds between them. Some networks (a ring of three
    genes, with nothing else) cannot be reached by trades.
    """
    row = np.array(row)
    there = np.zeros((pairs.rows, pairs.columns), dtype=bool)
    there[row, column] = True
    for draw in range(draws):
        for _ in range(THIN if draw else BURN_IN):
            _trade(pairs, row, column, there, rng)
        yield row.copy()


def _trade(
    pairs: Pairs,
    row: np.ndarray,
    column: np.ndarray,
    there: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """One round of trades, in place."""
    couples = rng.permutation(pairs.rows)[: pairs.rows // 2 * 2].reshape(-1, 2)
    partner, couple = np.full((2, pairs.rows), -1)
    partner[couples[:, 0]], partner[couples[:, 1]] = couples[:, 1], couples[:, 0]
    couple[couples] = np.arange(len(couples))[:, None]

    other = partner[row]
    free = np.flatnonzero((other >= 0) & ~there[other, column])
    free = free[pairs.position(other[free], column[free]) >= 0]
    group = couple[row[free]]
    order = np.argsort(group + rng.random(len(free)))
    dealt, group = free[order], group[order]
    left = np.bincount(group[row[dealt] == couples[group, 0]], minlength=len(couples))
    size = np.bincount(group, minlength=len(couples))
    rank = np.arange(len(dealt)) - (np.cumsum(size) - size)[group]
    there[row[dealt], column[dealt]] = False
    row[dealt] = np.where(rank < left[group], couples[group, 0], couples[group, 1])
    there[row[dealt], column[dealt]] = True


@dataclass(frozen=True)
class Null:
    """What random networks give.

    Attributes
    ----------
    scores
        For each ranking by name, values of ``METRICS``, shape (draws, 4).
    signs
        Share of edges with consistent sign, shape (draws,); NaN where none was asked for.
    inside, moved
        Mean share of edges that are pairs at all, and that are no edges of the network.
    """

    scores: Mapping[str, np.ndarray]
    signs: np.ndarray
    inside: float
    moved: float

    @property
    def is_random(self) -> bool:
        """Do the networks differ from the real one, on pairs that can be judged?"""
        return self.moved > 0 and self.inside >= 0.5


def null_networks(
    rankings: Mapping[str, Ranking],
    pairs: Pairs,
    row: np.ndarray,
    column: np.ndarray,
    draws: int,
    rng: np.random.Generator,
    *,
    sign: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Null]:
    """Score rankings against random networks of two kinds.

    *Wrong labels*: regulators and targets of the network get each other's names. *Same
    degrees*: edges are dealt out anew, each gene keeps its number of them, see
    :func:`rewired`. What a ranking gains by knowing only which genes have many edges, the
    second null gains as well.

    Parameters
    ----------
    rankings
        Rankings of the same pairs, by name.
    pairs, row, column
        The pairs and the edges of the network.
    draws
        Networks of each kind.
    rng
        Draws them.
    sign, predicted
        Sign of each edge, shape (edges,), and of each pair, shape (size,): the null of
        :func:`sign_consistency`. An edge keeps its sign and its target.
    tell
        Called with the networks that are done and all of them.

    Notes
    -----
    An edge of a wrong label that is no pair is left out; AUPR is then that of as many edges as
    the network has, by the ratio to prevalence.
    """
    original = np.sort(pairs.position(row, column))
    prevalence = len(row) / pairs.size
    found: dict[str, Null] = {}
    for number, (kind, child) in enumerate(zip(NULLS, rng.spawn(len(NULLS)), strict=True)):
        scores = {name: np.full((draws, len(METRICS)), np.nan) for name in rankings}
        consistent = np.full(draws, np.nan)
        inside, moved = np.zeros((2, draws))
        for draw, (r, c) in enumerate(_networks(kind, pairs, row, column, draws, child)):
            tell(number * draws + draw, len(NULLS) * draws)
            drawn = pairs.position(r, c)
            kept = drawn >= 0
            inside[draw] = kept.mean()
            moved[draw] = (_found(original, drawn) < 0).mean()
            for name, ranking in rankings.items():
                one = ranking.score(drawn[kept]).values()
                one[0] = one[1] * prevalence
                scores[name][draw] = one
            if sign is not None and predicted is not None:
                told = kept & (sign != 0)
                consistent[draw] = _consistent(sign[told], predicted[drawn[told]])
        mean = (float(part.mean()) if draws else math.nan for part in (inside, moved))
        found[kind] = Null(scores, consistent, *mean)
    return found


def _networks(
    kind: str,
    pairs: Pairs,
    row: np.ndarray,
    column: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if kind == REWIRED:
        yield from ((one, column) for one in rewired(pairs, row, column, draws, rng))
        return
    for _ in range(draws):
        rows, columns = wrong_labels(pairs, rng)
        yield rows[row], columns[column]


def against_null(observed: float, null: np.ndarray) -> dict[str, float]:
    """Mean and middle 95 % of a null, and how often it reaches the observed value.

    ``p = (1 + number of draws at or above) / (draws + 1)`` (Davison & Hinkley 1997). NaN
    without draws or with an observed value that is not finite.
    """
    known = null[np.isfinite(null)]
    if not len(known) or not math.isfinite(observed):
        return dict.fromkeys(("mean", "low", "high", "p"), math.nan)
    low, high = np.quantile(known, [0.025, 0.975])
    above = int((known >= observed - _ROUNDING).sum())
    return {
        "mean": float(known.mean()),
        "low": float(low),
        "high": float(high),
        "p": (1 + above) / (len(known) + 1),
    }


def ratio_interval(
    ranking: Ranking,
    pairs: Pairs,
    row: np.ndarray,
    column: np.ndarray,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """AUPR over prevalence with its 95 % interval over the choice of targets.

    A jackknife over at most 20 random groups of targets: the edges of a target are
    dependent. Regulators are taken as given, so it is too narrow where a few of them have
    most edges. From 0 to the ratio of a perfect ranking where fewer than two groups can be
    left out.
    """
    place = pairs.position(row, column)
    estimate = ranking.score(place).aupr_ratio
    groups = min(GROUPS, pairs.columns)
    group = rng.permutation(pairs.columns) % groups
    of_pair = group[pairs.all()[1]]
    number = np.empty(pairs.size, np.int64)
    values = []
    for left_out in range(groups):
        kept = of_pair != left_out
        number[kept] = np.arange(int(kept.sum()))
        inside = place[kept[place]]
        values.append(ranking.subset(kept).score(number[inside]).aupr_ratio)
    known = np.array(values)[np.isfinite(values)]
    perfect = max(pairs.size / len(row), estimate)
    if len(known) < 2:
        return estimate, 0.0, perfect
    error = float(jackknife_error(known))
    return estimate, *t_interval(estimate, error, len(known), (0.0, perfect))


def sign_consistency(sign: np.ndarray, predicted: np.ndarray) -> tuple[float, float, float, int]:
    """Share of edges whose sign is that of the prediction, with Wilson's interval.

    Parameters
    ----------
    sign
        +1 or -1 of each edge; 0 is unknown and left out.
    predicted
        Any number of each edge, of which the sign counts; 0 and NaN are left out.

    Returns
    -------
    share, low, high, number
    """
    told = (sign != 0) & np.isfinite(predicted) & (predicted != 0)
    number = int(told.sum())
    if not number:
        return math.nan, math.nan, math.nan, 0
    count = int((np.sign(predicted[told]) == np.sign(sign[told])).sum())
    low, high = wilson(np.array(float(count)), np.array(float(number)))
    return count / number, float(low), float(high), number


def _consistent(sign: np.ndarray, predicted: np.ndarray) -> float:
    return sign_consistency(sign, predicted)[0]


def observed_fdr(true: np.ndarray) -> tuple[float, float, float]:
    """Share of discoveries that a network does not confirm, with its 95 % interval.

    The margin is ``1.96 sqrt(p (1 - p) / n)`` (Kernfeld et al. 2024), or Wilson's interval
    where all or none are confirmed: it would have no width.

    Parameters
    ----------
    true
        For each discovery whether it is an edge, shape (n,).

    Returns
    -------
    share, low, high
        NaN without discoveries.
    """
    n = len(true)
    if not n:
        return math.nan, math.nan, math.nan
    share = 1 - float(np.mean(true))
    if share in (0.0, 1.0):
        low, high = wilson(np.array(n * share), np.array(float(n)))
        return share, min(float(low), share), max(float(high), share)
    margin = 1.96 * math.sqrt(share * (1 - share) / n)
    return share, max(share - margin, 0.0), min(share + margin, 1.0)
