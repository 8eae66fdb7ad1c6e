"""House style; the only door to matplotlib and seaborn.

Charts are drawn in sentinel colours that stand for roles (ink, grid, first
series ...). In a page the sentinels become CSS variables, so that one drawing
serves the light theme, the dark theme and print.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Role → (colour outside a page, what replaces it inside a page).
PALETTE = {
    "ink": ("#1b2026", "currentColor"),
    "line": ("#e3e0d9", "var(--line)"),
    "muted": ("#59626d", "var(--muted)"),
    "c1": ("#0173b2", "var(--c1)"),
    "c2": ("#de8f05", "var(--c2)"),
    "c3": ("#949494", "var(--c3)"),
}
INK, LINE, MUTED, C1, C2, C3 = (colour for colour, _ in PALETTE.values())

WIDE, NARROW = 10.6, 4.9  # inches; 72 of them make one CSS pixel unit of the view box
MAX_VECTOR_POINTS = 2000


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing with its finding in words.

    Attributes
    ----------
    title
        The finding, as one sentence; the text alternative of the picture.
    caption
        What is drawn: marks, lines, intervals.
    draw
        Draws into an axes of a figure of the given width in inches.
    height
        Height in inches.
    """

    title: str
    caption: str
    draw: Callable[[object, float], None]
    height: float = 3.6

    def figure(self, width: float = WIDE) -> Figure:
        """The chart as a matplotlib figure, for notebooks and files."""
        import seaborn as sns
        from matplotlib.figure import Figure

        with sns.axes_style("ticks"), sns.plotting_context(rc=_rc()):
            figure = Figure(figsize=(width, self.height), layout="constrained")
            axes = figure.add_subplot()
            self.draw(axes, width)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            for side in ("left", "bottom"):
                axes.spines[side].set_color(MUTED)
        return figure

    def svg(self, name: str, width: float = WIDE) -> str:
        """The chart as inline SVG that follows the theme of the page around it."""
        import matplotlib as mpl

        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify": False}):
            buffer = io.StringIO()
            self.figure(width).savefig(
                buffer,
                format="svg",
                transparent=True,
                metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
            )
        return _themed(buffer.getvalue(), name, self.title)


def _rc() -> dict[str, float]:
    return {"axes.labelsize": 13, "xtick.labelsize": 12, "ytick.labelsize": 12, "font.size": 12}


def _themed(svg: str, name: str, title: str) -> str:
    """Inline-ready SVG: colours by role, ids of its own, a title, no fixed size."""
    from html import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    for colour, role in PALETTE.values():
        svg = re.sub(re.escape(colour), role, svg, flags=re.I)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    # One decimal of a pixel is enough, inside geometry only: labels stay as they are.
    svg = re.sub(r'\b(d|x|y|transform)="([^"]*)"', _short_numbers, svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) version="[^"]*"', r"\1", svg, count=1)
    head = f'<svg role="img" aria-labelledby="{name}-title"'
    svg = svg.replace("<svg", head, 1)
    end = svg.index(">") + 1
    svg = f'{svg[:end]}<title id="{name}-title">{escape(title)}</title>{svg[end:]}'
    return re.sub(r">\s+<", "><", svg).strip()


def _short_numbers(attribute: re.Match[str]) -> str:
    values = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", attribute[2])
    return f'{attribute[1]}="{values}"'
