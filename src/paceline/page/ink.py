"""Figures that take their colours and their type from the page they stand on.

Matplotlib draws with stand-in colours, and `svg` writes the page's CSS variables in their place.
One figure then serves a light page, a dark one and paper, and what has a name (a policy, a market)
has the same colour everywhere.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from paceline.page.cells import significant

INK, MUTED, LINE, PAPER = "#0a0a01", "#0a0a02", "#0a0a03", "#0a0a04"
"""Text, lesser text, hairlines, background."""
MAKER, TAKER, MISSED, BOOK = "#0a0a05", "#0a0a06", "#0a0a07", "#0a0a08"
"""Fills that rested, fills that took, child orders without a fill, the market's touch."""

HUES = 8
"""Colours there are for what has a name; the ninth looks like the first, with another dash."""

_VARIABLES = {
    INK: "ink", MUTED: "muted", LINE: "line", PAPER: "paper", MAKER: "maker", TAKER: "taker",
    MISSED: "missed", BOOK: "book", "#000000": "ink", "#ffffff": "paper",
    **{f"#0b0b{i:02x}": f"p{i}" for i in range(HUES)},
    **{f"#0c0c{i:02x}": f"c{i}" for i in range(6)},
}  # fmt: skip

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "butt",
    "path.simplify_threshold": 0.3,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 8,
    "ytick.color": LINE,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 8,
    "ytick.left": False,
}

WIDTH = 9.6
"""Inches of a figure as wide as the text."""


class Figure(NamedTuple):
    """A plot and what to see in it."""

    svg: str
    caption: str


def hue(i: int) -> str:
    """Stand-in colour of the i-th name."""
    return f"#0b0b{i % HUES:02x}"


def dash(i: int) -> str:
    """Line style of the i-th name: solid until colours run out."""
    return ("-", "--", ":", "-.")[i // HUES % 4]


def part_color(i: int) -> str:
    """Stand-in colour of the i-th part of a cost."""
    return f"#0c0c{i:02x}"


def beyond(values: ArrayLike, low: float, high: float, what: str, unit: str = "bps") -> str:
    """A sentence that says how many `values` an axis from `low` to `high` does not show, and the
    furthest of them; empty if it shows them all. `what` they are, in the plural."""
    known = np.asarray(values, dtype=np.float64).ravel()
    known = known[np.isfinite(known)]
    hidden = known[(known < low) | (known > high)]
    if not len(hidden):
        return ""
    furthest = hidden[np.argmax(np.maximum(low - hidden, hidden - high))]
    return (
        f" Not in the picture: {len(hidden):,} of {len(known):,} {what}, the furthest at "
        f"{significant(float(furthest), 4)} {unit}".rstrip()
        + "."
    )


@contextmanager
def sheet(height: float, layout: Literal["constrained"] | None = "constrained") -> Iterator[Any]:
    """An empty figure as wide as the text and so many inches high, with the page's style while it
    is drawn. Without a `layout` its margins are set by hand, which draws in half the time."""
    import matplotlib
    from matplotlib.figure import Figure as Sheet

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a reader's own style is no part of the page
        matplotlib.rcParams.update(_STYLE)
        yield Sheet(figsize=(WIDTH, height), layout=layout)


def svg(figure: Any, name: str, label: str) -> str:
    """The figure as an `<svg>` to stand inside a page. Call it inside the `sheet` that made it.

    `name`: letters and dashes, another for each figure of a page. `label`: what it shows, for those
    who do not see it. An artist with the gid `layer-3` comes out as `<g class="layer l3">`.
    """
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->|<style.*?</style>|<defs>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(
        r"<svg [^>]*viewBox=\"([^\"]+)\"[^>]*>",
        lambda found: f'<svg viewBox="{found[1]}" role="img" aria-label="{_escaped(label)}">',
        text,
        count=1,
    )
    text = re.sub(r'<g id="layer-(\d+)"', r'<g class="layer l\1"', text)
    text = _with_own_ids(text, name).replace("xlink:href", "href")
    text = re.sub(r"#[0-9a-f]{6}\b", _from_page, text)
    text = text.replace("'DejaVu Sans'", "var(--sans)")
    text = re.sub(r"<[^>]+>", _shorter, text)
    return re.sub(r"\n\s*", "\n", text)


def marks(pairs: Sequence[tuple[str, str]]) -> list[Any]:
    """Legend entries of markers alone."""
    from matplotlib.lines import Line2D

    return [
        Line2D(
            [], [], linestyle="none", marker=mark, color=MUTED, label=label, markersize=6,
            markeredgecolor=MUTED, markeredgewidth=1.6 if mark == "|" else 0.5,
        )
        for mark, label in pairs
    ]  # fmt: skip


def _shorter(tag: re.Match[str]) -> str:
    """A tag whose coordinates have two decimals; what stands between tags is for a reader."""
    return re.sub(r"(\d\.\d{2})\d+", r"\1", tag[0])


def _from_page(found: re.Match[str]) -> str:
    color = found[0]
    return f"var(--{_VARIABLES[color]})" if color in _VARIABLES else color


def _with_own_ids(text: str, name: str) -> str:
    """Keep only ids that something refers to, and make them the figure's own."""
    used = set(re.findall(r'(?:href="|url\()#([\w.-]+)', text))

    def own(found: re.Match[str]) -> str:
        return f' id="{name}-{found[1]}"' if found[1] in used else ""

    text = re.sub(r' id="([\w.-]+)"', own, text)
    return re.sub(r'((?:href="|url\()#)', rf"\g<1>{name}-", text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
