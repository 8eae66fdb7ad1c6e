"""The command line: parse, find cheap mistakes, call the API, print.

Words go to stderr, data to stdout. Nothing heavy is imported before the arguments,
the input file and the places of the results are known to be usable.

Exit codes: 0 ran, whatever the verdict; 1 ``--fail-on``; 2 usage; 3 input unsuitable or
output not writable; 4 a check crashed (the report is written); 70 a fault of infocheck;
130 interrupted; 141 the reader of stdout went away.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from infocheck import output
from infocheck.errors import InputError, OutputError
from infocheck.goals import GOALS
from infocheck.result import Answer, Status
from infocheck.version import __version__

if TYPE_CHECKING:
    from infocheck.check import Check
    from infocheck.report import Report

GOAL_KEYS = tuple(goal.key for goal in GOALS)
REGULATOR_WORDS = ("human", "mouse", "all")
REGULATOR_PREFIXES = ("var:", "jaspar:")
TARGET_WORDS = ("all",)

app = typer.Typer(
    name="infocheck",
    help="Can this data set hold a gene regulatory network?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Exit(IntEnum):
    """What the shell sees."""

    RAN = 0
    FAILED_ON = 1
    UNSUITABLE = 3
    CRASHED = 4
    INTERNAL = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class FailOn(StrEnum):
    """Values of --fail-on."""

    EXCLUDED = "excluded"
    NOT_EXCLUDED = "not_excluded"


# --fail-on not_excluded asks "is the goal supported?". A goal that could not be assessed is
# not, so it fails as well; it is no exclusion either, so --fail-on excluded lets it through.
_FAILING = {
    FailOn.EXCLUDED: {Answer.EXCLUDED},
    FailOn.NOT_EXCLUDED: {Answer.EXCLUDED, Answer.NOT_EXCLUDED, Answer.NOT_ASSESSED},
}


def main() -> None:
    """Entry point of the command ``infocheck``."""
    for stream in (sys.stdout, sys.stderr):
        # A console that lacks a character shows "?" instead of stopping the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="infocheck")
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


# Options ------------------------------------------------------------------------------


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"infocheck {__version__}")
        raise typer.Exit


def _goal(key: str) -> str:
    if key not in GOAL_KEYS:
        raise typer.BadParameter(_unknown("goal", key, GOAL_KEYS))
    return key


def _unknown(kind: str, given: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    guess = f"Did you mean {near[0]!r}? " if near else ""
    return f"no {kind} is called {given!r}. {guess}There are {', '.join(known)}."


_ROLES, _PANEL, _RUN, _RESULTS = "Columns of obs", "Genes and values", "Run", "Results"


def _option(*flags: str, help: str, panel: str, metavar: str | None = None, **rest: Any) -> Any:
    return typer.Option(*flags, help=help, rich_help_panel=panel, metavar=metavar, **rest)


def _column(flag: str, help: str) -> Any:
    return _option(flag, help=help, panel=_ROLES, metavar="COLUMN")


Force = Annotated[
    bool, _option("--force", help="Replace files that infocheck did not write.", panel=_RESULTS)
]
Quiet = Annotated[bool, _option("--quiet", "-q", help="Print no words to stderr.", panel=_RUN)]
# Every command takes it, so that a script can pass it to all of them.
Seed = Annotated[
    int, _option("--seed", help="No effect here: nothing is random.", panel=_RUN, min=0)
]
AsJson = Annotated[
    str | None,
    _option(
        "--output",
        "-o",
        "--json",
        help="Write the same content as JSON to this file; - for stdout.",
        panel=_RESULTS,
        metavar="PATH",
    ),
]


@app.callback()
def _app(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


# Commands -----------------------------------------------------------------------------


@app.command(
    help="Measure a data set and write a page and a JSON document.",
    epilog="Exit codes: 0 ran, whatever the verdict; 1 --fail-on; 2 usage; 3 input unsuitable "
    "or output not writable; 4 a check crashed, the report is written; 130 interrupted.",
)
def report(
    file: Annotated[
        Path | None,
        typer.Argument(help="Expression data: .h5ad, .csv or .tsv (.gz).", metavar="FILE"),
    ] = None,
    demo: Annotated[
        bool, _option("--demo", help="Use simulated demonstration data, no FILE.", panel=_RUN)
    ] = False,
    batch: Annotated[str | None, _column("--batch", "Technical batch.")] = None,
    donor: Annotated[
        str | None, _column("--donor", "Donor, animal or culture: the independent unit.")
    ] = None,
    cell_type: Annotated[str | None, _column("--cell-type", "Cell type or cluster.")] = None,
    condition: Annotated[str | None, _column("--condition", "Condition or treatment.")] = None,
    perturbation: Annotated[
        str | None, _column("--perturbation", "Perturbed gene of each cell.")
    ] = None,
    control: Annotated[
        str | None,
        _option(
            "--control",
            help="Which perturbation means none.",
            panel=_ROLES,
            metavar="LEVEL",
        ),
    ] = None,
    time: Annotated[str | None, _column("--time", "Time point.")] = None,
    counts: Annotated[
        str | None,
        _option("--counts", help="Layer of raw counts.", panel=_PANEL, metavar="LAYER"),
    ] = None,
    regulators: Annotated[
        str | None,
        _option(
            "--regulators",
            help="Who may regulate: a file of names, or human, mouse, jaspar:TAXON, "
            "var:COLUMN, all.",
            panel=_PANEL,
            metavar="LIST",
        ),
    ] = None,
    targets: Annotated[
        str | None,
        _option(
            "--targets",
            help="Number of over-dispersed targets, all, or a file of names.  [default: 2000]",
            panel=_PANEL,
            metavar="LIST",
        ),
    ] = None,
    transpose: Annotated[
        bool, _option("--transpose", help="Rows of a table are genes.", panel=_PANEL)
    ] = False,
    goal: Annotated[
        str,
        _option(
            "--goal",
            help=f"Goal of the chain graphic and of --fail-on: {', '.join(GOAL_KEYS)}.",
            panel=_RUN,
            metavar="GOAL",
            callback=_goal,
        ),
    ] = "confident_edges",
    fail_on: Annotated[
        FailOn | None,
        _option(
            "--fail-on",
            help="Exit with 1 when the goal is excluded; not_excluded: also unless supported.",
            panel=_RUN,
        ),
    ] = None,
    seed: Annotated[
        int, _option("--seed", help="Seed of all random numbers.", panel=_RUN, min=0)
    ] = 0,
    jobs: Annotated[
        int | None,
        _option("--jobs", help="Worker threads; default: one per core.", panel=_RUN, min=1),
    ] = None,
    page: Annotated[
        str | None,
        _option(
            "--output",
            "-o",
            help="The page, or a folder. Default: NAME.infocheck.html here.",
            panel=_RESULTS,
            metavar="PATH",
        ),
    ] = None,
    json_path: Annotated[
        str | None,
        _option(
            "--json",
            help="The JSON document; - prints it on stdout. Default: beside the page.",
            panel=_RESULTS,
            metavar="PATH",
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, _option("--verbose", "-v", help="Log to stderr, with tracebacks.", panel=_RUN)
    ] = False,
) -> None:
    if demo == (file is not None):
        raise typer.BadParameter("give either a FILE or --demo", param_hint="FILE")
    roles = {
        "batch": batch,
        "donor": donor,
        "cell_type": cell_type,
        "condition": condition,
        "perturbation": perturbation,
        "control": control,
        "time": time,
    }
    genes = {
        "counts": counts,
        "regulators": regulators,
        "targets": int(targets) if targets and targets.isdecimal() else targets,
        "transpose": transpose,
    }
    run = {"goal": goal, "seed": seed, "jobs": jobs}
    name = output.data_name(file) if file else "demo"
    page_target, json_target = _places(name, page, json_path)

    with _failures(verbose=verbose, quiet=quiet):
        inputs = [path for path in (file, *_list_files(regulators, targets)) if path]
        for path in inputs:
            _check_input(path)
        for target in filter(None, (page_target, json_target)):
            target.check(inputs=inputs, force=force)

        with _narrated(quiet=quiet, plain=verbose) as progress:
            assessed = _assess(
                file,
                **roles,
                **genes,
                **run,
                command=_command(file, {**roles, **genes, "goal": goal, "seed": seed}),
                progress=progress,
            )
        document = assessed.to_json()
        contents = [(page_target, assessed.to_html())]
        if json_target:
            contents.append((json_target, document))
        output.write(contents, inputs=inputs, force=force)
        if json_target is None:
            _print_data(document)
        if not quiet:
            _print_ending(assessed, page_target, json_target)
        code = _exit_code(assessed, goal, fail_on)
    raise typer.Exit(int(code))


@app.command()
def explain(
    check: Annotated[str, typer.Argument(help="Name of a check; see `infocheck list`.")],
    path: AsJson = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """What a check asks, how it is computed, and when it misleads."""
    with _failures(quiet=quiet):
        from infocheck.check import all_checks
        from infocheck.explain import describe, document

        known: dict[str, Check] = {one.name: one for one in all_checks()}
        if check not in known:
            raise typer.BadParameter(_unknown("check", check, known), param_hint="CHECK")
        chosen = known[check]
        mark = output.json_mark("check")
        _deliver(describe(chosen), lambda: document(chosen), path, mark, force, quiet)


@app.command("list")
def list_checks(
    path: AsJson = None, seed: Seed = 0, force: Force = False, quiet: Quiet = False
) -> None:
    """All checks with their questions, by stage."""
    with _failures(quiet=quiet):
        from infocheck.check import all_checks
        from infocheck.explain import documents, overview

        checks = all_checks()
        mark = output.json_mark("checks")
        _deliver(overview(checks), lambda: documents(checks), path, mark, force, quiet)


@app.command("schema")
def print_schema(
    path: AsJson = None, seed: Seed = 0, force: Force = False, quiet: Quiet = False
) -> None:
    """The JSON Schema of the document that `report` writes."""
    with _failures(quiet=quiet):
        from infocheck.report.document import schema

        content = schema()
        _deliver(_as_json(content), lambda: content, path, output.SCHEMA, force, quiet)


# Before the run -----------------------------------------------------------------------


def _places(
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


def _list_files(regulators: str | None, targets: str | None) -> Iterator[Path]:
    """Files among the options that also take words."""
    words = regulators in REGULATOR_WORDS or str(regulators).startswith(REGULATOR_PREFIXES)
    if regulators and not words:
        yield Path(regulators)
    if targets and targets not in TARGET_WORDS and not targets.isdecimal():
        yield Path(targets)


def _check_input(path: Path) -> None:
    """Find the mistakes that need no library to be seen."""
    try:
        _check_readable(path)
    except OSError as problem:
        raise InputError(f"cannot read {path}: {problem.strerror or problem}") from problem


def _check_readable(path: Path) -> None:
    if not path.exists():
        near = difflib.get_close_matches(path.name, _siblings(path), n=1)
        guess = f"; did you mean {path.with_name(near[0])}?" if near else ""
        raise InputError(f"there is no file {path}{guess}")
    if path.suffix == ".zarr" and path.is_dir():
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder; give one file of expression data")
    with path.open("rb") as file:
        if not file.read(1):
            raise InputError(f"{path} is empty")


def _siblings(path: Path) -> list[str]:
    with suppress(OSError):
        return [sibling.name for sibling in path.parent.iterdir()]
    return []


def _command(file: Path | None, options: dict[str, Any]) -> str:
    """The command that gives these numbers again, without any folder of this machine."""
    words = ["infocheck", "report", file.name if file else "--demo"]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if name in ("regulators", "targets") and isinstance(value, str):
            value = Path(value).name
        if value is True:
            words.append(flag)
        elif value not in (None, False):
            words += [flag, str(value)]
    return shlex.join(words)


# The run ------------------------------------------------------------------------------


def _assess(file: Path | None, **options: Any) -> Report:
    from infocheck.pipeline import assess

    if file is not None:
        return assess(file, **options)
    from infocheck.simulate import demo

    return assess(demo(), **options)


@contextmanager
def _failures(*, verbose: bool = False, quiet: bool = False) -> Iterator[None]:
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
            _say("interrupted; nothing was written")
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
    _say(f"error: {' '.join(message.split())}")
    raise typer.Exit(int(code)) from None


@contextmanager
def _narrated(*, quiet: bool, plain: bool) -> Iterator[Callable[[str, int, int], None]]:
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
            _say(step)
        last = step

    return tell


def _exit_code(assessed: Report, goal: str, fail_on: FailOn | None) -> Exit:
    """A crash outranks --fail-on: the verdict was reached without one of its checks."""
    if any(result.verdict.status == Status.ERROR for result in assessed.results.values()):
        return Exit.CRASHED
    if fail_on and assessed.goals[goal].verdict in _FAILING[fail_on]:
        return Exit.FAILED_ON
    return Exit.RAN


# Words and data -----------------------------------------------------------------------


def _print_ending(assessed: Report, page: output.Target, document: output.Target | None) -> None:
    from infocheck.report.terminal import lines

    for line in lines(assessed):
        _say(line)
    _say(f"Report  {page.path}")
    if document:
        _say(f"Data    {document.path}")


def _deliver(
    text: str,
    content: Callable[[], dict[str, Any]],
    path: str | None,
    mark: output.Mark,
    force: bool,
    quiet: bool,
) -> None:
    """Print the text, or the same content as JSON to where it was asked for."""
    if path is None:
        _print_data(text)
    elif path == "-":
        _print_data(_as_json(content()))
    else:
        target = output.Target(Path(path), mark)
        output.write([(target, _as_json(content()) + "\n")], force=force)
        if not quiet:
            _say(f"Data    {path}")


def _as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str)


def _print_data(text: str) -> None:
    """Print to stdout; JSON stays lossless on a console that is not UTF-8."""
    if text.startswith("{") and not _is_utf8(sys.stdout):
        text = "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    sys.stdout.flush()


def _is_utf8(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "") == "utf8"


def _say(words: str) -> None:
    """Print words to stderr; a closed or narrow console is no reason to fail."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    shown = words.encode(encoding, "replace").decode(encoding)
    with suppress(BrokenPipeError):
        print(shown, file=sys.stderr, flush=True)
