"""The study before the money is spent: how many donors, rows and reads, and what they buy.

:func:`design` evaluates every design on a grid by the closed forms of
:mod:`infocheck.planning.model`, takes the best, and says how far that rests on what was assumed.
"""

from __future__ import annotations

import importlib.metadata
import math
import platform
import time as clock
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from infocheck import thresholds
from infocheck.output import data_name
from infocheck.planning import model
from infocheck.planning import system as systems
from infocheck.planning.model import Designs, Plan
from infocheck.planning.screening import Screen
from infocheck.planning.system import READS, UMIS, Field, System
from infocheck.planning.tables import tables
from infocheck.report.digits import about
from infocheck.report.words import plural
from infocheck.version import __version__

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.figure import Figure

    from infocheck.plotting import Chart

DRAWS = 200
_PACKAGES = ("numpy", "pandas", "scipy")


@dataclass(frozen=True, kw_only=True)
class Study:
    """A planned study: the best design, what it rests on, and all others.

    Attributes
    ----------
    system
        What it would be made on.
    plan
        What is looked for, and what things cost.
    tables
        Tidy tables: ``designs``, ``curves``, ``optimum``, ``limits``, ``sensitivity``,
        ``perturbation``, ``guides``, ``system`` and ``assumptions``. An estimate x stands
        beside x_low and x_high.
    provenance
        Version, command, seed, time.
    """

    system: System
    plan: Plan
    tables: Mapping[str, pd.DataFrame]
    provenance: Mapping[str, object]
    screen: Screen | None = None
    date: str = ""

    @property
    def stem(self) -> str:
        """How the names of files of this study begin."""
        return f"{data_name(Path(self.system.name))}.design" if self.system.pilot else "design"

    @property
    def best(self) -> pd.Series:
        """The row of the optimum for the effect that was asked for."""
        table = self.tables["optimum"]
        return table[table["multiple"] == 1.0].iloc[0]

    @property
    def reached(self) -> bool:
        """Does the best design do what was asked?"""
        return bool(self.best["reached"])

    @property
    def limited_by(self) -> str | None:
        """The axis of which twice as much would bring most, if any brings anything."""
        table = self.tables["limits"]
        row = table.iloc[int(table["gain"].to_numpy().argmax())]
        return str(row["axis"]) if row["gain"] >= 0.005 else None

    @property
    def headline(self) -> str:
        """The design in one line: "About 24 donors (19–31) × 600 cells at 8,000 UMI"."""
        text = self.describe(self.best, ranges=True)
        if self.reached:
            return f"About {text}"
        return f"No design on this grid finds {self.plan.power:.0%} of the edges"

    @property
    def sentence(self) -> str:
        """One sentence: the design, what it finds at most, and what that rests on."""
        best, plan = self.best, self.plan
        found = _at_most(best["power"], best["power_low"], best["power_high"])
        edges = f"edges with a true correlation of {plan.effect:g} at an FDR of {100 * plan.fdr:g}%"
        if not self.reached:
            limit = self.limited_by
            why = f"; {self.axis_words(limit)} limits it most" if limit else ""
            return (
                f"No design on this grid finds {plan.power:.0%} of {edges}: the best, "
                f"{self.describe(best)}, finds {found}{why}."
            )
        money = f" cost {best['cost']:,.0f}"
        if plan.budget is not None:
            money += f" of a budget of {plan.budget:,.0f}"
        return (
            f"About {self.describe(best, ranges=True)}{money} and find {found} of {edges}, "
            "if the assumptions hold."
        )

    def describe(self, row: Mapping, *, ranges: bool = False) -> str:
        """A design in words."""
        one, many = self.system.donor, self.system.row
        donors = f"{row['donors']:,.0f} {plural(one, row['donors'])}"
        cells = f"{row['cells']:,.0f} {plural(many, row['cells'])}"
        if ranges and row["donors_low"] < row["donors_high"]:
            donors += f" ({row['donors_low']:,.0f}–{row['donors_high']:,.0f})"
        text = f"{donors} × {cells}"
        if self.system.kind == UMIS:
            text += f" at {about(row['umis'])} UMI"
        elif self.system.kind == READS:
            text += f" at {about(row['depth'])} reads"
        if row["batches"] > 1:
            text += f" in {row['batches']:,.0f} batches"
        return text

    def axis_words(self, axis: str | None) -> str:
        """An axis inside a sentence."""
        words = {
            "donors": f"the number of {plural(self.system.donor)}",
            "cells": f"the number of {plural(self.system.row)} per {self.system.donor}",
            "depth": "depth",
        }
        return words.get(axis or "", "none of the axes")

    def charts(self) -> dict[str, Chart]:
        """The figures of the page by name."""
        from infocheck.planning import charts

        return charts.charts(self)

    def figure(self, name: str) -> Figure:
        """One figure by name; KeyError names the ones that exist."""
        charts = self.charts()
        if name not in charts:
            raise KeyError(f"no figure is called {name!r}; there are {', '.join(charts)}")
        return charts[name].figure()

    def to_html(self, path: str | Path | None = None) -> str:
        """The page as text; also written to ``path`` when one is given."""
        from infocheck.report import study_page

        return _written(study_page.render(self), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """The document ``infocheck.design/1`` as text; also written to ``path``."""
        from infocheck.report import study_document

        return _written(study_document.to_json(self), path)

    def show(self, height: int = 700):
        """The whole page inside a notebook, shut off from it."""
        from html import escape

        from IPython.display import HTML

        return HTML(
            f'<iframe sandbox="allow-scripts allow-downloads" srcdoc="{escape(self.to_html())}" '
            f'style="width:100%;height:{height:d}px;border:0" title="infocheck design"></iframe>'
        )

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        from infocheck.report import study_page

        return study_page.card(self)


def design(
    pilot: str | Path | AnnData | None = None,
    *,
    profile: str | System | None = None,
    donors: object = None,
    cells: object = None,
    depth: object = None,
    batches: object = 1,
    regulators: int | None = None,
    targets: int | None = None,
    effect: float = 0.3,
    in_degree: float = 3.0,
    coupling: float = 1.0,
    fdr: float = 0.1,
    power: float = 0.8,
    assume: Mapping[str, object] | None = None,
    cost_donor: float | None = None,
    cost_cell: float | None = None,
    cost_read: float | None = None,
    budget: float | None = None,
    perturbations: int | None = None,
    cells_per_perturbation: object = None,
    guides: int = 3,
    controls: int | None = None,
    fold_change: float | Sequence[float] = (0.5, 0.75),
    counts: str | None = None,
    batch: str | None = None,
    donor: str | None = None,
    cell_type: str | None = None,
    condition: str | None = None,
    perturbation: str | None = None,
    control: str | None = None,
    time: str | None = None,
    candidates: str | Path | Iterable[str] | None = None,
    transpose: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
    jobs: int | None = None,
    command: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Study:
    """Plan a study: how many donors, rows of each and reads find how many edges.

    Parameters
    ----------
    pilot
        Data that the study would be like: a file or an AnnData. It is measured.
    profile
        Without a pilot: the name of a system that comes with the package, see
        :func:`infocheck.planning.system.names`, or a :class:`infocheck.planning.system.System`.
    donors, cells, depth, batches
        Axes of the grid: a number, a list, ``"50,200,1000"`` or a range ``"4:40"``.
        ``cells`` are rows per donor, ``depth`` reads per row. Default: those of the system.
    regulators, targets
        How many are tested against each other. Default: those of the system.
    effect
        Correlation of regulator and target free of noise. 0.3: the regulator alone
        explains 9 % of the target, three such regulators 27 %. Half of it and one and a
        half of it are always shown beside it.
    in_degree
        Regulators of a target that are that strong.
    coupling
        Correlation of a regulator's mRNA with its activity; 1 is an assumption.
    fdr, power
        False discovery rate; share of edges to be found where there is no budget.
    assume
        Numbers of the system that you know better, by field: a number, or low, central
        and high.
    cost_donor, cost_cell, cost_read, budget
        In any unit. Default costs are assumptions; without a budget the cheapest design
        that finds the wanted share is sought.
    perturbations
        Of a screen; adds its section. With ``cells_per_perturbation`` (an axis),
        ``guides`` per perturbation, ``controls`` (cells) and ``fold_change`` of a target.
    counts, batch, donor, cell_type, condition, perturbation, control, time, transpose
        Of the pilot, as for :func:`infocheck.assess`.
    candidates
        Who may regulate in the pilot: ``regulators`` of :func:`infocheck.assess`.
    draws
        How often the uncertain numbers are drawn for the ranges.
    seed, jobs, command, progress
        As for :func:`infocheck.assess`.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        The pilot cannot be read, or there is no such profile.
    ValueError
        An argument that makes no sense; one sentence.

    Notes
    -----
    Power for association in data like the system, with nothing hidden: an upper bound
    that compares designs of one system, never a promise.
    """
    start = clock.perf_counter()
    if (pilot is None) == (profile is None):
        raise ValueError(
            f"give either a pilot or a profile; profiles are {', '.join(systems.names())}"
        )
    tell = progress or (lambda step, done, total: None)
    # What can be wrong without reading a pilot is said first.
    axes = {"donors": donors, "cells": cells, "depth": depth}
    read = {name: None if one is None else model.axis(one, name) for name, one in axes.items()}
    in_batches = model.axis(batches, "batches")
    costs = {"donor": cost_donor, "cell": cost_cell, "read": cost_read}
    asked = {
        "effect": effect,
        "in_degree": in_degree,
        "coupling": coupling,
        "fdr": fdr,
        "power": power,
        "budget": budget,
    }

    def planned(most: int, prices: Mapping[str, float], targets_there: int) -> Plan:
        return Plan(
            **asked,
            regulators=most if regulators is None else regulators,
            targets=targets_there if targets is None else targets,
            **{
                f"cost_{name}": prices[name] if cost is None else cost
                for name, cost in costs.items()
            },
        )

    planned(10**9, dict.fromkeys(costs, 1.0), 1)
    if draws < 2:
        raise ValueError("at least two draws are needed for a range")
    if pilot is None:
        base = profile if isinstance(profile, System) else systems.shipped(str(profile))
    else:
        base = _measured(
            pilot,
            {
                "counts": counts,
                "batch": batch,
                "donor": donor,
                "cell_type": cell_type,
                "condition": condition,
                "perturbation": perturbation,
                "control": control,
                "time": time,
                "regulators": candidates,
                "transpose": transpose,
                "seed": seed,
            },
            jobs,
            progress,
        )
    base = _assuming(base, assume or {})
    plan = planned(base.regulators, base.costs, base.targets)
    if read["depth"] is not None and not base.has_depth:
        raise ValueError(f"depth is no axis of {base.title}: it holds no counts")
    chosen = {
        name: model.axis(base.grid.get(name, "1"), name) if read[name] is None else read[name]
        for name in axes
    }
    grid = Designs.grid(**chosen, batches=in_batches)
    screen = None
    if perturbations is not None:
        screen = Screen.of(
            perturbations=perturbations,
            guides=guides,
            cells=cells_per_perturbation,
            controls=controls,
            fold_changes=fold_change,
            system=base,
        )
    found = tables(base, plan, grid, chosen, screen, draws, seed, tell)
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return Study(
        system=base,
        plan=plan,
        tables=found,
        screen=screen,
        provenance={
            "version": __version__,
            "thresholds_version": thresholds.VERSION,
            "command": command or "infocheck.design(...)",
            "seed": seed,
            "draws": draws,
            "seconds": clock.perf_counter() - start,
            "packages": {"python": platform.python_version(), **packages},
        },
        date=datetime.now(UTC).date().isoformat(),
    )


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        from infocheck import output

        # In Python the caller names the file; the command line is more careful.
        output.write([(output.Target(Path(path), output.PAGE), text)], force=True)
    return text


def _measured(
    source: str | Path | AnnData,
    options: Mapping[str, object],
    jobs: int | None,
    progress: Callable[[str, int, int], None] | None,
) -> System:
    from infocheck.dataset import Dataset
    from infocheck.engine import Engine
    from infocheck.moments import Moments
    from infocheck.planning import pilot

    engine = Engine(jobs, progress) if progress else Engine(jobs)
    with engine.running():
        data = Dataset.open(source, engine=engine, **options)
        data = data.with_moments(Moments.of(data))
        engine.progress("Measuring the pilot", 0, 1)
        return pilot.measure(data)


def _assuming(base: System, assume: Mapping[str, object]) -> System:
    """The system with numbers that are known better."""
    fields = dict(base.fields)
    for name, given in assume.items():
        if name not in fields:
            raise ValueError(
                f"{base.title} has no field {name!r}; there are {', '.join(sorted(fields))}"
            )
        try:
            numbers = [float(part) for part in (given if isinstance(given, Iterable) else [given])]
        except (TypeError, ValueError):
            numbers = []
        numbers = numbers * 3 if len(numbers) == 1 else numbers
        words = base.words[name]
        inside = all(math.isfinite(x) and words.least <= x <= words.most for x in numbers)
        if len(numbers) != 3 or numbers != sorted(numbers) or not inside:
            raise ValueError(
                f"{name} takes a number, or low, central and high in this order, from "
                f"{words.least:g} to {words.most:g}; not {given!r}"
            )
        fields[name] = Field(*numbers, "given", "given for this study")
    return replace(base, fields=fields)


# --- words ---------------------------------------------------------------------------------


def _at_most(value: float, low: float, high: float) -> str:
    if high < 0.005:
        return "less than 1%"
    return f"at most {value:.0%} ({100 * low:.0f}–{high:.0%})"
