"""Options that commands share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

ROLES, PANEL, RUN, RESULTS = "Columns of obs", "Genes and values", "Run", "Results"
BESIDE = "Beside expression"
NETWORK = "Known network"


def option(*flags: str, help: str, panel: str, metavar: str | None = None, **rest: Any) -> Any:
    return typer.Option(*flags, help=help, rich_help_panel=panel, metavar=metavar, **rest)


def column(flag: str, help: str) -> Any:
    return option(flag, help=help, panel=ROLES, metavar="COLUMN")


Force = Annotated[
    bool, option("--force", help="Replace files that infocheck did not write.", panel=RESULTS)
]
Quiet = Annotated[bool, option("--quiet", "-q", help="Print no words to stderr.", panel=RUN)]
Verbose = Annotated[
    bool, option("--verbose", "-v", help="Log to stderr, with tracebacks.", panel=RUN)
]
RandomSeed = Annotated[int, option("--seed", help="Seed of all random numbers.", panel=RUN, min=0)]
Jobs = Annotated[
    int | None,
    option("--jobs", help="Worker threads; default: one per core.", panel=RUN, min=1),
]
JsonPath = Annotated[
    str | None,
    option(
        "--json",
        help="The JSON document; - prints it on stdout. Default: beside the page.",
        panel=RESULTS,
        metavar="PATH",
    ),
]

# Of data that are read.
Batch = Annotated[str | None, column("--batch", "Technical batch.")]
Donor = Annotated[str | None, column("--donor", "Donor, animal or culture: the independent unit.")]
CellType = Annotated[str | None, column("--cell-type", "Cell type or cluster.")]
Condition = Annotated[str | None, column("--condition", "Condition or treatment.")]
CellCycle = Annotated[str | None, column("--cell-cycle", "Phase of the cell cycle.")]
Perturbation = Annotated[str | None, column("--perturbation", "Perturbed gene of each cell.")]
Control = Annotated[
    str | None,
    option("--control", help="Which perturbation means none.", panel=ROLES, metavar="LEVEL"),
]
Time = Annotated[str | None, column("--time", "Time point.")]
Counts = Annotated[
    str | None, option("--counts", help="Layer of raw counts.", panel=PANEL, metavar="LAYER")
]
Transpose = Annotated[bool, option("--transpose", help="Rows of a table are genes.", panel=PANEL)]

# Of a network to score against.


class Evidence(StrEnum):
    """Values of --network-class; the keys of infocheck.networks.CLASSES."""

    SIMULATOR = "simulator"
    KNOCKOUT = "knockout"
    CURATED = "curated"
    STRING = "string"
    CHIP = "chip"
    CHIP_NONSPECIFIC = "chip-nonspecific"
    PRIOR = "prior"
    UNKNOWN = "unknown"


NetworkClass = Annotated[
    Evidence | None,
    option(
        "--network-class",
        help="Kind of evidence behind it: the numbers depend on it more than on the method.",
        panel=NETWORK,
    ),
]
SecondNetwork = Annotated[
    Path | None,
    option(
        "--network2",
        help="A second source: edges must be in both, other pairs in neither.",
        panel=NETWORK,
        metavar="FILE",
    ),
]


def network_class_name(given: Evidence | None) -> str | None:
    return None if given is None else given.value


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
