"""House style; the only door to matplotlib and seaborn.

Charts are drawn in sentinel colours that stand for roles (ink, grid, first
series ...). In a page the sentinels become CSS variables, so that one drawing
serves the light theme, the dark theme and print.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

        with sns.axes_style("ticks"), sns.plotting_context(rc=_sizes()), mpl.rc_context(_style()):
            figure = Figure(figsize=(width, self.height), layout="constrained")
            axes = figure.add_subplot()
            self.draw(axes, width)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            _take_words_as_words(figure)
        return figure

    def svg(self, name: str, width: float = WIDE) -> str:
        """The chart as inline SVG that follows the theme of the page around it."""
        import matplotlib as mpl

        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify": False}):
            buffer = io.StringIO()
            with _quiet_fonts():
                self.figure(width).savefig(
                    buffer,
                    format="svg",
                    transparent=True,
                    dpi=144,  # of what is rasterised: sharp on dense screens
                    metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
                )
        return _themed(buffer.getvalue(), name, self.title)


def _take_words_as_words(figure: Figure) -> None:
    """A dollar sign in the name of a gene is no formula; powers of ten on an axis are."""
    from matplotlib.text import Text
    from matplotlib.ticker import LogFormatter, ScalarFormatter

    numbers = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), (LogFormatter, ScalarFormatter)):
                labels = axis.get_ticklabels(which="both")
                numbers |= {*labels, axis.offsetText}
    for text in figure.findobj(Text):
        text.set_parse_math(text in numbers)


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """The fonts are those of the page; that this machine lacks one is no news."""
    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    fonts.setLevel(logging.ERROR)
    try:
        yield
    finally:
        fonts.setLevel(level)


def _sizes() -> dict[str, float]:
    return {"axes.labelsize": 13, "xtick.labelsize": 12, "ytick.labelsize": 12, "font.size": 12}


def _style() -> dict[str, object]:
    from cycler import cycler

    # Every colour that a style would choose must be one of the roles.
    return {
        **dict.fromkeys(("text.color", "axes.labelcolor"), INK),
        **dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), INK),
        **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), MUTED),
        "axes.prop_cycle": cycler(color=[C1, C2, C3]),
        "grid.color": LINE,
        "legend.frameon": False,
    }


def _themed(svg: str, name: str, title: str) -> str:
    """Inline-ready SVG: colours by role, ids of its own, a title, no fixed size."""
    from html import escape

    svg = svg[svg.index("<svg") :]
    for dropped in _DROPPED:
        svg = dropped.sub("", svg)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    # Tags alone: a label may hold anything.
    svg = re.sub(r"<[^>]*>", lambda tag: _own(tag[0], name, used), svg)
    head, rest = svg.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)[0]
    head = f'<svg {view} role="img" aria-labelledby="{name}-title"'
    svg = f'{head}><title id="{name}-title">{escape(title)}</title>{rest}'
    return re.sub(r">\s+<", "><", svg).strip()


# The style sheet would reach the whole page.
_DROPPED = (
    re.compile(r"<!--.*?-->", flags=re.S),
    re.compile(r"<metadata>.*?</metadata>", flags=re.S),
    re.compile(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", flags=re.S),
)
# ``font: 600 12px 'DejaVu Sans'`` → size and weight alone: the page has fonts of its own.
_FONT = re.compile(r"font: ((?:\w+ )*)([\d.]+px) [^;\"]*")
_FAMILY = re.compile(r"font-family: [^;\"]*(; )?")


def _own(tag: str, name: str, used: set[str]) -> str:
    """A tag in the colours of the page and with ids in the name of the figure."""
    for colour, role in PALETTE.values():
        tag = re.sub(re.escape(colour), role, tag, flags=re.I)
    tag = _FONT.sub(_size_and_weight, _FAMILY.sub("", tag))
    # An id that nobody refers to only weighs.
    tag = re.sub(
        r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", tag
    )
    tag = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", tag)
    # One decimal of a pixel is enough, inside geometry only: labels stay as they are.
    return re.sub(r'\b(d|x|y|transform)="([^"]*)"', _short_numbers, tag)


def _size_and_weight(font: re.Match[str]) -> str:
    weight = font[1].strip()
    return f"font-size: {font[2]}" + (f"; font-weight: {weight}" if weight else "")


def _short_numbers(attribute: re.Match[str]) -> str:
    values = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", attribute[2])
    return f'{attribute[1]}="{values}"'


def dots(axes, x, y, colour: str = "c1") -> None:
    """Points; one vector path up to 2,000 of them, else an image."""
    import numpy as np

    # Very short strokes with round ends: one element, where markers would be one each. Of
    # no length at all, a PNG would not show them.
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    gap = np.full(len(x), np.nan)
    beside = x + 1e-6 * np.where(x == 0, (np.ptp(x) if len(x) else 0.0) or 1.0, np.abs(x))
    across, up = np.column_stack([x, beside, gap]).ravel(), np.column_stack([y, y, gap]).ravel()
    axes.plot(
        across,
        up,
        linewidth=4,
        solid_capstyle="round",
        alpha=0.6,
        snap=False,  # to whole pixels a short stroke would be of no length
        color=PALETTE[colour][0],
        rasterized=len(x) > MAX_VECTOR_POINTS,
    )


def strip(axes, y: float, x, colour: str, marker: str) -> None:
    """Single values on one line."""
    axes.plot(
        x,
        [y] * len(x),
        linestyle="none",
        marker=marker,
        markersize=9,
        markeredgewidth=1.6 if marker == "|" else 0,
        color=PALETTE[colour][0],
    )


def whisker(axes, y: float, value: float, low: float, high: float, colour: str = "c1") -> None:
    """An estimate with its interval."""
    axes.plot([low, high], [y, y], color=PALETTE[colour][0], linewidth=4, alpha=0.4)
    axes.plot([value], [y], marker="o", markersize=9, color=PALETTE[colour][0])


def curve(axes, x, y, low, high, colour: str, label: str) -> None:
    """A line with its band, named at its right end."""
    ink = PALETTE[colour][0]
    axes.fill_between(x, low, high, color=ink, alpha=0.18, linewidth=0)
    axes.plot(x, y, color=ink, linewidth=2.6, marker="o", markersize=6)
    style = {"color": INK, "va": "center", "ha": "left"}
    axes.annotate(label, (x[-1], y[-1]), (10, 0), textcoords="offset points", **style)


def tile(axes, x: float, y: float, strength: float, colour: str = "c1") -> None:
    """A unit square around a point, the fuller the stronger (0 to 1)."""
    from matplotlib.patches import Rectangle

    ink = PALETTE[colour][0]
    place = (x - 0.5, y - 0.5)
    axes.add_patch(Rectangle(place, 1, 1, color=ink, alpha=0.04 + 0.5 * strength, linewidth=0))


def frame(axes, x: float, y: float, colour: str = "c2") -> None:
    """The outline of a unit square around a point, in front of everything."""
    from matplotlib.patches import Rectangle

    style = {"fill": False, "edgecolor": PALETTE[colour][0], "linewidth": 3, "zorder": 3}
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, **style))


def span(axes, y: float, low: float, high: float) -> None:
    """What lies between two estimates."""
    axes.plot([low, high], [y, y], color=LINE, linewidth=12, solid_capstyle="round", zorder=0)


def level(axes, y: float, label: str) -> None:
    """A horizontal threshold, labelled at its right end."""
    axes.axhline(y, color=MUTED, linewidth=1.4, linestyle=(0, (5, 4)))
    place = axes.get_yaxis_transform()
    style = {"color": INK, "fontweight": "semibold", "va": "center", "ha": "left"}
    axes.text(1.01, y, label, transform=place, **style)


def diagonal(axes, low: float, high: float, label: str) -> None:
    """The line of equal values, labelled at its upper end."""
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1.4, linestyle=(0, (5, 4)))
    style = {"color": INK, "fontweight": "semibold", "va": "center", "ha": "left"}
    axes.text(high + 0.02, high, label, **style)


def across(axes, x: float, label: str, *, dashed: bool, side: str = "right") -> None:
    """A vertical threshold with its label on top, on the given side of the line."""
    style = (0, (5, 4)) if dashed else (0, (1, 2))
    axes.axvline(x, color=MUTED, linewidth=1.4, linestyle=style)
    place = axes.get_xaxis_transform()
    text = {"color": INK, "fontweight": "semibold", "va": "bottom"}
    axes.text(x, 1.0, label, transform=place, ha="left" if side == "right" else "right", **text)


def percent():
    """Ticks as percentages."""
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0, decimals=0)
