"""How the agreement of two parts of the data grows with their size, and how far it would.

Scores of an edge from n rows are the truth plus noise of variance 1/n, so the agreement
R of two parts grows as ``R(kn) = kR / (1 + (k-1) R)`` (Spearman 1904, Brown 1910) when all
edges share one signal. Real networks mix strong edges, found early, with weak ones, and
ranks of absolute values bend the curve further; so k is raised to an exponent that the
last doubling inside the data gives. With 1 it is the formula above.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

import numpy as np

from infocheck.stats.agreement import rank_agreement
from infocheck.stats.stability import Edges
from infocheck.stats.sums import CrossSums

# A forecast to more than twice the data would be a guess.
MOST = 2.0
# Parts with fewer rows than this, or than half of their share, are left out.
_FEWEST_ROWS = 5
_EXPONENTS = (0.0, 2.0)


@dataclass(frozen=True)
class Point:
    """Agreement between disjoint parts of one size.

    Attributes
    ----------
    rows
        Mean over pairs of the geometric mean of their rows.
    value
        Mean rank agreement of absolute correlations over the pairs.
    pairs
        Pairs of parts that were compared.
    """

    rows: float
    value: float
    pairs: int


@dataclass(frozen=True)
class Forecast:
    """Agreement at ``times`` the data, a 95 % band, and the exponent of the curve."""

    times: float
    estimate: float
    low: float
    high: float
    exponent: float


def points(
    patterns: Sequence[CrossSums], edges: Edges, mapped: Callable[[Callable, Iterable], list]
) -> list[Point]:
    """Agreement of plain correlations between eighths, quarters and halves, in this order.

    Parameters
    ----------
    patterns
        Sums of the rows for each combination of sides in the splits; bit s of the
        position is the side in split s. Units (donors) are whole in each of them,
        so they are whole in every union.
    edges
        Which columns are regulators and targets.
    mapped
        Where the work runs.

    Returns
    -------
    list of Point
        Sizes of which no two parts have enough rows are left out.
    """
    splits = int(math.log2(len(patterns)))
    total = sum(part.n for part in patterns)
    found = []
    for together in range(splits, 0, -1):
        sets = [_parts(patterns, chosen) for chosen in combinations(range(splits), together)]
        least = max(total / 2**together / 2, _FEWEST_ROWS)
        found.append(_point([[s for s in parts if s.n >= least] for parts in sets], edges, mapped))
    return [point for point in found if point is not None]


def grown(agreement: float, times: float, exponent: float = 1.0) -> float:
    """Agreement when the data are ``times`` as large.

    What is not above 0 stays: no multiple of nothing is something.
    """
    if not agreement > 0:
        return agreement
    k = times**exponent
    return k * agreement / (1 + (k - 1) * agreement)


def exponent(smaller: Point, larger: Point) -> float:
    """Power of the number of rows with which the odds R/(1-R) grew; 1 where unknown.

    1 is the formula of Spearman and Brown. Below it edges of unequal strength were
    found one after the other, above it the agreement of absolute values starts slowly.
    """
    inside = all(0 < point.value < 1 for point in (smaller, larger))
    if not inside or not larger.rows > smaller.rows:
        return 1.0
    odds = [math.log(point.value / (1 - point.value)) for point in (smaller, larger)]
    power = (odds[1] - odds[0]) / math.log(larger.rows / smaller.rows)
    return float(np.clip(power, *_EXPONENTS))


def forecast(
    observed: Sequence[Point], estimate: float, low: float, high: float, times: float = 2.0
) -> Forecast | None:
    """Forecast the agreement of halves for ``times`` the data, at most twice.

    Parameters
    ----------
    observed
        Points in the order of their rows; the last are the halves.
    estimate, low, high
        Agreement of the halves with its 95 % interval.
    times
        From 1 to 2.

    Returns
    -------
    Forecast or None
        None without a smaller size than halves, or without any agreement to start from.

    Notes
    -----
    The exponent is that of the last doubling. The band is the interval carried along
    the curve, widened on both sides by the error that the same procedure made one
    doubling earlier: from eighths and quarters to the halves (without eighths, by the
    plain formula from quarters). It does not know of changes that the data do not
    show: new donors that differ from these, another depth. A model, so the observed
    points belong beside it.
    """
    if not 1 <= times <= MOST:
        raise ValueError(f"a forecast reaches from 1 to {MOST:g} times the data, not {times:g}")
    if len(observed) < 2 or not all(map(math.isfinite, (estimate, low, high))) or estimate <= 0:
        return None
    *before, last = observed
    power = exponent(before[-1], last)
    earlier = exponent(before[-2], before[-1]) if len(before) > 1 else 1.0
    missed = abs(grown(before[-1].value, last.rows / before[-1].rows, earlier) - last.value)
    ends = grown(low, times, power) - missed, grown(high, times, power) + missed
    return Forecast(
        times, grown(estimate, times, power), max(ends[0], -1.0), min(ends[1], 1.0), power
    )


def _parts(patterns: Sequence[CrossSums], chosen: tuple[int, ...]) -> list[CrossSums]:
    """Disjoint unions of patterns that agree on the sides in the chosen splits."""
    groups: dict[tuple[int, ...], list[CrossSums]] = {}
    for position, sums in enumerate(patterns):
        groups.setdefault(tuple(position >> s & 1 for s in chosen), []).append(sums)
    return [reduce(lambda a, b: a + b, members) for members in groups.values()]


def _point(
    sets: list[list[CrossSums]], edges: Edges, mapped: Callable[[Callable, Iterable], list]
) -> Point | None:
    pairs = [pair for parts in sets for pair in combinations(parts, 2)]
    if not pairs:
        return None
    parts = {id(part): part for pair in pairs for part in pair}
    scores = dict(
        zip(parts, mapped(lambda part: _correlations(part, edges), parts.values()), strict=True)
    )

    def agreement(pair: tuple[CrossSums, CrossSums]) -> float:
        return rank_agreement(*(scores[id(part)] for part in pair), coarse=True)

    rows = np.mean([math.sqrt(a.n * b.n) for a, b in pairs])
    return Point(float(rows), float(np.mean(mapped(agreement, pairs))), len(pairs))


def _correlations(sums: CrossSums, edges: Edges) -> np.ndarray:
    """Absolute correlations of regulators with targets; NaN where a target is itself."""
    scores = np.abs(sums.correlation()[:, edges.targets])
    inside = np.flatnonzero(edges.own >= 0)
    scores[edges.own[inside], inside] = np.nan
    return scores
