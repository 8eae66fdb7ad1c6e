"""The last lines of a comparison on a terminal, in the words of its page."""

from __future__ import annotations

from collections.abc import Mapping

from infocheck.report import comparison_document, digits, views, words
from infocheck.result import Stage, Verdict

MOST_NAME = 32


def lines(comparison: Mapping, width: int | None = None) -> list[str]:
    """One line an entry: shape, verdict of the goal, name, rows, and what limits it.

    Where a line is longer than ``width``, what limits it stands on a line of its own, and
    names are cut. Labels cannot hold anything that a terminal obeys.
    """
    entries = comparison["entries"]
    word = max(len(mark.word) for mark in words.ANSWER.values())
    most = MOST_NAME if width is None else max(8, min(MOST_NAME, width - word - 16))
    names = [cut(one["label"], most) for one in entries]
    name = max(map(len, names), default=0)
    rows = [_rows(one) for one in entries]
    row = max(map(len, rows), default=0)
    found = []
    for one, shown, count in zip(entries, names, rows, strict=True):
        mark = words.ANSWER[comparison_document.answer(one, comparison["goal"])]
        first = f"{mark.glyph} {mark.word:{word}}  {shown:{name}}  {count:>{row}}"
        second = limit(one, comparison["goal"])
        if not second:
            found.append(first.rstrip())
        elif width is None or len(first) + 2 + len(second) <= width:
            found.append(f"{first}  {second}")
        else:
            found += [first.rstrip(), *_wrapped(second, width)]
    return found


def limit(one: Mapping, goal: str) -> str:
    """What limits the goal in one entry, or why it was not assessed; one line."""
    if not one["assessed"]:
        return plain(one["reason"])
    verdict = one["goals"][goal]
    if verdict["limiting_stage"] is None:
        return ""
    stage = words.stage(Stage(verdict["limiting_stage"]), goal).inline
    number = deciding(verdict)
    if number is None:
        return f"limited by {stage}: {views.clause(verdict['reason'])}"
    kind, value = verdict["number"]["held_against"], verdict["number"]["threshold"]
    return f"limited by {stage} {digits.with_interval(number)}" + (
        f", {kind} {value}" if kind else ""
    )


def deciding(verdict: Mapping) -> Verdict | None:
    """The number that limits a goal, as a verdict that can be printed."""
    saved = verdict["number"]
    if saved is None:
        return None
    numbers = {key: saved[key] for key in ("estimate", "low", "high")}
    # The status is not read: only the number is printed.
    return Verdict(status=words.Status.BORDERLINE, reason="", unit=saved["unit"], **numbers)


def plain(text: str) -> str:
    """Text that a terminal prints and does not obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def cut(text: str, most: int) -> str:
    """A label in one line of at most that many letters."""
    shown = plain(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _rows(one: Mapping) -> str:
    return "" if one["rows"] is None else f"{one['rows']:,} {words.plural('row', one['rows'])}"


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(
        text, width=max(width, 20), initial_indent="    ", subsequent_indent="    "
    )
