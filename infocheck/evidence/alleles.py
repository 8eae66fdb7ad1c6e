"""Layers of the two copies of each gene, where the data have them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from infocheck.evidence import splicing

if TYPE_CHECKING:
    from infocheck.source import Matrix, Source

# Names of the layers of both copies, in lower case with separators left out.
_PAIRS = (
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
class Alleles:
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
        return tuple(splicing.dense(m, rows, genes) for m in (self.first, self.second))


def find(source: Source) -> Alleles | None:
    """The layers of both copies, or None."""
    plain = {re.sub(r"[\W_]+", "", name).lower(): name for name in source.layers}
    # "counts_allele1" is one too.
    plain = {re.sub(r"^(x|counts?|umis?|expr)", "", key): name for key, name in plain.items()}
    for one, two in _PAIRS:
        if one in plain and two in plain:
            names = plain[one], plain[two]
            return Alleles(source.matrix(names[0]), source.matrix(names[1]), names)
    return None
