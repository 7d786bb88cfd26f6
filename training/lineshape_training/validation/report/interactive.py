"""Panels as Plotly figures: plain data whose colours are roles, which the page's script resolves for its scheme."""

from __future__ import annotations

from functools import singledispatch
from html import escape
from typing import Any, TypeAlias

import numpy as np

from lineshape_training.validation.report.scene import Area, Column, Dots, Line, Panel, Steps, Ticks

Trace: TypeAlias = dict[str, Any]

DIGITS = 4  # of a value, relative to its column's range
LONGEST = 24  # characters of a line of a tick's name


def figure(panel: Panel) -> dict[str, Any]:
    """`data` and `layout` of a panel."""
    layout = {
        "xaxis": _axis(panel.x_title, panel.x_range, panel.x_ticks),
        "yaxis": _axis(panel.y_title, panel.y_range, panel.y_ticks),
        "margin": {"l": 48, "r": 14, "t": 24, "b": 44},
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "@ink"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "@quiet", "activecolor": "@ink"},
        "hoverlabel": {"bgcolor": "@paper", "bordercolor": "@line", "font": {"color": "@ink"}},
        "showlegend": False,
        "hovermode": "closest",
    }
    return {"data": [trace(mark) for mark in panel.marks], "layout": layout}


def _axis(title: str, limits: tuple[float, float] | None, ticks: Ticks | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": {"text": _plain(title), "standoff": 8},
        "automargin": True,
        "nticks": 6,
        "gridcolor": "@line",
        "linecolor": "@quiet",
        "zeroline": False,
        "exponentformat": "B",
        "minexponent": 6,
        "separatethousands": True,
    }
    if limits is not None:
        found["range"] = list(limits)
    if ticks is not None:
        found |= {"tickvals": list(ticks), "ticktext": [_tick(text) for text in ticks.values()]}
    return found


@singledispatch
def trace(mark: object) -> Trace:
    """One mark as a trace."""
    raise TypeError(f"no such mark: {mark!r}")


@trace.register
def _line(mark: Line) -> Trace:
    style = {"color": f"@{mark.role}", "width": mark.width}
    return _scatter(mark.x, mark.y) | {"mode": "lines", "line": style, "opacity": mark.alpha}


@trace.register
def _area(mark: Area) -> Trace:
    colour = f"@{mark.role}/{round(255 * mark.alpha):02x}"
    style = {"mode": "lines", "line": {"width": 0}, "fill": "toself", "fillcolor": colour, "hoverinfo": "skip"}
    return _scatter(mark.x, mark.y) | style


@trace.register
def _steps(mark: Steps) -> Trace:
    style: Trace = {"mode": "lines", "line": {"color": f"@{mark.role}", "width": 1.5, "shape": "hv"}}
    fill = {"fill": "tozeroy", "fillcolor": f"@{mark.role}/40"} if mark.filled else {}
    return _scatter(mark.edges, np.append(mark.heights, mark.heights[-1])) | style | fill


@trace.register
def _dots(mark: Dots) -> Trace:
    symbol = f"{mark.symbol}-open" if mark.hollow else mark.symbol
    style = {
        "symbol": symbol,
        "size": mark.size,
        "color": f"@{mark.role}",
        "line": {"width": 1, "color": f"@{mark.role}"},
    }
    found = _scatter(mark.x, mark.y) | {"mode": "markers", "marker": style}
    if mark.ends is None:
        return found
    middle, (low, high) = getattr(mark, mark.along), mark.ends
    bars = {"array": _numbers(high - middle), "arrayminus": _numbers(middle - low), "symmetric": False}
    return found | {f"error_{mark.along}": bars | {"type": "data", "color": f"@{mark.role}", "thickness": 1.2}}


def _scatter(x: Column, y: Column) -> Trace:
    return {"type": "scatter", "x": _numbers(x), "y": _numbers(y)}


def _numbers(values: Column) -> list[float | None]:
    """Few digits, for every one of them is in the page; None where there is no value."""
    values = np.asarray(values, np.float64)
    there = np.isfinite(values)
    size = np.ptp(values[there]) or np.abs(values[there]).max() if there.any() else 0.0
    places = DIGITS - int(np.floor(np.log10(size))) if size > 0 else DIGITS
    rounded = np.round(values, places).tolist()
    return [value if known else None for value, known in zip(rounded, there.tolist(), strict=True)]


def _tick(text: str) -> str:
    return "<br>".join(_plain(shortened(line, LONGEST)) for line in text.splitlines())


def _plain(text: str) -> str:
    """Text that Plotly reads as such, for it knows some tags."""
    return escape(text, quote=False)


def shortened(text: str, most: int) -> str:
    """The text, or its beginning."""
    return text if len(text) <= most else text[: most - 1] + "…"
