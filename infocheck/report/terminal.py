"""The last lines on a terminal, in the words of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infocheck.report import digits, views, words

if TYPE_CHECKING:
    from infocheck.goals import GoalVerdict
    from infocheck.report.model import Report


def lines(report: Report) -> list[str]:
    """One line a goal: shape, verdict, title, bound, and what limits it.

    Plain text without markup, aligned with blanks.
    """
    verdicts = list(report.goals.values())
    title = max((len(v.goal.title) for v in verdicts), default=0)
    word = max(len(mark.word) for mark in words.ANSWER.values())
    bounds = [_bound(v) for v in verdicts]
    bound = max(map(len, bounds), default=0)
    return [
        _line(report, v, title=title, word=word, bound=f"{best:{bound}}")
        for v, best in zip(verdicts, bounds, strict=True)
    ]


def _line(report: Report, verdict: GoalVerdict, *, title: int, word: int, bound: str) -> str:
    mark = words.ANSWER[verdict.verdict]
    fields = [f"{mark.glyph} {mark.word:{word}}", f"{verdict.goal.title:{title}}"]
    if bound.strip():
        fields.append(bound)
    fields.append(_limit(report, verdict))
    return "  ".join(fields).rstrip()


def _bound(verdict: GoalVerdict) -> str:
    return f"at best {views.percent(verdict.at_best.value)}%" if verdict.at_best else ""


def _limit(report: Report, verdict: GoalVerdict) -> str:
    stage = verdict.limiting_stage
    if stage is None:
        return ""
    text = f"limited by {words.stage(stage, verdict.key).inline}"
    number = views.deciding_number(report, verdict)
    if number is None:
        return f"{text}: {views.clause(verdict.reason)}"
    return f"{text} {digits.with_interval(number)}{_threshold(report, verdict)}"


def _threshold(report: Report, verdict: GoalVerdict) -> str:
    kind, value = views.threshold(report, verdict)
    return f", {kind} {value}" if value else ""
