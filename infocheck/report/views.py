"""What each part of the page shows: everything decided here, nothing in the template."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infocheck import goals as judging
from infocheck import lift as lifting
from infocheck import thresholds, uses
from infocheck.references import REFERENCES
from infocheck.report import digits, tables, words
from infocheck.report.regulators import KEY, TABLE, join
from infocheck.result import Answer, Stage, Status, Verdict, multiple_of_need

if TYPE_CHECKING:
    from infocheck.goals import GoalVerdict
    from infocheck.report.model import Report
    from infocheck.result import Result

log = logging.getLogger(__name__)

NO_BOUND = "No bound: it is not a ranking of edges"
NOT_COMPUTED = "Not computed"

# Three goals carry the headline; the table has all six.
_HEADLINE = ("modules", "confident_edges", "whole_network")
_PHRASES = {
    Answer.SUPPORTED: "supported",
    Answer.NOT_EXCLUDED: "not excluded",
    Answer.EXCLUDED: "excluded",
    Answer.NOT_ASSESSED: "not assessed",
}
_MOST_LIMITING_FIRST = (
    Status.LIMITING,
    Status.BORDERLINE,
    Status.ENOUGH,
    Status.ERROR,
    Status.NOT_ASSESSED,
)
_EXPLAINS = "explains, does not decide"
_ASSESSED = (Status.ENOUGH, Status.BORDERLINE, Status.LIMITING)


# --- sentences ---------------------------------------------------------------------------


def sentences(text: str) -> tuple[str, str]:
    """First sentence, and the rest."""
    parts = re.split(r"(?<=[.!?])\s+(?=[A-ZÀ-Þ0-9])", text.strip(), maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def clause(text: str) -> str:
    """The first clause of a sentence, to follow a colon."""
    first = re.split(r"[:;.](?:\s|$)", text.strip(), maxsplit=1)[0]
    is_name = first[1:2].isupper() or first[1:2].isdigit()
    return first if is_name else first[:1].lower() + first[1:]


def listed(items: list[str]) -> str:
    """``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def headline(report: Report) -> str:
    """One sentence in the words of the goals."""
    groups: dict[Answer, list[str]] = {}
    for key in dict.fromkeys((*_HEADLINE, report.goal)):
        if key in report.goals:
            groups.setdefault(report.goals[key].verdict, []).append(key)
    clauses = []
    for answer, keys in groups.items():
        subjects = [words.SUBJECTS[key] for key in keys]
        plural = len(subjects) > 1 or subjects[0][1]
        names = listed([name for name, _ in subjects])
        clauses.append(f"{names} {'are' if plural else 'is'} {_PHRASES[answer]}")
    text = ", ".join(clauses)
    return text[0].upper() + text[1:] + "."


def tally(report: Report) -> list[tuple[words.Mark, int]]:
    """How many goals have each verdict; verdicts without a goal are left out."""
    answers = [verdict.verdict for verdict in report.goals.values()]
    return [(words.ANSWER[a], answers.count(a)) for a in Answer if a in answers]


# --- numbers that decide -----------------------------------------------------------------


def link_verdict(report: Report, goal: GoalVerdict, stage: Stage) -> Verdict | None:
    """The verdict behind a stage as this goal sees it."""
    if goal.key == "modules" and stage is Stage.SAMPLING:
        return judging.modules_sampling(report.results)
    if goal.key == "perturbation_response" and stage is Stage.PROXY:
        return judging.held_out(report.results)
    state = report.stages[stage]
    return state.result.verdict if state.result else None


def deciding_number(report: Report, goal: GoalVerdict) -> Verdict | None:
    """The number that limits a goal; None where something other than a number does."""
    stage = goal.limiting_stage
    if stage is None:
        return None
    verdict = link_verdict(report, goal, stage)
    if verdict is None or verdict.estimate is None or verdict.need is None:
        return None
    seen = goal.path.get(stage, verdict.status)
    return verdict if seen == verdict.status else None


def _at_most(report: Report, stage: Stage | None) -> bool:
    result = report.stages[stage].result if stage else None
    return bool(result and result.check.at_most)


def need(verdict: Verdict, *, at_most: bool) -> str:
    """The need, with the direction in which it is held."""
    return ("≤ " if at_most else "") + digits.single(verdict.need, verdict.unit)


