"""Squared correlations of many pairs of noisy variables, without their noise."""

from __future__ import annotations

import numpy as np

from infocheck.stats.disattenuation import (
    left_out,
)


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
