"""The command `infocheck design`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infocheck import output
from infocheck.cli.console import failures, narrated, print_data, say
from infocheck.cli.files import check_input, list_files, places, shell_words
from infocheck.cli.options import (
    PANEL,
    RESULTS,
    RUN,
    Batch,
    CellType,
    Condition,
    Control,
    Counts,
    Donor,
    Force,
    Jobs,
    JsonPath,
    Perturbation,
    Quiet,
    RandomSeed,
    Time,
    Transpose,
    Verbose,
    option,
    unknown,
)
from infocheck.errors import InputError

if TYPE_CHECKING:
    from infocheck.planning.study import Study

SYSTEM, AXES, GOAL, COSTS, SCREEN = (
    "What the study is like",
    "Designs to compare",
    "What is looked for",
    "Costs",
    "Perturbation screen",
)
DOCUMENT = output.json_mark("design")


def design(
    pilot: Annotated[
        Path | None,
        option("--pilot", help="Data that it would be like.", panel=SYSTEM, metavar="FILE"),
    ] = None,
    profile: Annotated[
        str | None,
        option("--profile", help="Or a system that is shipped.", panel=SYSTEM, metavar="NAME"),
    ] = None,
    list_profiles: Annotated[
        bool, option("--list-profiles", help="Print the systems that are shipped.", panel=SYSTEM)
    ] = False,
    assume: Annotated[
        list[str] | None,
        option(
            "--assume",
            help="A number of the system that you know better, icc=0.05 or icc=0.02,0.05,0.2 "
            "(low, central, high); may be repeated.",
            panel=SYSTEM,
            metavar="FIELD=N",
        ),
    ] = None,
    donors: Annotated[
        str | None, option("--donors", help="Donors: 24, 8,16,24 or 4:40.", panel=AXES)
    ] = None,
    cells: Annotated[
        str | None,
        option("--cells", help="Cells (samples) per donor: 600 or 50:2000.", panel=AXES),
    ] = None,
    depth: Annotated[
        str | None, option("--depth", help="Reads per cell (sample): 1000:50000.", panel=AXES)
    ] = None,
    batches: Annotated[
        str, option("--batches", help="Batches that donors are spread over.", panel=AXES)
    ] = "1",
    regulators: Annotated[
        int | None, option("--regulators", help="How many are tested.", panel=GOAL, metavar="N")
    ] = None,
    targets: Annotated[
        int | None, option("--targets", help="How many are tested.", panel=GOAL, metavar="N")
    ] = None,
    effect: Annotated[
        float,
        option(
            "--effect",
            help="True correlation of an edge; half of it and one and a half of it are shown too.",
            panel=GOAL,
        ),
    ] = 0.3,
    in_degree: Annotated[
        float, option("--in-degree", help="Edges of that strength per target.", panel=GOAL)
    ] = 3.0,
    coupling: Annotated[
        float,
        option("--coupling", help="Correlation of mRNA and activity of regulators.", panel=GOAL),
    ] = 1.0,
    fdr: Annotated[float, option("--fdr", help="False discovery rate.", panel=GOAL)] = 0.1,
    power: Annotated[
        float, option("--power", help="Share of edges to be found, without a budget.", panel=GOAL)
    ] = 0.8,
    cost_donor: Annotated[
        float | None, option("--cost-donor", help="Of a donor, in any unit.", panel=COSTS)
    ] = None,
    cost_cell: Annotated[
        float | None, option("--cost-cell", help="Of a cell (sample).", panel=COSTS)
    ] = None,
    cost_read: Annotated[
        float | None, option("--cost-read", help="Of a read.", panel=COSTS)
    ] = None,
    budget: Annotated[
        float | None, option("--budget", help="Find the most that this buys.", panel=COSTS)
    ] = None,
    perturbations: Annotated[
        int | None,
        option("--perturbations", help="Perturbed genes; adds the section.", panel=SCREEN, min=1),
    ] = None,
    cells_per_perturbation: Annotated[
        str | None,
        option("--cells-per-perturbation", help="As --cells.  [default: 10 to 1600]", panel=SCREEN),
    ] = None,
    guides: Annotated[int, option("--guides", help="Guides per perturbation.", panel=SCREEN)] = 3,
    controls: Annotated[
        int | None,
        option(
            "--controls",
            help="Control cells.  [default: cells per perturbation × √perturbations]",
            panel=SCREEN,
        ),
    ] = None,
    fold_change: Annotated[
        str,
        option("--fold-change", help="Of a target in perturbed cells.", panel=SCREEN),
    ] = "0.5,0.75",
    batch: Batch = None,
    donor: Donor = None,
    cell_type: CellType = None,
    condition: Condition = None,
    perturbation: Perturbation = None,
    control: Control = None,
    time: Time = None,
    counts: Counts = None,
    candidates: Annotated[
        str | None,
        option(
            "--candidates",
            help="Who may regulate in the pilot; as --regulators of report.",
            panel=PANEL,
            metavar="LIST",
        ),
    ] = None,
    transpose: Transpose = False,
    seed: RandomSeed = 0,
    draws: Annotated[
        int, option("--draws", help="Draws of what is uncertain, for the ranges.", panel=RUN, min=2)
    ] = 200,
    jobs: Jobs = None,
    page: Annotated[
        str | None,
        option(
            "--output",
            "-o",
            help="The page, or a folder. Default: design.infocheck.html here, NAME.design… "
            "with a pilot.",
            panel=RESULTS,
            metavar="PATH",
        ),
    ] = None,
    json_path: JsonPath = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    if list_profiles:
        print_data(_profiles())
        raise typer.Exit
    _require_one(pilot, profile)
    options: dict[str, Any] = {
        "donors": donors,
        "cells": cells,
        "depth": depth,
        "batches": batches,
        "regulators": regulators,
        "targets": targets,
        "effect": effect,
        "in_degree": in_degree,
        "coupling": coupling,
        "fdr": fdr,
        "power": power,
        "cost_donor": cost_donor,
        "cost_cell": cost_cell,
        "cost_read": cost_read,
        "budget": budget,
        "perturbations": perturbations,
        "cells_per_perturbation": cells_per_perturbation,
        "guides": guides,
        "controls": controls,
        "fold_change": fold_change,
        "batch": batch,
        "donor": donor,
        "cell_type": cell_type,
        "condition": condition,
        "perturbation": perturbation,
        "control": control,
        "time": time,
        "counts": counts,
        "candidates": candidates,
        "transpose": transpose,
        "draws": draws,
        "seed": seed,
    }
    name = f"{output.data_name(pilot)}.design" if pilot else "design"
    page_target, json_target = places(name, page, json_path)
    if json_target:
        json_target = replace(json_target, mark=DOCUMENT)
    command = _command_line(pilot, profile, assume or [], options)
    options |= {"fold_change": _numbers(fold_change, "--fold-change"), "assume": _assumed(assume)}

    with failures(verbose=verbose, quiet=quiet):
        inputs = [path for path in (pilot, *list_files(candidates, None)) if path]
        for path in inputs:
            check_input(path)
        for target in filter(None, (page_target, json_target)):
            target.check(inputs=inputs, force=force)
        with narrated(quiet=quiet, plain=verbose) as progress:
            study = _design(
                pilot, profile=profile, **options, jobs=jobs, command=command, progress=progress
            )
        document = study.to_json()
        contents = [(page_target, study.to_html())]
        if json_target:
            contents.append((json_target, document + "\n"))
        output.write(contents, inputs=inputs, force=force)
        if json_target is None:
            print_data(document)
        if not quiet:
            _print_ending(study, page_target, json_target)


def _require_one(pilot: Path | None, profile: str | None) -> None:
    """A pilot or a profile, and one that is known."""
    from infocheck.planning.system import names

    known = names()
    if (pilot is None) == (profile is None):
        raise typer.BadParameter(
            f"give either --pilot FILE or --profile NAME; profiles are {', '.join(known)}"
        )
    if profile is not None and profile not in known:
        raise typer.BadParameter(unknown("profile", profile, known), param_hint="--profile")


def _design(pilot: Path | None, **options: Any) -> Study:
    from infocheck.planning.study import design as plan

    try:
        return plan(pilot, **options)
    except InputError:
        raise
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from problem


def _profiles() -> str:
    from infocheck.planning.system import names, shipped

    found = [shipped(name) for name in names()]
    width = max(len(one.name) for one in found)
    return "\n".join(f"{one.name:<{width}}  {one.title}" for one in found)


def _numbers(text: str, flag: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{flag}: {text!r} is no list of numbers") from None


def _assumed(given: list[str] | None) -> dict[str, list[float]]:
    found = {}
    for one in given or []:
        name, equals, numbers = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"--assume: {one!r} is not like icc=0.05")
        found[name.strip()] = _numbers(numbers, f"--assume {name}")
    return found


def _command_line(
    pilot: Path | None, profile: str | None, assume: list[str], options: dict[str, Any]
) -> str:
    """The command that gives these numbers again, without any folder of this machine."""
    defaults = {
        "batches": "1",
        "effect": 0.3,
        "in_degree": 3.0,
        "coupling": 1.0,
        "fdr": 0.1,
        "power": 0.8,
        "guides": 3,
        "draws": 200,
        "fold_change": "0.5,0.75",
    }
    given = {name: value for name, value in options.items() if defaults.get(name) != value}
    if isinstance(given.get("candidates"), str):
        given["candidates"] = Path(given["candidates"]).name
    words = ["infocheck", "design"]
    words += ["--pilot", pilot.name] if pilot else ["--profile", str(profile)]
    for one in assume:
        words += ["--assume", one]
    return shell_words(words, given)


def _print_ending(study: Study, page: output.Target, document: output.Target | None) -> None:
    say(study.sentence)
    limit = study.limited_by
    if limit:
        say(f"Limits  {study.axis_words(limit)}")
    say("        An upper bound to compare designs with, not a promise.")
    say(f"Report  {page.path}")
    if document:
        say(f"Data    {document.path}")