def threshold(report: Report, goal: GoalVerdict) -> tuple[str, str]:
    """``("floor", "0.10")`` when the floor is missed, else ``("need", "0.20")``."""
    verdict = deciding_number(report, goal)
    if verdict is None:
        return "", ""
    at_most = _at_most(report, goal.limiting_stage)
    if verdict.status is Status.LIMITING and verdict.floor is not None:
        return "floor", ("≤ " if at_most else "") + digits.single(verdict.floor, verdict.unit)
    return "need", need(verdict, at_most=at_most)


# --- hero --------------------------------------------------------------------------------


def lead(report: Report) -> dict:
    """Weakest link for the goal of the report, and its cheapest remedy."""
    goal = report.goals[report.goal]
    if goal.limiting_stage is None:
        return {"stage": None, "assessed": True, "reason": goal.reason, "lift": goal.lift}
    verdict = deciding_number(report, goal)
    number = _prefixed(digits.with_interval(verdict), verdict.unit) if verdict else ""
    assessed = goal.path.get(goal.limiting_stage) in _ASSESSED
    return {
        "assessed": assessed,
        "stage": words.stage(goal.limiting_stage, goal.key).inline,
        "number": number,
        "unit": verdict.unit if verdict and not number.startswith(verdict.unit) else "",
        "threshold": _held_against(report, goal),
        "reason": goal.reason,
        "missing": _missing(goal) if goal.verdict is Answer.NOT_EXCLUDED else "",
        # The reason says what to bring; more data of the same kind would not help.
        "lift": goal.lift if assessed else None,
    }


def _missing(goal: GoalVerdict) -> str:
    """Links on the goal's path that were not assessed, in words."""
    missing = [s for s in goal.goal.path if goal.path.get(s) is Status.NOT_ASSESSED]
    return listed([words.stage(stage, goal.key).inline for stage in missing]) if missing else ""


def also_limiting(report: Report) -> list[dict]:
    """Deciding checks that are limiting but are not the weakest link of the report's goal."""
    named = report.goals[report.goal].limiting_stage
    return [
        {"name": result.name, "title": result.check.title, "reason": result.verdict.reason}
        for result in report.results.values()
        if result.verdict.status is Status.LIMITING
        and result.check.gate
        and result.stage is not named
    ]


def _held_against(report: Report, goal: GoalVerdict) -> str:
    kind, value = threshold(report, goal)
    if not value:
        return ""
    limit = value.removeprefix("≤ ")
    if _at_most(report, goal.limiting_stage):
        return f"above the limit of {limit}" if kind == "floor" else f"at most {limit} is needed"
    return f"below the floor of {limit}" if kind == "floor" else f"{limit} is needed"


def strip(report: Report) -> str:
    """Coloured strip of the verdicts, in proportion, as a CSS gradient."""
    total, start, stops = len(report.goals), 0.0, []
    for mark, count in tally(report):
        end = start + 100 * count / total
        stops.append(f"var(--{mark.css}) {start:.2f}% calc({end:.2f}% - 3px)")
        stops.append(f"var(--card) calc({end:.2f}% - 3px) {end:.2f}%")
        start = end
    stops[-1] = f"var(--{tally(report)[-1][0].css}) 0"
    return f"linear-gradient(90deg,{','.join(stops)})"


def goal_rows(report: Report) -> list[dict]:
    """Rows of the table of goals."""
    return [_goal_row(verdict) for verdict in report.goals.values()]


def percent(bound: float) -> int:
    """A bound in whole per cent, rounded up: it must not become lower on the way."""
    return math.ceil(round(100 * max(bound, 0.0), 6))


def _goal_row(verdict: GoalVerdict) -> dict:
    stage = verdict.limiting_stage
    status = verdict.path.get(stage) if stage else Status.ENOUGH
    return {
        "key": verdict.key,
        "title": verdict.goal.title,
        "subtitle": verdict.goal.subtitle,
        "mark": words.ANSWER[verdict.verdict],
        "stage": words.stage(stage, verdict.key).title if stage else "No stage",
        "stage_mark": words.STATUS[status or Status.BORDERLINE],
        "limited": stage is not None,
        "reason": verdict.reason,
        "regulators": verdict.regulators,
        "bound": verdict.at_best,
        "percent": percent(verdict.at_best.value) if verdict.at_best else None,
        "no_bound": NOT_COMPUTED if verdict.key in judging.BOUNDED else NO_BOUND,
    }


