"""Check: measure → judge → plot. Finding, seeding, timing and catching errors."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from infocheck import thresholds
from infocheck.errors import NotAssessed
from infocheck.result import Result, Stage, Status, Verdict

if TYPE_CHECKING:
    import pandas as pd

    from infocheck.dataset import Dataset
    from infocheck.plotting import Chart

log = logging.getLogger(__name__)

Tables = Mapping[str, "pd.DataFrame"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question to the data.

    A subclass is a frozen dataclass of thresholds with the class facts below and
    three methods. ``measure`` is the only one that sees data; ``judge`` and
    ``plot`` work on tables alone, so a saved result can be judged and drawn again.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    stage: ClassVar[Stage | None] = None
    # Does the verdict set the status of its stage, or only explain it?
    gate: ClassVar[bool] = True
    # Is the need a ceiling ("at most 15 %")?
    at_most: ClassVar[bool] = False
    unit: ClassVar[str]
    computed: ClassVar[str]
    misleads: ClassVar[str]
    # What the data must have, and keys of infocheck.references.
    needs: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ()

    def measure(self, data: Dataset, rng: np.random.Generator) -> Tables:
        """Compute the tables; raise NotAssessed where the data cannot answer."""
        raise NotImplementedError

    def judge(self, tables: Tables) -> Verdict:
        """Hold the tables against the thresholds."""
        raise NotImplementedError

    def plot(self, tables: Tables) -> Mapping[str, Chart]:
        """Charts of the tables, each with its finding in words."""
        raise NotImplementedError

    def run(self, data: Dataset, seed: int) -> Result:
        """Measure and judge; a crash becomes the status ``error``."""
        start = time.perf_counter()
        tables: Tables = {}
        try:
            tables = self.measure(data, stream(seed, self.name))
            verdict = self.judge(tables)
        except NotAssessed as reason:
            verdict = Verdict(status=Status.NOT_ASSESSED, reason=str(reason), unit=self.unit)
        except Exception as crash:  # other checks must run; the page shows the message
            log.debug("check %s crashed", self.name, exc_info=True)
            verdict = Verdict(
                status=Status.ERROR,
                reason=f"The check stopped with {type(crash).__name__}: {crash}. "
                "Nothing is concluded from it; please report this.",
                unit=self.unit,
            )
        seconds = time.perf_counter() - start
        return Result(check=self, verdict=verdict, tables=tables, seed=seed, seconds=seconds)


def require_rows(data: Dataset, purpose: str) -> None:
    """Raise NotAssessed when there are too few rows for any statistic of sampling."""
    least = thresholds.MIN_OBSERVATIONS_SAMPLING
    if data.n < least:
        raise NotAssessed(
            f"{data.n} observations are too few {purpose}; at least {least} are needed. Bring "
            "more independent observations."
        )


def optimism(kind: str, donors: float, parts: str) -> str:
    """A sentence where rows of one donor stand on both sides of a split; else nothing.

    ``kind`` is what the split keeps whole, ``parts`` what it makes (halves, folds).
    """
    if kind != "cells" or not donors:
        return ""
    return f" This is optimistic: with {donors:.0f} donors the {parts} share donors."


def stream(seed: int, name: str) -> np.random.Generator:
    """A generator keyed by seed and name: adding a check changes no other's numbers."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def all_checks() -> list[Check]:
    """Every check in ``infocheck.checks``, in the order of the chain."""
    return sorted(_found(), key=lambda check: (_position(check), not check.gate, check.name))


def by_name(name: str) -> Check:
    """The check of that name; KeyError names the ones that exist."""
    checks = {check.name: check for check in all_checks()}
    if name not in checks:
        raise KeyError(f"no check is called {name!r}; there are {', '.join(checks)}")
    return checks[name]


def _found() -> Iterator[Check]:
    package = importlib.import_module("infocheck.checks")
    for module in pkgutil.iter_modules(package.__path__):
        loaded = importlib.import_module(f"{package.__name__}.{module.name}")
        for member in vars(loaded).values():
            own = isinstance(member, type) and member.__module__ == loaded.__name__
            if own and issubclass(member, Check):
                yield member()


def _position(check: Check) -> int:
    stages = list(Stage)
    return stages.index(check.stage) if check.stage else len(stages)
