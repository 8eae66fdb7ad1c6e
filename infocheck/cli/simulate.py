"""The command `infocheck simulate`."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infocheck import output
from infocheck.cli.console import as_json, failures, print_data, say
from infocheck.cli.options import RESULTS, RUN, Force, Quiet, RandomSeed, option, unknown
from infocheck.version import __version__

if TYPE_CHECKING:
    from anndata import AnnData

SCHEMA = "infocheck.simulation/1"
# The keys of infocheck.simulate.DEFECTS, which take a second to import.
DEFECT_NAMES = (
    "shallow",
    "no-network",
    "few-cells",
    "pseudoreplication",
    "batch",
    "aliased",
    "hidden",
    "uncoupled",
    "confusable",
    "constant",
    "bursting",
    "ineffective",
    "sparse-times",
)
CELLS, NETWORK, KINETICS = "Cells", "Genes and network", "Mechanistic core only"
# Names of arguments where the option is called otherwise.
_FLAGS = {"n_obs": "--cells", "n_genes": "--genes", "n_regulators": "--regulators"}
_LINEAR = ("r2", "coupling")
_MECHANISTIC = (
    "regulator_parents",
    "strength",
    "hill",
    "repressors",
    "mrna_half_life",
    "protein_half_life",
    "bursts",
    "signal",
    "signal_hours",
    "protein_noise",
    "perturbations",
    "knockdown",
    "escape",
    "controls",
    "times",
    "stimulus",
)


class Core(StrEnum):
    """Values of --core."""

    LINEAR = "linear"
    MECHANISTIC = "mechanistic"


class Condition(StrEnum):
    """Values of --condition."""

    BALANCED = "balanced"
    ALIASED = "aliased"
    NONE = "none"


def _known(names: list[str] | None) -> list[str] | None:
    for name in names or []:
        if name not in DEFECT_NAMES:
            raise typer.BadParameter(unknown("defect", name, DEFECT_NAMES))
    return names


def _hours(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"--times takes hours with commas between, like 0,6,24, and not {text!r}"
        ) from None


def _whole(flag: str, help: str, panel: str) -> Any:
    return Annotated[int | None, option(flag, help=help, panel=panel, metavar="N")]


def _real(flag: str, help: str, panel: str) -> Any:
    return Annotated[float | None, option(flag, help=help, panel=panel, metavar="X")]


def simulate(
    path: Annotated[
        str,
        option(
            "--output",
            "-o",
            help="The data, .h5ad, or a folder; NAME.network.csv is written beside it.",
            panel=RESULTS,
            metavar="PATH",
        ),
    ] = "simulated.h5ad",
    json_path: Annotated[
        str | None,
        option(
            "--json",
            help="What was simulated, as JSON, to this file; - for stdout.",
            panel=RESULTS,
            metavar="PATH",
        ),
    ] = None,
    core: Annotated[
        Core,
        option(
            "--core",
            help="linear is fast; mechanistic has bursts, Hill regulation and proteins.",
            panel=RUN,
        ),
    ] = Core.LINEAR,
    defect: Annotated[
        list[str] | None,
        option(
            "--defect",
            help=f"Plant a defect, also several: {', '.join(DEFECT_NAMES)}.",
            panel=RUN,
            metavar="NAME",
            callback=_known,
        ),
    ] = None,
    seed: RandomSeed = 0,
    n_obs: _whole("--cells", "Cells.", CELLS) = None,
    donors: _whole("--donors", "Donors, the independent units.", CELLS) = None,
    batches: _whole("--batches", "Batches; a donor lies in one of them.", CELLS) = None,
    cell_types: _whole("--cell-types", "Cell types.", CELLS) = None,
    condition: Annotated[
        Condition | None,
        option("--condition", help="Label of cells that moves no gene.", panel=CELLS),
    ] = None,
    depth: _real("--depth", "Expected counts per cell.", CELLS) = None,
    donor_share: _real("--donor-share", "Share of variance between donors.", CELLS) = None,
    batch_share: _real("--batch-share", "Share of variance between batches.", CELLS) = None,
    hidden_share: _real("--hidden-share", "Share of an unrecorded factor.", CELLS) = None,
    n_genes: _whole("--genes", "Genes.", NETWORK) = None,
    n_regulators: _whole("--regulators", "Regulators among them.", NETWORK) = None,
    parents: _real("--parents", "Mean number of regulators of a target.", NETWORK) = None,
    bystanders: _whole("--bystanders", "Genes that follow no regulator.", NETWORK) = None,
    duplicates: _whole("--duplicates", "Regulators that copy another.", NETWORK) = None,
    constant_genes: _whole("--constant-genes", "Genes without counts.", NETWORK) = None,
    r2: _real(
        "--r2", "Share of a target's variance due to regulators; linear core only.", NETWORK
    ) = None,
    coupling: _real(
        "--coupling", "Correlation of mRNA and activity; linear core only.", NETWORK
    ) = None,
    regulator_parents: _real(
        "--regulator-parents", "Mean number of regulators of a regulator.", KINETICS
    ) = None,
    strength: _real("--strength", "Strength of the strongest edge, 0 to 1.", KINETICS) = None,
    hill: _real("--hill", "Hill exponent.", KINETICS) = None,
    repressors: _real("--repressors", "Share of edges that repress.", KINETICS) = None,
    mrna_half_life: _real("--mrna-half-life", "Median of genes, hours.", KINETICS) = None,
    protein_half_life: _real(
        "--protein-half-life", "Median of regulators, hours.", KINETICS
    ) = None,
    bursts: _real("--bursts", "Bursts within the lifetime of an mRNA.", KINETICS) = None,
    signal: _real("--signal", "Log spread of unseen inputs of regulators.", KINETICS) = None,
    signal_hours: _real("--signal-hours", "Hours that an input lasts.", KINETICS) = None,
    protein_noise: _real("--protein-noise", "Log error of measured protein.", KINETICS) = None,
    perturbations: _whole("--perturbations", "Regulators that are knocked down.", KINETICS) = None,
    knockdown: _real("--knockdown", "Share of transcription that is lost.", KINETICS) = None,
    escape: _real("--escape", "Share of perturbed cells that escape.", KINETICS) = None,
    controls: _real("--controls", "Share of control cells.", KINETICS) = None,
    times: Annotated[
        str | None,
        option(
            "--times",
            help="Hours after a stimulus, like 0,6,24.",
            panel=KINETICS,
            metavar="HOURS",
        ),
    ] = None,
    stimulus: _real("--stimulus", "Factor by which the stimulus acts.", KINETICS) = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write data with a known network, sound or with a planted defect."""
    defect = defect or []
    given = dict(locals())
    ours = ("path", "json_path", "core", "defect", "seed", "force", "quiet")
    options = {name: given[name] for name in given if name not in ours and given[name] is not None}
    if condition is not None:
        options["condition"] = None if condition == Condition.NONE else condition.value
    if times is not None:
        options["times"] = _hours(times)
    _check_core(core, options)
    data, network = _data_path(path), _network_path(path)
    with failures(quiet=quiet):
        targets = _targets(data, network, json_path)
        for target in targets:
            target.check(force=force)
        arguments = {**_planted(core, defect), **options, "seed": seed}
        adata = _simulate(core, arguments)
        content = _document(adata, core, defect, given, data, network)
        output.write(
            list(zip(targets, _contents(adata, content), strict=False)),
            force=force,
        )
        if json_path == "-":
            print_data(as_json(content))
        if not quiet:
            _print_ending(content, data, network, json_path)


