"""How fast genes return to their mean: half-lives of relaxation from values in time.

Two sources. In series, where one unit is followed, the memory of fluctuations: an
Ornstein-Uhlenbeck process keeps ``exp(-k Δ)`` of a deviation over a step Δ. In snapshots, where
other cells are taken at every time, the way from one mean to another: ``a + b exp(-k t)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, f

from infocheck.stats.resampling import LEVEL, half_interval

# Half-lives that are tried, evenly spaced in the logarithm.
TRIED = 160
# The shortest over the smallest step, the longest over the longest series.
SHORTEST, LONGEST = 0.1, 10.0
# Series that are left out one at a time; more are joined to this many groups.
GROUPS = 20
# Below this a series is cut into contiguous blocks, which then stand for series.
FEWEST_SERIES, BLOCKS = 5, 10
# A block is taken for independent of the next when it is this many half-lives long.
MEMORY = 4.0


@dataclass(frozen=True)
class HalfLife:
    """Half-lives of many genes.

    Attributes
    ----------
    estimate, low, high
        In the unit of the times, 0 to infinity, shape (genes,). A low end of 0 and a high end
        of infinity mean that the data give no bound on that side; NaN where a gene never varies.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def resolved(self, factor: float) -> np.ndarray:
        """Is the interval bounded, and its upper end at most this factor above its lower one?"""
        with np.errstate(invalid="ignore", divide="ignore"):
            bounded = (self.low > 0) & np.isfinite(self.high)
            return bounded & (self.high <= factor * self.low)


