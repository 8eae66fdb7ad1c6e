"""Networks that the user brings: lists of edges to score against, and predictions to score.

Nothing here is read by a forecast. Only the check ``agreement`` and ``infocheck evaluate``
look at a network, after everything else is settled.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from infocheck.errors import InputError
from infocheck.regulators import ENSEMBL
from infocheck.stats.evaluation import METRICS, Null, Pairs, Scores, against_null

if TYPE_CHECKING:
    import pandas as pd

# Kinds of evidence behind a network, and what agreement with it shows.
CLASSES = {
    "simulator": "the network that made the simulated data",
    "knockout": "responses to loss or gain of the regulator",
    "curated": "curated from the literature",
    "string": "functional association (STRING)",
    "chip": "binding in the same kind of cells",
    "chip-nonspecific": "binding in other kinds of cells",
    "prior": "a generic prior",
    "unknown": "unknown",
}
NOT_STATED = "not stated"
_PROOF = {
    "simulator": "The network of a simulator is the truth of its own data and of no others.",
    "knockout": "A response to a perturbed regulator may be indirect.",
    "curated": "A curated network counts what nobody has studied as absent.",
    "string": "Association is not regulation, and it draws on co-expression.",
    "chip": "Binding is not regulation.",
    "chip-nonspecific": "Binding is not regulation, and it was seen in other cells.",
    "prior": "A generic prior is no truth of these samples: agreement with it proves no recovery.",
}
_DEPENDS = (
    "The numbers depend on the class of the network more than on the method: state it with "
    "--network-class."
)

REGULATOR, TARGET, SCORE, LABEL, SIGN = "regulator", "target", "score", "label", "sign"
# Headers that are understood, in small letters and digits alone.
_HEADERS = {
    REGULATOR: "regulator regulators tf tfs source from regulatorygene regulatorgene gene1 node1 "
    "protein1 parent sourcegenesymbol regulatorname transcriptionfactor tfname",
    TARGET: "target targets to gene targetgene gene2 node2 protein2 child targetgenesymbol "
    "targetname genename genesymbol",
    SCORE: "score weight confidence importance edgeweight combinedscore strength value "
    "probability likelihood correlation coefficient",
    LABEL: "label labels",
    SIGN: "sign mor type",
}
_ROLES = {word: role for role, words in _HEADERS.items() for word in words.split()}
_POSITIVE = frozenset({"+", "ac", "activates", "activation", "activator", "positive", "up"})
_NEGATIVE = frozenset({"-", "−", "re", "represses", "repression", "repressor", "inhibition"})
_NEGATIVE |= {"negative", "down"}
_NO_SIGN = frozenset({"0", "?", "", "+-", "du", "dual", "unknown"})
_LABELS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
_XLSX, _HDF5, _GZIP = b"PK\x03\x04", b"\x89HDF", b"\x1f\x8b"


@dataclass(frozen=True)
class Network:
    """A list of edges as it was read.

    Attributes
    ----------
    name
        File name, or what stands for it.
    table
        Columns ``regulator``, ``target``, ``edge`` (is it one?) and ``sign`` (+1, -1, or 0
        for unknown); each pair once, none of a gene with itself.
    listed
        Are the pairs that can be judged exactly these? Else they are all regulators of the
        table crossed with all its targets.
    notes
        What was dropped or read in a way that the user should know.
    """

    name: str
    table: pd.DataFrame
    listed: bool
    notes: tuple[str, ...] = ()

    @property
    def undirected(self) -> bool:
        """Is every edge there in both directions?"""
        import pandas as pd

        edges = self.table[self.table["edge"]]
        code, names = pd.factorize(pd.concat([edges["regulator"], edges["target"]]))
        a, b = code.reshape(2, -1).astype(np.int64)
        there, back = (x * len(names) + y for x, y in ((a, b), (b, a)))
        return len(a) > 1 and bool(np.isin(back, there).all())


@dataclass(frozen=True)
class Predictions:
    """A ranking of edges as it was read: best first, each pair once.

    Attributes
    ----------
    table
        Columns ``regulator``, ``target``, ``score``, and ``sign`` (NaN where unknown).
    """

    name: str
    table: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """What to score against: one network, or two that must agree, and their class."""

    first: Network
    second: Network | None = None
    network_class: str | None = None

    @property
    def networks(self) -> tuple[Network, ...]:
        return (self.first, self.second) if self.second else (self.first,)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(note for network in self.networks for note in network.notes)

    @property
    def class_words(self) -> str:
        """The class as it is printed."""
        return self.network_class or NOT_STATED

    @property
    def proof(self) -> str:
        """What agreement with this class does not show; one sentence."""
        return caveat(self.class_words)


def caveat(class_words: str) -> str:
    """What agreement with a network of this class does not show; one sentence."""
    return _PROOF.get(class_words, _DEPENDS)


@dataclass(frozen=True)
class Judged:
    """Pairs that can be judged, and the edges among them.

    Attributes
    ----------
    regulators, targets
        Names of the rows and columns of ``pairs``, sorted.
    row, column, sign
        Of each edge.
    listed
        Were the pairs listed, or are they regulators crossed with targets?
    discordant
        Pairs that were left out because two sources disagree.
    """

    regulators: np.ndarray
    targets: np.ndarray
    pairs: Pairs
    row: np.ndarray
    column: np.ndarray
    sign: np.ndarray
    listed: bool
    discordant: int = 0

    @property
    def n_edges(self) -> int:
        return len(self.row)

    @property
    def positions(self) -> np.ndarray:
        """Numbers of the edges among the pairs."""
        return self.pairs.position(self.row, self.column)


# --- reading --------------------------------------------------------------------------------


def read_reference(
    network: str | Path | pd.DataFrame,
    second: str | Path | pd.DataFrame | None = None,
    network_class: str | None = None,
) -> Reference:
    """Read what to score against.

    Parameters
    ----------
    network, second
        Path of a list of edges (csv or tsv, also gz), or a table. See :func:`read_network`.
    network_class
        A key of ``CLASSES``, or None where it is not stated.

    Raises
    ------
    InputError
        A list cannot be read or is unsuitable.
    ValueError
        An unknown class.
    """
    if network_class is not None and network_class not in CLASSES:
        raise ValueError(f"unknown network class {network_class!r}; one of {', '.join(CLASSES)}")
    other = None if second is None else read_network(second)
    return Reference(read_network(network), other, network_class)


def read_network(source: str | Path | pd.DataFrame) -> Network:
    """Read a list of edges: regulator, target and, if given, a label or a sign.

    A third column of 0 and 1 without a header, or one headed ``label``, lists the pairs that
    can be judged. A column ``sign`` (or ``mor``, ``type``) holds signs and never does. With
    positives alone, regulators are crossed with targets.

    Raises
    ------
    InputError
        One sentence: what is wrong and what to do.
    """
    import pandas as pd

    cells = _Cells.of(source, "the network")
    columns = cells.columns()
    table = cells.names(columns)
    role, position = _third(cells, columns)
    notes = []
    edge = np.ones(len(table), dtype=bool)
    sign = np.zeros(len(table), dtype=np.int8)
    for name, at in {**columns, role: position}.items():
        if name == LABEL:
            edge = _labels(cells, at)
        elif name == SIGN:
            sign, note = _signs(cells, at)
            notes += note
    if role == SCORE or SCORE in columns:
        notes.append(f"{cells.name}: numbers beside the pairs were ignored; every row is an edge.")
    table = table.assign(edge=edge, sign=sign)
    if not edge.any():
        raise InputError(f"{cells.name}: no pair is labelled 1, so there is no edge to find.")
    listed = not edge.all()
    if (role == LABEL or LABEL in columns) and not listed:
        notes.append(
            f"{cells.name}: every label is 1, so it lists edges alone, and their regulators were "
            "crossed with their targets."
        )
    table, dropped = _without_selves(table, cells.name)
    table, repeated = _once(table, cells.name)
    notes += dropped + repeated
    if not table["edge"].any():
        raise InputError(f"{cells.name} has no edge between two genes.")
    network = Network(cells.name, pd.DataFrame(table).reset_index(drop=True), listed)
    if network.undirected:
        notes.append(
            f"{cells.name}: every edge is there both ways, so it says nothing of direction."
        )
    return Network(network.name, network.table, listed, tuple(notes))


def read_predictions(source: str | Path | pd.DataFrame, *, absolute: bool = False) -> Predictions:
    """Read predicted edges: regulator, target, score, and rank them.

    The highest score first; rows of equal score keep their order, as all do without a score.

    Parameters
    ----------
    source
        Path of a csv or tsv file (also gz), or a table.
    absolute
        Rank by the size of the score, for signed ones such as correlations.

    Raises
    ------
    InputError
        One sentence: what is wrong and what to do.
    """
    import pandas as pd

    cells = _Cells.of(source, "the predictions")
    columns = cells.columns()
    table, notes = cells.names(columns), []
    at = columns.get(SCORE)
    if at is None:
        at = cells.only_free(columns)
    if at is None:
        score = -np.arange(len(table), dtype=float)
        notes.append(f"{cells.name} has no score: its rows were taken as best first.")
    else:
        score = cells.numbers(at)
    signs = np.full(len(table), np.nan)
    if SIGN in columns:
        signs, note = _signs(cells, columns[SIGN])
        notes += note
    elif at is not None and (score < 0).any():
        signs = np.sign(score)
        if not absolute:
            notes.append(
                f"{cells.name}: negative scores rank last ({int((score < 0).sum()):,} of them); "
                "for signed scores such as correlations use --absolute."
            )
    table = table.assign(score=np.abs(score) if absolute else score, sign=signs)
    missing = table["score"].isna()
    if missing.any():
        notes.append(f"{cells.name}: dropped {_count(missing, 'row')} without a score.")
        table = table[~missing]
    table, dropped = _without_selves(table, cells.name)
    table = table.sort_values("score", ascending=False, kind="stable")
    repeated = table.duplicated(["regulator", "target"])
    if repeated.any():
        notes.append(
            f"{cells.name}: dropped {_count(repeated, 'row')} whose pair comes before, with a "
            "score as high."
        )
    table = pd.DataFrame(table[~repeated]).reset_index(drop=True)
    if not len(table):
        raise InputError(f"{cells.name} has no edge between two genes with a score.")
    return Predictions(cells.name, table, (*notes, *dropped))


@dataclass(frozen=True)
class _Cells:
    """A table as text, with its header if it has one."""

    name: str
    frame: pd.DataFrame
    header: list[str] | None

    @classmethod
    def of(cls, source: str | Path | pd.DataFrame, what: str) -> _Cells:
        if isinstance(source, str | Path):
            path = Path(source)
            return cls._of_text(path.name, _text(path))
        if hasattr(source, "columns"):
            return cls._of_frame(source, what)
        raise InputError(f"{what}: expected a path or a table, not {type(source).__name__}.")

    @classmethod
    def _of_frame(cls, given: pd.DataFrame, name: str) -> _Cells:
        frame = given.reset_index(drop=True)
        texts = frame.astype(str).where(frame.notna(), "")
        named = all(isinstance(column, str) for column in frame.columns)
        header = list(map(str, frame.columns)) if named else None
        texts.columns = range(texts.shape[1])
        return cls(name, texts, header)._checked()

    @classmethod
    def _of_text(cls, name: str, text: str) -> _Cells:
        import pandas as pd

        text = _without_comments(text)
        first = text.split("\n", 1)[0]
        separator = next((one for one in "\t,;" if one in first), r"\s+")
        try:
            frame = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                header=None,
                index_col=False,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
            )
        except pd.errors.EmptyDataError:
            raise InputError(f"{name} is empty; copy or download it again.") from None
        except pd.errors.ParserError as problem:
            raise InputError(f"{name} cannot be read as a table: {_reason(problem)}.") from None
        frame = frame.fillna("").apply(lambda column: column.str.strip())
        cells = cls(name, frame, None)
        if not _is_header(frame):
            return cells._checked()
        rest = frame.iloc[1:].reset_index(drop=True)
        return cls(name, rest, frame.iloc[0].tolist())._checked()

    def _checked(self) -> _Cells:
        if self.width < 2:
            raise InputError(
                f"{self.name} has one column; give regulator and target, separated by tabs or "
                "commas."
            )
        if self.header is None and self.width > 3:
            raise InputError(
                f"{self.name} has {self.width} columns and no header that is understood; name the "
                "columns regulator, target, and score, label or sign."
            )
        if not len(self.frame):
            raise InputError(f"{self.name} has no rows below its header.")
        return self

    @property
    def width(self) -> int:
        return self.frame.shape[1]

    def columns(self) -> dict[str, int]:
        """Where the roles stand that the header names; else the first two columns."""
        found: dict[str, int] = {}
        for at, title in enumerate(self.header or []):
            role = _ROLES.get(_plain(title))
            if role and role not in found:
                found[role] = at
        if REGULATOR in found and TARGET in found:
            return found
        first = {role: at for role, at in found.items() if at < 2}
        if self.width > 3 or first.items() - {(REGULATOR, 0), (TARGET, 1)}:
            raise InputError(
                f"{self.name}: its header has no regulator and target among "
                f"{', '.join(_short(title) for title in (self.header or [])[:6])}."
            )
        rest = {role: at for role, at in found.items() if at > 1}
        return {REGULATOR: 0, TARGET: 1, **rest}

    def only_free(self, columns: Mapping[str, int]) -> int | None:
        """The one column that has no role yet, None where there is none."""
        titles = self.header or [str(at) for at in range(self.width)]
        free = [at for at, title in enumerate(titles) if title and at not in columns.values()]
        if len(free) > 1:
            shown = ", ".join(_short(titles[at]) for at in free[:4])
            raise InputError(f"{self.name}: which of the columns {shown} is the score? Call it so.")
        return free[0] if free else None

    def names(self, columns: Mapping[str, int]) -> pd.DataFrame:
        table = self.frame[[columns[REGULATOR], columns[TARGET]]]
        table.columns = [REGULATOR, TARGET]
        empty = (table == "").any(axis=1).to_numpy()
        if empty.any():
            raise InputError(
                f"{self.name}: row {self._row(empty)} lacks a regulator or a target "
                f"({_count(empty, 'row')} in all)."
            )
        return table

    def numbers(self, at: int) -> np.ndarray:
        """A column as numbers; NaN where it is empty or says that there is none."""
        import pandas as pd

        text = self.frame[at]
        values = pd.to_numeric(text, errors="coerce").to_numpy(float)
        empty = text.str.lower().isin(["", "na", "nan", "null", "none"]).to_numpy()
        wrong = np.isnan(values) & ~empty
        if wrong.any():
            value = text[int(wrong.argmax())]
            raise InputError(
                f"{self.name}: the score {_short(value)} in row {self._row(wrong)} is no number "
                f"({_count(wrong, 'row')} of that kind)."
            )
        return values

    def _row(self, which: np.ndarray) -> int:
        """Row of the file, as an editor without empty lines counts it."""
        return int(which.argmax()) + 1 + (self.header is not None)


def _text(path: Path) -> str:
    if not path.exists():
        raise InputError(f"{path.name}: there is no such file.")
    if path.is_dir():
        raise InputError(f"{path.name} is a folder; give a list of edges as csv or tsv.")
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP):
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as problem:
        detail = getattr(problem, "strerror", None) or "it is damaged"
        raise InputError(f"{path.name} cannot be read: {detail}.") from None
    if raw.startswith(_XLSX):
        raise InputError(f"{path.name} is a workbook or a zip archive; save it as csv or tsv.")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = raw.decode("utf-16", errors="replace")
    elif raw.startswith(_HDF5) or b"\0" in raw:
        raise InputError(f"{path.name} is no text; give a list of edges as csv or tsv.")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InputError(f"{path.name} is not UTF-8 text; save it as UTF-8.") from None
    if not text.strip():
        raise InputError(f"{path.name} is empty; copy or download it again.")
    return text


def _without_comments(text: str) -> str:
    """Drop empty lines and comments before the first row; a commented header is one."""
    text = re.sub(r"[\r\n]+", "\n", text).lstrip("\n")
    while text.startswith("#"):
        line, _, rest = text.partition("\n")
        bare = line.lstrip("# ")
        roles = {_ROLES.get(_plain(word)) for word in re.split(r"[\t,; ]+", bare)}
        if {REGULATOR, TARGET} <= roles:
            return f"{bare}\n{rest}"
        text = rest
    return text


def _is_header(frame: pd.DataFrame) -> bool:
    """Is the first row one of titles?"""
    first, rest = frame.iloc[0], frame.iloc[1:]
    roles = [_ROLES.get(_plain(title)) for title in first]
    at = [c for c, role in enumerate(roles) if role]
    if len({roles[c] for c in at}) > 1:
        # Genes may be called gene1 and gene2; then they come again, and so does a number.
        again = any((rest[c] == first[c]).any() for c in at)
        number = frame.shape[1] > 2 and _is_number(first[2])
        return not (again or number)
    if frame.shape[1] < 3 or not len(rest) or _is_number(first[2]):
        return False
    return _ROLES.get(_plain(first[2])) is not None or rest[2].head(50).map(_is_number).all()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(title: str) -> str:
    return re.sub(r"[^a-z0-9]", "", str(title).lower())


def _short(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def _count(which: np.ndarray | pd.Series, word: str) -> str:
    number = int(which.sum())
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _reason(problem: Exception) -> str:
    shape = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(problem))
    if shape:
        return f"line {shape[2]} has {shape[3]} columns where the first has {shape[1]}"
    if "EOF inside string" in str(problem):
        return "a quote is opened and never closed"
    return str(problem).splitlines()[0]


def _third(cells: _Cells, columns: Mapping[str, int]) -> tuple[str, int]:
    """Role of a column that no header explains: label, sign or a score; '' for none."""
    free = [c for c in range(cells.width) if c not in columns.values()]
    if cells.header is not None:
        for at in [columns[SCORE]] if SCORE in columns else free:
            values = set(cells.frame[at].unique())
            if LABEL not in columns and {"0", "0.0"} & values and values <= _LABELS.keys():
                raise InputError(
                    f"{cells.name}: the column {_short(cells.header[at])} holds 0 and 1; call "
                    "it label if 0 means no edge, or sign if 0 means unknown."
                )
        return "", -1
    if not free:
        return "", -1
    at = free[0]
    values = set(cells.frame[at].str.lower().unique())
    if values <= _LABELS.keys():
        return LABEL, at
    numbers = [_is_number(value) for value in values]
    if all(numbers):
        return (SIGN if {float(v) for v in values} <= {-1.0, 0.0, 1.0} else SCORE), at
    known = _POSITIVE | _NEGATIVE | _NO_SIGN
    if values <= known:
        return SIGN, at
    wrong = next(value for value in cells.frame[at] if value.lower() not in known)
    raise InputError(
        f"{cells.name}: the third column holds {_short(wrong)}, which is no label (0 or 1), sign "
        "or number."
    )


def _labels(cells: _Cells, at: int) -> np.ndarray:
    text = cells.frame[at].str.lower()
    wrong = ~text.isin(list(_LABELS)).to_numpy()
    if wrong.any():
        raise InputError(
            f"{cells.name}: the label {_short(cells.frame[at][int(wrong.argmax())])} is not 0 or 1 "
            f"({_count(wrong, 'row')} of that kind)."
        )
    return text.map(_LABELS).to_numpy(bool)


def _signs(cells: _Cells, at: int) -> tuple[np.ndarray, list[str]]:
    import pandas as pd

    text = cells.frame[at].str.lower()
    numbers = pd.to_numeric(text, errors="coerce").fillna(0.0).to_numpy(float)
    sign = np.sign(numbers).astype(np.int8)
    sign[text.isin(_POSITIVE).to_numpy()] = 1
    sign[text.isin(_NEGATIVE).to_numpy()] = -1
    notes = []
    if not sign.any():
        notes.append(f"{cells.name}: no sign is known.")
    return sign, notes


def _without_selves(table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[str]]:
    own = table["regulator"] == table["target"]
    if not own.any():
        return table, []
    return table[~own], [f"{name}: dropped {_count(own, 'pair')} of a gene with itself."]


def _once(table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Each pair once; labels must agree, signs that do not are unknown."""
    again = table.duplicated(["regulator", "target"], keep=False)
    if not again.any():
        return table, []
    pairs = table[again].groupby(["regulator", "target"], sort=False)
    spread = pairs["edge"].max() & ~pairs["edge"].min()
    if spread.any():
        regulator, target = spread.index[int(spread.to_numpy().argmax())]
        raise InputError(
            f"{name}: {_short(regulator)} and {_short(target)} are labelled 0 and 1 "
            f"({_count(spread, 'pair')} of that kind)."
        )
    mixed = pairs["sign"].transform("nunique") > 1
    table = table.copy()
    table.loc[mixed[mixed].index, "sign"] = 0
    once = table.drop_duplicates(["regulator", "target"])
    more = _count(~table.index.isin(once.index), "row")
    return once, [f"{name}: dropped {more} beyond the first of a pair."]


