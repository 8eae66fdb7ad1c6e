"""From a file or an AnnData to a report: the whole road in one function."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import time as clock
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from infocheck import goals, thresholds
from infocheck.check import all_checks
from infocheck.engine import Engine
from infocheck.result import Result, Stage, Status
from infocheck.version import __version__

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from infocheck.dataset import Dataset
    from infocheck.report import Report
    from infocheck.source import Source

_PACKAGES = ("anndata", "h5py", "numpy", "pandas", "scikit-learn", "scipy", "statsmodels")


def assess(
    source: str | Path | AnnData | Source,
    *,
    counts: str | None = None,
    batch: str | None = None,
    donor: str | None = None,
    cell_type: str | None = None,
    condition: str | None = None,
    cell_cycle: str | None = None,
    perturbation: str | None = None,
    control: str | None = None,
    time: str | None = None,
    regulators: str | Path | Iterable[str] | None = None,
    targets: int | str | Path | None = None,
    formula: str | None = None,
    protein: str | None = None,
    protein_map: str | Path | pd.DataFrame | None = None,
    half_lives: str | Path | pd.DataFrame | None = None,
    regulons: str | Path | pd.DataFrame | None = None,
    guide: str | None = None,
    transpose: bool = False,
    network: str | Path | pd.DataFrame | None = None,
    network_class: str | None = None,
    second_network: str | Path | pd.DataFrame | None = None,
    goal: str = "confident_edges",
    seed: int = 0,
    jobs: int | None = None,
    command: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Assess whether a data set can hold a gene regulatory network.

    Parameters
    ----------
    source
        Path of a ``.h5ad``, ``.h5mu`` (with the extra ``mudata``), ``.csv`` or ``.tsv`` file
        (also ``.gz``; observations × genes), an AnnData, a MuData, or what
        :func:`infocheck.source.open_source` made of one. It is never changed.
    counts
        Layer with raw counts, or ``X``. Default: a layer called counts that holds
        counts, else X.
    batch, donor, cell_type, condition, cell_cycle, perturbation, time
        Columns of obs. Those not named are guessed from names and content; every
        guess is shown on the page.
    control
        Level of ``perturbation`` that is the control.
    regulators
        File with one name a line, names, ``human`` or ``mouse`` (the shipped rule
        on gene names), ``jaspar:TAXON``, ``var:COLUMN``, or ``all``. Default:
        ``var["is_regulator"]`` if there is one, else the shipped rule, joined with
        JASPAR where the extra ``jaspar`` is installed.
    targets
        Number of over-dispersed targets (default 2,000), ``all``, or a file.
    formula
        Model of the variance decomposition, ``~ batch + (1|donor) + cell_type``: fixed
        terms, and random intercepts as ``(1|name)``. Names are columns of obs, roles, or
        ``depth``. Default: all labelled roles, random from five levels on. It changes the
        decomposition alone, no verdict.
    protein
        Protein of the same observations: a key of ``obsm``, a modality of a MuData, or a layer.
        Default: one whose name says so.
    protein_map
        Table of protein and gene, for proteins whose names are not those of their genes.
    half_lives
        Table of gene, mRNA half-life and protein half-life, in hours.
    regulons
        A prior list of regulator, target and, if given, sign.
    guide
        Column of obs with the guide of each cell, for perturbations.
    transpose
        The table holds genes × observations.
    network
        A known network to score against, in the check ``agreement`` alone: a list of
        regulator, target and, if given, a label or sign. No verdict depends on it.
    network_class
        Kind of evidence behind it, a key of ``infocheck.networks.CLASSES``.
    second_network
        A second source: edges must be in both, other pairs in neither.
    goal
        Goal that the page draws the chain for.
    seed
        Seed of everything random. The same seed gives the same numbers for any
        number of workers.
    jobs
        Worker threads; default one per core.
    command
        The command to print in the provenance.
    progress
        Called as ``progress(step, done, total)``.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        The input cannot be read or is unsuitable; the message says what to do.
    ValueError
        An unknown goal or class, or a second network without a first.
    """
    from infocheck.dataset import Dataset
    from infocheck.moments import Moments
    from infocheck.networks import read_reference
    from infocheck.report import Report

    keys = [known.key for known in goals.GOALS]
    if goal not in keys:
        raise ValueError(f"unknown goal {goal!r}; one of {', '.join(keys)}")
    if network is None and (second_network is not None or network_class is not None):
        raise ValueError("a second network or a class needs a network")
    start = clock.perf_counter()
    # A list that cannot be read is refused before any value is.
    known = None if network is None else read_reference(network, second_network, network_class)
    engine = Engine(jobs, progress) if progress else Engine(jobs)
    with engine.running():
        data = Dataset.open(
            source,
            counts=counts,
            batch=batch,
            donor=donor,
            cell_type=cell_type,
            condition=condition,
            cell_cycle=cell_cycle,
            perturbation=perturbation,
            control=control,
            time=time,
            regulators=regulators,
            targets=targets,
            formula=formula,
            protein=protein,
            protein_map=protein_map,
            half_lives=half_lives,
            regulons=regulons,
            guide=guide,
            transpose=transpose,
            seed=seed,
            engine=engine,
        )
        data = data.with_moments(Moments.of(data))
        results = _run(data.with_network(known), engine, seed)
    verdicts = goals.decide(results, n_obs=data.n, role_levels=_levels(data))
    return Report(
        dataset=_facts(data),
        results=results,
        goals=verdicts,
        stages=goals.stage_states(results),
        provenance=_provenance(results, seed, command, clock.perf_counter() - start),
        goal=goal,
        date=datetime.now(UTC).date().isoformat(),
    )


