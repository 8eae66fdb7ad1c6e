"""Small tables of text that a user gives beside the data."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import TYPE_CHECKING

from infocheck.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def read(
    given: str | Path | pd.DataFrame, option: str, *, header: bool
) -> tuple[pd.DataFrame, str]:
    """A table of csv, tsv or semicolons (also gz), or a frame as it is, and its name.

    Raises
    ------
    InputError
        There is no such file, or it is no table of text.
    """
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        return given, f"the table of {option}"
    path = Path(given)
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
        first = text.lstrip("\n").partition("\n")[0]
        separator = max("\t;,", key=first.count)
        if "\0" in text or separator not in first:
            raise ValueError("it has no columns separated by commas or tabs")
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=0 if header else None,
            dtype=None if header else str,
            comment="#",
        )
    except FileNotFoundError:
        raise InputError(f"{option}: there is no file {path.name}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{option} {path.name} is no text; give a csv or tsv table.") from None
    except (ValueError, OSError, EOFError) as problem:  # pandas' own errors are ValueErrors
        detail = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise InputError(f"{option} {path.name} cannot be read as a table: {detail}.") from None
    return frame, path.name
