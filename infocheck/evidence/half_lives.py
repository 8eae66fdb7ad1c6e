"""Half-lives of mRNA and protein: the user's table, aligned to the genes of the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from infocheck.errors import InputError
from infocheck.evidence import tables

if TYPE_CHECKING:
    import pandas as pd

# Medians in mouse fibroblasts, hours (Schwanhäusser et al. 2011).
MRNA_HOURS, PROTEIN_HOURS = 9.0, 46.0
SPECIES = "mouse fibroblasts"
_GENE = ("gene", "genes", "symbol", "gene_symbol", "gene_name", "name")


@dataclass(frozen=True)
class HalfLives:
    """Half-lives of the genes of a data set, in hours.

    Attributes
    ----------
    name
        Of the table.
    mrna, protein
        Hours, NaN where the table has none, shape (n_vars,).
    folded
        Were names matched only after upper and lower case was ignored, as between species?
    """

    name: str
    mrna: np.ndarray
    protein: np.ndarray
    folded: bool = False

    @property
    def n_pairs(self) -> int:
        """Genes with both."""
        return int((np.isfinite(self.mrna) & np.isfinite(self.protein)).sum())


def read(source: str | Path | pd.DataFrame, genes: np.ndarray) -> tuple[HalfLives, list[str]]:
    """Read a table of gene, mRNA half-life and protein half-life, in hours.

    Columns are told by their names: one with ``mrna`` or ``rna`` in it, one with ``prot``, and
    ``gene`` or the first one. Names match exactly; where fewer than one in ten do, upper and
    lower case is ignored, which is noted, since it often means another species.

    Raises
    ------
    InputError
        It cannot be read, a column is missing, a half-life is not above 0, or no gene matches.
    """
    import pandas as pd

    frame, name = tables.read(source, "--half-lives", header=True)
    columns = {str(column).strip().lower(): column for column in frame.columns}
    mrna = next((c for low, c in columns.items() if "rna" in low or "transcript" in low), None)
    protein = next((c for low, c in columns.items() if "prot" in low), None)
    gene = next((columns[low] for low in _GENE if low in columns), None)
    gene = frame.columns[0] if gene is None and len(frame.columns) else gene
    if mrna is None or protein is None or gene in (mrna, protein):
        raise InputError(
            f"--half-lives {name}: it needs columns gene, mrna_half_life and protein_half_life "
            f"(hours); it has {', '.join(map(repr, map(str, frame.columns)))}."
        )
    hours = {}
    for what, column in (("mRNA", mrna), ("protein", protein)):
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        text = frame[column].notna().to_numpy() & np.isnan(values)
        wrong = text | (values <= 0) | np.isinf(values)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"--half-lives {name}: the {what} half-life of {str(frame[gene].iloc[row])!r} is "
                f"{str(frame[column].iloc[row])!r}; give hours above 0, or leave it empty."
            )
        hours[what] = values
    table = pd.DataFrame({"gene": frame[gene].astype(str), **hours}).drop_duplicates("gene")
    found, folded = _aligned(table, genes)
    matched = found.notna().any(axis=1).sum()
    if not matched:
        raise InputError(
            f"--half-lives {name}: none of its {len(table):,} genes is in the data; are these "
            "the same kind of names?"
        )
    lives = HalfLives(
        name, found["mRNA"].to_numpy(dtype=float), found["protein"].to_numpy(dtype=float), folded
    )
    notes = [f"Half-lives of {matched:,} genes, {lives.n_pairs:,} with both, come from {name}."]
    if folded:
        notes.append(
            f"{name} matches only when upper and lower case is ignored, as between species: its "
            "half-lives may be those of other cells."
        )
    return lives, notes


def _aligned(table: pd.DataFrame, genes: np.ndarray) -> tuple[pd.DataFrame, bool]:
    plain = table.set_index("gene")
    found = plain.reindex(genes)
    if found.notna().any(axis=1).sum() >= 0.1 * min(len(table), len(genes)):
        return found, False
    lower = plain.set_axis(plain.index.str.lower())
    folded = lower[~lower.index.duplicated()].reindex([str(gene).lower() for gene in genes])
    if folded.notna().any(axis=1).sum() > found.notna().any(axis=1).sum():
        return folded, True
    return found, False
