"""The command line: parse, find cheap mistakes, call the API, print.

Words go to stderr, data to stdout. Nothing heavy is imported before the arguments,
the input file and the places of the results are known to be usable.

Exit codes: 0 ran, whatever the verdict; 1 ``--fail-on``; 2 usage; 3 input unsuitable or
output not writable; 4 a check crashed (the report is written); 70 a fault of infocheck;
130 interrupted; 141 the reader of stdout went away.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from infocheck.cli import describe
from infocheck.cli.console import Exit
from infocheck.cli.design import design
from infocheck.cli.evaluate import evaluate
from infocheck.cli.report import report
from infocheck.cli.simulate import simulate
from infocheck.version import __version__

app = typer.Typer(
    name="infocheck",
    help="Can this data set hold a gene regulatory network?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"infocheck {__version__}")
        raise typer.Exit


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


app.command(
    help="Measure a data set and write a page and a JSON document.",
    epilog="Exit codes: 0 ran, whatever the verdict; 1 --fail-on; 2 usage; 3 input unsuitable "
    "or output not writable; 4 a check crashed, the report is written; 130 interrupted.",
)(report)
app.command(
    help="Plan a study: how many donors, cells and reads find how many edges, for what money.",
    epilog="Exit codes: 0 ran; 2 usage; 3 pilot unsuitable or output not writable; 130 "
    "interrupted. Ranges: 4:40 (equal ratios, both ends), 4:40:12 (twelve values); lists: "
    "50,200,1000.",
)(design)
app.command(
    epilog="Exit codes: 0 written; 2 usage, or an argument that makes no sense; 3 output not "
    "writable; 130 interrupted.",
)(simulate)
app.command(
    help="Score predicted edges against a known network, beside random networks.",
    epilog="Exit codes: 0 scored; 2 usage; 3 input unsuitable or output not writable; 130 "
    "interrupted. Files: columns by header (regulator, target, score, label, sign) or in this "
    "order, separated by tabs or commas.",
)(evaluate)
app.command()(describe.explain)
app.command("list")(describe.list_checks)
app.command("schema")(describe.print_schema)
