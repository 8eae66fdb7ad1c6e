"""Energy distance of two groups of rows from sums, its permutation test and its power."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.stats import chi2, norm

# Permutations that are held in memory at once, as keys of rows.
_MOST_KEYS = 8_000_000
_MOST_CELLS = 1e6


def energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Energy distance with squared Euclidean distances, unbiased.

    ``2 E|x - y|² - E|x - x'|² - E|y - y'|²`` where no row is paired with itself, which is
    ``2 (|mean x - mean y|² - tr(S_x) / n_x - tr(S_y) / n_y)``: sums alone. Without the last
    two terms (the V-statistic) it would be ``2 tr(Σ) (1/n_x + 1/n_y)`` on average between
    groups that are alike, and so the larger the fewer the rows.

    Parameters
    ----------
    x, y
        Rows × dimensions, at least two rows each.

    Returns
    -------
    float
        In squared units of the rows; 0 on average without a difference, so it can be below.

    Notes
    -----
    With squared distances only a difference of means is seen, not one of spread or shape:
    twice the squared distance of means is what it estimates. Székely & Rizzo (2013) for the
    family; squared distances as in Peidli et al. (2024).
    """
    treated = np.repeat([True, False], [len(x), len(y)])
    stratum = np.zeros(len(treated), dtype=np.int64)
    return contrast(np.vstack([x, y]), treated, stratum).distance


@dataclass(frozen=True)
class Contrast:
    """Two groups of rows compared within strata.

    Attributes
    ----------
    distance, low, high
        Energy distance, twice the squared difference of means, unbiased; 95 % interval of
        normal theory, whose lower end can be below 0.
    squared
        Half of it, the squared difference of means |δ|².
    trace, trace_squared
        tr Σ and tr Σ² of rows within group and stratum.
    along
        δ'Σδ, at least 0.
    rows, reference_rows
        Rows that were compared: those of strata that hold both groups.
    """

    distance: float
    low: float
    high: float
    squared: float
    trace: float
    trace_squared: float
    along: float
    rows: int
    reference_rows: int


