"""Report ↔ JSON document ``infocheck.report/1``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from numbers import Integral, Real
from typing import TYPE_CHECKING

from infocheck import goals as judging
from infocheck.check import by_name
from infocheck.result import Answer, Result, Stage, Status, Verdict

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.goals import GoalVerdict, StageState
    from infocheck.report.model import Report

SCHEMA = "infocheck.report/1"
DIGITS = 6

_NUMBERS = ("estimate", "low", "high", "need", "floor")


def schema() -> dict:
    """The JSON Schema of the document."""
    return json.loads(
        resources.files("infocheck.report").joinpath("schema.json").read_text("utf-8")
    )


def to_document(report: Report) -> dict:
    """The report as plain values: no NaN, at most six digits, fixed order of keys."""
    return {
        "schema": SCHEMA,
        "dataset": _dataset(report.dataset),
        "goals": {goal.key: _goal(report.goals[goal.key]) for goal in judging.GOALS},
        "stages": {stage.value: _stage(report.stages[stage]) for stage in Stage},
        "checks": {name: _check(result) for name, result in report.results.items()},
        "provenance": _provenance(report),
    }


def from_document(document: Mapping) -> Report:
    """Rebuild the report; charts are drawn again from the tables."""
    from infocheck.report.model import Report

    found = document.get("schema")
    if found != SCHEMA:
        raise ValueError(f"The document has the schema {found!r}; {SCHEMA!r} is needed.")
    provenance = dict(document["provenance"])
    goal = provenance.pop("goal", "confident_edges")
    results = {
        name: _result(name, saved, provenance.get("seed") or 0)
        for name, saved in document["checks"].items()
    }
    return Report(
        dataset=document["dataset"],
        results=results,
        goals=_goals(document, results),
        stages=_stages(document, results),
        provenance=provenance,
        goal=goal,
    )


def dumps(document: Mapping, *, indent: int | None = 1) -> str:
    """The document as text; the same bytes for the same document."""
    separators = (",", ":") if indent is None else None
    return json.dumps(
        document, allow_nan=False, ensure_ascii=False, indent=indent, separators=separators
    )


def plain(value: object) -> object:
    """A value of any library as JSON knows it; what is missing or not finite is None."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return _rounded(float(value))
    if hasattr(value, "tolist"):  # numpy arrays and numpy booleans
        return plain(value.tolist())
    return None if _is_missing(value) else str(value)


def records(table: pd.DataFrame) -> list[dict]:
    """Rows of a table as plain values."""
    columns = [str(column) for column in table.columns]
    values = [[plain(v) for v in table.iloc[:, i].tolist()] for i in range(len(columns))]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _rounded(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    # 3.0 and 3 are one number in JSON: written one way, it survives a round trip.
    return int(short) if short.is_integer() else short


def _is_missing(value: object) -> bool:
    import pandas as pd

    return value is pd.NA or value is pd.NaT


def _dataset(dataset: Mapping) -> dict:
    first = ("name", "sha256", "n_obs", "n_vars", "value_kind", "regulators", "targets")
    block = {key: plain(dataset.get(key)) for key in first}
    roles = dataset.get("roles", {})
    block["roles"] = {role: plain(roles[role]) for role in sorted(roles)}
    block["notes"] = plain(list(dataset.get("notes", ())))
    block["simulated"] = bool(dataset.get("simulated", False))
    return block


def _goal(verdict: GoalVerdict) -> dict:
    bound = verdict.at_best
    return {
        "verdict": verdict.verdict.value,
        "limiting_stage": verdict.limiting_stage and verdict.limiting_stage.value,
        "reason": verdict.reason,
        "lift": verdict.lift,
        "at_best": bound
        and {"value": plain(bound.value), "unit": bound.unit, "panel": list(bound.panel)},
    }


def _stage(state: StageState) -> dict:
    return {"status": state.status.value, "check": state.result and state.result.name}


def _check(result: Result) -> dict:
    verdict = result.verdict
    return {
        "status": verdict.status.value,
        "stage": result.stage and result.stage.value,
        **{key: plain(getattr(verdict, key)) for key in _NUMBERS},
        "unit": verdict.unit,
        "reason": verdict.reason,
        "seconds": plain(result.seconds),
        "tables": {name: records(table) for name, table in result.tables.items()},
    }


def _provenance(report: Report) -> dict:
    saved = report.provenance
    first = ("version", "thresholds_version", "command", "seed", "seconds", "peak_memory_mb")
    rest = sorted(set(saved) - {*first, "packages", "not_assessed", "goal"})
    packages = saved.get("packages") or {}
    return {
        **{key: plain(saved.get(key)) for key in first},
        "packages": {name: plain(packages[name]) for name in sorted(packages)},
        "not_assessed": plain(list(saved.get("not_assessed") or ())),
        "goal": report.goal,
        **{key: plain(saved[key]) for key in rest},
    }


def _result(name: str, saved: Mapping, seed: int) -> Result:
    import pandas as pd

    verdict = Verdict(
        status=Status(saved["status"]),
        reason=saved["reason"],
        unit=saved["unit"],
        **{key: saved[key] for key in _NUMBERS},
    )
    tables = {key: pd.DataFrame.from_records(rows) for key, rows in saved["tables"].items()}
    return Result(
        check=by_name(name),
        verdict=verdict,
        tables=tables,
        seed=seed,
        seconds=saved["seconds"] or 0.0,
    )


def _goals(document: Mapping, results: Mapping[str, Result]) -> dict[str, GoalVerdict]:
    """The saved verdicts; what the document does not hold is worked out again."""
    roles = document["dataset"]["roles"]
    again = judging.decide(
        results,
        n_obs=document["dataset"]["n_obs"],
        role_levels={role: entry.get("levels", 0) for role, entry in roles.items()},
    )
    return {key: _goal_from(again[key], document["goals"][key]) for key in again}


def _goal_from(again: GoalVerdict, saved: Mapping) -> GoalVerdict:
    bound = saved["at_best"]
    return replace(
        again,
        verdict=Answer(saved["verdict"]),
        limiting_stage=saved["limiting_stage"] and Stage(saved["limiting_stage"]),
        reason=saved["reason"],
        lift=saved["lift"],
        at_best=bound
        and judging.Bound(value=bound["value"], unit=bound["unit"], panel=tuple(bound["panel"])),
    )


def _stages(document: Mapping, results: Mapping[str, Result]) -> dict[Stage, StageState]:
    return {
        stage: judging.StageState(
            stage=stage,
            status=Status(document["stages"][stage]["status"]),
            result=results.get(document["stages"][stage]["check"]),
        )
        for stage in Stage
    }
