"""What a check asks, how it answers and when it misleads: as words and as a document."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from infocheck.references import REFERENCES
from infocheck.result import Stage

if TYPE_CHECKING:
    from infocheck.check import Check

CHECK_SCHEMA = "infocheck.check/1"
CHECKS_SCHEMA = "infocheck.checks/1"

_WIDTH = 88
_LABEL = 12
UNCHECKED = "no check in this version: always reported as not assessed"


def document(check: Check) -> dict[str, object]:
    """Everything that is known of a check before it meets data, ready for JSON."""
    return {"schema": CHECK_SCHEMA, **_facts(check)}


def documents(checks: Iterable[Check]) -> dict[str, object]:
    """All checks, ready for JSON, and the stages that none of them can judge."""
    checks = list(checks)
    return {
        "schema": CHECKS_SCHEMA,
        "checks": [_facts(check) for check in checks],
        "stages_without_check": [str(stage) for stage in _unchecked(checks)],
    }


def describe(check: Check) -> str:
    """The page of a check for a terminal."""
    facts = _facts(check)
    role = "decides" if check.gate else "explains"
    stage = f"{role} the stage {facts['stage']}" if facts["stage"] else "explains, decides nothing"
    settings = [f"{name} = {value}" for name, value in facts["thresholds"].items()]
    rows = [
        ("Computed", [facts["computed"]]),
        ("Misleads", [facts["misleads"]]),
        ("Data", [", ".join(facts["needs"]) or "expression alone"]),
        ("Unit", [facts["unit"]]),
        ("Thresholds", settings),
        ("References", [reference["text"] for reference in facts["references"]]),
    ]
    body = "\n".join(_row(label, items) for label, items in rows if items)
    return f"{facts['question']}\n{check.name}: {stage}\n\n{body}"


def overview(checks: Iterable[Check]) -> str:
    """All checks with their questions, by stage, for a terminal."""
    checks = list(checks)
    width = max((len(check.name) for check in checks), default=0) + 2
    blocks = []
    for stage in [*Stage, None]:
        members = [check for check in checks if check.stage is stage]
        lines = [f"  {check.name:<{width}}{check.question}" for check in members]
        if not lines and stage is not None:
            lines = [f"  ({UNCHECKED})"]
        if lines:
            blocks.append(
                "\n".join([str(stage or "no stage: these explain and decide nothing"), *lines])
            )
    return "\n".join(blocks)


def _facts(check: Check) -> dict[str, object]:
    return {
        "name": check.name,
        "title": check.title,
        "question": check.question,
        "stage": str(check.stage) if check.stage else None,
        "gate": check.gate,
        "unit": check.unit,
        "computed": _flat(check.computed),
        "misleads": _flat(check.misleads),
        "needs": list(check.needs),
        "thresholds": {
            field.name: getattr(check, field.name) for field in dataclasses.fields(check)
        },
        "references": [{"key": key, "text": REFERENCES[key].text} for key in check.references],
    }


def _unchecked(checks: list[Check]) -> Iterator[Stage]:
    covered = {check.stage for check in checks}
    return (stage for stage in Stage if stage not in covered)


def _row(label: str, items: list[str]) -> str:
    indent = " " * _LABEL
    filled = [
        textwrap.fill(item, _WIDTH, initial_indent=indent, subsequent_indent=indent)
        for item in items
    ]
    return f"{label:<{_LABEL}}" + "\n".join(filled)[_LABEL:]


def _flat(text: str) -> str:
    return " ".join(text.split())