# --- which pairs can be judged ----------------------------------------------------------------


def judged(
    reference: Reference,
    regulators: Iterable[str] | None = None,
    targets: Iterable[str] | None = None,
) -> Judged:
    """The pairs that can be judged among these genes; all of them by default.

    With two sources only genes that both know count, positives are in both and negatives in
    neither; the rest is left out.
    """
    tables = []
    for network in reference.networks:
        table = network.table
        if regulators is not None:
            table = table[table["regulator"].isin(set(regulators))]
        if targets is not None:
            table = table[table["target"].isin(set(targets))]
        tables.append(table)
    rows, columns = (
        np.array(sorted(set.intersection(*(set(table[key]) for table in tables))), dtype=object)
        for key in ("regulator", "target")
    )
    place = {name: at for at, name in enumerate(columns)}
    own = np.array([place.get(name, -1) for name in rows], dtype=np.int64)
    parts = [
        _part(table, network.listed, rows, columns, own)
        for table, network in zip(tables, reference.networks, strict=True)
    ]
    pairs, edges, sign = parts[0]
    discordant = 0
    if len(parts) > 1:
        pairs, edges, sign, discordant = _both(parts, len(columns), own)
    row, column = np.divmod(edges, max(len(columns), 1))
    listed = any(network.listed for network in reference.networks)
    return Judged(rows, columns, pairs, row, column, sign, listed, discordant)


