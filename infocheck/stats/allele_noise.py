"""Noise of one copy of a gene and noise that both copies share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Split:
    """Squared coefficients of variation of many genes, shape (genes,); NaN without values.

    Attributes
    ----------
    intrinsic
        What differs between two copies in one cell, 0 or more.
    extrinsic
        What both copies share: their covariance, which chance can make negative.
    """

    intrinsic: np.ndarray
    extrinsic: np.ndarray

    @property
    def extrinsic_share(self) -> np.ndarray:
        """Shared part of the whole, from 0 to 1."""
        shared = np.maximum(self.extrinsic, 0.0)
        whole = self.intrinsic + shared
        return np.divide(shared, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def split(first: np.ndarray, second: np.ndarray) -> Split:
    """Intrinsic and extrinsic noise from two copies (Elowitz et al. 2002).

    Each copy is scaled to mean 1; intrinsic is half the mean squared difference, extrinsic
    the covariance. Together they are the mean squared coefficient of variation.

    Parameters
    ----------
    first, second
        Values of both copies in the same cells, shape (n, genes).

    Notes
    -----
    Counting noise is independent between copies and is therefore part of the intrinsic noise;
    differences in depth are shared and part of the extrinsic noise, unless values are
    normalised. Copies that are regulated apart (imprinting) make the intrinsic part too large.
    """
    means = first.mean(axis=0), second.mean(axis=0)
    usable = (means[0] > 0) & (means[1] > 0)
    a, b = (x / np.where(usable, m, np.nan) for x, m in zip((first, second), means, strict=True))
    return Split(((a - b) ** 2).mean(axis=0) / 2, (a * b).mean(axis=0) - 1)
