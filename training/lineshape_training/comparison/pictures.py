"""Real spectra beside those of every method, class by class, as one picture to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from lineshape_training.comparison.cells import REAL, Cell, synthetic
from lineshape_training.study.cells import one_thread
from lineshape_training.validation.generator import scaled
from lineshape_training.validation.report.scene import Panel, Picture, Sign, axis_name, lines
from lineshape_training.validation.report.static import save

CLASSES, EACH = 3, 3  # of a row, and spectra of each
LEGEND: dict[str, tuple[str, Sign]] = {"real": ("real", "line"), "synthetic": ("synthetic", "line")}
APART = 1.05  # how far one spectrum stands above another


def side_by_side(cells: Mapping[str, Cell], path: Path) -> Path:
    """A row of panels for each method, a panel for each of the largest classes.

    Parameters
    ----------
    cells : mapping of method to Cell
        Of one fold; what is fitted there is not fitted again.
    path : Path
        Of the PNG.
    """
    names, sizes = np.unique(cells[REAL].train.labels, return_counts=True)
    largest = names[np.argsort(-sizes, kind="stable")[:CLASSES]]
    with one_thread():
        panels = [panel for method, cell in cells.items() for panel in _row(method, cell, largest.tolist())]
    title = f"{EACH} spectra of each of the {len(largest)} largest classes, real ones and those of every method"
    return save(Picture(path.stem, title, "", panels, len(largest), LEGEND), path)


def _row(method: str, cell: Cell, classes: list[str]) -> list[Panel]:
    if method == REAL:
        train = scaled(cell.train, cell.recipe)
        rows, classed = [train.values[train.labels == name][:EACH] for name in classes], True
    else:
        draw, classed, _ = synthetic(cell)
        rows = list(draw(dict.fromkeys(classes, EACH)).reshape(len(classes), EACH, -1))
    role = "real" if method == REAL else "synthetic"
    titles = [f"{method}: {name}" if classed else f"{method}: of no class" for name in classes]
    return [_panel(title, spectra, cell, role) for title, spectra in zip(titles, rows, strict=True)]


def _panel(title: str, spectra: Float32[np.ndarray, "k L"], cell: Cell, role: str) -> Panel:
    axis = cell.train.axis
    height = APART * float(np.ptp(spectra, axis=1).max())
    above = height * np.arange(len(spectra), dtype=np.float32)[:, None]
    return Panel(
        title, axis_name(axis), "", (lines(axis.values, spectra + above, role, 1.0, 1.0),), y_ticks={}, height=9
    )
