"""`infocheck report --by COLUMN`: the whole report for each group of rows."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infocheck import output
from infocheck.cli.console import narrated, print_data, say

if TYPE_CHECKING:
    from infocheck.groups import Groups


def report_groups(
    file: Path | None,
    page: output.Target,
    document: output.Target | None,
    *,
    inputs: Iterable[Path],
    force: bool,
    quiet: bool,
    verbose: bool,
    command: str,
    **options: Any,
) -> Groups:
    """Assess the groups of a file and write all pages and documents, or none."""
    inputs = list(inputs)
    with narrated(quiet=quiet, plain=verbose) as progress:
        plan = _plan(file, **options)
        _check_places(plan.large_enough, page, inputs=inputs, force=force)
        groups = plan.run(command=command, progress=progress)
    contents = groups.contents(page, document)
    output.write(contents, inputs=inputs, force=force)
    if document is None:
        from infocheck.report.document import dumps

        print_data(dumps(groups.linked(page.path)))
    if not quiet:
        _print_ending(groups, page, document)
    return groups


def _plan(file: Path | None, **options: Any) -> Any:
    from infocheck.groups import plan

    if file is not None:
        return plan(file, **options)
    from infocheck.simulate import demo

    return plan(demo(), **options)


def _check_places(
    levels: list[str], page: output.Target, *, inputs: list[Path], force: bool
) -> None:
    """Refuse a place for any group before the first is assessed.

    A group that turns out to be unsuitable leaves its place unused, and may leave its name
    to another; so all names that can be needed are looked at.
    """
    from infocheck.groups import group_targets

    for both in group_targets(page.path, levels).values():
        for target in both:
            target.check(inputs=inputs, force=force)


def _print_ending(groups: Groups, page: output.Target, document: output.Target | None) -> None:
    from infocheck.groups import group_folder

    for line in [str(groups.document["sentence"]), *groups.lines(_width())]:
        say(line)
    say(f"Report  {page.path}")
    if document:
        say(f"Data    {document.path}")
    say(f"Groups  {group_folder(page.path)}")


def _width() -> int | None:
    """Columns of the terminal; None where the words go to a file."""
    return shutil.get_terminal_size().columns if sys.stderr.isatty() else None
