"""The page of a comparison: groups of one data set, or data sets, side by side.

Made from the document ``infocheck.comparison/1`` alone. One file, complete without script,
closed to the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infocheck import thresholds
from infocheck.goals import GOALS
from infocheck.report import (
    comparison_document,
    comparison_terminal,
    digits,
    notebook,
    page,
    views,
    words,
)
from infocheck.result import Answer, Stage, Status, Verdict

# Letters of a label on the page; the document has all of them.
MOST_LABEL = 90
MOST_NAMED = 8
# Agreement of smaller parts is noise: a correlation of 25 rows has a standard error of 0.2.
FEWEST_ROWS_PER_PART = 25
SHORT = {
    Stage.MEASUREMENT: "Measurement",
    Stage.SAMPLING: "Sampling",
    Stage.PREDICTABILITY: "Predictability",
    Stage.SPECIFICITY: "Specificity",
    Stage.CONFOUNDING: "Confounding",
    Stage.PROXY: "mRNA proxy",
}
_HOUSE = (
    "Excluded",
    "Not excluded",
    "Supported",
    "Floor",
    "Need",
    "95% interval",
    "Regulator",
    "Target",
    "Edge",
    "Gene modules",
    "Reliability",
    "Sampling stability",
    "Predictability",
    "Specificity",
    "Confounding",
    "mRNA proxy",
    "Partial correlation",
    "R²",
    "Donor",
)
_ASSESSED = (Status.ENOUGH, Status.BORDERLINE, Status.LIMITING)


def render(comparison: Mapping, *, date: str = "") -> str:
    """The comparison as one HTML document; the same comparison gives the same bytes."""
    from markupsafe import Markup

    script = page.asset("page.js")
    glossary = page.Glossary()
    entries = comparison["entries"]
    same_size, at = _same_size(entries)
    return page.template("comparison.html.j2").render(
        comparison=comparison,
        date=date,
        digits=digits,
        words=words,
        css=Markup(f"{page.asset('page.css')}\n{page.asset('comparison.css')}"),
        script=Markup(script),
        script_hash=page.script_hash(script),
        data=page.embedded(comparison),
        stem=page.stem(_title(comparison)),
        title=_title(comparison),
        simulated=any(one["assessed"] and one["dataset"]["simulated"] for one in entries),
        tally=tally(comparison),
        strip=_strip(tally(comparison)),
        goal=next(goal for goal in GOALS if goal.key == comparison["goal"]),
        goals=GOALS,
        lists=lists(comparison),
        rows=[
            {**_row(comparison, one), "same": same} for one, same in zip(entries, at, strict=True)
        ],
        stages=list(SHORT.values()),
        size_words=size_words(comparison),
        same_size=same_size,
        need=thresholds.MODULES_NEED,
        left_out=left_out(comparison),
        methods=methods(comparison),
        glossary={term: words.GLOSSARY[term] for term in _HOUSE},
        gloss=glossary.mark,
    )


def card(comparison: Mapping) -> str:
    """The comparison in brief for a notebook: sentence and table, inline styles alone."""
    goal = comparison["goal"]
    title = next(one.title for one in GOALS if one.key == goal)
    rows = []
    for one in comparison["entries"]:
        mark = words.ANSWER[comparison_document.answer(one, goal)]
        limit = comparison_terminal.limit(one, goal)
        count = "–" if one["rows"] is None else f"{one['rows']:,}"
        rows.append((label(one), f"{mark.glyph} {mark.word}", count, limit or "–"))
    best = words.ANSWER[comparison_document.answer(comparison["entries"][0], goal)]
    head = (comparison["noun"][0].capitalize(), title, "Rows", "Limited by")
    body = [
        f"<div><b>{notebook.text(_title(comparison))}</b></div>",
        f"<p><b>{notebook.text(comparison['sentence'])}</b></p>",
        notebook.table(f"Verdict for {title.lower()}", head, rows),
        f"<p>Not excluded is not a pass. {notebook.text(size_words(comparison))}</p>",
    ]
    return notebook.framed(body, best)


# --- words -----------------------------------------------------------------------------------


def label(one: Mapping) -> str:
    """The label of an entry as it is shown."""
    return comparison_terminal.cut(one["label"], MOST_LABEL) or "(empty)"


def _title(comparison: Mapping) -> str:
    by = comparison["by"]
    if by is None:
        return f"{len(comparison['entries'])} {comparison['noun'][1]}"
    return f"{by['source']} by {comparison_terminal.cut(by['column'], MOST_LABEL)}"


def tally(comparison: Mapping) -> list[tuple[words.Mark, int]]:
    """How many entries have each verdict for the goal; verdicts of none are left out."""
    found = [comparison_document.answer(one, comparison["goal"]) for one in comparison["entries"]]
    return [(words.ANSWER[a], found.count(a)) for a in Answer if a in found]


def _strip(counts: Sequence[tuple[words.Mark, int]]) -> str:
    """The verdicts in proportion, as a CSS gradient."""
    total, start, stops = sum(count for _, count in counts), 0.0, []
    for mark, count in counts:
        end = start + 100 * count / total
        stops.append(f"var(--{mark.css}) {start:.2f}% {end:.2f}%")
        start = end
    return f"linear-gradient(90deg,{','.join(stops)})"


def lists(comparison: Mapping) -> list[tuple[words.Mark, list[str], int]]:
    """Labels by verdict: mark, first labels, and how many more there are."""
    found = []
    for verdict in comparison_document.ORDER:
        names = [
            label(one)
            for one in comparison["entries"]
            if comparison_document.answer(one, comparison["goal"]) is verdict
        ]
        if names:
            found.append((words.ANSWER[verdict], names[:MOST_NAMED], len(names) - MOST_NAMED))
    return found


def size_words(comparison: Mapping) -> str:
    """Could the numbers of rows alone explain which entries sampling excludes?"""
    goal, nouns = comparison["goal"], comparison["noun"]
    assessed = [one for one in comparison["entries"] if one["assessed"] and one["rows"]]
    if len(assessed) < 2:
        return ""
    held = [one for one in assessed if _excluded_by_sampling(one, goal)]
    others = [one for one in assessed if one not in held]
    fewest, most = (f(one["rows"] for one in assessed) for f in (min, max))
    span = f"The {nouns[1]} have {fewest:,} to {most:,} rows."
    if not held:
        return f"{span} None is excluded by sampling stability."
    if not others:
        return f"{span} Sampling stability excludes all of them, whatever their size."
    largest = max(held, key=lambda one: one["rows"])
    smallest = min(others, key=lambda one: one["rows"])
    if largest["rows"] < smallest["rows"]:
        return (
            f"{span} All that sampling stability excludes have fewer rows (at most "
            f"{largest['rows']:,}) than all others (at least {smallest['rows']:,}): size alone "
            "could explain these verdicts."
        )
    return (
        f"{span} Size alone does not order the verdicts: sampling stability excludes "
        f"{_brief(largest)} with {_agreement(largest)}, and not {_brief(smallest)} with "
        f"{_agreement(smallest)}."
    )


def _brief(one: Mapping) -> str:
    return comparison_terminal.cut(one["label"], 40)


def _agreement(one: Mapping) -> str:
    """``400 rows (0.04, 0.01–0.07)``; a wide interval is why a small group is not excluded."""
    rows = f"{one['rows']:,} rows"
    stage = one["stages"][Stage.SAMPLING.value]
    if stage["estimate"] is None:
        return rows
    number, interval = digits.estimate(_verdict(stage))
    return f"{rows} ({number}{', ' + interval if interval else ''})"


def _verdict(saved: Mapping) -> Verdict:
    numbers = {key: saved[key] for key in ("estimate", "low", "high", "need", "floor")}
    return Verdict(status=Status(saved["status"]), reason="", unit=saved["unit"], **numbers)


def _excluded_by_sampling(one: Mapping, goal: str) -> bool:
    verdict = one["goals"][goal]
    limited = verdict["limiting_stage"] == Stage.SAMPLING.value
    return verdict["verdict"] == Answer.EXCLUDED.value and limited


def left_out(comparison: Mapping) -> list[str]:
    """Rows and levels that are in no group."""
    by, said = comparison["by"], []
    if by is None:
        return []
    if by["rows_unlabelled"]:
        count = by["rows_unlabelled"]
        said.append(
            f"{count:,} {words.plural('row', count)} without a label in {by['column']} "
            f"{'is' if count == 1 else 'are'} in no group. Empty, NA, none, null and unknown count "
            "as no label."
        )
    if by["levels_left_out"]:
        said.append(
            f"Of {by['levels']:,} levels the {by['levels'] - by['levels_left_out']:,} largest were "
            f"looked at. The other {by['levels_left_out']:,} have {by['rows_left_out']:,} rows "
            "together."
        )
    return said


def methods(comparison: Mapping) -> str:
    """A paragraph to paste."""
    run, by, entries = comparison["provenance"], comparison["by"], comparison["entries"]
    assessed = sum(one["assessed"] for one in entries)
    what = (
        f"each of {assessed} {comparison['noun'][1]} of {by['source']} (column {by['column']})"
        if by
        else f"each of {assessed} {comparison['noun'][1]}"
    )
    few = (
        f" {len(entries) - assessed} with fewer than {thresholds.MIN_OBSERVATIONS_SAMPLING} rows "
        "or otherwise unsuitable were not assessed."
        if assessed < len(entries)
        else ""
    )
    return (
        f"The information content of {what} was assessed on its own with infocheck report "
        f"{run.get('version')} (thresholds {run.get('thresholds_version')}).{few} "
        f"{comparison['sentence']} Groups differ in size, and no correction was made for looking "
        f"at several of them. Seed {run.get('seed')}."
    )


# --- rows ------------------------------------------------------------------------------------


def _row(comparison: Mapping, one: Mapping) -> dict:
    """Everything that the tables say of one entry."""
    goal = comparison["goal"]
    row = {
        "label": label(one),
        "page": one["page"],
        "rows": "–" if one["rows"] is None else f"{one['rows']:,}",
        "assessed": one["assessed"],
        "reason": one["reason"] or "",
        "mark": words.ANSWER[comparison_document.answer(one, goal)],
    }
    if not one["assessed"]:
        return row
    verdict = one["goals"][goal]
    return row | {
        "size": _size(one),
        "limit": _limit(one, goal),
        "why": verdict["reason"],
        "crashed": ", ".join(one["crashed"]),
        "goals": [_goal_cell(one, known.key) for known in GOALS],
        "stages": [_stage_cell(one["stages"][stage.value]) for stage in SHORT],
        "amounts": _amounts(one),
        "agreement": _agreements(one),
    }


def _size(one: Mapping) -> str:
    donors = one["numbers"]["donors"]
    said = f"{one['rows']:,} rows"
    return f"{said}, {donors:,} {words.plural('donor', donors)}" if donors else said


def _limit(one: Mapping, goal: str) -> dict | None:
    verdict = one["goals"][goal]
    if verdict["limiting_stage"] is None:
        return None
    stage = Stage(verdict["limiting_stage"])
    number = comparison_terminal.deciding(verdict)
    saved = verdict["number"] or {}
    excluded = verdict["verdict"] == Answer.EXCLUDED.value
    status = Status.LIMITING if excluded else Status(one["stages"][stage.value]["status"])
    return {
        "stage": words.stage(stage, goal).title,
        "mark": words.STATUS[status],
        "number": digits.with_interval(number) if number else "",
        "threshold": f"{saved['held_against']} {saved['threshold']}"
        if saved.get("held_against")
        else "",
        "clause": "" if number else views.sentences(verdict["reason"])[0],
    }


def _goal_cell(one: Mapping, goal: str) -> dict:
    verdict = one["goals"][goal]
    stage = verdict["limiting_stage"]
    return {
        "mark": words.ANSWER[Answer(verdict["verdict"])],
        "stage": SHORT[Stage(stage)] if stage else "",
    }


def _stage_cell(saved: Mapping) -> dict:
    verdict = _verdict(saved)
    status, number, interval = verdict.status, "", ""
    if status in _ASSESSED and verdict.estimate is not None:
        number, interval = digits.estimate(verdict)
    return {"mark": words.STATUS[status], "number": number, "interval": interval}


def _triple(saved: Mapping | None, unit: str = "") -> tuple[str, str]:
    """A number and its interval as they are shown."""
    if saved is None or saved["estimate"] is None:
        return digits.MISSING, ""
    return digits.estimate(Verdict(status=Status.BORDERLINE, reason="", unit=unit, **saved))


def _amounts(one: Mapping) -> list[tuple[str, str]]:
    """Cells of the table of amounts, after the label and the rows: number and interval."""
    found = one["numbers"]
    effective = found["effective_rows"]
    return [
        _whole(effective),
        (digits.MISSING if found["donors"] is None else f"{found['donors']:,}", ""),
        (f"{one['dataset']['regulators']:,}", ""),
        _triple(found["readable_share"], "share"),
        (digits.number(found["median_reliability"], 2), ""),
    ]


def _agreements(one: Mapping) -> list[tuple[str, str]]:
    """Cells of the table of agreement, after the label: number and interval."""
    found, sampling = one["numbers"], one["sampling"]
    now = [_triple(found["stab_pc"]), _triple(found["stab_c"])]
    if sampling is None:
        return [*now, (digits.MISSING, ""), ("not assessed", "")]
    needed = {
        "reached": "reached",
        "within_twice": f"about {digits.about(sampling['rows_needed'] or 0)} rows",
        "beyond_twice": "more than twice",
        "not_forecast": "not forecast",
    }[sampling["state"]]
    return [*now, _triple(sampling["twice"]), (needed, "")]


def _whole(saved: Mapping | None) -> tuple[str, str]:
    """A number of rows and its interval."""
    if saved is None or saved["estimate"] is None:
        return digits.MISSING, ""
    return digits.number(saved["estimate"], 0), digits.bracket(saved["low"], saved["high"], 0)


def _same_size(entries: Sequence[Mapping]) -> tuple[int | None, list[str]]:
    """Agreement of plain correlations of all entries between parts of one size.

    The size is that of the halves of the smallest entry of which halves have 25 rows; None
    where fewer than two entries were measured at it.
    """
    nothing = [digits.MISSING] * len(entries)
    curves = {
        i: one["sampling"]["curve"]
        for i, one in enumerate(entries)
        if one["assessed"]
        and one["sampling"]
        and one["sampling"]["curve"]
        and one["sampling"]["curve"][-1][0] >= FEWEST_ROWS_PER_PART
    }
    if len(curves) < 2:
        return None, nothing
    rows = min(curve[-1][0] for curve in curves.values())
    found = {i: comparison_document.agreement_at(curve, rows) for i, curve in curves.items()}
    if sum(value is not None for value in found.values()) < 2:
        return None, nothing
    shown = [
        digits.MISSING if found.get(i) is None else digits.number(found[i], 2)
        for i in range(len(entries))
    ]
    return round(rows), shown