def _part(
    table: pd.DataFrame, listed: bool, rows: np.ndarray, columns: np.ndarray, own: np.ndarray
) -> tuple[Pairs, np.ndarray, np.ndarray]:
    """Pairs of one source among these names, sorted codes of its edges and their signs."""
    row = _codes(table["regulator"], rows)
    column = _codes(table["target"], columns)
    inside = (row >= 0) & (column >= 0)
    code = row[inside] * len(columns) + column[inside]
    edge = table["edge"].to_numpy(bool)[inside]
    edges = code[edge]
    order = np.argsort(edges)
    sign = table["sign"].to_numpy(np.int8)[inside][edge][order]
    pairs = Pairs(len(rows), len(columns), own, np.sort(code) if listed else None)
    return pairs, edges[order], sign


def _both(
    parts: list[tuple[Pairs, np.ndarray, np.ndarray]], width: int, own: np.ndarray
) -> tuple[Pairs, np.ndarray, np.ndarray, int]:
    (first, a, sign_a), (second, b, sign_b) = parts
    row, column = first.all()
    known = second.position(row, column) >= 0
    codes = (row * width + column)[known]
    differ = np.isin(codes, np.setxor1d(a, b))
    kept = codes[~differ]
    edges = np.intersect1d(np.intersect1d(a, b), kept)
    left, right = (s[np.searchsorted(e, edges)] for e, s in ((a, sign_a), (b, sign_b)))
    sign = np.where(left == right, left, np.where(left * right == 0, left + right, 0))
    return Pairs(first.rows, first.columns, own, kept), edges, sign, int(differ.sum())


