"""Runs a command and measures what a user would see: seconds and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# ru_maxrss is in kilobytes on Linux and in bytes on macOS.
_PER_MB = 1024**2 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, kw_only=True)
class Run:
    """One finished process; ``peak_mb`` is that of the largest process of its tree."""

    code: int
    seconds: float
    peak_mb: float
    words: str


def report(source: Path, page: Path, *options: str) -> Run:
    """``infocheck report`` on a file, as a process of its own."""
    command = [sys.executable, "-m", "infocheck", "report", str(source), "-o", str(page), *options]
    return run(command, log=page.with_suffix(".log"))


def run(command: Sequence[str], *, log: Path) -> Run:
    """Run a command and wait for it; its words are kept in ``log``."""
    began = time.perf_counter()
    with log.open("wb") as words:
        process = subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT)
        # wait4 and not Popen.wait: it tells the memory of this process alone, where
        # RUSAGE_CHILDREN would tell the largest of all that ran before.
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(
        code=process.returncode,
        seconds=time.perf_counter() - began,
        peak_mb=usage.ru_maxrss / _PER_MB,
        words=log.read_text("utf-8", "replace").strip(),
    )
