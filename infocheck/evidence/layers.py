"""Pairs of layers: spliced and unspliced values, or the two copies of each gene."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from infocheck.source import Matrix, Source

_SPLICED = ("spliced", "mature", "exonic", "exon")
_UNSPLICED = ("unspliced", "nascent", "intronic", "intron")
# Names of the layers of both copies, in lower case with separators left out.
_COPIES = (
    ("allele1", "allele2"),
    ("allelea", "alleleb"),
    ("maternal", "paternal"),
    ("mat", "pat"),
    ("haplotype1", "haplotype2"),
    ("hap1", "hap2"),
    ("ref", "alt"),
    ("reference", "alternative"),
)


@dataclass(frozen=True)
class Layers:
    """Two layers of the same shape.

    Attributes
    ----------
    first, second
        Their values.
    names
        Names of both layers.
    """

    first: Matrix
    second: Matrix
    names: tuple[str, str]

    def of(self, rows: np.ndarray, genes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both layers of some rows (rising positions in the input) and genes, dense."""
        return _dense(self.first, rows, genes), _dense(self.second, rows, genes)

    def totals(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums over all genes of some rows, in both layers."""
        return tuple(
            np.concatenate([np.asarray(b.sum(axis=1)).ravel() for _, b in m.keep(rows).blocks()])
            for m in (self.first, self.second)
        )


def spliced_and_unspliced(source: Source) -> Layers | None:
    """Spliced values first, or None."""
    lower = {name.lower(): name for name in source.layers}
    found = [
        next((lower[n] for n in names if n in lower), None) for names in (_SPLICED, _UNSPLICED)
    ]
    return _pair(source, *found)


def copies(source: Source) -> Layers | None:
    """The two copies of each gene, or None."""
    plain = {re.sub(r"[\W_]+", "", name).lower(): name for name in source.layers}
    # "counts_allele1" is one too.
    plain = {re.sub(r"^(x|counts?|umis?|expr)", "", key): name for key, name in plain.items()}
    both = (pair for pair in _COPIES if plain.keys() >= set(pair))
    return _pair(source, *(plain[name] for name in next(both, ())))


def _pair(source: Source, first: str | None = None, second: str | None = None) -> Layers | None:
    if first is None or second is None:
        return None
    return Layers(source.matrix(first), source.matrix(second), (first, second))


def _dense(matrix: Matrix, rows: np.ndarray, genes: np.ndarray) -> np.ndarray:
    parts = []
    for _, block in matrix.keep(rows).blocks():
        block = block[:, genes]
        parts.append(block.toarray() if sp.issparse(block) else np.asarray(block))
    return np.concatenate(parts).astype(float)
