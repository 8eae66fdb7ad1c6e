"""Where results go: names, what may be replaced, and writing all files or none.

A file that infocheck wrote earlier is replaced, any other existing file only when
forced, an input never. All of it is known before anything is computed.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infocheck.errors import OutputError

_DATA_SUFFIX = re.compile(r"\.(h5ad|zarr|(csv|tsv|txt)(\.gz)?)$", re.IGNORECASE)
_PAGE_SUFFIXES = (".html", ".htm")


class Recognises(Protocol):
    """Anything that knows a file that infocheck wrote."""

    def on(self, path: Path) -> bool: ...


@dataclass(frozen=True)
class Mark:
    """How infocheck knows a file of its own: a pattern in the first bytes."""

    pattern: re.Pattern[bytes]
    within: int

    def on(self, path: Path) -> bool:
        with path.open("rb") as file:
            return bool(self.pattern.search(file.read(self.within)))


def json_mark(*schemas: str) -> Mark:
    """The mark of a JSON document whose first keys name one of these schemas of infocheck."""
    names = b"|".join(re.escape(schema).encode() for schema in schemas)
    key = rb'"schema"\s*:\s*"infocheck\.(?:' + names + b")/"
    return Mark(re.compile(rb"\A(?:\xef\xbb\xbf)?\s*\{.*?" + key, re.DOTALL), 300)


PAGE = Mark(re.compile(rb'<meta name="generator" content="infocheck'), 2000)
# `report` writes the one and `report --by` the other, both under the name of the data.
DOCUMENT = json_mark("report", "comparison")
SCHEMA = Mark(re.compile(rb"\A\s*\{(?=.*?\"\$schema\").*?infocheck", re.DOTALL), 300)


@dataclass(frozen=True)
class Target:
    """A file to be written, and the mark by which an older one is known.

    ``makes_folder``: its folder is made where there is none.
    """

    path: Path
    mark: Recognises
    makes_folder: bool = False

    def check(self, *, inputs: Iterable[Path] = (), force: bool = False) -> None:
        """Raise OutputError when the file cannot or must not be written here."""
        try:
            self._check_existing(inputs, force)
            self._check_folder()
        except OSError as problem:
            raise _cannot_write(self.path, problem) from problem

    def _check_existing(self, inputs: Iterable[Path], force: bool) -> None:
        if not self.path.exists():
            return
        for source in inputs:
            if source.exists() and self.path.samefile(source):
                raise OutputError(f"{self.path} is an input; choose another path with -o")
        mode = self.path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise OutputError(f"cannot write {self.path}: it is a folder")
        if not stat.S_ISREG(mode):  # replacing a device or a pipe would destroy it
            raise OutputError(f"cannot write {self.path}: it is not a regular file")
        if not mode & 0o222 or not os.access(self.path, os.W_OK):
            raise OutputError(f"cannot write {self.path}: it is read-only")
        if not force and not self.mark.on(self.path):
            raise OutputError(
                f"{self.path} exists and was not written by infocheck; "
                "choose another path or replace it with --force"
            )

    def _check_folder(self) -> None:
        """Create and remove a file: permission bits do not tell of read-only disks."""
        folder = self.real.parent
        if self.makes_folder and not folder.exists():
            folder = folder.parent
        if not folder.exists():
            raise OutputError(f"cannot write {self.path}: the folder {folder} does not exist")
        probe = temporary(folder)
        try:
            probe.touch(exist_ok=False)
        finally:
            probe.unlink(missing_ok=True)

    @property
    def real(self) -> Path:
        """The file behind a symbolic link, so that the link is kept."""
        return Path(os.path.realpath(self.path))


def targets(name: str, output: str | None, document: str | None) -> tuple[Target, Target | None]:
    """The page and the JSON document of a report.

    Parameters
    ----------
    name
        Name of the data set; the default file names begin with it.
    output
        Path of the page, or a folder for both files. None is the current folder.
    document
        Path of the JSON document; ``-`` for none (it is printed); None for beside the page.
    """
    if output is None:
        page = Path(f"{name}.infocheck.html")
    elif output.endswith(("/", os.sep)) or is_folder(output):
        page = Path(output) / f"{name}.infocheck.html"
    else:
        page = Path(output)
    if document == "-":
        return Target(page, PAGE), None
    beside = Path(document) if document is not None else _beside(page)
    return Target(page, PAGE), Target(beside, DOCUMENT)


def data_name(path: Path) -> str:
    """The file name without the endings of data files: ``x.csv.gz`` becomes ``x``."""
    return _DATA_SUFFIX.sub("", path.name) or path.name


def write(
    contents: Sequence[tuple[Target, str | Callable[[Path], None]]],
    *,
    inputs: Iterable[Path] = (),
    force: bool = False,
) -> None:
    """Write every file or none.

    Each text, or what a function writes to the path it is given, goes into a temporary
    file in the folder of its target; only when all are complete do they take their
    places, which is atomic for each file.
    """
    inputs = list(inputs)
    for target, _ in contents:  # again: a file may have appeared while we computed
        target.check(inputs=inputs, force=force)
    staged = [(temporary(target.real.parent), target) for target, _ in contents]
    target = contents[0][0]
    made: list[Path] = []
    try:
        for _, target in staged:
            folder = target.real.parent
            if target.makes_folder and not folder.exists():
                folder.mkdir()
                made.append(folder)
        for (place, target), (_, content) in zip(staged, contents, strict=True):
            if isinstance(content, str):
                place.write_bytes(content.encode("utf-8"))
            else:
                content(place)
            if target.real.exists():
                place.chmod(stat.S_IMODE(target.real.stat().st_mode))
        for place, target in staged:
            place.replace(target.real)
    except OSError as problem:
        raise _cannot_write(target.path, problem) from problem
    finally:
        for place, _ in staged:
            with suppress(OSError):
                place.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):  # of a folder that holds something, as it should
                folder.rmdir()


def temporary(folder: Path) -> Path:
    """A fresh short name in the folder; the name of the target may be as long as allowed."""
    return folder / f".infocheck-{secrets.token_hex(6)}.tmp"


def is_folder(path: str) -> bool:
    """Is there a folder of that name?"""
    with suppress(OSError):  # a name that is too long is reported when the target is checked
        return Path(path).is_dir()
    return False


def _beside(page: Path) -> Path:
    if page.suffix.lower() in _PAGE_SUFFIXES:
        return page.with_suffix(".json")
    return page.with_name(f"{page.name}.json")


def _cannot_write(path: Path, problem: OSError) -> OutputError:
    if isinstance(problem, OutputError):
        return problem
    return OutputError(f"cannot write {path}: {problem.strerror or problem}")
