"""Simulated data as files, and how infocheck knows files of its own again.

The mark is an attribute of the HDF5 root and not the ``uns`` entry: anndata carries ``uns``
along into every file derived from the data, and a derived file is somebody's work.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

if TYPE_CHECKING:
    from anndata import AnnData

_MARK = "infocheck_network_sha256"


def network_text(adata: AnnData) -> str:
    """The true network as CSV: source, target, sign."""
    return adata.uns["network"].to_csv(index=False, lineterminator="\n")


def write_h5ad(adata: AnnData, path: Path) -> None:
    """Write the data, with the mark and the digest of the network that goes beside it."""
    adata.write_h5ad(path, compression="gzip")
    with h5py.File(path, "a") as file:
        file.attrs[_MARK] = _digest(network_text(adata).encode())


@dataclass(frozen=True)
class DataMark:
    """On h5ad files that infocheck wrote and nobody has written since."""

    def on(self, path: Path) -> bool:
        return _marked(path) is not None


@dataclass(frozen=True)
class NetworkMark:
    """On the network that was written together with ``data``, unchanged.

    Networks of anybody have the same columns, and a comment line would stop readers of
    CSV: so the data file says what its network looked like.
    """

    data: Path

    def on(self, path: Path) -> bool:
        return self.data.exists() and _marked(self.data) == _digest(path.read_bytes())


def _marked(path: Path) -> str | None:
    try:
        with h5py.File(path, "r") as file:
            return file.attrs.get(_MARK)
    except OSError:  # no HDF5 file
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
