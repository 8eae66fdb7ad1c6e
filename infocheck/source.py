"""Reading: from a file or an AnnData to row blocks, labels and names.

The only door to anndata and h5py. Only what is asked for is read: a file's
``uns`` and columns of ``var`` that nobody named are never touched.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from infocheck.errors import InputError

if TYPE_CHECKING:
    import h5py
    import pandas as pd
    from anndata import AnnData

# Elements of one dense block: 4 million doubles are 32 MB.
BLOCK_ELEMENTS = 4_000_000
MAX_BLOCK_ROWS = 2048
_TABLES = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
# Key in uns of what infocheck.simulate writes.
SIMULATED = "infocheck_simulation"
# Letters of a label inside the name of a group.
MOST_LABEL = 40
# Names of the modality that holds RNA in a MuData.
_RNA = ("rna", "gex", "gene_expression", "gene expression", "mrna", "transcriptome")
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Matrix:
    """Values of observations × genes that can be read in blocks of rows.

    Attributes
    ----------
    shape
        Observations and genes.
    read
        ``read(start, stop)`` gives these rows as an array or a CSR matrix.
    block_rows
        Rows that are read at once.
    """

    shape: tuple[int, int]
    read: Callable[[int, int], np.ndarray | sp.csr_matrix]
    block_rows: int

    def blocks(self) -> Iterator[tuple[int, np.ndarray | sp.csr_matrix]]:
        """Row offset and rows, from the first to the last."""
        for start in range(0, self.shape[0], self.block_rows):
            yield start, self.read(start, min(start + self.block_rows, self.shape[0]))

    def keep(self, rows: np.ndarray) -> Matrix:
        """Some of the rows, without a copy of them all.

        Parameters
        ----------
        rows
            Their positions in rising order, shape (n,).

        Returns
        -------
        Matrix
            Of shape (n, genes). A block of it is gathered from those blocks of the whole that
            hold any of its rows, one after the other, so that a file stays on disk.
        """

        def read(start: int, stop: int) -> np.ndarray | sp.csr_matrix:
            wanted = rows[start:stop]
            block = wanted // self.block_rows
            parts = []
            for inside in np.split(wanted, np.flatnonzero(np.diff(block)) + 1):
                first = int(inside[0])
                parts.append(self.read(first, int(inside[-1]) + 1)[inside - first])
            if len(parts) == 1:
                return parts[0]
            return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.vstack(parts)

        return Matrix((len(rows), self.shape[1]), read, self.block_rows)


@dataclass(frozen=True)
class Source:
    """An opened data set.

    Attributes
    ----------
    name
        Short name for the page.
    obs
        Labels of observations; its index holds their names.
    genes
        Gene names.
    layers
        Names of the layers that exist beside ``X``.
    matrix
        ``matrix("X")`` or ``matrix(layer)``; InputError when it cannot be used.
    column
        A column of var, or None.
    columns
        Names of the columns of var.
    simulated
        Was it written by :func:`infocheck.simulate`?
    digest
        SHA-256 of the file, or of names and values for data in memory.
    part
        The column of obs of which these rows are one level; None for all rows.
    frames
        Names of further tables of the same rows: keys of ``obsm``, and ``mod:KEY`` for other
        modalities.
    frame
        ``frame(name)`` reads one of them; columns are numbers where it has no names.
    """

    name: str
    obs: pd.DataFrame
    genes: np.ndarray
    layers: tuple[str, ...]
    matrix: Callable[[str], Matrix]
    column: Callable[[str], np.ndarray | None]
    digest: Callable[[], str]
    columns: tuple[str, ...] = ()
    simulated: bool = False
    part: str | None = None
    frames: tuple[str, ...] = ()
    frame: Callable[[str], pd.DataFrame] = field(default=lambda name: _no_frame(name))

    def once(self) -> Source:
        """The same data, of which digest and matrices are made once, however often asked for."""
        return replace(self, matrix=cache(self.matrix), digest=cache(self.digest))

    def keep(self, rows: np.ndarray, *, column: str, level: str) -> Source:
        """The rows of one level of a column of obs, read block by block where they stand.

        Parameters
        ----------
        rows
            Which rows those are, shape (n_obs,), boolean.
        column, level
            What they share; they enter the name and the digest.
        """
        positions = np.flatnonzero(rows)

        def digest() -> str:
            # Ends of the parts are marked, so that no two groups can be taken for one another.
            text = "\0".join((self.digest(), column, level))
            return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

        return replace(
            self,
            name=f"{self.name} · {_shown(column)}={_shown(level)}",
            obs=self.obs[rows],
            matrix=lambda name: self.matrix(name).keep(positions),
            digest=digest,
            part=column,
            frame=lambda name: self.frame(name).iloc[positions],
        )


def _no_frame(name: str) -> pd.DataFrame:
    raise KeyError(name)


def _shown(text: str) -> str:
    """A label inside a name: one line, short, and nothing that looks like a folder."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    plain = " ".join(plain.replace("/", "∕").replace("\\", "∖").split())
    return plain if len(plain) <= MOST_LABEL else plain[: MOST_LABEL - 1] + "…"


