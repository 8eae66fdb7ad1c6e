"""The first pass over rows: totals, gene moments, what kind of values they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from infocheck.errors import InputError
from infocheck.source import Matrix

COUNTS = "counts"
NON_INTEGER = "non-integer counts"
LOG = "log-normalised"
RATIO = "log-ratio"
SCALED = "scaled"
BOUNDED = "between 0 and 1"
BINARY = "binary"

WORDS = {
    COUNTS: "raw counts",
    NON_INTEGER: "non-integer values on the scale of counts",
    LOG: "log-normalised values",
    RATIO: "values with negatives, such as log-ratios",
    SCALED: "values scaled to mean 0 and variance 1",
    BOUNDED: "values between 0 and 1, such as fractions",
    BINARY: "zeros and ones",
}
# Natural logs of expression stay below this; so do log2 intensities.
_LARGEST_LOG = 30.0


@dataclass(frozen=True)
class Scan:
    """What one pass over all values found.

    ``n`` counts rows with a total above 0 in ``unit`` sums. For values that are
    not negative, ``unit_*`` are sums over rows of u, u² and u/t with u = c/t the
    share of a gene in its row total t; they become moments of c/s once the median
    total is known.
    """

    n: int
    totals: np.ndarray
    detected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    unit_total: np.ndarray
    unit_squares: np.ndarray
    unit_noise: np.ndarray
    integer: bool

    @property
    def kind(self) -> str:
        """The kind of values; a name for the page, not a proof."""
        lowest, highest = self.low.min(), self.high.max()
        if lowest < 0:
            centred = np.median(np.abs(self.mean)) < 0.05
            unit = abs(np.median(np.sqrt(self.variance)) - 1) < 0.1
            return SCALED if centred and unit else RATIO
        if self.integer:
            return BINARY if highest <= 1 else COUNTS
        if highest <= 1:
            return BOUNDED
        return NON_INTEGER if highest > _LARGEST_LOG else LOG

    @property
    def varies(self) -> np.ndarray:
        """Genes that are not constant, shape (genes,)."""
        return self.high > self.low

    def size_factors(self) -> np.ndarray:
        """Row totals scaled to median 1; 0 for rows without a count."""
        positive = self.totals[self.totals > 0]
        return self.totals / np.median(positive)

    def normalised(self) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
        """Rows with counts, and sums of c/s, (c/s)² and c/s² of every gene."""
        median = float(np.median(self.totals[self.totals > 0]))
        square = median**2
        n = int((self.totals > 0).sum())
        return n, median * self.unit_total, square * self.unit_squares, square * self.unit_noise


def scan(matrix: Matrix, genes: Sequence[str], cells: Sequence[str], name: str) -> Scan:
    """Read every value once.

    Raises
    ------
    InputError
        NaN or infinite values, with their number and the first place.
    """
    n, g = matrix.shape
    totals = np.zeros(n)
    detected = np.zeros(g)
    low, high = np.full(g, np.inf), np.full(g, -np.inf)
    mean, squared = np.zeros(g), np.zeros(g)
    units = np.zeros((3, g))
    integer, bad, first = True, 0, None

    for start, block in matrix.blocks():
        stored = block.data if sp.issparse(block) else block
        broken = ~np.isfinite(stored)
        if broken.any():
            bad += int(broken.sum())
            first = first or _place(block, broken, start)
            continue
        integer = integer and bool((stored == np.rint(stored)).all())
        rows = block.shape[0]
        part = _Part.of(block)
        totals[start : start + rows] = part.totals
        detected += part.detected
        np.minimum(low, part.low, out=low)
        np.maximum(high, part.high, out=high)
        # Chan's update: means of blocks are merged without cancellation.
        weight = rows / (start + rows)
        delta = part.mean - mean
        squared += part.squared + delta**2 * (start * weight)
        mean += delta * weight
        units += part.units

    if bad:
        cell, gene = first
        raise InputError(
            f"{name} holds {bad} values that are NaN or infinite, the first in cell "
            f"{str(cells[cell])!r}, gene {str(genes[gene])!r}; remove or impute them first."
        )
    return Scan(n, totals, detected, low, high, mean, squared / n, *units, integer)


@dataclass(frozen=True)
class _Part:
    """Sums over the rows of one block."""

    totals: np.ndarray
    detected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    squared: np.ndarray
    units: np.ndarray

    @classmethod
    def of(cls, block: np.ndarray | sp.csr_matrix) -> _Part:
        sparse = sp.issparse(block)
        values = block.astype(np.float64) if sparse else np.asarray(block, dtype=np.float64)
        totals = np.asarray(values.sum(axis=1)).ravel()
        inverse = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
        if sparse:
            # Stored zeros would count as detected.
            values.eliminate_zeros()
            mean = np.asarray(values.mean(axis=0)).ravel()
            square = values.multiply(values).tocsr()
            squared = np.asarray(square.sum(axis=0)).ravel() - len(totals) * mean**2
            low = values.min(axis=0).toarray().ravel()
            high = values.max(axis=0).toarray().ravel()
            detected = np.bincount(values.indices, minlength=values.shape[1])
        else:
            mean = values.mean(axis=0)
            square = values * values
            squared = ((values - mean) ** 2).sum(axis=0)
            low, high = values.min(axis=0), values.max(axis=0)
            detected = (values != 0).sum(axis=0)
        units = np.stack([inverse @ values, inverse**2 @ square, inverse**2 @ values])
        return cls(totals, detected, low, high, mean, np.maximum(squared, 0), units)


def _place(block: np.ndarray | sp.csr_matrix, broken: np.ndarray, start: int) -> tuple[int, int]:
    """Row and gene of the first broken value."""
    if sp.issparse(block):
        position = int(np.argmax(broken))
        row = int(np.searchsorted(block.indptr, position, side="right")) - 1
        return start + row, int(block.indices[position])
    row, gene = np.argwhere(broken)[0]
    return start + int(row), int(gene)
