"""The command `infocheck evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infocheck import output
from infocheck.cli.console import failures, narrated, print_data, say
from infocheck.cli.files import check_input, shell_words
from infocheck.cli.options import (
    NETWORK,
    RESULTS,
    RUN,
    Force,
    NetworkClass,
    Quiet,
    RandomSeed,
    SecondNetwork,
    Verbose,
    network_class_name,
    option,
)

if TYPE_CHECKING:
    from infocheck.evaluation import Evaluation

DOCUMENT = output.json_mark("evaluate")
_DEFAULTS = {"top": 100_000, "nulls": 200}


def evaluate(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="Regulator, target, score: .csv or .tsv (.gz). The highest score is best; equal "
            "scores keep the order of their rows.",
            metavar="PREDICTIONS",
        ),
    ],
    network: Annotated[
        Path,
        option(
            "--network",
            help="The network to score against: regulator, target and, if given, a label (0 or 1) "
            "or a sign.",
            panel=NETWORK,
            metavar="FILE",
        ),
    ],
    network_class: NetworkClass = None,
    second: SecondNetwork = None,
    top: Annotated[
        int, option("--top", help="How many predictions count.", panel=RUN, min=1)
    ] = 100_000,
    absolute: Annotated[
        bool,
        option(
            "--absolute",
            help="Rank by the size of the score, for signed ones such as correlations.",
            panel=RUN,
        ),
    ] = False,
    nulls: Annotated[
        int, option("--nulls", help="Random networks of each kind.", panel=RUN, min=0)
    ] = 200,
    seed: RandomSeed = 0,
    path: Annotated[
        str | None,
        option(
            "--json",
            "--output",
            "-o",
            help="The JSON document; - prints it on stdout. Default: none.",
            panel=RESULTS,
            metavar="PATH",
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    options: dict[str, Any] = {
        "network_class": network_class_name(network_class),
        "top": top,
        "absolute": absolute,
        "nulls": nulls,
        "seed": seed,
    }
    target = output.Target(Path(path), DOCUMENT) if path not in (None, "-") else None
    with failures(verbose=verbose, quiet=quiet):
        inputs = [one for one in (predictions, network, second) if one]
        for one in inputs:
            check_input(one, what="edges")
        if target:
            target.check(inputs=inputs, force=force)
        with narrated(quiet=quiet, plain=verbose) as progress:
            found = _evaluate(
                predictions,
                network,
                second=second,
                command=_command(predictions, network, second, options),
                progress=progress,
                **options,
            )
        document = found.to_json() + "\n"
        if target:
            output.write([(target, document)], inputs=inputs, force=force)
        elif path == "-":
            print_data(document)
        if not quiet:
            for line in found.lines():
                say(line)
            if target:
                say(f"Data     {target.path}")


def _evaluate(predictions: Path, network: Path, **options: Any) -> Evaluation:
    from infocheck.evaluation import evaluate as score

    return score(predictions, network, **options)


def _command(predictions: Path, network: Path, second: Path | None, options: dict[str, Any]) -> str:
    """The command that gives these numbers again, without any folder of this machine."""
    given = {name: value for name, value in options.items() if _DEFAULTS.get(name) != value}
    words = ["infocheck", "evaluate", predictions.name, "--network", network.name]
    if second:
        words += ["--network2", second.name]
    return shell_words(words, given)