def _codes(names: pd.Series, known: np.ndarray) -> np.ndarray:
    import pandas as pd

    return pd.Index(known).get_indexer(names).astype(np.int64)


def codes_of(table: pd.DataFrame, found: Judged) -> np.ndarray:
    """Number of each pair of a table among the judged ones, or -1."""
    row, column = (
        _codes(table["regulator"], found.regulators),
        _codes(table["target"], found.targets),
    )
    known = (row >= 0) & (column >= 0)
    place = np.full(len(table), -1)
    place[known] = found.pairs.position(row[known], column[known])
    return place


def difference(given: Iterable[str], known: Iterable[str]) -> str:
    """Why two sets of names share so few, as a clause; empty where nothing explains it."""
    given, known = set(map(str, given)), set(map(str, known))
    folded = {name.casefold(): name for name in known}
    same = next((n for n in sorted(given - known) if n.casefold() in folded), None)
    if same is not None:
        other = folded[same.casefold()]
        return f"names differ by upper and lower case ({_short(same)} and {_short(other)})"
    ids = [sum(ENSEMBL.fullmatch(name) is not None for name in names) for names in (given, known)]
    many = [count > len(names) / 2 for count, names in zip(ids, (given, known), strict=True)]
    if many[0] != many[1]:
        return "one has Ensembl identifiers where the other has symbols"
    if all(many):
        return "Ensembl identifiers differ, by their version or the organism"
    return ""