def open_source(source: str | Path | AnnData | Source, *, transpose: bool = False) -> Source:
    """Open a path (.h5ad, .csv, .tsv, also .gz) or an AnnData; what is open stays so.

    Raises
    ------
    InputError
        One sentence: what is wrong with it and what to do.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, str | Path):
        return _open_path(Path(source), transpose=transpose)
    return _from_anndata(source)


def _open_path(path: Path, *, transpose: bool) -> Source:
    if not path.exists():
        raise InputError(f"{path.name}: there is no such file.")
    if path.is_dir():
        raise InputError(f"{path.name} is a directory; give a .h5ad, .csv or .tsv file.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as problem:
        raise InputError(f"{path.name} cannot be read: {problem.strerror}.") from None
    if not head:
        raise InputError(f"{path.name} is empty; copy or download it again.")
    suffixes = [s.lower() for s in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    kind = suffixes[-2] if zipped and len(suffixes) > 1 else suffixes[-1] if suffixes else ""
    if kind in _TABLES:
        if head == _HDF5:
            raise InputError(f"{path.name} is an HDF5 file; rename it to .h5ad.")
        return _from_table(path, _TABLES[kind], zipped=zipped, transpose=transpose)
    if kind == ".h5mu":  # text of its own stands before the HDF5
        return _from_mudata_file(path)
    if head != _HDF5:
        raise InputError(
            f"{path.name} is not an HDF5 file, so it is no .h5ad; "
            "give a .h5ad file, or a .csv or .tsv table (also .gz)."
        )
    if transpose:
        raise InputError("--transpose is for .csv and .tsv tables; a .h5ad holds cells × genes.")
    return _from_h5ad(path)


def _block_rows(columns: int) -> int:
    return int(np.clip(BLOCK_ELEMENTS // max(columns, 1), 64, MAX_BLOCK_ROWS))


# --- HDF5 -------------------------------------------------------------------------


def _from_h5ad(path: Path) -> Source:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as problem:
        what = "is truncated" if "truncated" in str(problem) else "cannot be read as HDF5"
        raise InputError(f"{path.name} {what}; copy or download it again.") from None
    if "X" not in file and "raw/X" not in file:
        raise InputError(
            f"{path.name} has no X, so it is no AnnData file; a 10x .h5 file can be "
            "converted with scanpy.read_10x_h5(...).write_h5ad(...)."
        )
    if "X" not in file:
        raise InputError(f"{path.name} has no X; write the data again with X filled.")
    missing = [part for part in ("obs", "var") if part not in file]
    if missing:
        raise InputError(f"{path.name} has no {missing[0]}; it is not a complete .h5ad file.")
    var = file["var"]
    layers = tuple(file["layers"]) if "layers" in file else ()

    def matrix(name: str) -> Matrix:
        return _h5_matrix(file["X"] if name == "X" else file["layers"][name], name)

    return Source(
        name=path.name,
        obs=_h5_frame(file["obs"], path.name),
        genes=_h5_index(var, path.name),
        layers=layers,
        matrix=matrix,
        column=lambda name: _h5_column(var, name),
        digest=lambda: _file_digest(path),
        columns=tuple(var) if isinstance(var, h5py.Group) else (),
        simulated=f"uns/{SIMULATED}" in file,
        frames=tuple(file["obsm"]) if "obsm" in file else (),
        frame=lambda key: _h5_table(file["obsm"][key], key),
    )


@contextmanager
def _reading(what: str, remedy: str) -> Iterator[None]:
    """Turns whatever a library says of a malformed part into one sentence."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as problem:  # libraries raise any class; the file is at fault, not the code
        raise InputError(f"{what} cannot be read ({type(problem).__name__}); {remedy}.") from None


def _h5_frame(group: h5py.Group | h5py.Dataset, name: str) -> pd.DataFrame:
    from anndata.io import read_elem

    with _reading(f"{name}: its obs table", "write the file again with a current anndata"):
        return read_elem(group)


def _h5_table(element: h5py.Group | h5py.Dataset, key: str) -> pd.DataFrame:
    from anndata.io import read_elem

    with _reading(f"obsm[{key!r}]", "write the file again with a current anndata"):
        return _table(read_elem(element), key)


