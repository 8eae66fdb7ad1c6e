"""Commands that tell of infocheck itself: explain, list, schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from infocheck import output
from infocheck.cli.console import as_json, deliver, failures
from infocheck.cli.options import AsJson, Force, Quiet, Seed, unknown

if TYPE_CHECKING:
    from infocheck.check import Check


def explain(
    check: Annotated[str, typer.Argument(help="Name of a check; see `infocheck list`.")],
    path: AsJson = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """What a check asks, how it is computed, and when it misleads."""
    with failures(quiet=quiet):
        from infocheck.check import all_checks
        from infocheck.explain import describe, document

        known: dict[str, Check] = {one.name: one for one in all_checks()}
        if check not in known:
            raise typer.BadParameter(unknown("check", check, known), param_hint="CHECK")
        chosen = known[check]
        mark = output.json_mark("check")
        deliver(describe(chosen), lambda: document(chosen), path, mark, force, quiet)


def list_checks(
    path: AsJson = None, seed: Seed = 0, force: Force = False, quiet: Quiet = False
) -> None:
    """All checks with their questions, by stage."""
    with failures(quiet=quiet):
        from infocheck.check import all_checks
        from infocheck.explain import documents, overview

        checks = all_checks()
        mark = output.json_mark("checks")
        deliver(overview(checks), lambda: documents(checks), path, mark, force, quiet)


def print_schema(
    design: Annotated[
        bool, typer.Option("--design", help="That of `design` instead of `report`.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="That of `evaluate` instead of `report`.")
    ] = False,
    comparison: Annotated[
        bool, typer.Option("--comparison", help="That of `report --by` instead of `report`.")
    ] = False,
    path: AsJson = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """The JSON Schema of the document that `report`, `design` or `evaluate` writes.

    That of `report --by` is another one: --comparison.
    """
    if design + evaluate + comparison > 1:
        raise typer.BadParameter("give one of --design, --evaluate and --comparison")
    with failures(quiet=quiet):
        if design:
            from infocheck.report.study_document import schema
        elif evaluate:
            from infocheck.evaluation import schema
        elif comparison:
            from infocheck.report.comparison_document import schema
        else:
            from infocheck.report.document import schema

        content = schema()
        deliver(as_json(content), lambda: content, path, output.SCHEMA, force, quiet)