@dataclass(frozen=True)
class Products:
    """Products of deviations 0, 1 and 2 samples apart, observed and expected, by group of series.

    Attributes
    ----------
    half_life
        Half-lives that are tried, rising, shape (k,).
    observed
        Sums over pairs of samples, shape (groups, 3, genes).
    expected
        The same for an Ornstein-Uhlenbeck process of variance 1, shape (groups, 3, k).
    white
        The same for independent noise of variance 1, shape (groups, 3).
    longest
        An interval that reaches so far is open above: groups that are blocks of one series
        remember each other then.
    series
        Positions of the series of each group; of a series in blocks in that of its first block.
    """

    half_life: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    white: np.ndarray
    longest: float = math.inf
    series: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(cls, times: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> Products:
        """Of series, each with rising times, shape (T,), and values, shape (T, genes).

        The mean of each series is taken out, which makes neighbours look less alike than they
        are (Kendall 1954, Nickell 1981). The expectations have the mean taken out of the
        model in the same way, so that nothing is left to correct, whatever the spacing.
        Series of fewer than three samples are left out.
        """
        used = [i for i, time in enumerate(times) if len(time) >= 3]
        if not used:
            raise ValueError("no series has three samples")
        steps = np.concatenate([np.diff(times[i]) for i in used])
        if not (steps > 0).all():
            raise ValueError("times of a series must rise")
        longest = max(np.ptp(times[i]) for i in used)
        half_life = np.geomspace(SHORTEST * steps.min(), LONGEST * longest, TRIED)
        blocks = 1 if len(used) >= FEWEST_SERIES else math.ceil(BLOCKS / len(used))
        parts, shortest_block = [], math.inf
        for order, i in enumerate(used):
            # A pair is in the block of its first sample; blocks hold three samples or more.
            count = max(min(blocks, len(times[i]) // 3), 1)
            label = np.arange(len(times[i])) * count // len(times[i])
            first = order % GROUPS if blocks == 1 else order * blocks
            shortest_block = min(shortest_block, np.ptp(times[i]) / count)
            parts.append((first + label, times[i], values[i]))
        groups = max(int(label.max()) for label, _, _ in parts) + 1
        genes = values[used[0]].shape[1]
        sums = cls(
            half_life,
            np.zeros((groups, 3, genes)),
            np.zeros((groups, 3, TRIED)),
            np.zeros((groups, 3)),
            math.inf if blocks == 1 else shortest_block / MEMORY,
        )
        for label, time, value in parts:
            sums._add(label, time, value)
        filled = sums.white[:, 0] > 0
        kept = (x[filled] for x in (sums.observed, sums.expected, sums.white))
        starts = [(label.min(), i) for (label, _, _), i in zip(parts, used, strict=True)]
        series = [np.array([i for start, i in starts if start == g], int) for g in range(groups)]
        series = tuple(one for one, some in zip(series, filled, strict=True) if some)
        return cls(half_life, *kept, sums.longest, series)

    def _add(self, label: np.ndarray, time: np.ndarray, value: np.ndarray) -> None:
        n = len(time)
        centred = value - value.mean(axis=0)
        rate = math.log(2) / self.half_life
        row, grand = _row_means(time, rate)
        for lag in range(3):
            here = slice(0, n - lag), slice(lag, n)
            product = centred[here[0]] * centred[here[1]]
            kept = np.exp(-np.outer(time[here[1]] - time[here[0]], rate))
            model = kept - row[here[0]] - row[here[1]] + grand
            np.add.at(self.observed[:, lag], label[here[0]], product)
            np.add.at(self.expected[:, lag], label[here[0]], model)
            np.add.at(self.white[:, lag], label[here[0]], float(lag == 0) - 1 / n)

    def half_lives(self, *, noise: bool) -> HalfLife:
        """The half-life of each gene with a 95 % interval.

        For each half-life that is tried, the products at two lags are held against their
        expected ratio; half-lives are kept that a t-test over groups of series does not reject
        (a Fieller interval: it stays honest where the denominator is near 0).

        Parameters
        ----------
        noise
            With independent measurement noise of unknown size, lags 1 and 2 are compared, from
            which such noise falls out (it has no memory); without, lags 0 and 1.

        Notes
        -----
        Taking noise for dynamics makes half-lives too short and too certain. Misleads where a
        gene does not relax exponentially: a stimulus that lasts, oscillations, drift.
        """
        top, bottom, expected_top, expected_bottom = self._compared(noise=noise)
        groups = len(top)
        if groups < 2:
            return _unknown(top.shape[1])
        limit = half_interval(groups - 1)
        # The gap of a group is top·E(bottom) - bottom·E(top); its sums over groups are products.
        mean = (expected_bottom.T @ top - expected_top.T @ bottom) / groups
        parts = (
            (expected_bottom**2).T @ top**2 + (expected_top**2).T @ bottom**2,
            2 * (expected_bottom * expected_top).T @ (top * bottom),
        )
        spread = parts[0] - parts[1] - groups * mean**2
        clear = spread > 1e-12 * parts[0]
        error = np.sqrt(np.where(clear, spread, 1.0) / (groups - 1) / groups)
        z = np.where(clear, mean / error, np.nan)
        inside = np.abs(z) <= limit
        # An interval that reaches so far has no upper end.
        beyond = self.half_life >= self.longest
        inside[beyond] |= inside[beyond].any(axis=0) & np.isfinite(z[beyond])
        return _inverted(self.half_life, z, inside)

    def _compared(self, *, noise: bool) -> tuple[np.ndarray, ...]:
        """Observed numerator and denominator, (groups, genes), and expected, (groups, k)."""
        if not noise:
            return tuple(x[:, lag] for x in (self.observed, self.expected) for lag in (1, 0))
        share = (self.white / self.white[:, :1])[:, :, None]
        clean = [x - share * x[:, :1] for x in (self.observed, self.expected)]
        return tuple(x[:, lag] for x in clean for lag in (2, 1))

    def without(self, group: int) -> Products:
        """The same without one group of series."""
        parts = (np.delete(x, group, axis=0) for x in (self.observed, self.expected, self.white))
        series = self.series[:group] + self.series[group + 1 :]
        return Products(self.half_life, *parts, self.longest, series)

    @property
    def groups(self) -> int:
        return len(self.observed)


def keep(half_life: np.ndarray, step: float) -> np.ndarray:
    """Share of a deviation that is left after a step: ``2^(-step / half-life)``, 0 to 1."""
    with np.errstate(divide="ignore"):
        return np.exp2(-step / np.asarray(half_life, dtype=float))


def from_means(
    times: np.ndarray, means: np.ndarray, errors: np.ndarray, degrees: float = math.inf
) -> HalfLife:
    """Half-lives from the way of the mean to another level, ``a + b exp(-k t)``.

    Weighted least squares for every half-life that is tried, all genes at once; the interval
    holds those whose χ² is within the 95 % limit of the smallest. Where even the best curve
    fits worse than the errors allow, the limit is widened by that excess (F with T - 3 degrees).
    When the change began does not matter, as long as it was not after the first time.

    Parameters
    ----------
    times
        Rising, shape (T,), at least four.
    means, errors
        Of every gene at every time and their standard errors, shape (T, genes).
    degrees
        Degrees of freedom of the errors.
    """
    if len(times) < 4:
        raise ValueError("three parameters need four times")
    half_life = np.geomspace(SHORTEST * np.diff(times).min(), LONGEST * np.ptp(times), TRIED)
    floor = np.where(errors > 0, errors, np.inf).min(axis=0)
    weight = 1 / np.where(errors > 0, errors, np.where(np.isfinite(floor), floor, 1.0)) ** 2
    constant = np.ptp(means, axis=0) <= 1e-12 * np.abs(means).max(axis=0)
    left = np.exp2(-(times - times[0]) / half_life[:, None])  # (k, T)
    total = weight.sum(axis=0)
    mean = (weight * means).sum(axis=0) / total
    deviation = means - mean
    base = left @ weight / total  # (k, genes)
    spread = left**2 @ weight - total * base**2
    shared = left @ (weight * deviation)
    slope2 = np.divide(shared**2, spread, out=np.zeros_like(spread), where=spread > 0)
    misfit = (weight * deviation**2).sum(axis=0) - slope2
    best = misfit.min(axis=0)
    spare = len(times) - 3
    scale = np.maximum(best / spare, 1.0)
    exact = f.ppf(LEVEL, 1, degrees) if math.isfinite(degrees) else chi2.ppf(LEVEL, 1)
    limit = np.where(best > spare, max(f.ppf(LEVEL, 1, spare), exact), exact)
    inside = misfit - best <= limit * scale
    sign = np.sign(np.arange(TRIED)[:, None] - misfit.argmin(axis=0))
    found = _inverted(half_life, sign * (misfit - best), inside)
    nothing = np.where(constant, np.nan, 1.0)
    return HalfLife(
        half_life[misfit.argmin(axis=0)] * nothing, found.low * nothing, found.high * nothing
    )


def from_responses(times: np.ndarray, values: np.ndarray) -> HalfLife:
    """Half-lives from what series on one grid do in common, ``a + b exp(-k t)``.

    For each half-life that is tried, every series is projected on the change of the curve that
    a change of k would make and that no a and b can make up for; under the true k the mean of
    these projections is 0, which a t-test over series judges. It holds whatever the memory of the
    series and whatever baseline each of them has.

    Parameters
    ----------
    times
        Rising, shape (T,), at least four.
    values
        Of every series, shape (series, T, genes), at least two.

    Notes
    -----
    Misleads where the common course is no exponential but too few samples show it.
    """
    count, length, genes = values.shape
    if length < 4 or count < 2:
        raise ValueError("four times and two series are needed")
    half_life = np.geomspace(SHORTEST * np.diff(times).min(), LONGEST * np.ptp(times), TRIED)
    mean = values.mean(axis=0)
    z, misfit = np.empty((TRIED, genes)), np.empty((TRIED, genes))
    own = values - values.mean(axis=1, keepdims=True)
    variance = own.var(axis=0, ddof=1) / count
    weight = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    past = times - times[0]
    for k, life in enumerate(half_life):
        left = np.exp2(-past / life)
        basis = np.linalg.qr(np.column_stack([np.ones(length), left]))[0]
        slope = past * left
        slope = slope - basis @ (basis.T @ slope)
        along = slope @ values  # (series, genes)
        error = along.std(axis=0, ddof=1) / math.sqrt(count)
        clear = error > 1e-12 * np.abs(slope) @ np.abs(mean)
        z[k] = np.divide(along.mean(axis=0), error, out=np.full(genes, np.nan), where=clear)
        misfit[k] = (weight * (mean - basis @ (basis.T @ mean)) ** 2).sum(axis=0)
    spare = length - 3
    excess = misfit.min(axis=0) / spare
    limit = np.where(
        excess > 1,
        np.sqrt(np.maximum(excess, 1)) * half_interval(min(count - 1, spare)),
        half_interval(count - 1),
    )
    found = _inverted(half_life, z, np.abs(z) <= limit)
    best = np.where(np.isnan(found.estimate), np.nan, half_life[misfit.argmin(axis=0)])
    # The least misfit of several zeros of z; its interval always holds it.
    return HalfLife(best, np.minimum(found.low, best), np.maximum(found.high, best))


def narrower(first: HalfLife, second: HalfLife) -> tuple[HalfLife, np.ndarray]:
    """For each gene the interval that spans the smaller factor, and whether it is the second."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spans = [np.where(x.low > 0, x.high / x.low, np.inf) for x in (first, second)]
    spans = [np.where(np.isnan(span), np.inf, span) for span in spans]
    other = (spans[1] < spans[0]) | np.isnan(first.estimate)
    chosen = (
        np.where(other, b, a)
        for a, b in zip(
            (first.estimate, first.low, first.high),
            (second.estimate, second.low, second.high),
            strict=True,
        )
    )
    return HalfLife(*chosen), other


def _inverted(half_life: np.ndarray, z: np.ndarray, inside: np.ndarray) -> HalfLife:
    """The hull of what is not rejected, ends of the range open, and where z is nearest 0."""
    k = len(z)
    defined = np.isfinite(z).any(axis=0)
    any_inside = inside.any(axis=0)
    nearest = np.where(np.isfinite(z), np.abs(z), np.inf).argmin(axis=0)
    first = np.where(any_inside, inside.argmax(axis=0), nearest)
    last = np.where(any_inside, k - 1 - inside[::-1].argmax(axis=0), nearest)
    # The grid is coarse: the ends are the next half-lives that are rejected.
    padded = np.concatenate([[0.0, *half_life, np.inf]])
    # z runs from + to -: where it keeps its sign, the best half-life is beyond the range.
    edge = np.array([0.0, np.inf])
    estimate = half_life[nearest]
    estimate = np.where(nearest == 0, edge[0], np.where(nearest == k - 1, edge[1], estimate))
    blank = np.where(defined, 1.0, np.nan)
    with np.errstate(invalid="ignore"):
        return HalfLife(estimate * blank, padded[first] * blank, padded[last + 2] * blank)


def _unknown(genes: int) -> HalfLife:
    return HalfLife(np.full(genes, np.nan), np.zeros(genes), np.full(genes, np.inf))


def _row_means(time: np.ndarray, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row means of ``exp(-k |t_i - t_j|)``, shape (T, k), and their mean, shape (k,).

    Sums to either side follow from the sum of the neighbour, so that no T×T matrix is made.
    """
    n = len(time)
    decay = np.exp(-np.outer(np.diff(time), rate))
    before, after = np.zeros((n, len(rate))), np.zeros((n, len(rate)))
    for i in range(1, n):
        before[i] = decay[i - 1] * (1 + before[i - 1])
        after[n - 1 - i] = decay[n - 1 - i] * (1 + after[n - i])
    row = (1 + before + after) / n
    return row, row.mean(axis=0)
