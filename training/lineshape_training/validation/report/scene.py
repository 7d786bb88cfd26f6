"""What a picture shows, before anybody draws it: marks on panels, in roles in the place of colours.

The page draws it with Plotly (`interactive`) and the PNG beside it with matplotlib (`static`), from the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape_edge.plot import axis_title

POINTS = 600  # of a drawn line; more than its pixels

Column: TypeAlias = Float[np.ndarray, " n"]
Symbol: TypeAlias = Literal["circle", "square", "diamond", "triangle-up", "triangle-down", "cross"]
Sign: TypeAlias = Symbol | Literal["line", "thick", "filled"]
SIGNS: dict[Sign, str] = {
    "circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "triangle-down": "▼", "cross": "✚",
    "line": "─", "thick": "━", "filled": "▆",
}  # fmt: skip
"""Of a legend, as text."""


@dataclass(frozen=True, eq=False)
class Line:
    """A line; NaN interrupts it."""

    x: Column
    y: Column
    role: str
    width: float = 1.0
    alpha: float = 1.0


@dataclass(frozen=True, eq=False)
class Area:
    """A polygon."""

    x: Column
    y: Column
    role: str
    alpha: float = 0.25


@dataclass(frozen=True, eq=False)
class Steps:
    """A histogram: `heights` [n] between `edges` [n + 1]."""

    edges: Float[np.ndarray, " e"]
    heights: Column
    role: str
    filled: bool


@dataclass(frozen=True, eq=False)
class Dots:
    """Points, with the ends of their intervals along one direction where there are any."""

    x: Column
    y: Column
    role: str
    symbol: Symbol = "circle"
    hollow: bool = False
    size: int = 7
    along: Literal["x", "y"] = "y"
    ends: tuple[Column, Column] | None = None


Mark: TypeAlias = Line | Area | Steps | Dots
Ticks: TypeAlias = Mapping[float, str]


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes.

    Parameters
    ----------
    title, x_title, y_title : str
    marks : tuple of Mark
        Drawn in this order.
    x_range, y_range : (low, high), optional
    x_ticks, y_ticks : mapping of position to text, optional
        For axes of names.
    height : float
        In rem, on the page.
    """

    title: str
    x_title: str
    y_title: str
    marks: tuple[Mark, ...]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    x_ticks: Ticks | None = None
    y_ticks: Ticks | None = None
    height: float = 16.0


@dataclass(frozen=True, eq=False)
class Picture:
    """Panels that belong together.

    Parameters
    ----------
    name : str
        Of the PNG, without its ending.
    title, about : str
        A heading, and what to look for.
    panels : list of Panel
    columns : int
        1 to 3, where the page is wide enough.
    legend : mapping of str to (role, sign)
        What the colours and signs mean.
    """

    name: str
    title: str
    about: str
    panels: list[Panel]
    columns: int
    legend: Mapping[str, tuple[str, Sign]] = field(default_factory=dict)


def axis_name(axis: SpectralAxis) -> str:
    """Modality and unit, as they stand under a plot, in plain text."""
    return axis_title(axis).replace("$^{-1}$", "⁻¹")


def decimated(x: Column, y: Column) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """At most `POINTS` points: the smallest and the largest of each stretch, where they stand."""
    if len(x) <= POINTS:
        return x, y
    width = -(-len(x) // (POINTS // 2))
    stretches = np.pad(y, (0, -len(x) % width), mode="edge").reshape(-1, width)
    ends = np.stack([stretches.argmin(1), stretches.argmax(1)], axis=1) + width * np.arange(len(stretches))[:, None]
    kept = np.sort(ends, axis=1).ravel().clip(max=len(x) - 1)
    return x[kept], y[kept]


def lines(x: Column, spectra: Float[np.ndarray, "m n"], role: str, width: float, alpha: float) -> Line:
    """Many spectra as one interrupted line."""
    gap = np.array([np.nan])
    parts = [decimated(x, spectrum) for spectrum in spectra]
    across, along = ([piece for part in parts for piece in (part[side], gap)] for side in (0, 1))
    return Line(np.concatenate(across), np.concatenate(along), role, width, alpha)


def band(x: Column, low: Column, high: Column, role: str) -> Area:
    """The area between two lines."""
    (below_x, below), (above_x, above) = decimated(x, low), decimated(x, high)
    return Area(np.concatenate([below_x, above_x[::-1]]), np.concatenate([below, above[::-1]]), role)


def padded(*columns: NDArray[np.floating]) -> tuple[float, float]:
    """A range that holds all of them, with a little room."""
    low, high = min(float(np.nanmin(c)) for c in columns), max(float(np.nanmax(c)) for c in columns)
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room