def _table(values: object, key: str) -> pd.DataFrame:
    """A table of anything that ``obsm`` can hold."""
    import pandas as pd

    if isinstance(values, pd.DataFrame):
        return values
    dense = values.toarray() if sp.issparse(values) else np.asarray(values)
    if dense.ndim != 2:
        raise InputError(f"obsm[{key!r}] is no table.")
    return pd.DataFrame(dense)


def _h5_index(group: h5py.Group | h5py.Dataset, name: str) -> np.ndarray:
    import h5py

    if not isinstance(group, h5py.Group):  # files written before anndata 0.7
        return _h5_frame(group, name).index.to_numpy(dtype=str)
    index = group.attrs.get("_index", "_index")
    if index not in group:
        raise InputError(f"{name}: var has no gene names; write the file again.")
    values = group[index]
    if isinstance(values, h5py.Group):
        from anndata.io import read_elem

        return np.asarray(read_elem(values), dtype=str)
    values = values.asstr()[()] if values.dtype.kind in "OS" else values[()]
    return np.asarray(values, dtype=str)


def _h5_column(var: h5py.Group | h5py.Dataset, name: str) -> np.ndarray | None:
    from anndata.io import read_elem

    try:
        present = name in var
    except TypeError:  # a compound table of an old file
        return None
    return np.asarray(read_elem(var[name])) if present else None


