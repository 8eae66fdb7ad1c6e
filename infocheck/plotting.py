"""House style; the only door to matplotlib and seaborn.

Charts are drawn in sentinel colours that stand for roles (ink, grid, first
series ...). In a page the sentinels become CSS variables, so that one drawing
serves the light theme, the dark theme and print.
"""

from __future__ import annotations

import io
import logging
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
        import matplotlib as mpl
        import seaborn as sns
        from matplotlib.figure import Figure

        # A dollar sign in the name of a gene is no formula.
        plain_text = mpl.rc_context({"text.parse_math": False})
        with sns.axes_style("ticks", rc=_colours()), sns.plotting_context(rc=_sizes()), plain_text:
            figure = Figure(figsize=(width, self.height), layout="constrained")
            axes = figure.add_subplot()
            self.draw(axes, width)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        return figure

    def svg(self, name: str, width: float = WIDE) -> str:
        """The chart as inline SVG that follows the theme of the page around it."""
        import matplotlib as mpl

        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify": False}):
            buffer = io.StringIO()
            figure = self.figure(width)
            # The fonts are those of the page; that this machine lacks one is no news.
            fonts = logging.getLogger("matplotlib.font_manager")
            level, fonts.level = fonts.level, logging.ERROR
            figure.savefig(
                buffer,
                format="svg",
                transparent=True,
                dpi=144,  # of what is rasterised: sharp on dense screens
                metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
            )
            fonts.level = level
        return _themed(buffer.getvalue(), name, self.title)


def _sizes() -> dict[str, float]:
    return {"axes.labelsize": 13, "xtick.labelsize": 12, "ytick.labelsize": 12, "font.size": 12}


def _colours() -> dict[str, str]:
    # Every colour that a style would choose must be one of the roles.
    ink = dict.fromkeys(("text.color", "axes.labelcolor"), INK)
    muted = dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), INK)
    ticks = dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), MUTED)
    return {**ink, **muted, **ticks, "grid.color": LINE, "legend.edgecolor": LINE}


def _themed(svg: str, name: str, title: str) -> str:
    """Inline-ready SVG: colours by role, ids of its own, a title, no fixed size."""
    from html import escape

    svg = svg[svg.index("<svg") :]
    for dropped in _DROPPED:
        svg = dropped.sub("", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: _roles(tag[0]), svg)
    svg = re.sub(r'\bid="([^"]*)"', lambda found: _own_id(found[1], svg, name), svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    # One decimal of a pixel is enough, inside geometry only: labels stay as they are.
    svg = re.sub(r'\b(d|x|y|transform)="([^"]*)"', _short_numbers, svg)
    head, rest = svg.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)[0]
    head = f'<svg {view} role="img" aria-labelledby="{name}-title"'
    svg = f'{head}><title id="{name}-title">{escape(title)}</title>{rest}'
    return re.sub(r">\s+<", "><", svg).strip()


# The style sheet would reach the whole page, and the page has fonts of its own.
_DROPPED = (
    re.compile(r"<metadata>.*?</metadata>", flags=re.S),
    re.compile(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", flags=re.S),
    re.compile(r"font-family: [^;\"]*(; )?"),
)
# ``font: 12px 'DejaVu Sans'`` → size and weight alone.
_FONT = re.compile(r"font: ((?:\w+ )*)([\d.]+px) [^;\"]*")


def _roles(tag: str) -> str:
    """A tag whose colours are roles of the page; never touches the words of a label."""
    if tag.startswith("<image"):
        return tag
    for colour, role in PALETTE.values():
        tag = re.sub(re.escape(colour), role, tag, flags=re.I)
    return _FONT.sub(_size_and_weight, tag)


def _size_and_weight(font: re.Match[str]) -> str:
    weight = font[1].strip()
    return f"font-size: {font[2]}" + (f"; font-weight: {weight}" if weight else "")


def _own_id(identifier: str, svg: str, name: str) -> str:
    """An id in the name of the figure, or nothing when nobody refers to it."""
    return f'id="{name}-{identifier}"' if f"#{identifier}" in svg else ""


def _short_numbers(attribute: re.Match[str]) -> str:
    values = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", attribute[2])
    return f'{attribute[1]}="{values}"'
