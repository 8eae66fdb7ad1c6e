"""The command `infocheck report`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infocheck import output
from infocheck.cli.console import Exit, failures, narrated, print_data, say
from infocheck.cli.files import check_input, command_line, list_files, places
from infocheck.cli.groups import report_groups
from infocheck.cli.options import (
    BESIDE,
    NETWORK,
    PANEL,
    RESULTS,
    ROLES,
    RUN,
    Batch,
    CellCycle,
    CellType,
    Condition,
    Control,
    Counts,
    Donor,
    Force,
    Jobs,
    JsonPath,
    NetworkClass,
    Perturbation,
    Quiet,
    RandomSeed,
    SecondNetwork,
    Time,
    Transpose,
    Verbose,
    network_class_name,
    option,
    unknown,
)
from infocheck.goals import GOALS
from infocheck.result import Answer, Status

if TYPE_CHECKING:
    from infocheck.groups import Groups
    from infocheck.report import Report

GOAL_KEYS = tuple(goal.key for goal in GOALS)


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


def _goal(key: str) -> str:
    if key not in GOAL_KEYS:
        raise typer.BadParameter(unknown("goal", key, GOAL_KEYS))
    return key


def report(
    file: Annotated[
        Path | None,
        typer.Argument(help="Expression data: .h5ad, .csv or .tsv (.gz).", metavar="FILE"),
    ] = None,
    demo: Annotated[
        bool, option("--demo", help="Use simulated demonstration data, no FILE.", panel=RUN)
    ] = False,
    batch: Batch = None,
    donor: Donor = None,
    cell_type: CellType = None,
    condition: Condition = None,
    cell_cycle: CellCycle = None,
    perturbation: Perturbation = None,
    control: Control = None,
    time: Time = None,
    by: Annotated[
        str | None,
        option(
            "--by",
            help="A whole report for each level of this column, such as cell types, and a page "
            "that compares them.",
            panel=ROLES,
            metavar="COLUMN",
        ),
    ] = None,
    counts: Counts = None,
    regulators: Annotated[
        str | None,
        option(
            "--regulators",
            help="Who may regulate: a file of names, or human, mouse, jaspar:TAXON, "
            "var:COLUMN, all.",
            panel=PANEL,
            metavar="LIST",
        ),
    ] = None,
    targets: Annotated[
        str | None,
        option(
            "--targets",
            help="Number of over-dispersed targets, all, or a file of names.  [default: 2000]",
            panel=PANEL,
            metavar="LIST",
        ),
    ] = None,
    formula: Annotated[
        str | None,
        option(
            "--formula",
            help="Model of the variance decomposition: '~ batch + (1|donor) + cell_type'.  "
            "[default: all labelled columns]",
            panel=PANEL,
            metavar="FORMULA",
        ),
    ] = None,
    protein: Annotated[
        str | None,
        option(
            "--protein",
            help="Protein of the same cells: a key of obsm, a modality of a .h5mu, or a layer.",
            panel=BESIDE,
            metavar="KEY",
        ),
    ] = None,
    protein_map: Annotated[
        Path | None,
        option(
            "--protein-map",
            help="Table of protein and gene, for antibodies that are not named after their gene.",
            panel=BESIDE,
            metavar="FILE",
        ),
    ] = None,
    half_lives: Annotated[
        Path | None,
        option(
            "--half-lives",
            help="Table of gene, mRNA half-life and protein half-life, in hours.",
            panel=BESIDE,
            metavar="FILE",
        ),
    ] = None,
    regulons: Annotated[
        Path | None,
        option(
            "--regulons",
            help="A prior list of regulator, target and, if given, sign.",
            panel=BESIDE,
            metavar="FILE",
        ),
    ] = None,
    guide: Annotated[
        str | None, option("--guide", help="Guide of each cell.", panel=BESIDE, metavar="COLUMN")
    ] = None,
    transpose: Transpose = False,
    network: Annotated[
        Path | None,
        option(
            "--network",
            help="A known network to score against: regulator, target and, if given, a label (0 "
            "or 1) or a sign. No verdict depends on it.",
            panel=NETWORK,
            metavar="FILE",
        ),
    ] = None,
    network_class: NetworkClass = None,
    second_network: SecondNetwork = None,
    goal: Annotated[
        str,
        option(
            "--goal",
            help=f"Goal of the chain graphic and of --fail-on: {', '.join(GOAL_KEYS)}.",
            panel=RUN,
            metavar="GOAL",
            callback=_goal,
        ),
    ] = "confident_edges",
    fail_on: Annotated[
        FailOn | None,
        option(
            "--fail-on",
            help="Exit with 1 when the goal is excluded; not_excluded: also unless supported. "
            "With --by, when it is so for every group.",
            panel=RUN,
        ),
    ] = None,
    seed: RandomSeed = 0,
    jobs: Jobs = None,
    page: Annotated[
        str | None,
        option(
            "--output",
            "-o",
            help="The page, or a folder. Default: NAME.infocheck.html here. With --by, whole "
            "reports go to a folder of the same name beside it.",
            panel=RESULTS,
            metavar="PATH",
        ),
    ] = None,
    json_path: JsonPath = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    if demo == (file is not None):
        raise typer.BadParameter("give either a FILE or --demo", param_hint="FILE")
    roles = {
        "batch": batch,
        "donor": donor,
        "cell_type": cell_type,
        "condition": condition,
        "cell_cycle": cell_cycle,
        "perturbation": perturbation,
        "control": control,
        "time": time,
    }
    genes = {
        "counts": counts,
        "regulators": regulators,
        "targets": int(targets) if targets and targets.isdecimal() else targets,
        "formula": formula,
        "protein": protein,
        "protein_map": protein_map,
        "half_lives": half_lives,
        "regulons": regulons,
        "guide": guide,
        "transpose": transpose,
    }
    if network is None and (second_network or network_class):
        raise typer.BadParameter("--network2 and --network-class need --network")
    known: dict[str, Any] = {}
    if network:
        known = {
            "network": network,
            "network_class": network_class_name(network_class),
            "second_network": second_network,
        }
    run = {"goal": goal, "seed": seed, "jobs": jobs}
    name = output.data_name(file) if file else "demo"
    page_target, json_target = places(name, page, json_path)

    with failures(verbose=verbose, quiet=quiet):
        inputs = [path for path in (file, *list_files(regulators, targets)) if path]
        for path in inputs:
            check_input(path)
        for path in filter(None, (network, second_network, regulons)):
            check_input(path, what="edges")
            inputs.append(path)
        for path in filter(None, (protein_map, half_lives)):
            check_input(path)
            inputs.append(path)
        for target in filter(None, (page_target, json_target)):
            target.check(inputs=inputs, force=force)

        words = {"by": by, **roles, **genes, **known, "goal": goal, "seed": seed}
        command = command_line(file, words)
        if by is not None:
            groups = report_groups(
                file,
                page_target,
                json_target,
                inputs=inputs,
                force=force,
                quiet=quiet,
                verbose=verbose,
                command=command,
                by=by,
                **roles,
                **genes,
                **known,
                **run,
            )
            raise typer.Exit(int(_exit_code_of_groups(groups, goal, fail_on)))
        with narrated(quiet=quiet, plain=verbose) as progress:
            assessed = _assess(
                file,
                **roles,
                **genes,
                **known,
                **run,
                command=command,
                progress=progress,
            )
        document = assessed.to_json()
        contents = [(page_target, assessed.to_html())]
        if json_target:
            contents.append((json_target, document))
        output.write(contents, inputs=inputs, force=force)
        if json_target is None:
            print_data(document)
        if not quiet:
            _print_ending(assessed, page_target, json_target)
        code = _exit_code(assessed, goal, fail_on)
    raise typer.Exit(int(code))


def _assess(file: Path | None, **options: Any) -> Report:
    from infocheck.pipeline import assess

    if file is not None:
        return assess(file, **options)
    from infocheck.simulate import demo

    return assess(demo(), **options)


def _exit_code(assessed: Report, goal: str, fail_on: FailOn | None) -> Exit:
    """A crash outranks --fail-on: the verdict was reached without one of its checks."""
    if any(result.verdict.status == Status.ERROR for result in assessed.results.values()):
        return Exit.CRASHED
    if fail_on and assessed.goals[goal].verdict in _FAILING[fail_on]:
        return Exit.FAILED_ON
    return Exit.RAN


def _exit_code_of_groups(groups: Groups, goal: str, fail_on: FailOn | None) -> Exit:
    """--fail-on asks whether any group holds: it fails when all groups that were assessed do."""
    codes = [_exit_code(one, goal, fail_on) for one in groups.reports.values()]
    if Exit.CRASHED in codes:
        return Exit.CRASHED
    return Exit.FAILED_ON if all(code == Exit.FAILED_ON for code in codes) else Exit.RAN


def _print_ending(assessed: Report, page: output.Target, document: output.Target | None) -> None:
    from infocheck.report.terminal import lines

    for line in lines(assessed):
        say(line)
    say(f"Report  {page.path}")
    if document:
        say(f"Data    {document.path}")
