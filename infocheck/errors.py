"""What goes wrong before any statistic is computed, in one sentence each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """The input cannot be read or is unsuitable; the message says what to do.

    The command line prints the message alone and exits with 3.
    """


class OutputError(OSError):
    """A result cannot be written where it was asked for; exit code 3."""


class NotAssessed(Exception):
    """Raised by a check for data of a kind that cannot answer its question.

    The message is one sentence: why, and what to bring.
    """


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known name that is nearest to a misspelt one, if any is near."""
    lower = {name.lower(): name for name in known}
    inside = [name for low, name in lower.items() if word.lower() in low]
    if inside:
        return min(inside, key=len)
    near = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    return lower[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean X?`` for the nearest known name, or nothing; follows a sentence."""
    near = suggest(word, known)
    return f" Did you mean {near}?" if near else ""
