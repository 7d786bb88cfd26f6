"""The axis half of preprocessing: what happens to the points, before a model sees them.

One implementation, used by the fit, by the edge runtime, by our client and by our server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np

from lineshape.axis import SpectralAxis
from lineshape.errors import AxisError, MissingExtra, UsageError
from lineshape.grid import Gridded, on_grid
from lineshape.spectrum import Spectrum


class Crop(msgspec.Struct, frozen=True, tag="crop", tag_field="step"):
    """Keep the points from `low` to `high`, both included, in the axis' own unit."""

    low: float
    high: float

    def apply(self, spectrum: Spectrum) -> Spectrum:
        """The part of the spectrum inside the range.

        Raises
        ------
        AxisError
            If fewer than two points lie inside.
        """
        x = spectrum.axis.values
        keep = (x >= self.low) & (x <= self.high)
        if keep.sum() < 2:
            raise AxisError(f"fewer than 2 points lie between {self.low:g} and {self.high:g} {spectrum.axis.unit}; "
                            f"the spectrum runs from {spectrum.axis.low:g} to {spectrum.axis.high:g}")  # fmt: skip
        return replace(spectrum, intensities=spectrum.intensities[keep], axis=replace(spectrum.axis, values=x[keep]))


class Baseline(msgspec.Struct, frozen=True, tag="baseline", tag_field="step"):
    """Subtract a baseline found by pybaselines (needs the extra 'baseline').

    Parameters
    ----------
    method : str
        One of pybaselines' algorithms.
    parameters : dict
        Passed on to it.
    """

    method: Literal["asls", "arpls", "airpls", "snip", "modpoly", "imodpoly", "mor"] = "arpls"
    parameters: dict[str, float] = {}

    def apply(self, spectrum: Spectrum) -> Spectrum:
        """The spectrum less its baseline."""
        try:
            from pybaselines import Baseline as Fitter
        except ImportError:
            raise MissingExtra(f"baseline removal by {self.method}", "baseline") from None
        rising = spectrum.ascending()
        numbers: dict[str, Any] = {k: int(v) if float(v).is_integer() else v for k, v in self.parameters.items()}
        try:
            fitted, _ = getattr(Fitter(rising.axis.values), self.method)(np.array(rising.intensities), **numbers)
        except (TypeError, ValueError) as error:
            raise UsageError(f"baseline {self.method} with {self.parameters}: {error}") from None
        return replace(rising, intensities=rising.intensities - fitted)


AxisStep: TypeAlias = Crop | Baseline


def to_grid(spectrum: Spectrum, steps: Sequence[AxisStep], grid: SpectralAxis) -> Gridded:
    """The whole axis half: unit, order, the steps, then the model's grid with its mask.

    Returns
    -------
    values, mask : float32 [len(grid)]
    """
    spectrum = spectrum.to(grid.unit).ascending()
    for step in steps:
        spectrum = step.apply(spectrum)
    return on_grid(spectrum, grid)
