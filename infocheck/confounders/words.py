"""Factors, and lists of them, as they stand in a sentence."""

from __future__ import annotations

from collections.abc import Iterable


def words(factor: str) -> str:
    """``cell_type`` as "cell type"."""
    return factor.replace("_", " ")


def listed(names: Iterable[str]) -> str:
    """One after another, "batch, donor and cell type"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
