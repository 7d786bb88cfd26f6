"""Two-sample AUC and MMD against the number of evaluations, one line for each network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from lineshape_training.steps.figures import AUC, MMD
from lineshape_training.steps.table import Line, Steps
from lineshape_training.steps.ways import STUDENT, TAUGHT_BY, TEACHER
from lineshape_training.validation.report.scene import Area, Dots, Panel, Picture, Sign, Symbol, padded
from lineshape_training.validation.report.scene import Line as Stroke
from lineshape_training.validation.report.static import save

EVALUATIONS = (1, 2, 4, 10, 35, 250)
AUC_TICKS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
MMD_TICKS = (-0.1, -0.03, -0.01, -0.003, 0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
EVEN = 0.005  # squared MMD up to which its axis is about even; beyond, it is logarithmic
ASIDE = 0.02  # of the decades between networks, so that no bar hides another
STYLES: Mapping[str, tuple[str, Symbol]] = {
    "ddpm": ("method2", "square"), TEACHER: ("method1", "triangle-up"), "shortcut": ("method3", "circle"),
    STUDENT: ("synthetic", "diamond"),
}  # fmt: skip

ENDS = (-0.15, 2.55)  # of the axis, in decades

Column: TypeAlias = Float64[np.ndarray, "*n"]
Scale: TypeAlias = Callable[[Column], Column]


def curves(found: Steps, path: Path) -> Path:
    """Draw on white, to be read on a light page and on a dark one.

    Points are means over the seeds, and bars reach from the least to the largest. The bands are the floor (the middle
    95 % of real spectra against real ones) and the teacher's range over the seeds, each with its mean.

    Parameters
    ----------
    found : Steps
    path : Path
        Of the PNG.
    """
    lines = [line for line in found.lines if not line.refused]
    panels = [
        _panel("two-sample AUC; .5: not to be told from real spectra", AUC, lines, AUC_TICKS, np.asarray),
        _panel("squared MMD; 0: no difference", MMD, lines, MMD_TICKS, lambda values: np.arcsinh(values / EVEN)),
    ]
    title = f"Quality against evaluations of the network: {path.stem}, {_counted(found.seeds)}"
    networks = {line.way.network for line in lines if line.way}
    legend: dict[str, tuple[str, Sign]] = {name: style for name, style in STYLES.items() if name in networks}
    legend |= {"real against real": ("real", "filled"), f"teacher: {TAUGHT_BY.name}": ("quiet", "filled")}
    return save(Picture(path.stem, title, "", panels, 2, legend), path)


def _counted(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"{seeds} seeds"


def _panel(title: str, figure: str, lines: Sequence[Line], ticks: Sequence[float], scale: Scale) -> Panel:
    bands = [mark for line in lines for mark in _band(line, figure, scale)]
    courses = [_course(name, lines, figure, scale) for name in STYLES]
    dots = [course[1] for course in courses if course]
    y_range = padded(*(band.y for band in bands), *(end for one in dots if one.ends for end in one.ends))
    at = {float(scale(np.array(tick))): f"{tick:g}" for tick in ticks}
    return Panel(
        title, "Evaluations of the network", "", (*bands, *(mark for course in courses for mark in course)),
        ENDS, y_range, {float(np.log10(n)): str(n) for n in EVALUATIONS},
        {y: name for y, name in at.items() if y_range[0] <= y <= y_range[1]}, height=22.0,
    )  # fmt: skip


def _band(line: Line, figure: str, scale: Scale) -> tuple[()] | tuple[Area, Stroke]:
    """Of the floor and of the teacher, each with its mean."""
    found, across = line.figures[figure], np.array(ENDS)
    if line.way is None:
        ends, role = (line.intervals[figure].low, line.intervals[figure].high), "real"
    elif line.way == TAUGHT_BY:
        ends, role = (found.least, found.largest), "quiet"
    else:
        return ()
    low, high = scale(np.array(ends))
    area = Area(np.concatenate([across, across[::-1]]), np.array([low, low, high, high]), role)
    return area, Stroke(across, np.full(2, scale(np.array(found.mean))), role, 1.0, 0.7)


def _course(network: str, lines: Sequence[Line], figure: str, scale: Scale) -> tuple[()] | tuple[Stroke, Dots]:
    """One network from the fewest evaluations to the most."""
    found = sorted(
        (line.way.evaluations, line.figures[figure]) for line in lines if line.way and line.way.network == network
    )
    if not found:
        return ()
    x = np.log10([n for n, _ in found]) + ASIDE * (list(STYLES).index(network) - (len(STYLES) - 1) / 2)
    y, least, largest = (
        scale(np.array([getattr(one, end) for _, one in found])) for end in ("mean", "least", "largest")
    )
    role, symbol = STYLES[network]
    return Stroke(x, y, role, 1.5, 0.7), Dots(x, y, role, symbol, size=8, ends=(least, largest))