@dataclass(frozen=True)
class _Strata:
    """Strata that hold both groups, with rows centred within each.

    Attributes
    ----------
    rows
        Centred rows of each stratum, with |row|² over each number of leading columns behind.
    treated
        Which of them are treated.
    widths
        Numbers of leading columns.
    """

    rows: tuple[np.ndarray, ...]
    treated: tuple[np.ndarray, ...]
    widths: tuple[int, ...]

    @classmethod
    def of(
        cls,
        rows: np.ndarray,
        treated: np.ndarray,
        stratum: np.ndarray,
        widths: tuple[int, ...] | None = None,
    ) -> _Strata:
        kept, labels = [], []
        widths = (rows.shape[1],) if widths is None else widths
        for one in np.unique(stratum):
            inside = stratum == one
            here = treated[inside]
            if here.all() or not here.any():
                continue
            centred = rows[inside] - rows[inside].mean(axis=0)
            kept.append(np.column_stack([centred, *(_squares(centred[:, :w]) for w in widths)]))
            labels.append(here)
        return cls(tuple(kept), tuple(labels), widths)

    @property
    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Treated and other rows of each stratum."""
        treated = np.array([here.sum() for here in self.treated], dtype=float)
        return treated, np.array([len(here) for here in self.treated]) - treated

    def distances(self, sums: list[np.ndarray]) -> np.ndarray:
        """Energy distance of each arrangement, from sums of treated rows by stratum.

        A difference of means, averaged over strata with weights n·r/(n + r), is the sum of
        centred treated rows over the sum of these weights. Shape (widths, arrangements).
        """
        n, r = self.sizes
        weight = n * r / (n + r)
        share = weight / weight.sum()
        free, free_reference = (n - 1).sum(), (r - 1).sum()
        delta = sum(sums) / weight.sum()
        behind, found = len(self.widths), []
        for i, width in enumerate(self.widths):
            inside, outside = 0.0, 0.0
            for part, rows, n_s, r_s in zip(sums, self.rows, n, r, strict=True):
                between, own = _squares(part[:, :width]), part[:, i - behind]
                inside = inside + own - between / n_s
                outside = outside + rows[:, i - behind].sum() - own - between / r_s
            # A group of one row per stratum has no variance of its own.
            pooled = (inside + outside) / max(free + free_reference, 1)
            own = inside / free if free >= 1 else pooled
            other = outside / free_reference if free_reference >= 1 else pooled
            noise = own * (share**2 / n).sum() + other * (share**2 / r).sum()
            found.append(2 * (_squares(delta[:, :width]) - noise))
        return np.array(found)


def _squares(rows: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", rows, rows)


def contrast(rows: np.ndarray, treated: np.ndarray, stratum: np.ndarray) -> Contrast | None:
    """Energy distance of treated rows and others of the same strata; None without any.

    In one stratum it is that of :func:`energy_distance`. Over several, the difference of
    means is averaged with the weights of least variance (Cochran 1954), and what noise adds
    to its square is taken off. The interval takes rows for independent, and the difference
    for normal: ``Var = 8 (2 δ'Cδ + tr C²)`` with C the covariance of the difference.

    Parameters
    ----------
    rows
        Shape (n, d).
    treated
        Which rows are treated, shape (n,).
    stratum
        What is compared with what, shape (n,).
    """
    strata = _Strata.of(rows, treated, stratum)
    if not strata.rows:
        return None
    n, r = strata.sizes
    observed = [
        part[here].sum(axis=0, keepdims=True)
        for part, here in zip(strata.rows, strata.treated, strict=True)
    ]
    distance = float(strata.distances(observed)[0, 0])
    weight = n * r / (n + r)
    share = weight / weight.sum()
    delta = sum(part[0, :-1] for part in observed) / weight.sum()
    own, other, pooled = _covariances(strata, n, r)
    noise = own * (share**2 / n).sum() + other * (share**2 / r).sum()
    # The square of the noise itself is taken off, as off the distance.
    spread = float((noise**2).sum())
    along = max(float(delta @ noise @ delta) - spread, 0.0)
    half = norm.ppf(0.975) * np.sqrt(8 * (2 * along + spread))
    return Contrast(
        distance=distance,
        low=distance - half,
        high=distance + half,
        squared=distance / 2,
        trace=float(np.trace(pooled)),
        trace_squared=float((pooled**2).sum()),
        along=max(float(delta @ pooled @ delta) - float((noise * pooled).sum()), 0.0),
        rows=int(n.sum()),
        reference_rows=int(r.sum()),
    )


def _covariances(
    strata: _Strata, n: np.ndarray, r: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Within strata: of treated rows, of others, and of both together."""
    products = []
    for which in (True, False):
        found = 0.0
        for part, here in zip(strata.rows, strata.treated, strict=True):
            rows = part[here == which, :-1]
            centred = rows - rows.mean(axis=0)
            found = found + centred.T @ centred
        products.append(found)
    free, free_reference = (n - 1).sum(), (r - 1).sum()
    pooled = (products[0] + products[1]) / max(free + free_reference, 1)
    own = products[0] / free if free >= 1 else pooled
    other = products[1] / free_reference if free_reference >= 1 else pooled
    return own, other, pooled


def null_distances(
    rows: np.ndarray,
    treated: np.ndarray,
    stratum: np.ndarray,
    draws: int,
    rng: np.random.Generator,
    widths: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Energy distances once labels are shuffled within strata, shape (widths, draws).

    Over several numbers of leading columns at once, from the same shuffles; over all columns
    alone where none is given. Right where rows of a stratum are exchangeable under no response.
    Rows of one donor are so only within that donor: donors must then be strata, or the rows be
    means of donors. NaN without a stratum that holds both groups.
    """
    strata = _Strata.of(rows, treated, stratum, widths)
    if not strata.rows:
        return np.full((len(strata.widths), draws), np.nan)
    largest = max(len(here) for here in strata.treated)
    found = []
    for size in _chunks(draws, max(1, _MOST_KEYS // largest)):
        sums = [
            _shuffled_sums(part, int(here.sum()), size, rng)
            for part, here in zip(strata.rows, strata.treated, strict=True)
        ]
        found.append(strata.distances(sums))
    return np.concatenate(found, axis=1)


def p_value(observed: np.ndarray | float, null: np.ndarray) -> float:
    """``(1 + number of the null at least as large) / (draws + 1)`` (Phipson & Smyth 2010).

    Of several distances the one counts that is largest in standard deviations of its null, in
    the data and in every shuffle alike: one test, with about the power of the better of them.
    Arrangements that equal the observed one count, whatever the rounding.

    Parameters
    ----------
    observed
        Shape (widths,), or one number.
    null
        Shape (widths, draws).
    """
    observed, null = np.atleast_1d(observed), np.atleast_2d(null)
    if not (np.isfinite(observed).all() and np.isfinite(null).all()):
        return float("nan")
    scale = null.std(axis=1, keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    largest, drawn = (observed / scale[:, 0]).max(), (null / scale).max(axis=0)
    slack = 1e-9 * max(abs(largest), float(np.abs(drawn).max(initial=0.0)))
    return float((1 + (drawn >= largest - slack).sum()) / (len(drawn) + 1))


def _chunks(draws: int, most: int) -> Iterator[int]:
    while draws > 0:
        yield min(draws, most)
        draws -= most


def _shuffled_sums(
    rows: np.ndarray, treated: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Sums over random sets of so many rows, shape (draws, columns)."""
    n = len(rows)
    fewer = min(treated, n - treated)
    keys = rng.random((draws, n), dtype=np.float32)
    chosen = np.argpartition(keys, fewer - 1, axis=1)[:, :fewer]
    ends = np.arange(0, draws * fewer + 1, fewer)
    pick = sp.csr_matrix((np.ones(draws * fewer), chosen.ravel(), ends), shape=(draws, n))
    sums = pick @ rows
    return sums if fewer == treated else rows.sum(axis=0) - sums


def power(
    squared: np.ndarray | float,
    trace: np.ndarray | float,
    trace_squared: np.ndarray | float,
    along: np.ndarray | float,
    cells: np.ndarray | float,
    controls: np.ndarray | float,
    level: float,
) -> np.ndarray:
    """Probability that the permutation test finds a difference of means, broadcast.

    The squared difference of means has mean ``|δ|² + c tr Σ`` and variance
    ``2 c² tr Σ² + 4 c δ'Σδ`` with ``c = 1/cells + 1/controls``; with and without δ it is taken
    as a multiple of a χ² with these two moments (Satterthwaite 1946). Rows are independent and
    have one covariance.
    """
    c = 1 / np.asarray(cells, dtype=float) + 1 / np.asarray(controls, dtype=float)
    freedom = np.divide(np.square(trace), trace_squared)
    bound = c * np.divide(trace_squared, trace) * chi2.ppf(1 - level, freedom)
    mean = np.maximum(squared, 0) + c * trace
    variance = 2 * c**2 * trace_squared + 4 * c * np.asarray(along)
    return chi2.sf(bound * 2 * mean / variance, 2 * mean**2 / variance)


def cells_needed(
    squared: np.ndarray,
    trace: np.ndarray,
    trace_squared: np.ndarray,
    along: np.ndarray,
    controls: np.ndarray | float,
    level: float = 0.05,
    wanted: float = 0.8,
) -> np.ndarray:
    """Fewest treated cells with which :func:`power` is that large, shape of the input.

    ``inf`` where a million are not enough, as with too few controls, and NaN for NaN.
    """
    shape = np.broadcast(squared, trace, trace_squared, along, controls).shape
    low, high = np.full(shape, 2.0), np.full(shape, _MOST_CELLS)
    args = (squared, trace, trace_squared, along)
    unknown = np.isnan(power(*args, high, controls, level))
    never = power(*args, high, controls, level) < wanted
    for _ in range(45):  # halves the logarithm to one part in 10¹²
        middle = np.sqrt(low * high)
        enough = power(*args, middle, controls, level) >= wanted
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    found = np.where(never, np.inf, np.ceil(high - 1e-6))
    return np.where(unknown, np.nan, found)
