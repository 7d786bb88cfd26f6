"""Pictures of a study: the gains with their intervals, and what more independent groups are worth."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np

from lineshape_training.study.arms import DECIDING, REAL
from lineshape_training.study.cells import NONE
from lineshape_training.study.table import ALL_PROBES, Outcome, Row
from lineshape_training.validation.report.scene import Dots, Line, Panel, Picture, Sign, Symbol
from lineshape_training.validation.report.study_rows import GROUPS, WHOLE, curve_points, deciding, rows_of

STEP = 0.08  # between methods, so that no interval hides another
STYLES: list[tuple[str, Symbol]] = [
    ("method0", "diamond"),
    ("method1", "square"),
    ("method2", "triangle-up"),
    ("method3", "triangle-down"),
    ("method4", "cross"),
    ("method5", "circle"),
]


def gains_picture(outcome: Outcome) -> Picture | None:
    """What each method and arm gains over real spectra alone; the deciding arm filled."""
    rows = [row for row in rows_of(outcome, WHOLE, ALL_PROBES) if row.gains][::-1]
    if not rows:
        return None
    score, names = deciding(outcome), {float(at): f"{row.method}\n{row.arm}" for at, row in enumerate(rows)}
    zero = Line(np.zeros(2), np.array([-0.5, len(rows) - 0.5]), "quiet", 1.2)
    marks = [_gain(row, at, score) for at, row in enumerate(rows)]
    title = f"{score}, {ALL_PROBES}, 95 % intervals of the paired difference"
    panel = Panel(title, f"Gain in {score}", "", (zero, *marks), y_range=(-0.7, len(rows) - 0.3), y_ticks=names,
                  height=6 + 2.3 * len(rows))  # fmt: skip
    legend: dict[str, tuple[str, Sign]] = {f"{DECIDING.name}: the arm that decides": ("synthetic", "diamond"),
                                           "the others": ("quiet", "circle")}  # fmt: skip
    about = "Right of the line: better than real spectra alone, on the same held-out groups."
    return Picture("gains", "Gains over real spectra alone", about, [panel], 1, legend)


def curve_picture(outcome: Outcome) -> Picture | None:
    """The score by the number of independent groups that were fitted on."""
    points = curve_points(outcome)
    if len(points) < 2:
        return None
    score, named = deciding(outcome), _styled(outcome)
    marks: list[Line | Dots] = []
    for number, (method, (role, symbol)) in enumerate(named.items()):
        found = [(at, row) for at, protocol in enumerate(points) if (row := _mean(outcome, protocol, method))]
        marks += _course(found, score, (number - (len(named) - 1) / 2) * STEP, role, symbol)
    ticks = {float(at): text for at, text in enumerate(points.values())}
    panel = Panel(f"{score}, {ALL_PROBES}", "Independent groups of the fit", score.capitalize(), tuple(marks),
                  (-0.4, len(points) - 0.6), x_ticks=ticks, height=22.0)  # fmt: skip
    legend: dict[str, tuple[str, Sign]] = {_told(method): style for method, style in named.items()}
    about = f"Each method by its arm {DECIDING.name}, with 95 % intervals over held-out groups."
    return Picture("curve", "Learning curve by independent groups", about, [panel], 1, legend)


def _gain(row: Row, at: int, score: str) -> Dots:
    gain, decides = row.gains[score], row.arm == DECIDING.name
    ends = (np.array([gain.low]), np.array([gain.high]))
    style: tuple[str, Symbol] = ("synthetic", "diamond") if decides else ("quiet", "circle")
    return Dots(np.array([gain.value]), np.array([float(at)]), *style, size=9 if decides else 7, along="x", ends=ends)


def _course(found: list[tuple[int, Row]], score: str, aside: float, role: str, symbol: Symbol) -> list[Line | Dots]:
    """One method's scores, joined."""
    if not found:
        return []
    x = np.array([at + aside for at, _ in found])
    y, low, high = (np.array([getattr(row.scores[score], end) for _, row in found]) for end in ("value", "low", "high"))
    return [Line(x, y, role, 1.0, 0.6), Dots(x, y, role, symbol, size=8, ends=(low, high))]


def _mean(outcome: Outcome, protocol: str, method: str) -> Row | None:
    arm = REAL.name if method == NONE else DECIDING.name
    wanted = (row for row in rows_of(outcome, protocol, ALL_PROBES) if (row.method, row.arm) == (method, arm))
    return next(wanted, None)


def _styled(outcome: Outcome) -> dict[str, tuple[str, Symbol]]:
    """A colour and a symbol for each method of the curve; those of many methods come again."""
    methods = dict.fromkeys(row.method for row in outcome.rows if GROUPS.fullmatch(row.protocol))
    augmented = [method for method in methods if method != NONE]
    styles: list[tuple[str, Symbol]] = [("real", "circle"), *islice(cycle(STYLES), len(augmented))]
    return dict(zip([NONE, *augmented], styles, strict=True))


def _told(method: str) -> str:
    return REAL.name if method == NONE else method
