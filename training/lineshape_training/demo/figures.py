"""The report's pictures, each drawn twice: for a light page and for a dark one."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

from lineshape.axis import SpectralAxis
from lineshape.spectrum import Spectrum
from lineshape_edge import Model, sample, transfer
from lineshape_edge.plot import axis_title
from lineshape_training.family import Table
from lineshape_training.page import COLOURS
from lineshape_training.preprocess import prepared
from lineshape_training.spectra import PairTable, SpectraTable

SAMPLES = 200


class Palette(NamedTuple):
    """Colours of one page."""

    ink: str
    measured: str
    generated: str


class Picture(NamedTuple):
    """One figure as SVG for either page."""

    title: str
    light: str
    dark: str


LIGHT, DARK = (Palette(*(COLOURS[name][side] for name in ("ink", "real", "synthetic"))) for side in (0, 1))


def transfers_figure(model: Model, table: PairTable) -> Picture:
    """New specimens: what was measured, what was estimated from it with its interval, and the truth."""
    found = transfer(model, [Spectrum(values, table.source.axis) for values in table.source.values])
    steps = model.manifest.intensity_half.get("spectrum", ())
    truths = prepared(steps, torch.from_numpy(table.target.values), torch.from_numpy(table.target.mask)).numpy()

    def draw(palette: Palette) -> Figure:
        figure, panels = _figure(len(found), 2, 2.0)
        for (left, right), row in zip(panels, range(len(found)), strict=True):
            left.plot(table.source.axis.values, table.source.values[row], color=palette.measured, lw=0.8)
            left.set_title(f"{table.source.identity[row]}: simulated measurement")
            x, one = found[row].axis.values, found[row]
            right.fill_between(
                x, one.lower, one.upper, color=palette.generated, alpha=0.25, lw=0, label="90 % interval"
            )
            right.plot(x, truths[row], color=palette.measured, lw=0.8, label="truth")
            right.plot(x, one.intensities, color=palette.generated, lw=0.9, label="estimate")
            right.set_title(f"estimate, familiarity {one.familiarity:.2f}")
        figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
        _name_axes(figure, panels, table.source.axis, table.target.axis)
        return figure

    return _picture(f"{model.manifest.name}: new specimens of minerals in the fit", draw)


def samples_figure(model: Model, table: Table) -> Picture:
    """Spectra of the fit and samples side by side, and their means with quantile bands."""
    assert isinstance(table, SpectraTable)
    axis, steps = model.manifest.axis("spectrum"), model.manifest.intensity_half.get("spectrum", ())
    real = prepared(steps[:1], torch.from_numpy(table.values), torch.from_numpy(table.mask)).numpy()
    made = sample(model, SAMPLES, seed=7)
    shown = np.random.default_rng(0).choice(len(real), 4, replace=False)

    def draw(palette: Palette) -> Figure:
        figure, panels = _figure(3, 2, 1.7)
        sides = [(real, real[shown], palette.measured, "of the fit"), (made, made[:4], palette.generated, "generated")]
        for column, (spectra, some, colour, name) in enumerate(sides):
            for row in range(2):
                panels[row][column].plot(axis.values, some[2 * row], color=colour, lw=0.8)
                panels[row][column].plot(axis.values, some[2 * row + 1] + 1.1, color=colour, lw=0.8)
                panels[row][column].set_title(f"two spectra, one lifted, {name}")
            low, high = np.quantile(spectra, [0.05, 0.95], axis=0)
            panels[2][column].fill_between(axis.values, low, high, color=colour, alpha=0.25, lw=0)
            panels[2][column].plot(axis.values, spectra.mean(0), color=colour, lw=0.9)
            panels[2][column].set_title(f"mean and 5 to 95 % of {len(spectra)}, {name}")
            panels[2][column].set_ylim(-0.1, 1.05)
        _name_axes(figure, panels, axis, axis)
        return figure

    return _picture(f"{model.manifest.name}: spectra of the fit and generated ones", draw)


def _figure(rows: int, columns: int, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(8.5, 0.6 + height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _name_axes(figure: Figure, panels: Any, left: SpectralAxis, right: SpectralAxis) -> None:  # noqa: ANN401
    for row in panels:
        for panel, axis in zip(row, (left, right), strict=True):
            panel.set_xlim(axis.low, axis.high)
            panel.margins(y=0.08)
    panels[-1][0].set_xlabel(axis_title(left))
    panels[-1][1].set_xlabel(axis_title(right))
    figure.supylabel("intensity", fontsize=8)


def _picture(title: str, draw: Callable[[Palette], Figure]) -> Picture:
    return Picture(title, *(_svg(draw, palette) for palette in (LIGHT, DARK)))


def _svg(draw: Callable[[Palette], Figure], palette: Palette) -> str:
    ink = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), palette.ink)
    style: dict[Any, Any] = {
        "font.size": 8,
        "axes.titlesize": 8,
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        **ink,
    }
    out = io.StringIO()
    with rc_context({**style, "axes.spines.top": False, "axes.spines.right": False, "axes.facecolor": "none"}):
        draw(palette).savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return out.getvalue()
