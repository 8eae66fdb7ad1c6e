"""A pytest plugin: outcomes by mark, written to the file that INFOCHECK_MARKS names.

Lines are ``MARK OUTCOME COUNT``; tests that skip themselves are so told from tests that ran.
"""

import os
from collections import Counter
from pathlib import Path

MARKS = ("browser", "shared", "slow")
_counts = Counter()


def pytest_runtest_logreport(report):
    # A test that never reaches its call ends in its setup: skipped there, or in error.
    if report.when == "call" or (report.when == "setup" and not report.passed):
        for mark in MARKS:
            if mark in report.keywords:
                _counts[mark, report.outcome] += 1
        _counts["any", report.outcome] += 1


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):  # a worker: its reports are counted above it
        return
    lines = [f"{mark} {outcome} {count}\n" for (mark, outcome), count in sorted(_counts.items())]
    if "INFOCHECK_MARKS" in os.environ:
        Path(os.environ["INFOCHECK_MARKS"]).write_text("".join(lines), encoding="utf-8")
