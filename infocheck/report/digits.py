"""Numbers in words: shares as per cent, enough digits, never without the interval."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from infocheck.result import Verdict

MISSING = "–"
_MOST_PLACES = 6
_SMALLEST_DECIMAL = 1e-4
# Rounding may move a threshold by this share of itself, no more.
_NEAR = 0.03


def is_share(unit: str) -> bool:
    """Is a number of this unit a share, to be shown as per cent?"""
    return re.search(r"\bshare\b", unit, flags=re.I) is not None


def number(value: float | None, places: int, *, share: bool = False, mark: bool = True) -> str:
    """A number with that many decimals; the script of the page does the same."""
    if value is None or not math.isfinite(value):
        return MISSING
    shown = value * 100 if share else value
    # A number that is not zero is never shown as zero.
    if shown != 0 and abs(shown) < 0.5 * 10**-places:
        text = f"{shown:.1g}" if abs(shown) >= _SMALLEST_DECIMAL else f"{shown:.1e}"
    else:
        text = f"{shown + 0.0:,.{places}f}"
    return text.replace("-", "−") + ("%" if share and mark else "")


def single(value: float | None, unit: str = "") -> str:
    """A threshold or another number that stands alone: round where it is round."""
    share = is_share(unit)
    places = _places(value, share=share)
    if value is not None and math.isfinite(value):
        size = value * 100 if share else value
        while places < _MOST_PLACES and abs(round(size, places) - size) > _NEAR * abs(size):
            places += 1
    return number(value, places, share=share)


def bracket(low: float | None, high: float | None, places: int, *, share: bool = False) -> str:
    """An interval without its parentheses."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    # A dash between two minus signs cannot be read.
    between = " to " if low < 0 else "–"
    left = number(low, places, share=share, mark=False)
    return f"{left}{between}{number(high, places, share=share)}"


def estimate(verdict: Verdict) -> tuple[str, str]:
    """The headline number and its interval, both with digits enough to tell them apart."""
    share = is_share(verdict.unit)
    triple = [verdict.low, verdict.estimate, verdict.high]
    places = _places(verdict.estimate, share=share)
    if None not in triple:
        while places < _MOST_PLACES and _collapsed(triple, places, share=share):
            places += 1
    shown = number(verdict.estimate, places, share=share)
    return shown, bracket(verdict.low, verdict.high, places, share=share)


def with_interval(verdict: Verdict) -> str:
    """``0.14 (0.11–0.17)``."""
    shown, interval = estimate(verdict)
    return f"{shown} ({interval})" if interval else shown


def column_places(values: Iterable[float], widths: Iterable[float], *, share: bool) -> int:
    """Decimals that suit a whole column: its smaller numbers keep a digit.

    ``widths`` are those of the intervals; a typical one must not be rounded away.
    """
    sizes = sorted(abs(v) for v in values if math.isfinite(v) and v != 0)
    if not sizes or (not share and all(v == int(v) for v in sizes)):
        return 0
    places = _places(sizes[len(sizes) // 4], share=share)
    wide = sorted(w for w in widths if math.isfinite(w) and w > 0)
    if wide:
        width = wide[len(wide) // 2] * (100 if share else 1)
        places = max(places, math.ceil(-math.log10(width)))
    return min(places, 4)


def about(value: float) -> str:
    """A number of two digits: ``8,000`` for 7,981, ``16 million`` for 16,031,000."""
    size = 1e6 if value >= 1e6 else 1
    text = f"{float(f'{value / size:.2g}'):,.10g}"
    return f"{text} million" if size > 1 else text


def duration(seconds: float | None) -> str:
    """``2 min 14 s``."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def memory(megabytes: float | None) -> str:
    """``1.9 GB``."""
    if megabytes is None or not math.isfinite(megabytes):
        return MISSING
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def _places(value: float | None, *, share: bool) -> int:
    """Decimals that leave a number at least one digit of its own."""
    if not value or not math.isfinite(value):
        return 0 if share else 2
    size = abs(value) * (100 if share else 1)
    leading = -math.floor(math.log10(size))
    fewest = 0 if share or size >= 100 else 1 if size >= 10 else 2
    return min(max(leading, fewest), _MOST_PLACES)


def _collapsed(triple: list[float], places: int, *, share: bool) -> bool:
    shown = {number(v, places, share=share) for v in triple}
    return len(shown) < len(set(triple))
