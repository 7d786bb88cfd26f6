"""Pictures as PNG files, by matplotlib: for slides, for print, and for readers without a browser."""

from __future__ import annotations

import io
import warnings
from functools import singledispatch
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lineshape.files import write_atomically
from lineshape_training.page import COLOURS
from lineshape_training.validation.report.interactive import shortened
from lineshape_training.validation.report.scene import Area, Dots, Line, Panel, Picture, Sign, Steps

MARKERS: dict[Sign, str] = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v", "cross": "P",
}  # fmt: skip
WIDTH = 9.0  # inches
PER_REM = 0.15  # inches of a panel's height
LONGEST = {1: 120, 2: 72, 3: 46}  # characters of a title, by columns
STYLE: dict[Any, Any] = {"font.size": 8, "axes.titlesize": 8, "axes.spines.top": False, "axes.spines.right": False,
                         "text.color": COLOURS["ink"][0], "axes.labelcolor": COLOURS["ink"][0]}  # fmt: skip


def save(picture: Picture, path: Path) -> Path:
    """Draw a picture on white."""
    rows = -(-len(picture.panels) // picture.columns)
    height = 0.6 + rows * (0.3 + PER_REM * picture.panels[0].height)
    content = io.BytesIO()
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of a class's name, in a script that the font lacks
        drawing = Figure(figsize=(WIDTH, height), layout="constrained")
        places = drawing.subplots(rows, picture.columns, squeeze=False).ravel()
        for place in places[len(picture.panels) :]:
            place.set_axis_off()
        for panel, place in zip(picture.panels, places[: len(picture.panels)], strict=True):
            _panel(panel, place, LONGEST[picture.columns])
        drawing.suptitle(_plain(picture.title), fontsize=9)
        _legend(picture, drawing)
        drawing.savefig(content, dpi=120, format="png", facecolor="white")
    write_atomically(path, content.getvalue())
    return path


def _legend(picture: Picture, drawing: Figure) -> None:
    """What the colours and signs mean, below the panels."""
    handles = [_handle(role, sign) for role, sign in picture.legend.values()]
    names = [_plain(shortened(name, LONGEST[3])) for name in picture.legend]
    drawing.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)


def _handle(role: str, sign: Sign) -> Line2D:
    if sign in MARKERS:
        return Line2D([], [], color=_colour(role), marker=MARKERS[sign], linestyle="", markersize=5)
    return Line2D([], [], color=_colour(role), linewidth={"line": 1, "thick": 3, "filled": 6}[sign])


def _panel(panel: Panel, place: Any, longest: int) -> None:  # noqa: ANN401
    for mark in panel.marks:
        draw(mark, place)
    place.set_title(_plain(shortened(panel.title, longest)))
    place.set_xlabel(_plain(panel.x_title))
    place.set_ylabel(_plain(panel.y_title))
    if panel.x_range is not None:
        place.set_xlim(panel.x_range)
    if panel.y_range is not None:
        place.set_ylim(panel.y_range)
    if panel.x_ticks is not None:
        place.set_xticks(list(panel.x_ticks), list(map(_plain, panel.x_ticks.values())))
    if panel.y_ticks is not None:
        place.set_yticks(list(panel.y_ticks), list(map(_plain, panel.y_ticks.values())))


@singledispatch
def draw(mark: object, place: Any) -> None:  # noqa: ANN401
    """One mark on matplotlib's axes."""
    raise TypeError(f"no such mark: {mark!r}")


@draw.register
def _line(mark: Line, place: Any) -> None:  # noqa: ANN401
    place.plot(mark.x, mark.y, color=_colour(mark.role), linewidth=0.7 * mark.width, alpha=mark.alpha)


@draw.register
def _area(mark: Area, place: Any) -> None:  # noqa: ANN401
    place.fill(mark.x, mark.y, color=_colour(mark.role), alpha=mark.alpha, linewidth=0)


@draw.register
def _steps(mark: Steps, place: Any) -> None:  # noqa: ANN401
    if mark.filled:
        place.stairs(mark.heights, mark.edges, color=_colour(mark.role), alpha=0.25, fill=True)
    place.stairs(mark.heights, mark.edges, color=_colour(mark.role))


@draw.register
def _dots(mark: Dots, place: Any) -> None:  # noqa: ANN401
    spread = None
    if mark.ends is not None:
        middle = getattr(mark, mark.along)
        spread = (middle - mark.ends[0], mark.ends[1] - middle)
    place.errorbar(mark.x, mark.y, **{f"{mark.along}err": spread}, fmt=MARKERS[mark.symbol], color=_colour(mark.role),
                   markersize=0.6 * mark.size, elinewidth=0.9, capsize=0,
                   markerfacecolor="white" if mark.hollow else None)  # fmt: skip


def _colour(role: str) -> str:
    return COLOURS[role][0]


def _plain(text: str) -> str:
    """Text that matplotlib reads as such, for a dollar begins a formula."""
    return text.replace("$", r"\$")
