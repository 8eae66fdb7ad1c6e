"""Layers of spliced and unspliced values, where the data have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from infocheck.source import Matrix, Source

_SPLICED = ("spliced", "mature", "exonic", "exon")
_UNSPLICED = ("unspliced", "nascent", "intronic", "intron")


@dataclass(frozen=True)
class Splicing:
    """Two layers of the same shape.

    Attributes
    ----------
    spliced, unspliced
        Their values.
    names
        Names of both layers.
    """

    spliced: Matrix
    unspliced: Matrix
    names: tuple[str, str]

    def of(self, rows: np.ndarray, genes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both layers of some rows (rising positions in the input) and genes, dense."""
        return dense(self.spliced, rows, genes), dense(self.unspliced, rows, genes)

    def totals(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums over all genes of some rows, in both layers."""
        return tuple(
            np.concatenate([np.asarray(b.sum(axis=1)).ravel() for _, b in m.keep(rows).blocks()])
            for m in (self.spliced, self.unspliced)
        )


def find(source: Source) -> Splicing | None:
    """The layers of that name, or None."""
    lower = {name.lower(): name for name in source.layers}
    mature = next((lower[name] for name in _SPLICED if name in lower), None)
    nascent = next((lower[name] for name in _UNSPLICED if name in lower), None)
    if mature is None or nascent is None:
        return None
    return Splicing(source.matrix(mature), source.matrix(nascent), (mature, nascent))


def dense(matrix: Matrix, rows: np.ndarray, genes: np.ndarray) -> np.ndarray:
    """Some rows (rising positions in the input) and genes of a layer, dense."""
    parts = []
    for _, block in matrix.keep(rows).blocks():
        block = block[:, genes]
        parts.append(block.toarray() if sp.issparse(block) else np.asarray(block))
    return np.concatenate(parts).astype(float)
