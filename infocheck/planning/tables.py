"""Tables of a planned study: designs, optimum, curves, limits, sensitivity, assumptions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from infocheck.planning import model, screening
from infocheck.planning.model import MULTIPLES, Designs, Plan
from infocheck.planning.screening import Screen
from infocheck.planning.system import UMIS, System
from infocheck.report.words import plural

# Genes that stand for all in the draws, where there are many evaluations.
SLICES_OF_DRAWS = 5
CURVE_POINTS = 16
_ENDS = (0.025, 0.975)


def tables(
    base: System,
    plan: Plan,
    grid: Designs,
    axes: Mapping[str, list[int]],
    screen: Screen | None,
    draws: int,
    seed: int,
    tell: Callable[[str, int, int], None],
) -> dict[str, pd.DataFrame]:
    """All tables of a study; names as in :class:`infocheck.planning.study.Study`.

    Parameters
    ----------
    base, plan, grid, screen
        The system, what is looked for, the designs, and the perturbation screen if any.
    axes
        Values of each axis of the grid.
    draws, seed
        Of what is uncertain, for the ranges.
    tell
        Called as ``tell(step, done, total)``.
    """
    values = base.values()
    tell("Designs", 0, 4)
    cost = grid.cost(plan)
    powers = {m: model.edge_power(values, plan, grid, multiple=m) for m in MULTIPLES}
    at = model.best(powers[1.0], cost, plan)[0]
    optimum = grid[at]

    tell("Ranges", 1, 4)
    drawn = base.draw(np.random.default_rng([seed, 7]), draws)
    ranges = _Ranges.of(drawn, plan, grid, cost, optimum)

    tell("Curves", 2, 4)
    found = {
        "designs": _designs(base, values, plan, grid, cost, powers),
        "optimum": _optimum(values, plan, grid, cost, powers, ranges),
        "curves": _curves(base, values, plan, axes, optimum, drawn),
        "limits": _limits(base, values, plan, optimum),
    }
    tell("Sensitivity", 3, 4)
    found["sensitivity"] = _sensitivity(base, plan, grid, at)
    if screen is not None:
        counts = float(model.umis(values, optimum)[0])
        found |= screening.tables(screen, values, plan, counts)
    found["system"] = base.table()
    found["assumptions"] = _assumptions(base, plan, screen)
    tell("Sensitivity", 4, 4)
    return found


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
            found = model.edge_power(values, plan, grid, slices=SLICES_OF_DRAWS)
            at, enough = model.best(found, cost, plan)
            chosen.append(at)
            reached.append(enough)
            power.append(float(model.edge_power(values, plan, optimum)[0]))
            counts.append(float(model.umis(values, optimum)[0]))
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
        at, reached = model.best(power, cost, plan)
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
        row["umis"] = float(model.umis(values, here)[0]) if counted else math.nan
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
        row["rows"] = float(here.donors[0] * model.rows_left(values, here)[0])
        row["effective_rows"] = float(model.median_rows(values, here)[0])
        row["readable_share"] = float(model.readable_share(values, here)[0])
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
            "umis": model.umis(values, grid) if base.kind == UMIS else np.nan,
            "rows": grid.donors * model.rows_left(values, grid),
            "effective_rows": model.median_rows(values, grid),
            "readable_share": model.readable_share(values, grid),
            "power": asked,
            "power_weaker": weaker,
            "power_stronger": stronger,
            "power_beside_rivals": model.partial_power(values, plan, grid),
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
        "umis": model.umis(values, along) if base.kind == UMIS else np.nan,
        "readable_share": model.readable_share(values, along),
        "effective_rows": model.median_rows(values, along),
        "cost": along.cost(plan),
    }
    parts = []
    for multiple in MULTIPLES:
        power = model.edge_power(values, plan, along, multiple=multiple)
        few = {"multiple": multiple, "slices": SLICES_OF_DRAWS}
        spread = [model.edge_power(one, plan, along, **few) for one in drawn]
        low, high = np.quantile(np.array(spread), _ENDS, axis=0)
        found = {
            "multiple": multiple,
            "effect": plan.effect * multiple,
            "power": power,
            "power_low": np.minimum(low, power),
            "power_high": np.maximum(high, power),
            "power_beside_rivals": model.partial_power(values, plan, along)
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
    now = float(model.edge_power(values, plan, optimum)[0])
    cost = float(optimum.cost(plan)[0])
    rows = []
    for axis in ("donors", "cells", "depth"):
        if axis == "depth" and not base.has_depth:
            continue
        more = optimum.times(axis, 2.0)
        then = float(model.edge_power(values, plan, more)[0])
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
        power = model.edge_power(values, changed, grid)
        cost = grid.cost(changed)
        there, reached = model.best(power, cost, changed)
        rows.append(
            {
                "assumption": name,
                "end": end,
                "value": shown,
                "power_of_optimum": float(model.edge_power(values, changed, optimum)[0]),
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
