"""Names of transcription factors from JASPAR, out of the optional package pyjaspar.

The wheel of pyjaspar holds the database as one SQLite file a release. Only that file is
read: importing the package would load Biopython, of which nothing is needed here.
JASPAR (https://jaspar.elixir.no) is published under CC BY 4.0.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from infocheck.errors import InputError, did_you_mean

PACKAGE = "pyjaspar"
INSTALL = "pip install 'infocheck[jaspar]'"
PREFIX = "jaspar:"

_RELEASE = re.compile(r"JASPAR(\d{4})\.sqlite", re.IGNORECASE)
# Older releases number the variants of a profile in its name: NKX2-5(var.2).
_VARIANT = re.compile(r"\(var\.\d+\)$")

_BY_SPECIES = """
    SELECT DISTINCT m.NAME FROM MATRIX m JOIN MATRIX_SPECIES s ON s.ID = m.ID
    WHERE s.TAX_ID = ?
"""
_BY_GROUP = """
    SELECT DISTINCT m.NAME FROM MATRIX m JOIN MATRIX_ANNOTATION a ON a.ID = m.ID
    WHERE a.TAG = 'tax_group' AND a.VAL = ?
"""


@dataclass(frozen=True)
class Taxon:
    """An organism whose genes JASPAR names.

    Attributes
    ----------
    key, latin
        Names that are understood.
    profiles
        Which profiles count, in words.
    query, values
        How they are found in the database.
    folds_case
        Are names that differ only in case the same gene? In the fly they are not:
        dl is dorsal, a transcription factor, and Dl is Delta, a ligand.
    """

    key: str
    latin: str
    profiles: str
    query: str
    values: tuple[str, ...]
    folds_case: bool = True


def _vertebrate(key: str, latin: str) -> Taxon:
    # A factor measured in one vertebrate has no profile of its own in the next: of
    # RUNX1, SPI1 and AR the latest profile comes from the mouse. So all of them count.
    return Taxon(key, latin, "vertebrate profiles", _BY_GROUP, ("vertebrates",))


# Yeast: the species and the strain of the reference genome.
TAXA = (
    _vertebrate("human", "Homo sapiens"),
    _vertebrate("mouse", "Mus musculus"),
    Taxon("yeast", "Saccharomyces cerevisiae", "yeast profiles", _BY_SPECIES, ("4932", "559292")),
    Taxon("fly", "Drosophila melanogaster", "fly profiles", _BY_SPECIES, ("7227",), False),
    Taxon("worm", "Caenorhabditis elegans", "worm profiles", _BY_SPECIES, ("6239",)),
    Taxon("arabidopsis", "Arabidopsis thaliana", "Arabidopsis profiles", _BY_SPECIES, ("3702",)),
)


@dataclass(frozen=True)
class Database:
    """One release of JASPAR on this machine.

    Attributes
    ----------
    path
        The SQLite file.
    release
        For instance ``JASPAR 2026``.
    package
        What it came in, for instance ``pyjaspar 4.0.0``.
    """

    path: Path
    release: str
    package: str


def taxon(word: str) -> Taxon:
    """The organism of that name, common or Latin; InputError with a suggestion."""
    wanted = " ".join(word.lower().replace("_", " ").split())
    for known in TAXA:
        if wanted in (known.key, known.latin.lower()):
            return known
    keys = [known.key for known in TAXA]
    hint = did_you_mean(wanted, [*keys, *(known.latin for known in TAXA)]) if wanted else ""
    raise InputError(f"JASPAR is read for {', '.join(keys)}, not for {word.strip()!r}.{hint}")


def find() -> Database | None:
    """The newest release in the installed package; None without the package.

    Looks for the package, never imports it.
    """
    folder = _folder()
    if folder is None:
        return None
    found = {int(match[1]): path for path, match in _releases(folder)}
    if not found:
        raise InputError(
            f"The package {PACKAGE} holds no JASPAR database; install it again with {INSTALL}."
        )
    newest = max(found)
    version = importlib.metadata.version(PACKAGE)
    return Database(found[newest], f"JASPAR {newest}", f"{PACKAGE} {version}")


def require() -> Database:
    """As :func:`find`, with an InputError that says how to install the package."""
    found = find()
    if found is None:
        raise InputError(
            f"Regulators from JASPAR need the package {PACKAGE}: {INSTALL}, or give a list of "
            "your own with --regulators FILE."
        )
    return found


def names(database: Database, organism: Taxon) -> frozenset[str]:
    """Names of the factors that have a profile, both collections and every version.

    Complexes such as ``MAX::MYC`` give each of their members. Names are gene symbols
    as JASPAR writes them; Ensembl ids and systematic names are not in it. Misleads
    where a gene was renamed: JASPAR keeps one symbol a profile.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    raw = [name for value in organism.values for name in _query(database, organism.query, value)]
    return frozenset(part for name in raw for part in members(name))


def members(name: str) -> list[str]:
    """Members of a complex, each without the number of its variant."""
    parts = (_VARIANT.sub("", part.strip()).strip() for part in name.split("::"))
    return [part for part in parts if part]


def _query(database: Database, query: str, value: str) -> list[str]:
    import sqlite3

    try:
        # Nothing writes here, so no lock file is wanted beside the database either.
        address = f"{database.path.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return [str(row[0]) for row in connection.execute(query, (value,))]
    except sqlite3.Error as error:
        raise InputError(
            f"The JASPAR database of {database.package} cannot be read ({error}); install it "
            f"again with {INSTALL}, or choose other regulators with --regulators."
        ) from error


def _folder() -> Path | None:
    """Where the package keeps its databases, without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def _releases(folder: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    for path in folder.glob("*.sqlite"):
        if match := _RELEASE.fullmatch(path.name):
            yield path, match
