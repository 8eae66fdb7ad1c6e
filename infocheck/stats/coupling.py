"""Correlation of two noisy measurements of each of many genes, with and without the noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from infocheck.stats.groups import centred, indicator
from infocheck.stats.resampling import fisher_interval, half_interval, jackknife_error

# Below this reliability nothing is divided by it: the result would be noise alone.
LEAST_RELIABILITY = 0.1


def ranks(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mid-ranks of the seen rows of each column, centred; 0 elsewhere, shape (n, q).

    Pearson's correlation of two columns of ranks is Spearman's.

    Parameters
    ----------
    values
        Shape (n, q).
    seen
        Which values count, boolean, shape (n, q).
    """
    ranked = rankdata(np.where(seen, values, np.inf), axis=0)
    return centred(ranked, seen)


def correlation(x: np.ndarray, y: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each pair of columns over the rows seen, NaN where one is constant.

    All arguments have shape (n, q).
    """
    # Scaled first: squares of very small values would vanish.
    x, y = (_unit(centred(v, seen)) for v in (x, y))
    varies = (np.abs(x).max(axis=0, initial=0.0) > 0) & (np.abs(y).max(axis=0, initial=0.0) > 0)
    return np.where(varies, np.clip((x * y).sum(axis=0), -1.0, 1.0), np.nan)


def _unit(values: np.ndarray) -> np.ndarray:
    """Columns of length 1; constant ones are 0."""
    largest = np.abs(values).max(axis=0, initial=0.0)
    scaled = np.divide(values, largest, out=np.zeros_like(values), where=largest > 0)
    length = np.sqrt((scaled**2).sum(axis=0))
    return np.divide(scaled, length, out=np.zeros_like(scaled), where=length > 0)


@dataclass(frozen=True)
class Coupled:
    """Correlation of two measurements of each gene, and what it is without their noise.

    Attributes
    ----------
    raw, corrected
        As measured, and divided by the root of both reliabilities; the latter is NaN where a
        reliability is below 0.1 and not cut at 1, shape (q,).
    raw_without, corrected_without
        The same with each group of rows left out, shape (groups, q).
    first, second
        Reliability of both measurements; 1 for what was measured once, shape (q,).
    slack
        How many times the corrected correlation would be if both reliabilities were one
        standard error lower, at least 1, shape (q,).
    observations
        Rows in which both were seen, shape (q,).
    """

    raw: np.ndarray
    corrected: np.ndarray
    raw_without: np.ndarray
    corrected_without: np.ndarray
    first: np.ndarray
    second: np.ndarray
    slack: np.ndarray
    observations: np.ndarray

    def raw_interval(self, size: float) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of the correlation as measured, shape (q,) each.

        The wider of the jackknife and of Fisher's transformation with so many independent
        observations, both on the scale of atanh. Without any observation from -1 to 1.
        """
        return _on_fisher_scale(self.raw, self.raw_without, self._size(size))

    def corrected_interval(self, size: float) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of the correlation without noise, within [-1, 1]; NaN where that is.

        The wider of two: the jackknife, which sees the error of the reliabilities; and the
        interval of the raw correlation, divided as the correlation itself, its ends away from 0
        by reliabilities one standard error lower. Genes are shown only where their estimated
        reliability is high enough, so that it is too high on average where it is near that.
        """
        low, high = self.raw_interval(size)
        scale = np.divide(
            self.corrected, self.raw, out=np.ones_like(self.raw), where=np.abs(self.raw) > 1e-6
        )
        scale = np.maximum(scale, 1.0)
        far = scale * self.slack
        half = half_interval(len(self.raw_without) - 1) * jackknife_error(self.corrected_without)
        low = np.minimum(low * np.where(low < 0, far, scale), self.corrected - half)
        high = np.maximum(high * np.where(high > 0, far, scale), self.corrected + half)
        low, high = np.clip(low, -1.0, 1.0), np.clip(high, -1.0, 1.0)
        known = np.isfinite(self.corrected)
        return np.where(known, low, np.nan), np.where(known, high, np.nan)

    def _size(self, size: float) -> np.ndarray:
        return np.minimum(self.observations, size)


def coupled(
    first: Sequence[Sequence[np.ndarray]],
    second: Sequence[Sequence[np.ndarray]],
    whole: tuple[np.ndarray, np.ndarray],
    seen: np.ndarray,
    group: np.ndarray,
) -> Coupled:
    """Correlate two measurements of the same genes, column by column.

    Parameters
    ----------
    first, second
        For each way of halving, as many of both: scores of two halves of a measurement whose
        errors are independent, or the one measurement where its noise is unknown; each
        centred, shape (n, q), 0 where not seen. More ways of halving make less noise of it.
    whole
        Scores of both whole measurements, as the halves.
    seen
        Which values count, boolean, shape (n, q).
    group
        Jackknife group of each row, from 0 on, shape (n,). Groups must be independent.

    Notes
    -----
    Noise pulls a correlation towards 0 by the root of the product of both reliabilities
    (Spearman 1904). Taken between halves everything is exact for scores of any shape, ranks
    among them: errors of different halves do not correlate, so that halves of one
    measurement covary as much as its noise-free score varies, and halves of both as their
    noise-free scores covary. The result is the correlation of these scores, not of the
    underlying logarithms; where counts are few and levels spread widely it is nearer to 0 by
    a few hundredths, and by up to a tenth for negative correlations. Misleads where the
    errors of both measurements correlate, as by the size of a cell, and where noise is larger
    than what tells the halves apart: the truth is further from 0 then.
    """
    sums = _Sums(seen, group)
    raw, raw_without = sums.correlations(*whole)
    between, between_without = _mean(
        sums.correlations(a, b)
        for one, other in zip(first, second, strict=True)
        for a in one
        for b in other
    )
    one, one_without = _mean(_agreement(sums, halves) for halves in first)
    other, other_without = _mean(_agreement(sums, halves) for halves in second)
    reliability = [2 * np.maximum(r, 0.0) / (1 + np.maximum(r, 0.0)) for r in (one, other)]
    readable = np.minimum(*reliability) >= LEAST_RELIABILITY
    # A half that agrees with nothing in one left-out group must not blow the error up to
    # infinity: the least that is divided by holds there, too.
    least = LEAST_RELIABILITY / (2 - LEAST_RELIABILITY)

    def divided(r: np.ndarray, by: np.ndarray, and_by: np.ndarray) -> np.ndarray:
        return r / np.sqrt(np.maximum(by, least) * np.maximum(and_by, least))

    corrected = divided(between, one, other)
    without = divided(between_without, one_without, other_without)
    lower = (r - jackknife_error(w) for r, w in ((one, one_without), (other, other_without)))
    slack = np.sqrt(
        np.maximum(one, least)
        * np.maximum(other, least)
        / np.prod([np.maximum(r, least / 2) for r in lower], axis=0)
    )
    if len(first[0]) == len(second[0]) == 1:
        corrected, without = raw, raw_without
    varies = np.all([np.abs(v).max(axis=0, initial=0.0) > 0 for v in whole], axis=0)
    raw = np.where(varies, raw, np.nan)
    readable &= varies
    return Coupled(
        raw=raw,
        corrected=np.where(readable, corrected, np.nan),
        raw_without=raw_without,
        corrected_without=without,
        first=reliability[0],
        second=reliability[1],
        slack=np.maximum(slack, 1.0),
        observations=seen.sum(axis=0),
    )


def of_unknown_noise(
    low: np.ndarray, high: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Widen an interval of a correlation for noise that pulled it towards 0.

    Parameters
    ----------
    low, high
        Ends, shape (q,).
    least
        What the noise leaves of a correlation at the least, in (0, 1]: the root of the
        product of both reliabilities.

    Returns
    -------
    tuple of numpy.ndarray
        The end nearer to 0 stays: noise can only hide. The other is divided by ``least``.
    """
    return (
        np.maximum(np.where(low < 0, low / least, low), -1.0),
        np.minimum(np.where(high > 0, high / least, high), 1.0),
    )


def between_groups(
    x: np.ndarray, y: np.ndarray, seen: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of the means of groups, and how many groups there are, shape (q,) each.

    Parameters
    ----------
    x, y, seen
        Shape (n, q).
    group
        Group of each row, from 0 on; -1 for none.
    """
    inside = group >= 0
    by_group = indicator(group[inside])
    number = by_group @ seen[inside].astype(float)
    there = number > 0
    means = [(by_group @ np.where(seen, v, 0.0)[inside]) / np.maximum(number, 1.0) for v in (x, y)]
    return correlation(*means, there), there.sum(axis=0)


class _Sums:
    """Sums by group of rows, from which correlations without each group follow."""

    def __init__(self, seen: np.ndarray, group: np.ndarray) -> None:
        self.by_group = indicator(group)
        self.number = self.by_group @ seen.astype(float)

    def correlations(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pearson's r of each column pair, (q,), and without each group, (groups, q)."""
        parts = [self.number, *(self.by_group @ v for v in (x, y, x * x, y * y, x * y))]
        totals = [part.sum(axis=0) for part in parts]
        without = [total - part for total, part in zip(totals, parts, strict=True)]
        return _pearson(*totals), _pearson(*without)


def _pearson(n, x, y, xx, yy, xy) -> np.ndarray:
    """From sums; 0 where a column does not vary."""
    some = np.maximum(n, 1.0)
    top = xy - x * y / some
    spread = [np.maximum(s2 - s**2 / some, 0.0) for s, s2 in ((x, xx), (y, yy))]
    bottom = np.sqrt(spread[0] * spread[1])
    # What rounding leaves of a constant column is no variance.
    varies = (spread[0] > 1e-9 * xx) & (spread[1] > 1e-9 * yy)
    r = np.divide(top, bottom, out=np.zeros_like(top), where=varies & (bottom > 0))
    return np.clip(r, -1.0, 1.0)


def _agreement(sums: _Sums, halves: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of two halves, whole and without each group; 1 of what is only one."""
    if len(halves) == 1:
        return np.ones(halves[0].shape[1]), np.ones(sums.number.shape)
    return sums.correlations(*halves)


def _mean(found: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    whole, without = zip(*found, strict=True)
    return np.mean(whole, axis=0), np.mean(without, axis=0)


def _on_fisher_scale(
    r: np.ndarray, without: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    z, z_without = (np.arctanh(np.clip(v, -1 + 1e-12, 1 - 1e-12)) for v in (r, without))
    spread = half_interval(len(without) - 1) * jackknife_error(z_without)
    low, high = fisher_interval(r, size)
    return np.minimum(np.tanh(z - spread), low), np.maximum(np.tanh(z + spread), high)
