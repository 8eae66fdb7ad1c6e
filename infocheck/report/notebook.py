"""Cards for notebooks: tables and inline styles, all that an untrusted notebook keeps."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from infocheck.report import digits, views, words

if TYPE_CHECKING:
    from infocheck.report.model import Report
    from infocheck.result import Result

# Borders that are seen on white and on black; text keeps the ink of the notebook.
_BORDER = {
    "pass": "#2b84bd",
    "warn": "#c07a14",
    "fail": "#c93b7d",
    "na": "#7d8791",
    "info": "#7d8791",
}
_CELL = "text-align:left;padding:.25em .9em .25em 0;vertical-align:top"
# A card must stay light whatever a check writes.
_MOST_WORDS = 600


def card(report: Report) -> str:
    """The report in brief: tally, sentence, goals, and the scorecard folded."""
    tally = " &nbsp; ".join(f"{mark.glyph} {n} {mark.word}" for mark, n in views.tally(report))
    mark = words.ANSWER[report.goals[report.goal].verdict]
    body = [
        f"<div><b>{text(report.dataset['name'])}</b> &nbsp; "
        f"{text(' · '.join(views.file_line(report)))}</div>",
        f"<div>{tally}</div>",
        f"<p><b>{text(views.headline(report))}</b></p>",
        table(
            "Verdict for each goal",
            ("Goal", "Verdict", "Limited by", "At best"),
            [_goal(row) for row in views.goal_rows(report)],
        ),
        "<p>Not excluded is not a pass.</p>",
        "<details><summary>Scorecard</summary>",
        table(
            "Checks, most limiting first",
            ("Check", "Status", "You have", "Needed"),
            [_score(row) for row in views.scorecard(report)],
        ),
        "</details>",
    ]
    if report.dataset.get("simulated"):
        body.insert(0, "<div><b>Simulated demo data with a known truth.</b></div>")
    return framed(body, mark)


def result_card(result: Result) -> str:
    """One check in brief: status, answer, numbers."""
    verdict = result.verdict
    mark = words.check_mark(result)
    rows = [("Status", f"{mark.glyph} {mark.word}")]
    if verdict.estimate is not None:
        rows.append(("Estimate", f"{digits.with_interval(verdict)} {verdict.unit}".strip()))
    if verdict.need is not None:
        rows.append(("Needed", views.need(verdict, at_most=result.check.at_most)))
    if verdict.floor is not None:
        rows.append(("Floor", digits.single(verdict.floor, verdict.unit)))
    body = [
        f"<div><b>{text(result.check.title)}</b> &nbsp; {text(result.check.question)}</div>",
        f"<p>{text(verdict.reason)}</p>",
        table("Numbers of this check", ("What", "Value"), rows),
    ]
    return framed(body, mark)


def _goal(row: dict) -> tuple[str, ...]:
    limit = row["stage"] + (f": {row['reason']}" if row["limited"] else "")
    bound = f"≤ {row['percent']}%" if row["bound"] else row["no_bound"]
    return row["title"], f"{row['mark'].glyph} {row['mark'].word}", limit, bound


def _score(row: views.Score) -> tuple[str, ...]:
    number = f"{row.number} ({row.interval})" if row.interval else row.number
    shown = number or row.reason
    return row.title, f"{row.mark.glyph} {row.mark.word}", shown, row.need or "–"


def table(caption: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table with inline styles alone."""
    titles = "".join(f'<th scope="col" style="{_CELL}">{text(cell)}</th>' for cell in head)
    lines = [
        f'<tr><th scope="row" style="{_CELL}">{text(first)}</th>'
        + "".join(f'<td style="{_CELL}">{text(cell)}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in rows
    ]
    return (
        f'<table style="border-collapse:collapse"><caption style="text-align:left">'
        f"{text(caption)}</caption><thead><tr>{titles}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def framed(body: list[str], mark: words.Mark) -> str:
    """Parts of a card behind a border in the colour of the mark."""
    style = f"border-left:4px solid {_BORDER[mark.css]};padding:.2em 0 .2em 1em;max-width:60em"
    return f'<div style="{style}">{"".join(body)}</div>'


def text(value: object) -> str:
    """Escaped, and never too long for a card."""
    shown = str(value)
    return escape(shown if len(shown) <= _MOST_WORDS else shown[: _MOST_WORDS - 1] + "…")