def _check_core(core: Core, options: Mapping[str, Any]) -> None:
    foreign = _MECHANISTIC if core == Core.LINEAR else _LINEAR
    other = Core.MECHANISTIC if core == Core.LINEAR else Core.LINEAR
    for name in options:
        if name in foreign:
            raise typer.BadParameter(f"{_flag(name)} needs --core {other}")


def _planted(core: Core, names: list[str]) -> dict[str, Any]:
    """Arguments that plant the defects; the last one wins, and any option wins over it."""
    from infocheck.simulate import DEFECTS

    arguments: dict[str, Any] = {}
    for name in names:
        planted = DEFECTS[name].of(core)
        if not planted:
            raise typer.BadParameter(f"--defect {name} needs --core {Core.MECHANISTIC}")
        arguments |= planted
    return arguments


def _simulate(core: Core, arguments: Mapping[str, Any]) -> AnnData:
    from infocheck.simulate import ArgumentError, mechanistic, simulate

    try:
        return (simulate if core == Core.LINEAR else mechanistic)(**arguments)
    except ArgumentError as refusal:
        words = re.sub(r"\b[a-z0-9]+(_[a-z0-9]+)+\b", lambda m: _flag(m[0]), str(refusal))
        raise typer.BadParameter(words) from None


def _flag(argument: str) -> str:
    return _FLAGS.get(argument, f"--{argument.replace('_', '-')}")


