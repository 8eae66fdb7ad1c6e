"""Which genes may be regulators? The user's list, a column of var, JASPAR, or a rule on names.

The answer never uses the network that a result is scored against: a list of
regulators taken from the gold standard leaks the answer.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infocheck import jaspar
from infocheck.errors import InputError, did_you_mean

# Families of transcription factors by gene symbol, compared without case so that
# mouse symbols match too. `*` is any text, `[..]` one of the characters, and a
# pattern after `!` takes names out again. Families, not a list of genes: short
# enough to be read and argued with, and the same for genes nobody has tested.
FAMILIES: dict[str, str] = {
    "zinc fingers": """
        ZNF[0-9]* ZFP[0-9M]* ZBTB* Z*SCAN[0-9]* ZBED[0-9]* ZI[CM][0-9] ZEB[12] ZF[XY] Z*HX[0-9]
        ZXD[ABC] KLF[0-9]* SP[1-9]* EGR[1-4] WT1 GLI[1-4S]* IKZF[1-5] CTCF* REST YY[12] BCL6*
        BCL11* PRDM[0-9]* MECOM GFI1* SALL[1-4] SNAI[1-3] HIC[12] HIVEP[1-3] PLAG* TSHZ[1-3]
    """,
    "homeodomains": """
        HOX[A-D][0-9]* [PRS]HOX* PAX[0-9] POU[0-9]* [ADT]LX[0-9] LHX[0-9] [GLP]BX[0-9]
        [EHL]MX[0-9]* [GMV]SX[12] NKX[0-9]* EN[12] MEIS[1-3] PKNOX[12] [IS][IR]X[0-9] OTX[12]
        PITX[1-3] PR[RO]X[12] [CP][DU]X[1-4] ONECUT[1-3] SATB[12] TGIF[12] HNF[0-9]* HHEX
        NANOG* ISL[12]
    """,
    "forkhead, HMG, GATA, T-box and other folds": """
        FOX[A-S][0-9]* SOX[0-9]* TCF[0-9]* LEF1 HMG[AB][0-9] GATA[1-6] TB[RX][0-9T]* EOMES
        RUNX[1-3] GRHL[1-3] TFCP2* EBF[1-4] TEAD[1-4] SMAD[0-9] RFX[0-9] HSF[0-9] MEF2[A-D]
        SRF E2F[0-9] TFDP[0-9] T*P[567]3 NF[IY][ABCX] MY[BC] MY[BC][LN]* ARID[235]* DMRT*
        THAP[0-9]* MBD[1-4] CXXC[0-9] TFAP[24]* CAMTA[12] YBX[1-3] TIGD[0-9] RBPJ* NRF1
    """,
    "STAT, IRF, Rel and leucine zippers": """
        STAT[0-9]* IRF[0-9] NFKB[12] REL REL[AB] NFAT[C5]* JUN* FOS* ATF[0-9]* CRE[BM]*
        CEBP[A-Z] NFIL3 [HT][EL]F MAF[ABFGK] NFE2* BACH[12] BATF* XBP1 DDIT3
    """,
    "helix-loop-helix and MAX partners": """
        MA[XZ] MNT MX[DI][1-4] MLX* TWIST[12] ASCL[1-5] NEURO[DG]* OLIG[1-3] TAL[12] HAND[12]
        HE[SY][0-9LX]* ID[1-4] BHLH[ABE]* TFE[3BC] MITF USF[12] SREBF[12] ARNT* AHR* HIF[13]A
        EPAS1 NPAS[1-4] MYO[DG]*
    """,
    "nuclear receptors": "NR[0-9]* R[AOX]R[ABCG] ESR[12R]* PPAR[ADG] THR[AB] VDR AR",
    "ETS": "ET[SV][0-9]* EL[FK][1-5] E[HR][FG] FLI1 GABPA SPI[1BC]",
    "antisense and readthrough transcripts, opposite strands": "!*-[A-Z]* !*OS",
    "binding partners, RNA-binding fingers, coactivators": "!*[AI]P !ZFP36* !CREBBP",
}
# At most 150 entries, so that the rule stays one that can be read.
RULE: tuple[str, ...] = tuple(" ".join(FAMILIES.values()).split())

# Share of the known regulators among the genes of real data sets that the rule
# finds (1,364 human and 490 mouse ones; its precision there is .98 and .93).
RECALL_HUMAN = 0.59
RECALL_MOUSE = 0.56

# The same genes with the names of vertebrate profiles in JASPAR joined to the rule,
# and these names alone; tests/test_regulators.py measures all of them. Of the whole
# human list, expressed or not, the rule finds .64, and with JASPAR .70.
JASPAR_MEASURED = "JASPAR 2026"
JOINED_RECALL = {"human": 0.63, "mouse": 0.58}
JOINED_PRECISION = {"human": 0.98, "mouse": 0.93}
JASPAR_RECALL = {"human": 0.46, "mouse": 0.50}

# Below this share of matching names the rule was hardly written for them: in
# whole human and mouse transcriptomes it matches about 4 to 7 %.
FEW_MATCHES = 0.005

# A list of gene names is a few kilobytes; anything larger is another kind of file.
LARGEST_FILE = 32 * 2**20

FORBIDDEN_COLUMN = "is_gold_source"
DEFAULT_COLUMN = "is_regulator"
OPTIONS = "--regulators FILE, human, mouse, jaspar:TAXON, var:COLUMN or all"

# First lines that name the column. "TF" is also transferrin, which is no regulator.
HEADERS = frozenset(
    {
        "tf",
        "tfs",
        "gene",
        "genes",
        "gene_name",
        "gene_names",
        "gene_symbol",
        "gene_id",
        "symbol",
        "symbols",
        "name",
        "names",
        "id",
        "regulator",
        "regulators",
        "source",
        "ensembl",
        "ensembl_id",
        "ensembl_gene_id",
        "hgnc_symbol",
        "mgi_symbol",
        "transcription_factor",
    }
)
ENSEMBL = re.compile(r"(ENS[A-Z]*G\d{11})(\.\d+)?")


@dataclass(frozen=True)
class Regulators:
    """The genes that may regulate, and where that was learned.

    Attributes
    ----------
    mask
        One boolean per gene, in the order of the names.
    source
        Words for the page.
    notes
        What the reader should know about the choice; may be empty.
    """

    mask: np.ndarray
    source: str
    notes: tuple[str, ...] = ()


def choose(
    names: Sequence[str],
    *,
    option: str | Path | Iterable[str] | None = None,
    column: Callable[[str], np.ndarray | None] = lambda name: None,
    columns: Iterable[str] = (),
) -> Regulators:
    """Say which genes may be regulators.

    Parameters
    ----------
    names
        Gene names, in the order of the data.
    option
        ``"human"`` or ``"mouse"`` (the shipped rule on gene names), ``"all"``,
        ``"jaspar:TAXON"`` (needs the extra ``jaspar``), ``"var:COLUMN"``
        (true/false or 0/1), a text file with one name a line (first column of csv
        or tsv, ``#`` comments, gz), or the names themselves. None takes a boolean
        ``var["is_regulator"]`` with at least one True, else the shipped rule,
        joined with the vertebrate names of JASPAR where the extra is installed.
    column
        Gives the values of a var column, or None when there is no such column.
        It is never asked for ``is_gold_source``.
    columns
        Names of the var columns, for suggestions in messages.

    Returns
    -------
    Regulators
        Possibly with very few genes: the caller judges that after dropping
        constant genes, see :func:`too_few`.

    Raises
    ------
    InputError
        When the option cannot be read, or would leak the answer.
    """
    names = [str(name) for name in names]
    if option is None:
        return _default(names, column)
    if isinstance(option, Path):
        return _from_file(names, option)
    if isinstance(option, str):
        return _from_word(names, option.strip(), column, columns)
    return _from_names(names, _as_names(option), "given list")


def too_few(found: int, source: str) -> InputError:
    """The error for a data set with fewer regulators than any network needs."""
    counted = {0: "No regulator is", 1: "Only 1 regulator is"}.get(
        found, f"Only {found} regulators are"
    )
    hint = ""
    if "rule on gene names" in source:
        hint = " The rule needs human or mouse gene symbols."
    elif source.startswith("JASPAR"):
        hint = " JASPAR names genes by their symbols."
    # Recall and precision, in brackets behind a list, are not what went wrong.
    asked = re.sub(r" [(][^(]*recall.*[)]$", "", source)
    return InputError(
        f"{counted} left among the genes that vary, and at least 3 are needed; asked was: "
        f"{asked}.{hint} Say who may regulate with {OPTIONS}."
    )


def matches_rule(names: Iterable[str]) -> np.ndarray:
    """Which names the shipped rule takes for regulators, as a boolean array."""
    return np.array([_PATTERN.fullmatch(name) is not None for name in names], dtype=bool)


def _compiled(rule: Iterable[str]) -> re.Pattern[str]:
    """One regular expression of all patterns; exclusions become a look-ahead."""
    taken, left_out = [], []
    for pattern in rule:
        group = left_out if pattern.startswith("!") else taken
        group.append(pattern.removeprefix("!").replace("*", ".*"))
    return re.compile(
        f"(?!(?:{'|'.join(left_out)})$)(?:{'|'.join(taken)})", re.IGNORECASE | re.ASCII
    )


_PATTERN = _compiled(RULE)


def _default(names: list[str], column: Callable[[str], np.ndarray | None]) -> Regulators:
    values = column(DEFAULT_COLUMN)
    if values is None:
        return _from_rule_and_jaspar(names)
    read = _truth(values, numbers=False)
    if read is not None and read.any():
        return Regulators(_fitting(read, names, DEFAULT_COLUMN), f"var column {DEFAULT_COLUMN}")
    why = "is True nowhere" if read is not None else "is not boolean"
    note = f"The var column {DEFAULT_COLUMN} {why}, so the rule on gene names was used."
    rule = _from_rule_and_jaspar(names)
    return Regulators(rule.mask, rule.source, (note, *rule.notes))


def _from_word(
    names: list[str],
    word: str,
    column: Callable[[str], np.ndarray | None],
    columns: Iterable[str],
) -> Regulators:
    if not word:
        raise InputError(f"The choice of regulators is empty; use {OPTIONS}.")
    if word.lower() in {"human", "mouse"}:
        return _from_rule(names, word.lower())
    if word.lower() == "all":
        return Regulators(np.ones(len(names), dtype=bool), "all genes")
    if word.lower().startswith("var:"):
        return _from_column(names, word[4:].strip(), column, columns)
    if word.lower().startswith(jaspar.PREFIX):
        return _from_jaspar(names, jaspar.taxon(word[len(jaspar.PREFIX) :]))
    if not _exists(word):
        shown = word if len(word) <= 60 else f"{word[:60]}…"
        raise InputError(f"There is no file {shown}. {_instead(word, column)}")
    return _from_file(names, Path(word))


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):  # too long for a path, as names typed in a row are
        return False


def _instead(word: str, column: Callable[[str], np.ndarray | None]) -> str:
    """What may have been meant by a word that is neither a keyword nor a file."""
    if word != FORBIDDEN_COLUMN and column(word) is not None:
        return f"For the var column of that name write var:{word}."
    known = ("human", "mouse", "all", "jaspar:human")
    return f"Regulators are given as {OPTIONS}.{did_you_mean(word, known)}"


def _from_rule(names: list[str], species: str | None = None) -> Regulators:
    recall = {
        "human": f"{RECALL_HUMAN:.0%} of known human",
        "mouse": f"{RECALL_MOUSE:.0%} of known mouse",
    }
    recalled = recall[species] if species else f"{recall['human']} and {recall['mouse']}"
    mask = matches_rule(names)
    return Regulators(
        mask,
        f"shipped rule on gene names (recall about {recalled.replace('%', ' %')} regulators; "
        "give --regulators FILE for your own list)",
        _rule_notes(names, mask),
    )


def _from_rule_and_jaspar(names: list[str]) -> Regulators:
    """The rule, joined with JASPAR where it is installed; which of the two is said.

    One installed package must not change the answer without a word.
    """
    rule = _from_rule(names)
    database = jaspar.find()
    if database is None:
        note = (
            f"The package {jaspar.PACKAGE} is not installed: where it is, names from JASPAR "
            f"join the rule on gene names, which takes in more regulators ({jaspar.INSTALL})."
        )
        return Regulators(rule.mask, rule.source, (*rule.notes, note))
    mask = rule.mask | _in_jaspar(names, database, jaspar.taxon("human"))
    note = (
        f"{database.release} added {mask.sum() - rule.mask.sum():,} of the {mask.sum():,} genes "
        "that may regulate to the rule on gene names; without "
        f"{jaspar.PACKAGE} they would be missing (--regulators human is the rule alone)."
    )
    return Regulators(
        mask,
        f"shipped rule on gene names and vertebrate profiles of {database.release} "
        f"({database.package}; {_joined_recall(database)}; "
        "give --regulators FILE for your own list)",
        (*_rule_notes(names, mask), note),
    )


def _joined_recall(database: jaspar.Database) -> str:
    if database.release != JASPAR_MEASURED:
        return "recall not measured with this release"
    found = " and ".join(f"{100 * r:.0f} % of known {s}" for s, r in JOINED_RECALL.items())
    right = " and ".join(f"{100 * r:.0f} %" for r in JOINED_PRECISION.values())
    return f"recall about {found} regulators, precision {right}"


def _from_jaspar(names: list[str], organism: jaspar.Taxon) -> Regulators:
    database = jaspar.require()
    mask = _in_jaspar(names, database, organism)
    recall = JASPAR_RECALL.get(organism.key)
    recalled = ""
    if recall is not None and database.release == JASPAR_MEASURED:
        recalled = f"; recall about {100 * recall:.0f} % of known {organism.key} regulators"
    notes = ()
    if names and mask.mean() < FEW_MATCHES:
        notes = (
            f"Only {mask.sum():,} of {len(names):,} gene names are in {database.release} for "
            f"{organism.key}, which names genes by symbols, not by Ensembl ids or systematic "
            "names. Give your own list with --regulators FILE.",
        )
    return Regulators(
        mask,
        f"{database.release}, {organism.profiles} for {organism.key} ({database.package}"
        f"{recalled}; {mask.sum():,} in the data)",
        notes,
    )


def _in_jaspar(names: list[str], database: jaspar.Database, organism: jaspar.Taxon) -> np.ndarray:
    """Which genes JASPAR names; case counts only where it tells genes apart."""
    key = str.casefold if organism.folds_case else str
    return _matched(names, sorted(jaspar.names(database, organism)), key)[0]


def _rule_notes(names: list[str], mask: np.ndarray) -> tuple[str, ...]:
    if not names or mask.mean() >= FEW_MATCHES:
        return ()
    ensembl = sum(ENSEMBL.fullmatch(name) is not None for name in names) > len(names) / 2
    why = (
        "the genes have Ensembl ids and the rule reads symbols"
        if ensembl
        else "the rule reads human and mouse symbols, and these may be others"
    )
    return (
        f"Only {mask.sum():,} of {len(names):,} gene names match the rule: {why}. "
        "Give your own list with --regulators FILE.",
    )


def _from_column(
    names: list[str],
    name: str,
    column: Callable[[str], np.ndarray | None],
    columns: Iterable[str],
) -> Regulators:
    if name.casefold() == FORBIDDEN_COLUMN:
        raise InputError(
            f"The var column {name} marks the sources of the known network: as a choice of "
            "regulators it leaks the answer. Use a list made without that network."
        )
    values = column(name)
    if values is None:
        others = [str(other) for other in columns if str(other) != FORBIDDEN_COLUMN]
        raise InputError(f"There is no var column {name!r}.{did_you_mean(name, others)}")
    mask = _truth(values)
    if mask is None:
        raise InputError(
            f"The var column {name} must hold true/false or 0/1 to choose regulators; "
            f"it holds values such as {_examples(dict.fromkeys(np.asarray(values).astype(str)))}."
        )
    return Regulators(_fitting(mask, names, name), f"var column {name}")


def _fitting(mask: np.ndarray, names: list[str], name: str) -> np.ndarray:
    if mask.shape != (len(names),):
        raise InputError(f"The var column {name} does not have one value for each gene.")
    return mask


def _truth(values: np.ndarray, *, numbers: bool = True) -> np.ndarray | None:
    """Booleans from a column of true/false (or 0/1); None when it holds anything else.

    Read as text, since h5ad and csv bring the same column as booleans, numbers,
    categories or words. A missing value is no regulator.
    """
    words = {"true": True, "false": False, "nan": False, "none": False, "<na>": False, "": False}
    if numbers:
        words |= {"1": True, "0": False, "1.0": True, "0.0": False}
    distinct, position = np.unique(np.asarray(values).astype(str), return_inverse=True)
    read = [words.get(word.strip().lower()) for word in distinct]
    return None if None in read else np.array(read, dtype=bool)[position.ravel()]


def _as_names(option: Iterable[str]) -> list[str]:
    try:
        # A set has no order of its own; sorted, messages are the same every time.
        listed = sorted(option) if isinstance(option, set | frozenset) else list(option)
    except TypeError:
        listed = [option]
    if not all(isinstance(name, str) for name in listed):
        raise InputError("Regulators in Python are gene names, a path, or one of the keywords.")
    if not listed:
        raise InputError("The list of regulators is empty.")
    return listed


def _from_file(names: list[str], path: Path) -> Regulators:
    listed = _read_names(path)
    if not listed:
        raise InputError(f"The file {path} holds no gene names; write one name a line.")
    return _from_names(names, listed, f"file {path.name}")


def _read_names(path: Path) -> list[str]:
    """The first column of a text file, without comments, quotes and header."""
    names = []
    for line in _text(path).splitlines():
        first = re.split(r"[\t,;]", line.split("#", 1)[0], maxsplit=1)[0]
        if name := first.strip().strip("\"'").strip():
            names.append(name)
    header = names and re.sub(r"[ .-]", "_", names[0]).lower() in HEADERS
    return names[1:] if header else names


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a list of gene names.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"The file {path} cannot be read: {error}.") from None
    if len(content) > LARGEST_FILE:
        raise InputError(f"The file {path} is too large for a list of gene names.")
    try:
        if b"\0" in content:
            raise ValueError
        return content.decode("utf-8-sig")
    except ValueError:
        raise InputError(
            f"The file {path} is not plain text in UTF-8; write one gene name a line."
        ) from None


def _from_names(names: list[str], listed: list[str], origin: str) -> Regulators:
    """Match a list to the genes: as written, then without version, then without case."""
    wanted = dict.fromkeys(name.strip() for name in listed if name.strip())
    if not wanted:
        raise InputError("The list of regulators is empty.")
    mask, missing = _matched(names, list(wanted), str)
    notes = []
    ensembl = [name for name in missing if ENSEMBL.fullmatch(name)]
    by_id, _ = _matched(names, ensembl, _unversioned)
    if (by_id & ~mask).any():
        notes.append("Ensembl ids were matched without their versions.")
        mask |= by_id
        missing = _absent(names, missing, _unversioned)
    if len(wanted) - len(missing) < len(wanted) / 2:
        by_letters, still_missing = _matched(names, missing, str.casefold)
        if (by_letters & ~mask).any():
            more = len(missing) - len(still_missing)
            notes.append(
                f"Fewer than half of the names match exactly, so upper and lower case were "
                f"taken as the same: {more:,} more."
            )
            mask, missing = mask | by_letters, still_missing
    if missing:
        notes.append(
            f"{len(missing):,} of {len(wanted):,} names in the list are not in the data, "
            f"for example {_examples(missing)}."
            if len(missing) > 3
            else f"Not in the data: {_examples(missing)}."
        )
    found = len(wanted) - len(missing)
    return Regulators(
        mask, f"{origin} ({len(wanted):,} names, {found:,} in the data)", tuple(notes)
    )


def _matched(
    names: list[str], wanted: list[str], key: Callable[[str], str]
) -> tuple[np.ndarray, list[str]]:
    """Genes whose key is wanted, and the wanted names that no gene has."""
    keys = {key(name) for name in wanted}
    mask = np.fromiter((key(name) in keys for name in names), dtype=bool, count=len(names))
    return mask, _absent(names, wanted, key)


def _absent(names: list[str], wanted: list[str], key: Callable[[str], str]) -> list[str]:
    present = {key(name) for name in names}
    return [name for name in wanted if key(name) not in present]


def _unversioned(name: str) -> str:
    found = ENSEMBL.fullmatch(name)
    return found[1] if found else name


def _examples(names: Iterable[str]) -> str:
    return ", ".join(list(names)[:3])