# --- random networks beside what was observed ---------------------------------------------------


def null_table(observed: Mapping[str, Scores], drawn: Mapping[str, Null]) -> pd.DataFrame:
    """Nulls beside observed scores: one row a method, metric and kind of random network."""
    import pandas as pd

    rows = []
    for method, scores in observed.items():
        for at, metric in enumerate(METRICS):
            value = float(scores.values()[at])
            for kind, null in drawn.items():
                draws = null.scores[method][:, at] if null.is_random else np.array([])
                rows.append(
                    {
                        "method": method,
                        "metric": metric,
                        "null": kind,
                        "observed": value,
                        **against_null(value, draws),
                        "draws": len(draws),
                    }
                )
    return pd.DataFrame(rows)


def beside(nulls: pd.DataFrame) -> pd.DataFrame:
    """The same table with the kinds of random network side by side, and their intervals."""
    keys = [key for key in ("method", "metric", "observed") if key in nulls]
    wide = nulls.drop_duplicates(keys)[keys].reset_index(drop=True)
    for kind, rows in nulls.groupby("null", sort=False):
        name = str(kind).replace(" ", "_")
        for key, ending in {"mean": "", "low": "_low", "high": "_high", "p": "_p"}.items():
            wide[f"{name}{ending}"] = rows[key].to_numpy()
    return wide
