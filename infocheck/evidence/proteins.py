"""Protein of the same observations, and which gene each protein comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from infocheck.errors import InputError, suggest
from infocheck.evidence import antibodies, tables

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.source import Source

_NAMES = re.compile(
    r"(x_)?(proteins?(_?(expression|counts|raw))?|prot|adts?|antibod(y|ies)(_?capture)?|"
    r"cite(_?seq)?|rppa|proteom(e|ics))",
    re.IGNORECASE,
)
_OBSM, _MOD, _LAYER = "obsm", "mod", "layers"


@dataclass(frozen=True)
class Proteins:
    """A table of proteins beside the genes.

    Attributes
    ----------
    place
        Where it was found, for instance ``obsm['protein']``.
    guessed
        False when the user named it.
    names
        Of the proteins as they are written, shape (q,).
    gene
        Position of the gene among all genes of the data, -1 where none was matched, shape (q,).
    values
        Of the rows that were asked for, shape (rows, q), NaN where missing; None before.
    read
        ``read(rows)`` gives the values of these rows of the input.
    """

    place: str
    guessed: bool
    names: np.ndarray
    gene: np.ndarray
    values: np.ndarray | None = None
    read: Callable[[np.ndarray], np.ndarray] = field(repr=False, default=lambda rows: rows)

    def at(self, rows: np.ndarray) -> Proteins:
        """With the values of these rows of the input."""
        return replace(self, values=self.read(rows))


def find(
    source: Source, named: str | None, mapping: str | Path | pd.DataFrame | None
) -> tuple[Proteins | None, list[str]]:
    """The table of that name, or one whose name says that it holds protein.

    Parameters
    ----------
    source
        The opened data.
    named
        Key of ``obsm``, modality, or layer, also as ``obsm:KEY``, ``mod:KEY``, ``layers:KEY``.
    mapping
        Table of protein and gene, for names that differ.

    Raises
    ------
    InputError
        There is no such table, or it cannot be used; the mapping cannot be read.
    """
    places = {
        **{f"{_OBSM}:{key}": key for key in source.frames if not key.startswith("mod:")},
        **{key: key for key in source.frames if key.startswith("mod:")},
        **{f"{_LAYER}:{key}": key for key in source.layers},
    }
    chosen = _chosen(places, named)
    if chosen is None:
        if mapping is not None:
            raise InputError("--protein-map needs protein values; name them with --protein.")
        return None, []
    kind, _, key = chosen.partition(":")
    place = f"{kind}[{key!r}]"
    try:
        found = _of_layer(source, key) if kind == _LAYER else _of_frame(source, chosen, key, kind)
    except InputError as problem:
        if named is not None:
            raise
        return None, [f"{place} was not taken as protein: {problem}"]
    names, read, own = found
    if own is not None and mapping is not None:
        raise InputError(
            f"--protein-map: proteins of {place} have the genes of the data; leave it out."
        )
    gene = own if own is not None else matched(names, source.genes, _mapping(mapping, names))
    proteins = Proteins(place, named is None, names, gene, read=read)
    notes = []
    if named is None:
        notes.append(f"{place} was taken as protein ({len(names):,} of them; guessed).")
    controls = np.array([antibodies.form(str(name)) == antibodies.ISOTYPE for name in names])
    if own is None and controls.any():
        notes.append(
            f"{controls.sum()} of {len(names):,} proteins were taken as isotype controls "
            f"({', '.join(map(str, names[controls][:6]))})."
        )
    missing = names[(gene < 0) & ~controls]
    if len(missing):
        some = ", ".join(map(str, missing[:6]))
        notes.append(
            f"{len(missing)} of {len(names):,} proteins match no gene by name ({some}"
            f"{', …' if len(missing) > 6 else ''}); give their genes with --protein-map."
        )
    return proteins, notes


def matched(
    names: np.ndarray, genes: np.ndarray, mapping: Mapping[str, str] | None = None
) -> np.ndarray:
    """Position of the gene behind each name, -1 for none, shape (q,).

    The mapping comes first and is final, then the name itself, then the name without regard
    to case, then what antibodies of this name are against, then the name without signs.
    """
    exact = {str(gene): i for i, gene in enumerate(genes)}
    folded = {name.lower(): i for name, i in reversed(list(exact.items()))}
    bare = _without_signs(exact)

    def as_written(text: str) -> int:
        return exact.get(text, folded.get(text.lower(), -1))

    def one(name: str) -> int:
        if mapping and name in mapping:
            return as_written(mapping[name])
        known = [as_written(text) for text in (name, *antibodies.symbols(name))]
        if antibodies.form(name) != antibodies.ISOTYPE:
            known += [bare.get(plain, -1) for plain in antibodies.plain_names(name)]
        return next((gene for gene in known if gene >= 0), -1)

    return np.array([one(str(name)) for name in names], dtype=np.int64)


def _without_signs(genes: Mapping[str, int]) -> dict[str, int]:
    """Lower-case letters and digits of each name → position; names that clash are left out."""
    found: dict[str, int] = {}
    for name, position in genes.items():
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        found[plain] = -1 if plain in found else position
    return {plain: position for plain, position in found.items() if position >= 0 and plain}


def _chosen(places: Mapping[str, str], named: str | None) -> str | None:
    """``kind:key`` of what is to be read."""
    if named is None:
        return next((at for at in places if _NAMES.fullmatch(at.partition(":")[2])), None)
    if named in places:
        return named
    inside = [at for at in places if at.partition(":")[2] == named]
    if inside:
        return inside[0]
    near = suggest(named, [at.partition(":")[2] for at in places])
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(places) or 'none'}."
    raise InputError(f"--protein: there is no {named!r} in obsm, modalities or layers; {hint}")


def _of_frame(source: Source, at: str, key: str, kind: str):
    table = source.frame(at if kind == _MOD else key)
    if table.columns.dtype.kind in "iu":
        raise InputError(
            f"obsm[{key!r}] has no names of proteins; store it as a DataFrame whose columns are "
            "their names."
        )
    numeric = [dtype.kind in "fiub" for dtype in table.dtypes]
    if not table.shape[1] or not all(numeric):
        raise InputError(f"{kind}[{key!r}] is no table of numbers.")
    names = table.columns.to_numpy(dtype=str)
    return names, lambda rows: table.iloc[rows].to_numpy(dtype=float), None


def _of_layer(source: Source, key: str):
    matrix = source.matrix(key)

    def read(rows: np.ndarray) -> np.ndarray:
        blocks = [block for _, block in matrix.keep(rows).blocks()]
        dense = [b.toarray() if sp.issparse(b) else np.asarray(b) for b in blocks]
        return np.concatenate(dense).astype(float)

    return source.genes, read, np.arange(len(source.genes))


def _mapping(given: str | Path | pd.DataFrame | None, names: np.ndarray) -> dict[str, str] | None:
    """Protein → gene from two columns, with or without a header."""
    if given is None:
        return None
    table, name = tables.read(given, "--protein-map", header=False)
    if table.shape[1] < 2:
        raise InputError(f"--protein-map {name}: it needs two columns, protein and gene.")
    pairs = table.iloc[:, :2].dropna().astype(str)
    found = dict(zip(pairs.iloc[:, 0].str.strip(), pairs.iloc[:, 1].str.strip(), strict=True))
    if not found.keys() & set(map(str, names)):
        raise InputError(
            f"--protein-map {name}: its first column names none of the {len(names)} proteins "
            f"({', '.join(map(str, names[:3]))} …); give protein, then gene."
        )
    return found
