"""Data with a known truth and one switch per defect, for tests, calibration and demonstrations.

Two cores write the same layout: :func:`simulate` is linear on the log scale and fast,
:func:`mechanistic` has transcriptional bursts, Hill regulation and proteins. Both are
described in ``docs/simulate.md``.
"""

from infocheck.simulate.defects import DEFECTS, Defect
from infocheck.simulate.linear import CELL_TYPE_SHARE, LOG_SD, demo, simulate
from infocheck.simulate.mechanism import mechanistic
from infocheck.simulate.observe import (
    BLOCK,
    BLOCK_CORRELATION,
    GENE_SPREAD,
    SIZE_SPREAD,
    ArgumentError,
)

__all__ = [
    "BLOCK",
    "BLOCK_CORRELATION",
    "CELL_TYPE_SHARE",
    "DEFECTS",
    "GENE_SPREAD",
    "LOG_SD",
    "SIZE_SPREAD",
    "ArgumentError",
    "Defect",
    "demo",
    "mechanistic",
    "simulate",
]
