"""Pictures of spectra, on the axis' own terms; needs the extra 'plot'."""

from __future__ import annotations

import io
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.errors import MissingExtra
from lineshape.files import write_atomically
from lineshape.library import Match
from lineshape.spectrum import Spectrum
from lineshape_edge.model import Model
from lineshape_edge.tasks import Transferred, gridded, prepared

NAMES = {"raman": "Raman", "ir": "Infrared", "xrd": "X-ray diffraction", "nir": "Near infrared", "maldi": "MALDI"}
UNITS = {"cm-1": "cm$^{-1}$", "deg 2theta": "2θ / °", "angstrom": "Å", "um": "µm"}
MEASURED, ESTIMATED, KNOWN = "#3b6ea5", "#b5541c", "#8a8a8a"  # readable on white and for the colour-blind
LINE = 105  # characters under a title
SHOWN = 6


def plot_transfer(path: Path, model: Model, source: Spectrum, found: Transferred, title: str) -> None:
    """The measured spectrum, its nearest of the fit where the bundle holds them, and the estimate with its interval.

    Under the title stand the familiarity and what sets the measurement apart from all of the fit.
    """
    figure, (above, *between, below) = _figure(path, 3 if found.nearest else 2)
    above.plot(source.axis.values, source.intensities, color=MEASURED, linewidth=0.9)
    _label(above, source.axis, "Intensity, measured")
    if found.nearest:
        _compare(between[0], model, source, found.nearest)
        read = model.manifest.axis("source")
        for panel in (above, between[0]):  # lines stand under each other
            panel.set_xlim(min(read.low, source.axis.low), max(read.high, source.axis.high))
    x, promised = found.axis.values, model.manifest.interval
    band = "interval" if promised is None else f"{promised:.0%} interval"
    below.fill_between(x, found.lower, found.upper, color=ESTIMATED, alpha=0.25, linewidth=0, label=band)
    below.plot(x, found.intensities, color=ESTIMATED, linewidth=0.9, label="estimate")
    _legend(below)
    _label(below, found.axis, "Intensity, estimated")
    told = [f"familiarity {found.familiarity:.2f}", *found.cautions]
    heading = [title, *(line for one in told for line in wrap(one, LINE))]
    figure.suptitle("\n".join(heading), fontsize=9, parse_math=False)
    _save(figure, path)


def _compare(panel: Any, model: Model, source: Spectrum, nearest: Match) -> None:  # noqa: ANN401
    """Both as the model sees them, scaled to a largest intensity of 1, with gaps where not measured."""
    axis = model.manifest.axis("source")
    values, mask = gridded(model, source)
    seen = prepared(model, values[None], mask[None])[0]
    shown = np.where(mask > 0, seen / np.abs(seen).max(), np.nan)
    name = f"{nearest.name} ({nearest.identity}), similarity {nearest.similarity:.2f}".replace("$", r"\$")
    panel.plot(axis.values, nearest.intensities, color=KNOWN, linewidth=0.9, label=f"nearest of the fit: {name}")
    panel.plot(axis.values, shown, color=MEASURED, linewidth=0.9, label="measured")
    _legend(panel)
    _label(panel, axis, "As the model sees it")


def plot_samples(path: Path, axis: SpectralAxis, spectra: NDArray[np.float32], title: str) -> None:
    """The first few spectra, one above the other."""
    shown = spectra[:SHOWN]
    figure, panels = _figure(path, len(shown), height=1.3)
    for panel, spectrum in zip(panels, shown, strict=True):
        panel.plot(axis.values, spectrum, color=ESTIMATED, linewidth=0.9)
        panel.set_xlim(axis.low, axis.high)
        panel.tick_params(labelbottom=panel is panels[-1])
    panels[-1].set_xlabel(axis_title(axis), fontsize=9)
    figure.supylabel("Relative intensity", fontsize=9)
    figure.suptitle(f"{title}: first {len(shown)} of {len(spectra)}", fontsize=10)
    _save(figure, path)


def _figure(path: Path, panels: int, height: float = 2.4) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("drawing a picture", "plot") from None
    figure = Figure(figsize=(7, 0.8 + height * panels), layout="constrained")
    axes = figure.subplots(panels, squeeze=False)[:, 0]
    return figure, axes


def _save(figure: Any, path: Path) -> None:  # noqa: ANN401
    content = io.BytesIO()
    figure.savefig(content, dpi=150, format=path.suffix[1:])
    write_atomically(path, content.getvalue())


def axis_title(axis: SpectralAxis) -> str:
    """Modality and unit, as they stand under a plot."""
    return f"{NAMES.get(axis.modality, axis.modality)}, {UNITS.get(axis.unit, axis.unit)}"


def _legend(panel: Any) -> None:  # noqa: ANN401
    """In a row above the panel, where no line runs."""
    panel.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0, frameon=False, fontsize=8)


def _label(panel: Any, axis: SpectralAxis, what: str) -> None:  # noqa: ANN401
    panel.set_xlim(axis.low, axis.high)
    panel.set_xlabel(axis_title(axis), fontsize=9)
    panel.set_ylabel(what, fontsize=9)
