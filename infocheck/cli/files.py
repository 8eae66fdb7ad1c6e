"""Files that a command is given, and where its results go."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from infocheck import output
from infocheck.errors import InputError

REGULATOR_WORDS = ("human", "mouse", "all")
REGULATOR_PREFIXES = ("var:", "jaspar:")
TARGET_WORDS = ("all",)
_PATHS = ("regulators", "targets", "network", "second_network")
_FLAGS = {"second_network": "--network2"}


def places(
    name: str, page: str | None, document: str | None
) -> tuple[output.Target, output.Target | None]:
    if page == "-":
        raise typer.BadParameter("the page needs a file; --json - prints the JSON document")
    if page and page.lower().endswith(".json"):
        raise typer.BadParameter(f"-o names the page; for the document use --json {page}")
    page_target, json_target = output.targets(name, page, document)
    if json_target and json_target.path == page_target.path:
        raise typer.BadParameter("the page and the JSON document need two files")
    return page_target, json_target


def list_files(regulators: str | None, targets: str | None) -> Iterator[Path]:
    """Files among the options that also take words."""
    words = regulators in REGULATOR_WORDS or str(regulators).startswith(REGULATOR_PREFIXES)
    if regulators and not words:
        yield Path(regulators)
    if targets and targets not in TARGET_WORDS and not targets.isdecimal():
        yield Path(targets)


def check_input(path: Path, what: str = "expression data") -> None:
    """Find the mistakes that need no library to be seen."""
    try:
        _check_readable(path, what)
    except OSError as problem:
        raise InputError(f"cannot read {path}: {problem.strerror or problem}") from problem


def _check_readable(path: Path, what: str) -> None:
    if not path.exists():
        near = difflib.get_close_matches(path.name, _siblings(path), n=1)
        guess = f"; did you mean {path.with_name(near[0])}?" if near else ""
        raise InputError(f"there is no file {path}{guess}")
    if path.suffix == ".zarr" and path.is_dir() and what == "expression data":
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder; give one file of {what}")
    with path.open("rb") as file:
        if not file.read(1):
            raise InputError(f"{path} is empty")


def _siblings(path: Path) -> list[str]:
    with suppress(OSError):
        return [sibling.name for sibling in path.parent.iterdir()]
    return []


def command_line(file: Path | None, options: dict[str, Any]) -> str:
    """The command that gives these numbers again, without any folder of this machine."""
    return shell_words(["infocheck", "report", file.name if file else "--demo"], options)


def shell_words(words: list[str], options: dict[str, Any]) -> str:
    """The words, followed by the options that were given."""
    for name, value in options.items():
        flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
        if name in _PATHS and value is not None:
            value = Path(value).name if isinstance(value, str | Path) else value
        if value is True:
            words.append(flag)
        elif value not in (None, False):
            words += [flag, str(value)]
    return shlex.join(words)