# --- chain -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Link:
    """One stage of the chain as it is drawn."""

    key: str
    position: int
    words: words.StageWords
    mark: words.Mark | None
    weak: bool
    width: int
    number: str = ""
    interval: str = ""
    need: str = ""


def chain(report: Report) -> list[Link]:
    """The links for the goal of the report."""
    goal = report.goals[report.goal]
    return [_link(report, goal, stage, i) for i, stage in enumerate(Stage, start=1)]


def _link(report: Report, goal: GoalVerdict, stage: Stage, position: int) -> Link:
    on_path = stage in goal.goal.path
    # The sixth stage excludes nothing, but no network is supported without it.
    beside = stage is Stage.PROXY and goal.goal.is_network
    status = goal.path.get(stage) or report.stages[stage].status
    if not on_path and not beside:
        return Link(
            key=stage.value,
            position=position,
            words=words.stage(stage, goal.key),
            mark=None,
            weak=False,
            width=0,
            interval="not needed for this goal",
        )
    verdict = link_verdict(report, goal, stage)
    shared = {
        "key": stage.value,
        "position": position,
        "words": words.stage(stage, goal.key),
        "mark": words.STATUS[status],
        "weak": stage is goal.limiting_stage,
    }
    if status not in _ASSESSED:
        return Link(**shared, width=0, number="none")
    # A status that is not that of the number has another cause: an input that is absent.
    if verdict is None or verdict.estimate is None or verdict.status is not status:
        absent = status is Status.LIMITING and bool(goal.goal.inputs)
        said = clause(verdict.reason) if verdict else ""
        return Link(
            **shared, width=3 if absent else 16, interval="no labelled input" if absent else said
        )
    number, interval = digits.estimate(verdict)
    at_most = _at_most(report, stage)
    return Link(
        **shared,
        width=_width(verdict, at_most=at_most),
        number=_prefixed(number, verdict.unit),
        interval=interval,
        need="" if verdict.need is None else f"needs {need(verdict, at_most=at_most)}",
    )


def _prefixed(number: str, unit: str) -> str:
    return f"{unit} {number}" if 0 < len(unit) <= 2 else number


def _width(verdict: Verdict, *, at_most: bool) -> int:
    multiple = multiple_of_need(verdict.estimate, verdict.need, at_most=at_most)
    return 16 if multiple is None else max(3, round(16 * min(multiple, 2)))


def matrix(report: Report) -> list[dict]:
    """Goals × stages: the state of each stage as each goal sees it."""
    return [
        {
            "title": verdict.goal.title,
            "marks": [_matrix_mark(report, verdict, stage) for stage in Stage],
        }
        for verdict in report.goals.values()
    ]


def _matrix_mark(report: Report, verdict: GoalVerdict, stage: Stage) -> words.Mark | None:
    status = verdict.path.get(stage)
    if status is None and stage is Stage.PROXY and verdict.goal.is_network:
        status = report.stages[stage].status
    return words.STATUS[status] if status else None


# --- scorecard ---------------------------------------------------------------------------

