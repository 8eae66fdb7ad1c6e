"""All evidence beside expression, found before any value is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from infocheck.evidence import guides, half_lives, layers, proteins
from infocheck.evidence.guides import Guides
from infocheck.evidence.half_lives import HalfLives
from infocheck.evidence.layers import Layers
from infocheck.evidence.proteins import Proteins
from infocheck.networks import Network, read_network

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.roles import Role
    from infocheck.source import Source


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What stands beside the expression values.

    Attributes
    ----------
    proteins
        Protein of the sampled rows, or None.
    half_lives
        Of mRNA and protein, as the user gave them, or None.
    regulons
        A prior list of regulators and targets, or None.
    splicing
        Spliced and unspliced values, or None.
    alleles
        Values of the two copies of each gene, or None.
    guides
        Which genes each perturbation is aimed at, and by which guide; None without labelled
        perturbations.
    """

    proteins: Proteins | None = None
    half_lives: HalfLives | None = None
    regulons: Network | None = None
    splicing: Layers | None = None
    alleles: Layers | None = None
    guides: Guides | None = None

    def genes(self, n_vars: int) -> np.ndarray:
        """Genes that must be measured for this evidence, shape (n_vars,), boolean."""
        wanted = np.zeros(n_vars, dtype=bool)
        if self.proteins is not None:
            wanted[self.proteins.gene[self.proteins.gene >= 0]] = True
        if self.guides is not None:
            wanted[self.guides.genes] = True
        return wanted

    def at(self, rows: np.ndarray, kept: np.ndarray) -> Evidence:
        """With the protein of these rows read, and guides of the kept rows alone.

        Parameters
        ----------
        rows
            Positions among all rows of the input.
        kept
            Which rows of the input are used, boolean.
        """
        return replace(
            self,
            proteins=None if self.proteins is None else self.proteins.at(rows),
            guides=None if self.guides is None else self.guides.keep(kept),
        )


def find(
    source: Source,
    roles: dict[str, Role],
    *,
    protein: str | None = None,
    protein_map: str | Path | pd.DataFrame | None = None,
    half_life_table: str | Path | pd.DataFrame | None = None,
    regulons: str | Path | pd.DataFrame | None = None,
    guide: str | None = None,
) -> tuple[Evidence, list[str]]:
    """What there is, and a note for each guess and each thing left out.

    Parameters are those of :func:`infocheck.assess`.

    Raises
    ------
    InputError
        Something that the user named is missing or cannot be read.
    """
    notes: list[str] = []
    lives = None
    if half_life_table is not None:
        lives, more = half_lives.read(half_life_table, source.genes)
        notes += more
    prior = None if regulons is None else read_network(regulons)
    if prior is not None:
        notes += prior.notes
    found, more = proteins.find(source, protein, protein_map)
    notes += more
    aimed, more = guides.find(source.obs, source.genes, roles.get("perturbation"), guide)
    notes += more
    evidence = Evidence(
        proteins=found,
        half_lives=lives,
        regulons=prior,
        splicing=layers.spliced_and_unspliced(source),
        alleles=layers.copies(source),
        guides=aimed,
    )
    return evidence, notes
