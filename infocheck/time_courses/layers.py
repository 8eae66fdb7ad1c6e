"""Layers beside the values: unspliced reads, and the two copies of each gene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import thresholds
from infocheck.errors import NotAssessed
from infocheck.stats import allele_noise
from infocheck.stats.reliability import closed_form
from infocheck.stats.resampling import finite_quantile, median_interval, share_interval

if TYPE_CHECKING:
    from infocheck.dataset import Dataset

# Copies are compared where both have at least this mean, so that a ratio says something.
LEAST_MEAN = 0.05


def velocity(data: Dataset) -> pd.DataFrame:
    """Whether spliced and unspliced counts of regulators carry signal, a row for each layer.

    Columns: share of regulators whose counts reach the reliability that a predictor needs, with
    its interval over regulators; means; and the median correlation between both layers.

    Raises
    ------
    NotAssessed
        There are no such layers, or they hold no counts.
    """
    layers = data.evidence.splicing
    if layers is None:
        raise NotAssessed(
            "There are no layers of spliced and unspliced counts. Bring both, to see which "
            "genes rise and which fall at the moment of sampling."
        )
    rows, genes = _rows(data), data.panel.genes[: data.panel.p]
    values, totals = layers.of(rows, genes), layers.totals(rows)
    if any((v < 0).any() or (v != np.rint(v)).any() for v in values):
        raise NotAssessed(
            f"Layers {layers.names[0]!r} and {layers.names[1]!r} hold no counts, so their noise "
            "is unknown. Bring raw counts of spliced and unspliced reads."
        )
    if min(totals[0].max(), totals[1].max()) == 0:
        raise NotAssessed("One of the layers of spliced and unspliced counts is empty.")
    scaled = [v[t > 0] / _size(t[t > 0])[:, None] for v, t in zip(values, totals, strict=True)]
    both = (totals[0] > 0) & (totals[1] > 0)
    joined = [v[both] / _size(t)[both][:, None] for v, t in zip(values, totals, strict=True)]
    correlation = _correlations(*joined)
    table = []
    for name, value, total, per in zip(layers.names, values, totals, scaled, strict=True):
        used = total > 0
        noise = (per / _size(total[used])[:, None]).sum(axis=0)
        known = closed_form(len(per), per.sum(axis=0), (per**2).sum(axis=0), noise)
        known = np.nan_to_num(known, nan=0.0)
        share = float((known >= thresholds.READABLE).mean())
        low, high = share_interval(share, len(known))
        table.append(
            {
                "layer": name,
                "readable_share": share,
                "readable_share_low": low,
                "readable_share_high": high,
                "median_mean_count": float(np.median(value.mean(axis=0))),
                "median_reliability": float(np.median(known)),
                "median_correlation_of_layers": finite_quantile(correlation),
                "regulators": len(known),
                "rows": len(rows),
            }
        )
    return pd.DataFrame(table)


def copies(data: Dataset) -> pd.DataFrame:
    """Noise that both copies of a gene share and noise of one copy, over genes.

    Raises
    ------
    NotAssessed
        There are no layers of two copies, or no gene has values in both.
    """
    layers = data.evidence.alleles
    if layers is None:
        raise NotAssessed(
            "No layer tells the two copies of a gene apart, so noise that cells share cannot be "
            "told from noise of single genes. Bring counts of both alleles (layers 'allele1' and "
            "'allele2', or 'maternal' and 'paternal')."
        )
    first, second = layers.of(_rows(data), data.panel.genes)
    if (first < 0).any() or (second < 0).any():
        raise NotAssessed(
            f"Layers {layers.names[0]!r} and {layers.names[1]!r} hold negative values, so a "
            "coefficient of variation has no meaning. Bring counts of both alleles."
        )
    depth = first.sum(axis=1) + second.sum(axis=1)
    used = depth > 0
    means = (layer.sum(axis=0) / max(used.sum(), 1) for layer in (first, second))
    enough = np.minimum(*means) >= LEAST_MEAN
    if not enough.any():
        raise NotAssessed(
            f"No gene of the panel has a mean of {LEAST_MEAN:g} in both copies. Bring deeper "
            "counts of both alleles."
        )
    size = _size(depth[used])[:, None]
    found = allele_noise.split(first[used][:, enough] / size, second[used][:, enough] / size)
    rows = []
    for what, values in (
        ("shared part of the noise", found.extrinsic_share),
        ("noise of one copy, squared CV", found.intrinsic),
        ("noise that both copies share, squared CV", found.extrinsic),
    ):
        median, low, high = median_interval(values)
        rows.append(
            {
                "statistic": what,
                "estimate": median,
                "low": low,
                "high": high,
                "genes": int(np.isfinite(values).sum()),
                "layers": ", ".join(layers.names),
            }
        )
    return pd.DataFrame(rows)


def _rows(data: Dataset) -> np.ndarray:
    """Positions of the row sample in the input."""
    return np.flatnonzero(data.kept)[data.moments.sample.rows]


def _size(total: np.ndarray) -> np.ndarray:
    return total / np.median(total[total > 0])


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of each gene between both layers, NaN without variance."""
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    top = (a * b).sum(axis=0)
    return np.divide(top, scale, out=np.full(len(top), np.nan), where=scale > 0)
