"""Pictures of spectra, on the axis' own terms; needs the extra 'plot'."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.errors import MissingExtra, UsageError
from lineshape.files import write_atomically
from lineshape.spectrum import Spectrum
from lineshape_edge.tasks import Transferred

NAMES = {"raman": "Raman", "ir": "Infrared", "xrd": "X-ray diffraction", "nir": "Near infrared", "maldi": "MALDI"}
UNITS = {"cm-1": "cm$^{-1}$", "deg 2theta": "2θ / °", "angstrom": "Å", "um": "µm"}
MEASURED, ESTIMATED = "#3b6ea5", "#b5541c"  # both readable on white and for the colour-blind
SHOWN = 6


def plot_transfer(path: Path, source: Spectrum, found: Transferred, title: str) -> None:
    """The measured spectrum above, the estimate with its interval below."""
    figure, (above, below) = _figure(path, 2)
    above.plot(source.axis.values, source.intensities, color=MEASURED, linewidth=0.9)
    _label(above, source.axis, "measured")
    x = found.axis.values
    below.fill_between(x, found.lower, found.upper, color=ESTIMATED, alpha=0.25, linewidth=0, label="interval")
    below.plot(x, found.intensities, color=ESTIMATED, linewidth=0.9, label="estimate")
    below.legend(loc="best", frameon=False, fontsize=8)
    _label(below, found.axis, "estimated")
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


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
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"{path}: a picture ends in .png, .svg or .pdf")
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


def _label(panel: Any, axis: SpectralAxis, what: str) -> None:  # noqa: ANN401
    panel.set_xlim(axis.low, axis.high)
    panel.set_xlabel(axis_title(axis), fontsize=9)
    panel.set_ylabel(f"Intensity, {what}", fontsize=9)