def _h5_matrix(element: h5py.Group | h5py.Dataset, name: str) -> Matrix:
    import h5py

    if isinstance(element, h5py.Dataset):
        if element.ndim != 2 or element.dtype.kind not in "fiub":
            raise InputError(f"{name} is not a numeric matrix of cells × genes.")
        rows, columns = element.shape
        step = _block_rows(columns)
        if element.chunks:  # whole chunks, so that none is unpacked twice
            step = max(element.chunks[0], step // element.chunks[0] * element.chunks[0])
        return Matrix((rows, columns), lambda a, b: element[a:b], step)
    kind = element.attrs.get("encoding-type", element.attrs.get("h5sparse_format", ""))
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    shape = element.attrs.get("shape", element.attrs.get("h5sparse_shape"))
    if shape is None or not kind.startswith(("csr", "csc")):
        raise InputError(f"{name} is stored as {kind or 'an unknown kind'}; use dense, CSR or CSC.")
    rows, columns = map(int, shape)
    if kind.startswith("csc"):
        # Rows of a column-wise file are scattered over all of it: read it once.
        parts = (element["data"][()], element["indices"][()], element["indptr"][()])
        return _memory_matrix(sp.csc_matrix(parts, shape=(rows, columns)), name)
    indptr = element["indptr"][()]
    data, indices = element["data"], element["indices"]
    if data.dtype.kind not in "fiub":
        raise InputError(f"{name} is not a numeric matrix of cells × genes.")

    def read(start: int, stop: int) -> sp.csr_matrix:
        low, high = int(indptr[start]), int(indptr[stop])
        parts = (data[low:high], indices[low:high], indptr[start : stop + 1] - low)
        return sp.csr_matrix(parts, shape=(stop - start, columns))

    return Matrix((rows, columns), read, _block_rows(columns // 4))


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- AnnData ----------------------------------------------------------------------


def _from_anndata(adata: AnnData) -> Source:
    from anndata import AnnData

    if hasattr(adata, "mod") and hasattr(adata, "obs_names"):
        return _from_mudata(adata)
    if not isinstance(adata, AnnData):
        raise InputError(f"expected a path or an AnnData, not {type(adata).__name__}.")
    if adata.X is None:
        raise InputError("the AnnData has no X; fill it before it is assessed.")

    def matrix(name: str) -> Matrix:
        return _memory_matrix(adata.X if name == "X" else adata.layers[name], name)

    def column(name: str) -> np.ndarray | None:
        return adata.var[name].to_numpy() if name in adata.var else None

    genes = adata.var_names.to_numpy(dtype=str)

    def digest() -> str:
        total = hashlib.sha256("\n".join([*genes, *map(str, adata.obs_names)]).encode())
        for _, block in matrix("X").blocks():
            dense = block.toarray() if sp.issparse(block) else block
            total.update(np.ascontiguousarray(dense, dtype=np.float64).tobytes())
        return total.hexdigest()

    return Source(
        name="simulated data" if SIMULATED in adata.uns else "AnnData",
        obs=adata.obs,
        genes=genes,
        # From anndata 0.13 on X is among the layers, without a name.
        layers=tuple(name for name in adata.layers if name),
        matrix=matrix,
        column=column,
        digest=digest,
        columns=tuple(map(str, adata.var.columns)),
        simulated=SIMULATED in adata.uns,
        frames=tuple(adata.obsm),
        frame=lambda key: _table(adata.obsm[key], key),
    )


# --- MuData -----------------------------------------------------------------------


def _from_mudata_file(path: Path) -> Source:
    try:
        import mudata
    except ImportError:
        raise InputError(
            f"{path.name} is a .h5mu file, which needs the package mudata: "
            "pip install 'infocheck[mudata]'."
        ) from None
    with (
        _reading(path.name, "write it again with a current mudata"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of changes to come in the library
        read = mudata.read_h5mu(path)
    return _from_mudata(read, name=path.name, digest=lambda: _file_digest(path))


def _from_mudata(mdata: object, **replaced: object) -> Source:
    """The modality of RNA, with the tables of the others beside it, on the rows of all."""
    modalities = dict(mdata.mod)
    lower = {key.lower(): key for key in modalities}
    rna = next((lower[key] for key in _RNA if key in lower), None)
    if rna is None:
        raise InputError(
            f"no modality is called {' or '.join(_RNA[:2])} (there are "
            f"{', '.join(map(repr, modalities)) or 'none'}); rename the one that holds RNA."
        )
    rows = mdata.obs_names
    for modality in modalities.values():
        rows = rows.intersection(modality.obs_names, sort=False)
    if not len(rows):
        raise InputError("the modalities share no observation; give each row the same name in all.")
    expression = modalities[rna][rows].copy()
    whole = mdata.obs.loc[rows]
    # Columns of the whole are those of the modalities again, with a prefix.
    own = [c for c in whole if not str(c).startswith(tuple(f"{key}:" for key in modalities))]
    for column in own:
        if column not in expression.obs:
            expression.obs[column] = whole[column]
    tables = {f"mod:{key}": one[rows] for key, one in modalities.items() if key != rna}
    opened = _from_anndata(expression)

    def frame(key: str) -> pd.DataFrame:
        return tables[key].to_df() if key in tables else opened.frame(key)

    return replace(opened, frames=(*opened.frames, *tables), frame=frame, **replaced)


def _memory_matrix(values: object, name: str) -> Matrix:
    """Row blocks of anything that can be sliced by rows: array, sparse, backed."""
    kind = str(getattr(values, "format", ""))
    if kind and kind != "csr":
        values = values.to_memory() if hasattr(values, "to_memory") else values
        values = values.tocsr()
    dtype = getattr(values, "dtype", None)
    if dtype is None or len(values.shape) != 2 or np.dtype(dtype).kind not in "fiub":
        raise InputError(f"{name} is not a numeric matrix of cells × genes.")

    def read(start: int, stop: int) -> np.ndarray | sp.csr_matrix:
        block = values[start:stop]
        return sp.csr_matrix(block) if sp.issparse(block) else np.asarray(block)

    return Matrix(tuple(map(int, values.shape)), read, _block_rows(values.shape[1]))


# --- tables -----------------------------------------------------------------------


def _from_table(path: Path, separator: str, *, zipped: bool, transpose: bool) -> Source:
    import pandas as pd

    compression = "gzip" if zipped else None
    _refuse_repeated_header(path, separator, zipped=zipped)
    try:
        frame = pd.read_csv(path, sep=separator, index_col=0, compression=compression)
    except (ValueError, OSError, EOFError, UnicodeDecodeError) as problem:
        detail = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise InputError(f"{path.name} cannot be read as a table: {detail}") from None
    text = [str(c) for c, dtype in frame.dtypes.items() if dtype.kind not in "fiub"]
    if text:
        raise InputError(
            f"{path.name}: {len(text)} columns hold text, the first {text[0]!r}; a table has "
            "names in the first row and the first column and numbers elsewhere."
        )
    if transpose:
        frame = frame.T
    values = frame.to_numpy(dtype=float)
    obs = pd.DataFrame(index=frame.index.astype(str))
    return Source(
        name=path.name,
        obs=obs,
        genes=frame.columns.to_numpy(dtype=str),
        layers=(),
        matrix=lambda name: _memory_matrix(values, name),
        column=lambda name: None,
        digest=lambda: _file_digest(path),
    )


def _refuse_repeated_header(path: Path, separator: str, *, zipped: bool) -> None:
    """pandas renames repeated columns without a word, so look at the line itself."""
    opener = gzip.open if zipped else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file, delimiter=separator), [])[1:]
    except (OSError, EOFError, UnicodeDecodeError) as problem:
        raise InputError(f"{path.name} cannot be read as text: {problem}.") from None
    if not header:
        other = "tabs" if separator == "," else "commas"
        raise InputError(f"{path.name} has one column only; is it separated by {other}?")
    repeated = {name for name in header if header.count(name) > 1} if _has_repeats(header) else ()
    if repeated:
        raise InputError(
            f"{path.name}: {len(repeated)} column names occur more than once, "
            f"for instance {min(repeated)!r}; make them unique."
        )


def _has_repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)