_ZERO, _ONE = 4.0, 96.0
_END = _ZERO + 2 * _ONE


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row of the scorecard; positions are in units of its drawing."""

    name: str
    title: str
    note: str
    mark: words.Mark
    number: str = ""
    interval: str = ""
    need: str = ""
    reason: str = ""
    alt: str = ""
    dot: float | None = None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    beyond: bool = False


def scorecard(report: Report) -> list[Score]:
    """All checks, most limiting first; those that only explain come last."""
    return [_score(result) for result in sorted(report.results.values(), key=_limiting_first)]


def _limiting_first(result: Result) -> tuple:
    multiple = result.multiple_of_need
    order = _MOST_LIMITING_FIRST.index(result.verdict.status)
    return not result.check.gate, order, multiple is None, multiple or 0.0


def _score(result: Result) -> Score:
    verdict, check = result.verdict, result.check
    shared = {
        "name": result.name,
        "title": check.title,
        "note": _score_note(result),
        "mark": words.check_mark(result),
    }
    if verdict.status not in _ASSESSED:
        return Score(**shared, reason=verdict.reason)
    if verdict.estimate is None:
        return Score(**shared, reason=sentences(verdict.reason)[0])
    number, interval = digits.estimate(verdict)
    shared |= {"number": number, "interval": interval}
    # Beside a scale of needs, what only explains would read as a pass or a failure.
    if not check.gate or not verdict.need:
        what = " the stage" if result.stage else ""
        return Score(**shared, reason=f"It explains{what} and decides nothing")
    dot, low, high, floor = (
        multiple_of_need(value, verdict.need, at_most=check.at_most)
        for value in (verdict.estimate, verdict.low, verdict.high, verdict.floor)
    )
    if low is not None and high is not None:
        low, high = min(low, high), max(low, high)
    between = f", interval {low:.2g} to {high:.2g}" if low is not None and high is not None else ""
    return Score(
        **shared,
        need=need(verdict, at_most=check.at_most),
        alt=f"{check.title}: {dot:.2g} times what is needed{between}",
        # Room for the arrow that says "further than the scale".
        dot=min(_x(dot), _END - 10) if dot > 2 else _x(dot),
        low=_x(low),
        high=_x(high),
        floor=_x(floor),
        beyond=max(dot, high or 0) > 2,
    )


def _score_note(result: Result) -> str:
    position = f"stage {list(Stage).index(result.stage) + 1}, " if result.stage else ""
    note = position + result.check.unit
    if not result.check.gate:
        return f"{note}; {_EXPLAINS}"
    if result.verdict.floor is None and result.verdict.need is not None:
        return f"{note}; never excludes"
    return note


def _x(multiple: float | None) -> float | None:
    return None if multiple is None else round(_ZERO + _ONE * min(max(multiple, 0), 2), 1)


# --- what to do next ---------------------------------------------------------------------


def advice(report: Report) -> list[dict]:
    """Distinct remedies, the one for the goal of the report first."""
    found: dict[str, list[GoalVerdict]] = {}
    first = report.goals[report.goal]
    for verdict in (first, *report.goals.values()):
        # A check that crashed wants repair, not data.
        crashed = verdict.path.get(verdict.limiting_stage) is Status.ERROR
        if verdict.lift and not crashed and verdict not in found.setdefault(verdict.lift, []):
            found[verdict.lift].append(verdict)
    items = []
    for lift, verdicts in found.items():
        action, more = sentences(lift)
        gain = lifting.gain(verdicts[0].limiting_stage, report.results)
        if gain is None or gain.sentence not in lift:
            gain = None
        stages = dict.fromkeys(
            words.stage(v.limiting_stage, v.key).inline for v in verdicts if v.limiting_stage
        )
        concerns = [
            (v.goal.title, words.ANSWER[v.verdict].word.lower())
            for v in sorted(verdicts, key=lambda v: list(report.goals).index(v.key))
        ]
        items.append(
            {
                "action": action.rstrip("."),
                # The column beside it says so already.
                "more": more.replace(lifting.NOT_FORECAST, "").strip(),
                "gain": gain,
                "concerns": concerns,
                "stages": list(stages),
            }
        )
    return items


def other_studies(report: Report) -> dict | None:
    """What other studies of the system would find; None where it was not simulated."""
    do = lifting.changes(report.results, "do")
    known = [change for change in do if change.now]
    if not known:
        return None
    return {
        "now": _share(known[0].now),
        "method": known[0].method,
        "do": [_study(change) for change in do],
        "may_be": [_study(change) for change in lifting.changes(report.results, "may be")],
        "worth": f"{100 * thresholds.WORTH_GAIN:.0f}",
    }


def _study(change: lifting.Change) -> dict:
    worth = change.worth
    shown = {"study": change.study, "worth": worth.value, "counts": worth is lifting.Worth.MORE}
    if change.gain is None:
        return {**shown, "missing": change.missing}
    gain, low, high = (100 * value for value in change.gain)
    return {
        **shown,
        "now": f"{change.now[0]:.0%}",
        "then": f"{change.then[0]:.0%}",
        "interval": f"({100 * change.then[1]:.0f}–{100 * change.then[2]:.0f}%)",
        "gain": f"{gain:+.1f} points ({low:+.1f} to {high:+.1f})".replace("-", "−"),
        "missing": "",
    }


def _share(values: tuple[float, float, float]) -> str:
    return f"{values[0]:.0%} ({100 * values[1]:.0f}–{100 * values[2]:.0f}%)"


def other_questions(report: Report) -> list[dict]:
    """What else the data could answer, where no network is supported; else nothing."""
    networks = [v for v in report.goals.values() if v.goal.is_network and not v.goal.inputs]
    if any(verdict.verdict is Answer.SUPPORTED for verdict in networks):
        return []
    return [
        {"title": use.title, "mark": words.ANSWER[use.answer], "numbers": use.numbers}
        | {"check": use.check if use.check in report.results else None, "key": use.key}
        for use in uses.find(report.results, report.goals)
    ]


# --- sections of the checks --------------------------------------------------------------


def sections(report: Report) -> list[dict]:
    """One section a check, in the order of the chain."""
    allowed = tables.budget(report.results)
    numbered, result_sections = 0, []
    for result in report.results.values():
        figures = _figures(result)
        for figure in figures:
            numbered += 1
            figure["number"] = numbered
        answer, more = sentences(result.verdict.reason)
        result_sections.append(
            {
                "name": result.name,
                "title": result.check.title,
                "role": "" if result.check.gate else _EXPLAINS,
                "question": result.check.question,
                "mark": words.check_mark(result),
                "answer": answer,
                "more": more,
                "figures": figures,
                "tables": tables.cut(result, allowed[result.name]),
                "computed": result.check.computed,
                "misleads": result.check.misleads,
                "references": [REFERENCES[key].text for key in result.check.references],
            }
        )
    return result_sections


def _figures(result: Result) -> list[dict]:
    from infocheck.plotting import NARROW

    try:
        charts = result.figures()
        return [
            {
                "id": f"{result.name}-{name}",
                "title": chart.title,
                "caption": chart.caption,
                "wide": chart.svg(f"{result.name}-{name}"),
                "narrow": chart.svg(f"{result.name}-{name}-narrow", NARROW),
            }
            for name, chart in charts.items()
        ]
    except Exception as crash:  # a page without one picture is better than no page
        log.warning("the figure of %s cannot be drawn: %s", result.name, crash)
        log.debug("figure of %s", result.name, exc_info=True)
        return []


# --- regulators --------------------------------------------------------------------------


def regulator_table(report: Report) -> dict:
    """The joined table: columns, first rows as text, and what the script needs for all."""
    table, sources = join(report.results, report.goals)
    own = table.drop(columns=["limited_by", "verdict"])
    found = [column for column in tables.columns(own) if column.key != KEY]
    head = [_regulator_row(row, found) for row in table.head(tables.MOST_ROWS).to_dict("records")]
    judged = table[[KEY, "limited_by", "verdict"]].itertuples(index=False)
    return {
        "columns": found,
        "sources": sources,
        "rows": head,
        "total": len(table),
        "names": [str(name) for name in table[KEY].head(tables.MOST_ROWS)],
        "passing": sum(table["verdict"].isin(["supported", "not_excluded"])),
        "judged": [[str(name), stage or "", verdict or ""] for name, stage, verdict in judged],
    }


def _regulator_row(row: Mapping, found: list[tables.Column]) -> dict:
    return {
        "name": str(row[KEY]),
        "cells": [column.text(row) for column in found],
        "stage": words.STAGES[Stage(row["limited_by"])].title if row["limited_by"] else "No stage",
        "mark": words.ANSWER[Answer(row["verdict"] or "not_assessed")],
    }


def script_rows(regulators: Mapping, *, whole: bool) -> dict:
    """What the script needs besides the document to draw all rows of regulators."""
    sources = regulators["sources"]
    judged = regulators["judged"]
    return {
        "columns": [_script_column(column, sources) for column in regulators["columns"]],
        "rows": judged if whole else judged[: tables.MOST_ROWS],
        "stages": {stage.value: text.title for stage, text in words.STAGES.items()},
        "verdicts": {a.value: [mark.word, mark.css] for a, mark in words.ANSWER.items()},
        "table": TABLE,
        "key": KEY,
        "most": tables.MOST_ROWS,
    }


def _script_column(column: tables.Column, sources: Mapping) -> dict:
    source = sources[column.key]
    return {
        "check": source.check,
        "key": source.column,
        "low": sources[column.low].column if column.low else None,
        "high": sources[column.high].column if column.high else None,
        "numeric": column.numeric,
        "share": column.share,
        "places": column.places,
        "label": column.label,
        "csv": column.key,
    }


# --- methods -----------------------------------------------------------------------------


def methods(report: Report) -> str:
    """A paragraph to paste, with the numbers of this run."""
    dataset, run = report.dataset, report.provenance
    version, thresholds = run.get("version"), run.get("thresholds_version")
    regulators, source = dataset["regulators"]["n"], dataset["regulators"].get("source")
    parts = [
        "The information content of the data for gene regulatory network inference was "
        f"assessed with infocheck {version} (thresholds {thresholds}) on "
        f"{dataset['n_obs']:,} observations of {dataset['n_vars']:,} genes, of which "
        f"{regulators:,} were candidate regulators" + (f" (source: {source})." if source else ".")
    ]
    numbers = [_methods_number(result) for result in report.results.values()]
    numbers = [text for text in numbers if text]
    if numbers:
        parts.append(f"Estimates with 95% intervals were: {'; '.join(numbers)}.")
    parts += _methods_verdicts(report)
    missing = [words.STAGES[s].inline for s, state in report.stages.items() if not _known(state)]
    if missing:
        parts.append(f"Not assessed: {listed(missing)}.")
    parts.append(f"Seed {run.get('seed')}.")
    return " ".join(parts)


def _known(state) -> bool:
    return state.status in _ASSESSED


def _methods_number(result: Result) -> str:
    verdict = result.verdict
    if verdict.status not in _ASSESSED or verdict.estimate is None:
        return ""
    text = f"{result.check.title.lower()} {digits.with_interval(verdict)}, {verdict.unit}"
    if verdict.need is None:
        return text
    return f"{text} (need {need(verdict, at_most=result.check.at_most)})"


def _methods_verdicts(report: Report) -> list[str]:
    said = []
    for answer in Answer:
        titles = [v.goal.title.lower() for v in report.goals.values() if v.verdict is answer]
        if titles:
            said.append(f"{listed(titles)} ({_PHRASES[answer]})")
    return [f"Verdicts by goal: {'; '.join(said)}."]


def bibtex(report: Report) -> list[str]:
    """Entries of the software and of the checks that were assessed, each once."""
    version = report.provenance.get("version")
    software = (
        f"@software{{infocheck,\n  author = {{{{The infocheck developers}}}},\n"
        f"  title = {{infocheck}},\n  version = {{{version}}}\n}}"
    )
    used = dict.fromkeys(
        key
        for result in report.results.values()
        if result.verdict.status in _ASSESSED
        for key in result.check.references
    )
    return [software, *(REFERENCES[key].bibtex for key in used)]


# --- file line and provenance ------------------------------------------------------------


def file_line(report: Report) -> list[str]:
    """Size of the data set and date of the run."""
    dataset = report.dataset
    parts = [
        f"{dataset['n_obs']:,} observations",
        f"{dataset['n_vars']:,} genes",
        f"{dataset['regulators']['n']:,} regulators",
    ]
    for role, plural in (("donor", "donors"), ("batch", "batches")):
        levels = dataset.get("roles", {}).get(role, {}).get("levels")
        if levels:
            parts.append(f"{levels:,} {plural if levels != 1 else role}")
    return [*parts, report.date] if report.date else parts


def roles(report: Report) -> list[dict]:
    """Which column plays which part, and who said so."""
    return [
        {
            "role": words.ROLES.get(role, role.replace("_", " ")),
            "column": entry.get("column"),
            "levels": entry.get("levels"),
            "how": "guessed" if entry.get("guessed") else "named",
        }
        for role, entry in sorted(report.dataset.get("roles", {}).items())
    ]


def not_assessed(report: Report) -> list[tuple[str, str]]:
    """What was not assessed, and why."""
    stages = {stage.value: text.title for stage, text in words.STAGES.items()}
    rows = []
    for entry in report.provenance.get("not_assessed") or ():
        name = entry.get("check") or entry.get("stage")
        result = report.results.get(name) if "check" in entry else None
        rows.append((result.check.title if result else stages.get(name, name), entry["reason"]))
    return rows