def _run(data: Dataset, engine: Engine, seed: int) -> dict[str, Result]:
    checks = all_checks()
    results = {}
    for done, check in enumerate(checks):
        engine.progress(check.title, done, len(checks))
        results[check.name] = check.run(data, seed)
    engine.progress("Checks", len(checks), len(checks))
    return results


def _levels(data: Dataset) -> dict[str, int]:
    return {
        name: role.perturbed if name == "perturbation" else role.n_levels
        for name, role in data.roles.items()
    }


def _facts(data: Dataset) -> dict[str, object]:
    """The ``dataset`` block of the JSON document."""
    return {
        "name": data.name,
        "sha256": data.sha256,
        "n_obs": data.n_obs,
        "n_vars": data.n_vars,
        "value_kind": data.kind,
        "regulators": {"n": len(data.panel.expressed), "source": data.regulator_source},
        "targets": {"n": len(data.panel.targets)},
        "roles": {"counts": {"column": data.layer, "guessed": data.layer_guessed}}
        | {
            name: {"column": role.column, "guessed": role.guessed, "levels": role.n_levels}
            for name, role in data.roles.items()
        }
        | _beside(data),
        "notes": list(data.notes),
        "simulated": data.simulated,
    }


def _beside(data: Dataset) -> dict[str, dict[str, object]]:
    """Where protein and guides were found."""
    proteins, guides = data.evidence.proteins, data.evidence.guides
    found: dict[str, dict[str, object]] = {}
    if proteins is not None:
        found["protein"] = {"column": proteins.place, "guessed": proteins.guessed}
    if guides is not None and guides.guide is not None:
        guide = guides.guide
        found["guide"] = {"column": guide.column, "guessed": guide.guessed}
    return found


def _provenance(
    results: Mapping[str, Result], seed: int, command: str | None, seconds: float
) -> dict[str, object]:
    states = goals.stage_states(results)
    missing: list[dict[str, str]] = [
        {"stage": stage.value, "reason": states[stage].reason}
        for stage in Stage
        if states[stage].status is Status.NOT_ASSESSED
    ]
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "version": __version__,
        "thresholds_version": thresholds.VERSION,
        "command": command or "infocheck.assess(...)",
        "seed": seed,
        "seconds": seconds,
        "peak_memory_mb": _peak_memory(),
        "packages": {"python": platform.python_version(), **packages},
        "not_assessed": missing,
    }


def _peak_memory() -> float | None:
    """Largest resident size of this process so far, in MB; None where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