# Files --------------------------------------------------------------------------------


def _data_path(path: str) -> Path:
    if path == "-":
        raise typer.BadParameter("the data need a file; --json - prints what was simulated")
    if path.endswith(("/", os.sep)) or output.is_folder(path):
        return Path(path) / "simulated.h5ad"
    if not path.lower().endswith(".h5ad"):
        raise typer.BadParameter(f"-o names the data, which are written as .h5ad: {path}.h5ad?")
    return Path(path)


def _network_path(path: str) -> Path:
    data = _data_path(path)
    return data.with_name(f"{output.data_name(data)}.network.csv")


def _targets(data: Path, network: Path, document: str | None) -> list[output.Target]:
    from infocheck.simulate.files import DataMark, NetworkMark

    targets = [output.Target(data, DataMark()), output.Target(network, NetworkMark(data))]
    if document not in (None, "-"):
        targets.append(output.Target(Path(document), output.json_mark("simulation")))
    if len({target.path for target in targets}) < len(targets):
        raise typer.BadParameter("the data, the network and the JSON document need three files")
    return targets


def _contents(adata: AnnData, content: dict[str, Any]) -> list[Any]:
    """What goes into the data, the network and the document, in this order."""
    from infocheck.simulate.files import network_text, write_h5ad

    return [
        lambda place: write_h5ad(adata, place),
        network_text(adata),
        as_json(content) + "\n",
    ]


def _document(
    adata: AnnData,
    core: Core,
    defect: list[str],
    given: Mapping[str, Any],
    data: Path,
    network: Path,
) -> dict[str, Any]:
    from infocheck.source import SIMULATED

    arguments = {key: _plain(value) for key, value in adata.uns[SIMULATED].items()}
    arguments.pop("core", None)
    return {
        "schema": SCHEMA,
        "core": core.value,
        "defects": list(defect),
        "n_obs": adata.n_obs,
        "n_vars": adata.n_vars,
        "n_regulators": int(adata.var["is_regulator"].sum()),
        "n_edges": len(adata.uns["network"]),
        "labels": list(adata.obs),
        "arguments": arguments,
        "files": {"data": data.name, "network": network.name},
        "provenance": {"version": __version__, "command": _command(given, data)},
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    # JSON has no infinity, which is a meaningful number of hours.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _command(given: Mapping[str, Any], data: Path) -> str:
    """The command that gives these data again, without any folder of this machine."""
    words = ["infocheck", "simulate", "-o", data.name, "--core", given["core"].value]
    for name in given["defect"]:
        words += ["--defect", name]
    for name, value in given.items():
        if name not in ("path", "json_path", "core", "defect", "force", "quiet"):
            words += [] if value is None else [_flag(name), str(value)]
    return shlex.join(words)


def _print_ending(
    content: Mapping[str, Any], data: Path, network: Path, document: str | None
) -> None:
    say(
        f"Data     {data}  {content['n_obs']:,} cells × {content['n_vars']:,} genes, "
        f"{content['n_regulators']:,} of them regulators"
    )
    say(f"Network  {network}  {content['n_edges']:,} edges")
    if document not in (None, "-"):
        say(f"JSON     {document}")
