"""What a check says: a status, a verdict, the tables behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.check import Check


# An infinite number in a table: JSON has none, and null would read as unknown. Python,
# pandas and R turn this word into a number.
INFINITY = "infinity"


class Status(StrEnum):
    """State of a check or a stage."""

    ENOUGH = "enough"
    BORDERLINE = "borderline"
    LIMITING = "limiting"
    NOT_ASSESSED = "not_assessed"
    ERROR = "error"


class Answer(StrEnum):
    """State of a goal."""

    SUPPORTED = "supported"
    NOT_EXCLUDED = "not_excluded"
    EXCLUDED = "excluded"
    NOT_ASSESSED = "not_assessed"


class Stage(StrEnum):
    """Links of the chain from a measurement to a regulatory edge, in order."""

    MEASUREMENT = "measurement"
    SAMPLING = "sampling"
    PREDICTABILITY = "predictability"
    SPECIFICITY = "specificity"
    CONFOUNDING = "confounding"
    PROXY = "proxy"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The judgement of one check.

    Attributes
    ----------
    status
        One of :class:`Status`.
    reason
        One sentence: the statistic, its interval, the need, the consequence.
    estimate, low, high
        The headline number and its 95 % interval, or None.
    need, floor
        The thresholds it is held against, or None.
    unit
        The unit of ``estimate`` in words.
    """

    status: Status
    reason: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    need: float | None = None
    floor: float | None = None
    unit: str = ""

    @classmethod
    def against(
        cls,
        *,
        estimate: float | None,
        low: float | None,
        high: float | None,
        need: float | None,
        floor: float | None,
        unit: str,
        reason: str,
        at_most: bool = False,
        possible: tuple[float, float] = (-math.inf, math.inf),
    ) -> Verdict:
        """Hold an interval against a need and a floor.

        ``enough`` when the whole interval is at or beyond the need, ``limiting``
        when the whole interval is below the floor, else ``borderline``; so it is always
        for a check that only explains and has neither. A number
        that is not finite, out of ``possible``, or outside its own interval is an
        ``error``, never a pass. ``reason`` is a format string over the arguments.
        """
        # A document has null where a number was not finite.
        numbers = tuple(math.nan if x is None else float(x) for x in (estimate, low, high))
        estimate, low, high = numbers
        ordered = all(map(math.isfinite, numbers)) and low <= estimate <= high
        if not ordered or not possible[0] <= low <= high <= possible[1]:
            return cls(
                status=Status.ERROR,
                reason=f"The statistic came out as {estimate} ({low} to {high}), which is "
                "impossible: nothing is concluded from it.",
                unit=unit,
            )
        passed = need is not None and (high <= need if at_most else low >= need)
        failed = floor is not None and (low > floor if at_most else high < floor)
        status = Status.ENOUGH if passed else Status.LIMITING if failed else Status.BORDERLINE
        values = {"estimate": estimate, "low": low, "high": high, "need": need, "floor": floor}
        return cls(status=status, reason=reason.format(**values), unit=unit, **values)


def multiple_of_need(value: float | None, need: float | None, *, at_most: bool) -> float | None:
    """A value as a multiple of its need; a ceiling is turned round, up to 100 times.

    None where there is no value or no need.
    """
    if value is None or not need:
        return None
    return need / max(value, need / 100) if at_most else max(value, 0.0) / need


def findings(table: pd.DataFrame | None) -> str:
    """What a saved table of findings found, as one clause; empty where nothing was found.

    The table has the columns ``found`` and ``reason``, one row a test.
    """
    if table is None or not len(table):
        return ""
    return " and ".join(str(reason) for reason in table.loc[table["found"].eq(True), "reason"])


@dataclass(frozen=True, kw_only=True)
class Result:
    """One check's answer on one data set.

    Attributes
    ----------
    check
        The check with the thresholds it was run with.
    verdict
        Its judgement; rebuilt by ``check.judge(tables)``.
    tables
        Tidy tables by name; estimates stand beside ``low`` and ``high``.
    seed
        Seed of the run; the check's own stream is keyed by its name.
    seconds
        Wall-clock time of the check.
    """

    check: Check
    verdict: Verdict
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.check.name

    @property
    def stage(self) -> Stage | None:
        return self.check.stage

    @property
    def multiple_of_need(self) -> float | None:
        """Estimate as a multiple of the need; 1 is just enough, whatever the direction."""
        verdict, at_most = self.verdict, self.check.at_most
        return multiple_of_need(verdict.estimate, verdict.need, at_most=at_most)

    def table(self, name: str | None = None) -> pd.DataFrame:
        """The table of that name; the first one when no name is given."""
        if not self.tables:
            raise KeyError(f"{self.name} has no tables: {self.verdict.reason}")
        return self.tables[name if name is not None else next(iter(self.tables))]

    def figures(self) -> Mapping[str, object]:
        """Charts drawn again from the tables."""
        return self.check.plot(self.tables) if self.tables else {}

    def figure(self, name: str | None = None):
        """One chart as a matplotlib figure; the first one when no name is given."""
        charts = self.figures()
        if not charts:
            raise KeyError(f"{self.name} draws no figure: {self.verdict.reason}")
        return charts[name if name is not None else next(iter(charts))].figure()
