"""The best, the median and the worst transfer of each protocol, as one picture to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineshape_training.recipe import Recipe
from lineshape_training.spectra import PairTable
from lineshape_training.transfer import cells
from lineshape_training.transfer.cells import Answers
from lineshape_training.transfer.metrics import correlation
from lineshape_training.validation.report.scene import Panel, Picture, Sign, axis_name, band, lines, padded
from lineshape_training.validation.report.static import save

LEGEND: dict[str, tuple[str, Sign]] = {
    "measured": ("real", "line"), "transferred": ("synthetic", "line"), "its 90 % interval": ("synthetic", "filled"),
}  # fmt: skip
PLACES = ("best", "median", "worst")


def extremes(recipe: Recipe, table: PairTable, found: Mapping[str, Answers], path: Path) -> Path:
    """Draw on white, to be read on a light page and on a dark one: a row of three panels for each protocol.

    Parameters
    ----------
    recipe : Recipe
    table : PairTable
    found : mapping of protocol to Answers
    path : Path
        Of the PNG.
    """
    truth = cells.truth(recipe, table)
    panels = [panel for protocol, answers in found.items() for panel in _row(protocol, answers, truth, table)]
    source, target = recipe.axes["source"].modality, recipe.axes["spectrum"].modality
    title = f"Best, median and worst transfer from {source} to {target} by what was held out"
    return save(Picture(path.stem, title, "", panels, len(PLACES), LEGEND), path)


def _row(protocol: str, answers: Answers, truth: Float32[np.ndarray, "n L"], table: PairTable) -> list[Panel]:
    scores = correlation(answers.spectrum, truth, table.target.mask)
    order = np.argsort(-scores, kind="stable")
    rows = (order[0], order[len(order) // 2], order[-1])
    return [
        _panel(f"{protocol}, {place}: {table.group[row]}", answers, truth, table, int(row), float(scores[row]))
        for place, row in zip(PLACES, rows, strict=True)
    ]


def _panel(title: str, answers: Answers, truth: Float32[np.ndarray, "n L"], table: PairTable, row: int,
           score: float) -> Panel:  # fmt: skip
    axis = table.target.axis
    x, low, high = axis.values, answers.lower[row], answers.upper[row]
    measured, transferred = (
        lines(x, spectra[row : row + 1], role, 1.0, 1.0)
        for spectra, role in ((truth, "real"), (answers.spectrum, "synthetic"))
    )
    marks = (band(x, low, high, "synthetic"), measured, transferred)
    y_range = padded(low, high, truth[row], answers.spectrum[row])
    said = f"r = {score:.2f}, familiarity {answers.familiarity[row]:.2f}"
    return Panel(title, axis_name(axis), said, marks, y_range=y_range)
