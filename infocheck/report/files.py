"""Writing a file completely or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from infocheck.errors import OutputError


def write(path: str | Path, text: str) -> None:
    """Write text beside its final place, then rename: no reader ever sees half a file."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(text.encode())
        part.replace(path)
    except OSError as problem:
        raise OutputError(f"{path} cannot be written: {problem.strerror}.") from problem
    finally:
        part.unlink(missing_ok=True)
