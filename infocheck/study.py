"""The study before the money is spent: how many donors, rows and reads, and what they buy.

:func:`design` evaluates every design on a grid by the closed forms of
:mod:`infocheck.planning`, takes the best, and says how far that rests on what was assumed.
"""

from __future__ import annotations

import importlib.metadata
import math
import platform
import time as clock
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from infocheck import planning, screening, thresholds
from infocheck import system as systems
from infocheck.output import data_name
from infocheck.planning import MULTIPLES, Designs, Plan
from infocheck.report.digits import about
from infocheck.report.words import plural
from infocheck.screening import Screen
from infocheck.system import READS, UMIS, Field, System
from infocheck.version import __version__

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.figure import Figure

    from infocheck.plotting import Chart

DRAWS = 200
# Genes that stand for all in the draws, where there are many evaluations.
SLICES_OF_DRAWS = 5
CURVE_POINTS = 16
_PACKAGES = ("numpy", "pandas", "scipy")
_ENDS = (0.025, 0.975)


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
        from infocheck import study_charts

        return study_charts.charts(self)

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
        :func:`infocheck.system.names`, or a :class:`infocheck.system.System`.
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
    read = {name: None if one is None else planning.axis(one, name) for name, one in axes.items()}
    in_batches = planning.axis(batches, "batches")
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
        name: planning.axis(base.grid.get(name, "1"), name) if read[name] is None else read[name]
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
    tables = _tables(base, plan, grid, chosen, screen, draws, seed, tell)
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return Study(
        system=base,
        plan=plan,
        tables=tables,
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
    from infocheck import pilot
    from infocheck.dataset import Dataset
    from infocheck.engine import Engine
    from infocheck.moments import Moments

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


# --- tables --------------------------------------------------------------------------------


def _tables(
    base: System,
    plan: Plan,
    grid: Designs,
    axes: Mapping[str, list[int]],
    screen: Screen | None,
    draws: int,
    seed: int,
    tell: Callable[[str, int, int], None],
) -> dict[str, pd.DataFrame]:
    values = base.values()
    tell("Designs", 0, 4)
    cost = grid.cost(plan)
    powers = {m: planning.edge_power(values, plan, grid, multiple=m) for m in MULTIPLES}
    at = planning.best(powers[1.0], cost, plan)[0]
    optimum = grid[at]

    tell("Ranges", 1, 4)
    drawn = base.draw(np.random.default_rng([seed, 7]), draws)
    ranges = _Ranges.of(drawn, plan, grid, cost, optimum)

    tell("Curves", 2, 4)
    tables = {
        "designs": _designs(base, values, plan, grid, cost, powers),
        "optimum": _optimum(values, plan, grid, cost, powers, ranges),
        "curves": _curves(base, values, plan, axes, optimum, drawn),
        "limits": _limits(base, values, plan, optimum),
    }
    tell("Sensitivity", 3, 4)
    tables["sensitivity"] = _sensitivity(base, plan, grid, at)
    if screen is not None:
        counts = float(planning.umis(values, optimum)[0])
        tables |= screening.tables(screen, values, plan, counts)
    tables["system"] = base.table()
    tables["assumptions"] = _assumptions(base, plan, screen)
    tell("Sensitivity", 4, 4)
    return tables


@dataclass(frozen=True)
class _Ranges:
    """The optimum and its power over draws of what is uncertain."""

    chosen: np.ndarray
    reached: np.ndarray
    power: np.ndarray
    umis: np.ndarray = field(repr=False)

    @classmethod
    def of(
        cls,
        drawn: list[dict[str, float]],
        plan: Plan,
        grid: Designs,
        cost: np.ndarray,
        optimum: Designs,
    ) -> _Ranges:
        chosen, reached, power, counts = [], [], [], []
        for values in drawn:
            found = planning.edge_power(values, plan, grid, slices=SLICES_OF_DRAWS)
            at, enough = planning.best(found, cost, plan)
            chosen.append(at)
            reached.append(enough)
            power.append(float(planning.edge_power(values, plan, optimum)[0]))
            counts.append(float(planning.umis(values, optimum)[0]))
        return cls(np.array(chosen), np.array(reached), np.array(power), np.array(counts))


def _ends(values: np.ndarray, *, whole: bool = False) -> tuple[float, float]:
    low, high = np.quantile(values, _ENDS, method="nearest" if whole else "linear")
    return float(low), float(high)


def _optimum(
    values: Mapping[str, float],
    plan: Plan,
    grid: Designs,
    cost: np.ndarray,
    powers: Mapping[float, np.ndarray],
    ranges: _Ranges,
) -> pd.DataFrame:
    """The best design for each effect; ranges for the one that was asked for."""
    rows = []
    for multiple, power in powers.items():
        at, reached = planning.best(power, cost, plan)
        here = grid[at]
        row: dict[str, object] = {
            "multiple": multiple,
            "effect": plan.effect * multiple,
            "reached": reached,
        }
        for axis in ("donors", "cells", "depth", "batches"):
            row[axis] = int(getattr(here, axis)[0])
            if axis != "batches":
                low, high = math.nan, math.nan
                if multiple == 1.0:
                    low, high = _ends(getattr(grid, axis)[ranges.chosen], whole=True)
                    low, high = min(low, row[axis]), max(high, row[axis])
                row[f"{axis}_low"], row[f"{axis}_high"] = low, high
        counted = "umis_at_saturation" in values
        row["umis"] = float(planning.umis(values, here)[0]) if counted else math.nan
        row["power"] = float(power[at])
        row["power_low"] = row["power_high"] = math.nan
        row["umis_low"] = row["umis_high"] = math.nan
        if multiple == 1.0:
            low, high = _ends(ranges.power)
            row["power_low"], row["power_high"] = min(low, power[at]), max(high, power[at])
            if counted:
                row["umis_low"], row["umis_high"] = _ends(ranges.umis)
            row["reached_share"] = float(ranges.reached.mean())
        row["cost"] = float(cost[at])
        row["rows"] = float(here.donors[0] * planning.rows_left(values, here)[0])
        row["effective_rows"] = float(planning.median_rows(values, here)[0])
        row["readable_share"] = float(planning.readable_share(values, here)[0])
        rows.append(row)
    return pd.DataFrame(rows)


def _designs(
    base: System,
    values: Mapping[str, float],
    plan: Plan,
    grid: Designs,
    cost: np.ndarray,
    powers: Mapping[float, np.ndarray],
) -> pd.DataFrame:
    """Every design of the grid with what it gives and costs."""
    weaker, asked, stronger = (powers[m] for m in MULTIPLES)
    return pd.DataFrame(
        {
            **{axis: getattr(grid, axis).astype(int) for axis in vars(grid)},
            "umis": planning.umis(values, grid) if base.kind == UMIS else np.nan,
            "rows": grid.donors * planning.rows_left(values, grid),
            "effective_rows": planning.median_rows(values, grid),
            "readable_share": planning.readable_share(values, grid),
            "power": asked,
            "power_weaker": weaker,
            "power_stronger": stronger,
            "power_beside_rivals": planning.partial_power(values, plan, grid),
            "cost": cost,
            "within_budget": cost <= (plan.budget if plan.budget is not None else math.inf),
        }
    )


def _curves(
    base: System,
    values: Mapping[str, float],
    plan: Plan,
    axes: Mapping[str, list[int]],
    optimum: Designs,
    drawn: list[dict[str, float]],
) -> pd.DataFrame:
    """Power along each axis through the optimum, for three effects, with ranges."""
    axis, points, along = _through(optimum, axes)
    columns = ["axis", "value", "umis", "multiple", "effect", "power", "power_low", "power_high"]
    if not len(axis):
        return pd.DataFrame(columns=columns)
    facts = {
        "axis": axis,
        "value": points.astype(int),
        "umis": planning.umis(values, along) if base.kind == UMIS else np.nan,
        "readable_share": planning.readable_share(values, along),
        "effective_rows": planning.median_rows(values, along),
        "cost": along.cost(plan),
    }
    parts = []
    for multiple in MULTIPLES:
        power = planning.edge_power(values, plan, along, multiple=multiple)
        few = {"multiple": multiple, "slices": SLICES_OF_DRAWS}
        spread = [planning.edge_power(one, plan, along, **few) for one in drawn]
        low, high = np.quantile(np.array(spread), _ENDS, axis=0)
        found = {
            "multiple": multiple,
            "effect": plan.effect * multiple,
            "power": power,
            "power_low": np.minimum(low, power),
            "power_high": np.maximum(high, power),
            "power_beside_rivals": planning.partial_power(values, plan, along)
            if multiple == 1.0
            else np.nan,
        }
        parts.append(pd.DataFrame(facts | found))
    table = pd.concat(parts, ignore_index=True)
    return table[[*columns, *(name for name in table if name not in columns)]]


def _through(
    optimum: Designs, axes: Mapping[str, list[int]]
) -> tuple[np.ndarray, np.ndarray, Designs]:
    """Designs along each axis that has more than one value: axis, value, design."""
    named, points = [], []
    for axis, given in axes.items():
        if min(given) < max(given):
            values = np.unique(np.round(np.geomspace(min(given), max(given), CURVE_POINTS)))
            named += [axis] * len(values)
            points += values.tolist()
    name, value = np.array(named, dtype=object), np.array(points)
    columns = {
        axis: np.where(name == axis, value, getattr(optimum, axis)[0]) for axis in vars(optimum)
    }
    return name, value, Designs(**columns)


def _limits(
    base: System, values: Mapping[str, float], plan: Plan, optimum: Designs
) -> pd.DataFrame:
    """What twice as much of one axis would bring."""
    now = float(planning.edge_power(values, plan, optimum)[0])
    cost = float(optimum.cost(plan)[0])
    rows = []
    for axis in ("donors", "cells", "depth"):
        if axis == "depth" and not base.has_depth:
            continue
        more = optimum.times(axis, 2.0)
        then = float(planning.edge_power(values, plan, more)[0])
        rows.append(
            {
                "axis": axis,
                "now": int(getattr(optimum, axis)[0]),
                "doubled": int(getattr(more, axis)[0]),
                "power": now,
                "power_then": then,
                "gain": then - now,
                "cost": cost,
                "cost_then": float(more.cost(plan)[0]),
            }
        )
    return pd.DataFrame(rows)


def _sensitivity(base: System, plan: Plan, grid: Designs, at: int) -> pd.DataFrame:
    """The optimum and its power with one assumption at an end of its range."""
    rows = []
    optimum = grid[at]
    for name, end, shown, values, changed in _one_at_a_time(base, plan):
        power = planning.edge_power(values, changed, grid)
        cost = grid.cost(changed)
        there, reached = planning.best(power, cost, changed)
        rows.append(
            {
                "assumption": name,
                "end": end,
                "value": shown,
                "power_of_optimum": float(planning.edge_power(values, changed, optimum)[0]),
                "reached": reached,
                **{axis: int(getattr(grid, axis)[there]) for axis in vars(grid)},
                "power": float(power[there]),
                "cost": float(cost[there]),
            }
        )
    return pd.DataFrame(rows)


def _one_at_a_time(base: System, plan: Plan) -> Iterable[tuple]:
    """Every assumption at both ends: name, end, value, values of the fields, plan."""
    words, values = base.words, base.values()
    used = [
        name for name in base.uncertain if name not in ("regulator_r2", "regulator_correlation")
    ]
    for name in used:
        for end in ("low", "high"):
            value = getattr(base.fields[name], end)
            yield words[name].title, end, value, base.values(**{name: value}), plan
    asked = {
        "effect": ("True correlation of an edge", plan.effect * 0.5, min(plan.effect * 1.5, 0.999)),
        "in_degree": (
            "Edges of that strength per target",
            plan.in_degree / 2,
            min(plan.in_degree * 2, plan.regulators),
        ),
        "coupling": ("Coupling of mRNA and activity", plan.coupling / 2, plan.coupling),
        "cost_donor": (f"Cost of a {base.donor}", plan.cost_donor / 2, plan.cost_donor * 2),
        "cost_cell": (f"Cost of a {base.row}", plan.cost_cell / 2, plan.cost_cell * 2),
        "cost_read": ("Cost of a read", plan.cost_read / 2, plan.cost_read * 2),
    }
    for name, (title, low, high) in asked.items():
        for end, value in (("low", low), ("high", high)):
            if value == getattr(plan, name):
                continue
            # With a budget, other prices are another question.
            if name.startswith("cost") and plan.budget is not None:
                continue
            yield title, end, value, values, replace(plan, **{name: value})


def _assumptions(base: System, plan: Plan, screen: Screen | None) -> pd.DataFrame:
    """What every number here rests on, numbered."""
    one = base.donor
    texts = [
        f"An edge is a correlation of {plan.effect:g} between regulator and target, free of noise; "
        f"{plan.effect * 0.5:g} and {plan.effect * 1.5:g} are shown beside it.",
        f"Each target has {plan.in_degree:g} such regulators among {plan.regulators:,}; "
        f"{plan.regulators * plan.targets:,} pairs are tested at an FDR of {100 * plan.fdr:g}%.",
        "Pairs that are no edge are uncorrelated: no hidden factor, no indirect edge, no batch "
        "effect that was left in. This flatters every design.",
        f"The activity of a regulator follows its mRNA with a correlation of {plan.coupling:g}.",
        f"Strengths differ between {plural(one)}; an edge is found in the mean over them, "
        f"so that the result holds for further {plural(one)}.",
        f"{plural(one).capitalize()} are independent; {plural(base.row)} of one {one} resemble "
        "each other as far as the intraclass correlations of both genes say.",
        f"{plural(one).capitalize()} are spread evenly over batches; batch is a fixed factor that "
        "costs one degree of freedom a batch.",
        f"Every {one} gives the same number of {plural(base.row)}, of the cell types that are "
        "studied.",
        f"Costs per {one}, {base.row} and read are {plan.cost_donor:g}, {plan.cost_cell:g} and "
        f"{plan.cost_read:g}, in your units"
        + (f"; the budget is {plan.budget:,.0f}." if plan.budget is not None else "."),
    ]
    if base.has_depth:
        texts.insert(
            4,
            "Counting noise is Poisson, and the variation of a gene is the same at any depth.",
        )
    else:
        texts.insert(4, "Reliability is that of the platform; no depth can be chosen.")
    if base.kind == UMIS:
        texts.append(
            f"Each {one} is loaded into a channel of its own; doublets are recognised and dropped."
        )
        texts.append("Reads are usable ones, and all molecules of a cell are equally likely read.")
    if screen is not None:
        texts += screening.assumptions(screen)
    return pd.DataFrame({"number": range(1, len(texts) + 1), "assumption": texts})


# --- words ---------------------------------------------------------------------------------


def _at_most(value: float, low: float, high: float) -> str:
    if high < 0.005:
        return "less than 1%"
    return f"at most {value:.0%} ({100 * low:.0f}–{high:.0%})"
