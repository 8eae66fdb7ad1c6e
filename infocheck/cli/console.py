"""Words to stderr, data to stdout, one line for every failure."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from enum import IntEnum
from pathlib import Path
from typing import Any, TextIO

import typer

from infocheck import output
from infocheck.errors import InputError, OutputError


class Exit(IntEnum):
    """What the shell sees."""

    RAN = 0
    FAILED_ON = 1
    UNSUITABLE = 3
    CRASHED = 4
    INTERNAL = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


@contextmanager
def failures(*, verbose: bool = False, quiet: bool = False) -> Iterator[None]:
    """Turn every failure into one line on stderr and an exit code.

    --quiet silences progress and results, not the line that says why nothing came.
    """
    if verbose:
        logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("infocheck").setLevel(logging.DEBUG)
    else:
        logging.basicConfig(handlers=[logging.NullHandler()])
    try:
        # Warnings of libraries are for developers; what matters to a reader is on the page.
        with nullcontext() if verbose else warnings.catch_warnings():
            if not verbose:
                warnings.simplefilter("ignore")
            yield
    except (typer.Exit, typer.BadParameter):
        raise
    except (InputError, OutputError) as problem:
        _fail(str(problem), Exit.UNSUITABLE, verbose)
    except KeyboardInterrupt:
        if not quiet:
            say("interrupted; nothing was written")
        raise typer.Exit(int(Exit.INTERRUPTED)) from None
    except BrokenPipeError:
        # Python flushes stdout once more at exit, which must not fail again.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
        raise typer.Exit(int(Exit.BROKEN_PIPE)) from None
    except MemoryError:
        _fail("not enough memory for this data set", Exit.INTERNAL, verbose)
    except Exception as fault:
        hint = "" if verbose else "; run with -v for the traceback"
        text = f"internal {type(fault).__name__}: {fault}; please report this{hint}"
        _fail(text, Exit.INTERNAL, verbose)


def _fail(message: str, code: Exit, verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
    say(f"error: {' '.join(message.split())}")
    raise typer.Exit(int(code)) from None


@contextmanager
def narrated(*, quiet: bool, plain: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress callback: a bar on a terminal, a line for each step elsewhere."""
    if quiet:
        yield lambda step, done, total: None
    elif plain or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _line_per_step()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("reading", total=None)
            yield lambda step, done, total: bar.update(
                task, description=step, completed=done, total=total or None
            )


def _line_per_step() -> Callable[[str, int, int], None]:
    last = ""

    def tell(step: str, done: int, total: int) -> None:
        nonlocal last
        if step != last:
            say(step)
        last = step

    return tell


def deliver(
    text: str,
    content: Callable[[], dict[str, Any]],
    path: str | None,
    mark: output.Mark,
    force: bool,
    quiet: bool,
) -> None:
    """Print the text, or the same content as JSON to where it was asked for."""
    if path is None:
        print_data(text)
    elif path == "-":
        print_data(as_json(content()))
    else:
        target = output.Target(Path(path), mark)
        output.write([(target, as_json(content()) + "\n")], force=force)
        if not quiet:
            say(f"Data    {path}")


def as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str)


def print_data(text: str) -> None:
    """Print to stdout; JSON stays lossless on a console that is not UTF-8."""
    if text.startswith("{") and not _is_utf8(sys.stdout):
        text = "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    sys.stdout.flush()


def _is_utf8(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "") == "utf8"


def say(words: str) -> None:
    """Print words to stderr; a closed or narrow console is no reason to fail."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    shown = words.encode(encoding, "replace").decode(encoding)
    with suppress(BrokenPipeError):
        print(shown, file=sys.stderr, flush=True)
