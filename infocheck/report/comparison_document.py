"""Several documents ``infocheck.report/1`` side by side → ``infocheck.comparison/1``.

Made from saved documents alone, so that groups of one run and files of many runs are compared
in the same way. Each document becomes one entry: its goals, stages and leading numbers, and
where the whole document lies. Nothing is averaged over stages and no entry gets a rank.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING

from infocheck import lift, thresholds
from infocheck.report import document, views, words
from infocheck.result import Answer, Stage, Status, Verdict
from infocheck.stats.learning import MOST

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.goals import GoalVerdict, StageState
    from infocheck.report.model import Report
    from infocheck.result import Result

SCHEMA = "infocheck.comparison/1"
# The order of entries: by verdict, and never by a number that could pass for a score.
ORDER = (Answer.SUPPORTED, Answer.NOT_EXCLUDED, Answer.EXCLUDED, Answer.NOT_ASSESSED)
_TRIPLE = ("estimate", "low", "high")


def schema() -> dict:
    """The JSON Schema of the document."""
    text = resources.files("infocheck.report").joinpath("comparison.schema.json").read_text("utf-8")
    return json.loads(text)


def entry(label: str, saved: Mapping, *, rows: int | None = None) -> dict:
    """What a comparison holds of one document.

    Parameters
    ----------
    label
        What tells it from the others: the level of a column, or a file name.
    saved
        A document ``infocheck.report/1``.
    rows
        Rows of the group where they are counted already.

    Raises
    ------
    ValueError, KeyError
        It is no such document, or one of a check that this version does not know.
    """
    report = document.from_document(saved)
    dataset, run = saved["dataset"], saved["provenance"]
    return {
        "label": label,
        "assessed": True,
        "reason": None,
        "rows": dataset["n_obs"] if rows is None else rows,
        "page": None,
        "document": None,
        "dataset": {
            **{key: dataset[key] for key in ("name", "sha256", "n_vars", "value_kind")},
            "regulators": dataset["regulators"]["n"],
            "targets": dataset["targets"]["n"],
            "roles": {role: one.get("levels") for role, one in dataset["roles"].items()},
            "simulated": dataset["simulated"],
        },
        "goals": {key: _goal(report, verdict) for key, verdict in report.goals.items()},
        "stages": {stage.value: _stage(report.stages[stage]) for stage in Stage},
        "numbers": _numbers(report),
        "sampling": _sampling(report.results.get("stability"), dataset["n_obs"]),
        "crashed": [name for name, one in saved["checks"].items() if one["status"] == Status.ERROR],
        "run": {key: run.get(key) for key in ("version", "thresholds_version", "seed")},
    }


def missing(label: str, reason: str, *, rows: int | None = None) -> dict:
    """An entry without a document, with the sentence that says why there is none."""
    return {
        "label": label,
        "assessed": False,
        "reason": reason,
        "rows": rows,
        "page": None,
        "document": None,
        **dict.fromkeys(("dataset", "goals", "stages", "numbers", "sampling")),
        "crashed": [],
        "run": None,
    }


def build(
    entries: Iterable[Mapping],
    *,
    goal: str,
    noun: tuple[str, str],
    provenance: Mapping,
    by: Mapping | None = None,
    notes: Sequence[str] = (),
) -> dict:
    """The comparison of entries.

    Parameters
    ----------
    entries
        Of :func:`entry` and :func:`missing`.
    goal
        Key of the goal that orders the entries and that the sentence speaks of.
    noun
        What one entry is, and several are: ``("cell type", "cell types")``.
    provenance
        Version, thresholds_version, command, seed, seconds, peak_memory_mb, packages.
    by
        Where the entries are groups of one file: its name, digest and column, and what was
        left out. None where each entry has a file of its own.
    notes
        What else belongs beside the table.

    Returns
    -------
    dict
        The document ``infocheck.comparison/1``: plain values, entries by verdict of the goal,
        and within a verdict by number of rows, the most first.
    """
    ordered = sorted(entries, key=lambda one: _place(one, goal))
    return {
        "schema": SCHEMA,
        "sentence": sentence(ordered, goal, noun),
        "goal": goal,
        "noun": list(noun),
        "by": None if by is None else document.plain(dict(by)),
        "entries": [document.plain(dict(one)) for one in ordered],
        "notes": [*notes, *_differences(ordered, noun)],
        "provenance": document.plain(dict(provenance)),
    }


def with_files(comparison: Mapping, files: Mapping[str, tuple[str, str]]) -> dict:
    """The comparison with the page and the document of each label, as paths from its page."""
    entries = [
        {**one, "page": files[one["label"]][0], "document": files[one["label"]][1]}
        if one["label"] in files
        else one
        for one in comparison["entries"]
    ]
    return {**comparison, "entries": entries}


# --- one document --------------------------------------------------------------------------


def _goal(report: Report, verdict: GoalVerdict) -> dict:
    number = views.deciding_number(report, verdict)
    kind, value = views.threshold(report, verdict)
    bound = verdict.at_best
    return {
        "verdict": verdict.verdict.value,
        "limiting_stage": verdict.limiting_stage and verdict.limiting_stage.value,
        "reason": verdict.reason,
        "number": number
        and {
            **{key: document.plain(getattr(number, key)) for key in _TRIPLE},
            "unit": number.unit,
            "held_against": kind or None,
            "threshold": value or None,
        },
        "at_best": bound and document.plain(bound.value),
    }


def _stage(state: StageState) -> dict:
    verdict = state.result.verdict if state.result else Verdict(status=state.status, reason="")
    keys = (*_TRIPLE, "need", "floor")
    return {
        "status": state.status.value,
        "check": state.result and state.result.name,
        **{key: document.plain(getattr(verdict, key)) for key in keys},
        "unit": verdict.unit,
        "reason": state.reason,
    }


def _numbers(report: Report) -> dict:
    """Leading numbers, each with its interval where it has one; None where not computed."""
    roles = report.dataset["roles"]
    results = report.results
    return {
        "donors": roles.get("donor", {}).get("levels"),
        "effective_rows": _headline(results.get("sample_size")),
        "readable_share": _headline(results.get("reliability")),
        "median_reliability": _cell(results, "reliability", "share", "median_reliability"),
        "stab_pc": _statistic(results, "stab_pc"),
        "stab_c": _statistic(results, "stab_c"),
        "predictability": _headline(results.get("predictability")),
    }


def _headline(result: Result | None) -> dict | None:
    if result is None or result.verdict.estimate is None:
        return None
    return {key: document.plain(getattr(result.verdict, key)) for key in _TRIPLE}


def _first(results: Mapping[str, Result], check: str, table: str) -> pd.DataFrame | None:
    found = results[check].tables.get(table) if check in results else None
    return None if found is None or found.empty else found


def _cell(results: Mapping[str, Result], check: str, table: str, column: str) -> object:
    found = _first(results, check, table)
    return None if found is None or column not in found else document.plain(found[column].iloc[0])


def _statistic(results: Mapping[str, Result], name: str) -> dict | None:
    found = _first(results, "stability", "summary")
    if found is None or name not in set(found["statistic"]):
        return None
    row = found.set_index("statistic").loc[name]
    return {key: document.plain(row[key]) for key in _TRIPLE}


def _sampling(result: Result | None, rows: int) -> dict | None:
    """How the agreement of plain correlations grows with rows, and where it meets its need.

    That of partial correlations is left out: it can fall as rows are added.
    """
    if result is None or "learning" not in result.tables or "summary" not in result.tables:
        return None
    curve = result.tables["learning"]
    seen = curve[curve["data"] == "observed"]
    gain = lift.gain(Stage.SAMPLING, {"stability": result})
    need = thresholds.MODULES_NEED
    ahead = curve[curve["data"] == "forecast"]
    power = document.plain(ahead["exponent"].iloc[0]) if len(ahead) else None
    times = None if gain is None else times_needed(gain.now, need, power)
    if gain is None:
        state = "not_forecast"
    elif gain.now >= need:
        state = "reached"
    else:
        state = "within_twice" if times is not None and times <= MOST else "beyond_twice"
    return {
        "statistic": "stab_c",
        "need": need,
        "doubled": gain and gain.doubled,
        "now": gain and document.plain(gain.now),
        "twice": gain
        and {
            key: document.plain(value)
            for key, value in zip(_TRIPLE, (gain.then, gain.low, gain.high), strict=True)
        },
        "state": state,
        "rows_needed": round(rows * times) if state == "within_twice" else None,
        "curve": [
            [document.plain(x), document.plain(y)]
            for x, y in zip(seen["rows_per_part"], seen["estimate"], strict=True)
        ],
    }


def times_needed(now: float, need: float, power: float | None) -> float | None:
    """How many times the data the agreement ``now`` needs to become ``need``.

    The inverse of :func:`infocheck.stats.learning.grown`: odds grow as the number of rows to
    ``power``. None where no number of rows would do.
    """
    if not power or not 0 < now < 1 or not 0 < need < 1:
        return None
    return (need * (1 - now) / (now * (1 - need))) ** (1 / power)


# --- all of them ---------------------------------------------------------------------------


def answer(one: Mapping, goal: str) -> Answer:
    """The verdict of an entry for a goal."""
    return Answer(one["goals"][goal]["verdict"]) if one["assessed"] else Answer.NOT_ASSESSED


def _place(one: Mapping, goal: str) -> tuple:
    rows = one["rows"]
    return (
        ORDER.index(answer(one, goal)),
        not one["assessed"],
        -(rows if rows is not None else 0),
        str(one["label"]),
    )


def sentence(entries: Sequence[Mapping], goal: str, noun: tuple[str, str]) -> str:
    """The finding: how many could hold the goal, and what excludes the others."""
    found = {a: [one for one in entries if answer(one, goal) is a] for a in Answer}
    could = len(found[Answer.SUPPORTED]) + len(found[Answer.NOT_EXCLUDED])
    total = len(entries)
    what = f"could {_VERBS.get(goal, 'hold')} {words.SUBJECTS[goal][0]}"
    who = f"{could or 'None'} of {total} {noun[total != 1]}"
    clauses = [f"{who} {what}"]
    if found[Answer.SUPPORTED]:
        shown = len(found[Answer.SUPPORTED])
        clauses[0] += f" ({'all supported' if shown == could else f'{shown} supported'})"
    open_ones = sum(may_fail(one, goal) for one in found[Answer.NOT_EXCLUDED])
    if open_ones:
        clauses[0] += (
            f", though {_which(open_ones, could)} sampling stability may be below its floor"
        )
    if found[Answer.EXCLUDED]:
        count = len(found[Answer.EXCLUDED])
        number = "all" if count == total and total > 1 else str(count)
        verb = "is" if count == 1 else "are"
        clauses.append(f"{number} {verb} excluded, {_causes(found[Answer.EXCLUDED], goal)}")
    if found[Answer.NOT_ASSESSED]:
        clauses.append(f"{len(found[Answer.NOT_ASSESSED])} could not be assessed")
    return "; ".join(clauses) + "."


def may_fail(one: Mapping, goal: str) -> bool:
    """Does the interval of sampling stability reach below the floor of this goal?

    A group of few rows has a wide interval, and is not excluded for that reason alone.
    """
    if goal == "modules":
        found, floor = one["numbers"]["stab_c"], thresholds.MODULES_FLOOR
    else:
        found = one["stages"][Stage.SAMPLING.value]
        floor = found["floor"]
    return bool(found) and floor is not None and found["low"] is not None and found["low"] < floor


def _which(some: int, all_of_them: int) -> str:
    if all_of_them == 1:
        return "there"
    return f"in all {some}" if some == all_of_them else f"in {some} of them"


# "Could hold edge direction" is no English.
_VERBS = {"edge_direction": "tell", "perturbation_response": "forecast"}


def _causes(excluded: Sequence[Mapping], goal: str) -> str:
    """``mostly by sampling stability``: the stages that exclude, the commonest first."""
    stages = [Stage(one["goals"][goal]["limiting_stage"]) for one in excluded]
    counts = sorted({s: stages.count(s) for s in Stage if s in stages}.items(), key=lambda p: -p[1])
    (first, most), *others = [(words.stage(stage, goal).inline, count) for stage, count in counts]
    if not others:
        return f"by {first}"
    if most > len(stages) / 2:
        return f"mostly by {first} ({most} of {len(stages)})"
    return "by " + views.listed([f"{name} ({count})" for name, count in [(first, most), *others]])


def _differences(entries: Sequence[Mapping], noun: tuple[str, str]) -> list[str]:
    """What makes numbers of entries differ that is no property of what was measured."""
    assessed = [one for one in entries if one["assessed"]]
    said = []
    for values, text in (
        ({one["run"]["thresholds_version"] for one in assessed}, "thresholds"),
        ({one["run"]["version"] for one in assessed}, "versions of infocheck"),
    ):
        if len(values) > 1:
            listed = views.listed(sorted(map(str, values)))
            said.append(f"The {noun[1]} were judged by different {text}: {listed}.")
    kinds = {one["dataset"]["value_kind"] for one in assessed}
    if len(kinds) > 1:
        listed = views.listed(sorted(map(str, kinds)))
        said.append(f"The kind of values differs: {listed}. Their numbers do not compare well.")
    return said


def agreement_at(curve: Sequence[Sequence[float]], rows: float) -> float | None:
    """Agreement of parts of that many rows, between the sizes that were measured.

    Straight in the logarithm of rows. None outside of what was measured.
    """
    known = [(x, y) for x, y in curve if x is not None and y is not None]
    if known and rows == known[-1][0]:
        return known[-1][1]
    for (x0, y0), (x1, y1) in pairwise(known):
        if x0 <= rows <= x1 and x1 > x0:
            return y0 + (y1 - y0) * math.log(rows / x0) / math.log(x1 / x0)
    return None
