"""Options that commands share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Any

import typer

ROLES, PANEL, RUN, RESULTS = "Columns of obs", "Genes and values", "Run", "Results"


def option(*flags: str, help: str, panel: str, metavar: str | None = None, **rest: Any) -> Any:
    return typer.Option(*flags, help=help, rich_help_panel=panel, metavar=metavar, **rest)


def column(flag: str, help: str) -> Any:
    return option(flag, help=help, panel=ROLES, metavar="COLUMN")


Force = Annotated[
    bool, option("--force", help="Replace files that infocheck did not write.", panel=RESULTS)
]
Quiet = Annotated[bool, option("--quiet", "-q", help="Print no words to stderr.", panel=RUN)]
# Every command takes it, so that a script can pass it to all of them.
Seed = Annotated[int, option("--seed", help="No effect here: nothing is random.", panel=RUN, min=0)]
AsJson = Annotated[
    str | None,
    option(
        "--output",
        "-o",
        "--json",
        help="Write the same content as JSON to this file; - for stdout.",
        panel=RESULTS,
        metavar="PATH",
    ),
]


def unknown(kind: str, given: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    guess = f"Did you mean {near[0]!r}? " if near else ""
    return f"no {kind} is called {given!r}. {guess}There are {', '.join(known)}."
