"""Differences of means between two arms, within strata, from sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Difference:
    """Differences of means, averaged over strata.

    Attributes
    ----------
    delta
        Shape (levels, g); NaN where no stratum has both arms.
    per_row, per_reference
        Sum over strata of squared weights over rows, so that the variance of a difference is
        ``per_row · variance of perturbed rows + per_reference · variance of reference rows``;
        shape (levels,). Their inverses are effective numbers of rows.
    weight
        Of each stratum, shape (strata, levels); columns sum to 1, or to 0 without any stratum.
    """

    delta: np.ndarray
    per_row: np.ndarray
    per_reference: np.ndarray
    weight: np.ndarray


def within_strata(
    n: np.ndarray, total: np.ndarray, reference_n: np.ndarray, reference_total: np.ndarray
) -> Difference:
    """Difference of means of each level and its reference, weighted over strata.

    Weights are n·r/(n + r), which give the least variance when both arms vary alike and the
    difference is the same in all strata (Cochran 1954); a stratum without one of the arms has
    weight 0. Misleads where the difference depends on the stratum: it is then a mean over them.

    Parameters
    ----------
    n
        Rows, shape (strata, levels).
    total
        Sums of values, shape (strata, levels, g).
    reference_n, reference_total
        Of the rows that each level is compared with, same shapes, or with one level.
    """
    reference_n = np.broadcast_to(reference_n, n.shape)
    both = n + reference_n
    raw = np.divide(n * reference_n, both, out=np.zeros_like(n, dtype=float), where=both > 0)
    sums = raw.sum(axis=0)
    weight = np.divide(raw, sums, out=np.zeros_like(raw), where=sums > 0)
    a = np.divide(weight, n, out=np.zeros_like(raw), where=weight > 0)
    b = np.divide(weight, reference_n, out=np.zeros_like(raw), where=weight > 0)
    delta = np.einsum("sl,slg->lg", a, total)
    if reference_total.shape[1] == 1:
        delta -= np.einsum("sl,sg->lg", b, reference_total[:, 0])
    else:
        delta -= np.einsum("sl,slg->lg", b, reference_total)
    delta[sums == 0] = np.nan
    return Difference(delta, (a * weight).sum(axis=0), (b * weight).sum(axis=0), weight)
