"""Report: everything that one run of infocheck says of one data set."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from infocheck.result import Status

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.goals import GoalVerdict, StageState
    from infocheck.result import Result, Stage

SUMMARY = ("check", "stage", "status", "estimate", "low", "high", "need", "floor", "unit", "reason")

_PART = r"[^\s/\\'\"<>]"
_FOLDERS = re.compile(rf"(?<![\w.:/\\])(?:~|[A-Za-z]:)?[/\\](?:{_PART}+[/\\])+(?={_PART})")


@dataclass(frozen=True, kw_only=True, repr=False)
class Report:
    """Results, the verdicts drawn from them, and where they come from.

    Attributes
    ----------
    dataset
        Name, hash, size, regulators and roles, as in the JSON document; ``notes``
        holds every guess in words, ``simulated`` marks data with a known truth.
    results
        Results by name of the check, in the order of the chain.
    goals
        Verdicts by key of the goal.
    stages
        State of each link of the chain.
    provenance
        Version, command, seed, time, memory, packages, and what was not assessed.
    goal
        Key of the goal that the chain is drawn for.
    date
        ISO date of the run; shown, but not part of the document.

    Examples
    --------
    >>> report.summary  # doctest: +SKIP
    >>> report["reliability"].table("genes")  # doctest: +SKIP
    >>> report.to_html("data.infocheck.html")  # doctest: +SKIP
    """

    dataset: Mapping
    results: Mapping[str, Result]
    goals: Mapping[str, GoalVerdict]
    stages: Mapping[Stage, StageState]
    provenance: Mapping
    goal: str = "confident_edges"
    date: str = ""

    def __post_init__(self) -> None:
        if self.goal not in self.goals:
            raise KeyError(f"no goal is called {self.goal!r}; there are {', '.join(self.goals)}")
        # A report is passed on: it names no folder of the machine that made it.
        regulators = self.dataset.get("regulators", {})
        clean = {
            "dataset": {
                **self.dataset,
                "name": _last(self.dataset["name"]),
                "regulators": {**regulators, "source": _no_folders(regulators.get("source"))},
                "notes": [_no_folders(note) for note in self.dataset.get("notes", ())],
            },
            "provenance": {
                **self.provenance,
                "command": _clean_command(self.provenance.get("command") or ""),
            },
            "results": {name: _clean_result(result) for name, result in self.results.items()},
            "goals": {
                key: replace(verdict, reason=_no_folders(verdict.reason))
                for key, verdict in self.goals.items()
            },
            "stages": {
                stage: replace(state, result=state.result and _clean_result(state.result))
                for stage, state in self.stages.items()
            },
        }
        for name, value in clean.items():
            object.__setattr__(self, name, value)

    def __getitem__(self, name: str) -> Result:
        """The result of the check of that name."""
        if name not in self.results:
            raise KeyError(f"no check is called {name!r}; there are {', '.join(self.results)}")
        return self.results[name]

    def __repr__(self) -> str:
        from infocheck.report import terminal

        return "\n".join(terminal.lines(self))

    @property
    def summary(self) -> pd.DataFrame:
        """One row a check: status, estimate, interval, need, floor, reason."""
        import pandas as pd

        rows = [
            (
                name,
                result.stage and result.stage.value,
                result.verdict.status.value,
                *(getattr(result.verdict, key) for key in SUMMARY[3:]),
            )
            for name, result in self.results.items()
        ]
        return pd.DataFrame(rows, columns=list(SUMMARY))

    @property
    def regulators(self) -> pd.DataFrame:
        """One row a regulator: what every check says of it, and its verdict."""
        from infocheck.report import regulators

        return regulators.join(self.results, self.goals)[0]

    def to_html(self, path: str | Path | None = None) -> str:
        """The page as text; also written to ``path`` when one is given."""
        from infocheck.report import page

        return self._written(page.render(self), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """The JSON document as text; also written to ``path`` when one is given."""
        from infocheck.report import document

        return self._written(document.dumps(document.to_document(self)), path)

    @classmethod
    def from_json(cls, source: str | Path) -> Report:
        """Rebuild a report from a JSON document: its text, or the path of its file."""
        import json

        from infocheck.report import document

        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        text = source if is_text else Path(source).read_text(encoding="utf-8")
        return document.from_document(json.loads(text))

    def show(self, height: int = 700):
        """The whole page inside a notebook, shut off from it."""
        from html import escape

        from IPython.display import HTML

        return HTML(
            f'<iframe sandbox="allow-scripts allow-downloads" srcdoc="{escape(self.to_html())}" '
            f'style="width:100%;height:{height:d}px;border:0" title="infocheck report"></iframe>'
        )

    def _repr_html_(self) -> str:
        from infocheck.report import notebook

        return notebook.card(self)

    @staticmethod
    def _written(text: str, path: str | Path | None) -> str:
        if path is not None:
            from infocheck import output

            # In Python the caller names the file; the command line is more careful.
            output.write([(output.Target(Path(path), output.PAGE), text)], force=True)
        return text


def _last(path: str) -> str:
    return re.split(r"[/\\]", str(path).rstrip("/\\"))[-1]


def _no_folders(text: str | None) -> str | None:
    return text and _FOLDERS.sub("", text)


def _clean_command(command: str) -> str:
    """The command with every absolute path cut to its last part."""
    try:
        parts = shlex.split(command)
    except ValueError:
        return _no_folders(command)
    return shlex.join(_clean_argument(part) for part in parts)


def _clean_argument(argument: str) -> str:
    flag, equals, value = argument.partition("=")
    if flag.startswith("-") and equals:
        return f"{flag}={_clean_argument(value)}"
    absolute = re.match(r"(~|[A-Za-z]:)?[/\\]", argument)
    return _last(argument) if absolute else argument


def _clean_result(result: Result) -> Result:
    # Only the message of a crash can hold a path; a check's own sentences cannot.
    if result.verdict.status is not Status.ERROR:
        return result
    verdict = replace(result.verdict, reason=_no_folders(result.verdict.reason))
    return replace(result, verdict=verdict)
