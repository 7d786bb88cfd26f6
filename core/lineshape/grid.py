"""From any axis to a model's grid, with a mask that admits what was not measured."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.errors import AxisError
from lineshape.spectrum import Spectrum

Gridded: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]

GAP = 10.0  # a hole wider than this many usual steps was not measured; straight lines across it are invention


def on_grid(spectrum: Spectrum, grid: SpectralAxis) -> Gridded:
    """Resample a spectrum to a grid.

    Linear interpolation; where the measured points lie more than twice as dense as the grid, each grid point
    takes the mean of the spectrum over its cell instead, so that narrow lines keep their area.

    Parameters
    ----------
    spectrum : Spectrum [m]
    grid : SpectralAxis [n]
        Of the same modality; the spectrum is brought to its unit.

    Returns
    -------
    values : float32 [n]
        0 where not measured.
    mask : float32 [n]
        1 where measured, 0 outside the measured range and in holes wider than `GAP` usual steps.

    Raises
    ------
    AxisError
        If the modalities differ, the units do not convert, or the two ranges do not meet.
    """
    if spectrum.axis.modality != grid.modality:
        raise AxisError(
            f"a spectrum of modality {spectrum.axis.modality!r} does not go onto a grid of {grid.modality!r}"
        )
    measured = spectrum.to(grid.unit).ascending()
    x, y = measured.axis.values, measured.intensities
    mask = _measured_at(grid.values, x)
    if not mask.any():
        raise AxisError(f"the spectrum ({x[0]:g} to {x[-1]:g} {grid.unit}) does not reach the model's range "
                        f"({grid.low:g} to {grid.high:g} {grid.unit})")  # fmt: skip
    dense = np.median(np.diff(x)) * 2 < np.median(np.abs(np.diff(grid.values)))
    values = _cell_means(grid.values, x, y) if dense else np.interp(grid.values, x, y)
    return np.where(mask, values, 0).astype(np.float32), mask.astype(np.float32)


def _measured_at(points: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    steps = np.diff(x)
    slack = 1e-9 * (x[-1] - x[0])  # unit conversion may move an end point by a rounding error
    left = np.clip(np.searchsorted(x, points, side="right") - 1, 0, len(steps) - 1)
    in_hole = (steps > GAP * np.median(steps))[left] & (points > x[left]) & (points < x[left + 1])
    measured: NDArray[np.bool_] = (points >= x[0] - slack) & (points <= x[-1] + slack) & ~in_hole
    return measured


def _cell_means(points: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the piecewise linear spectrum over the cell of each point, cut to the measured range."""
    middles = (points[1:] + points[:-1]) / 2
    edges = np.clip(np.concatenate([points[:1], middles, points[-1:]]), x[0], x[-1])
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    width = high - low
    area = _area_up_to(high, x, y) - _area_up_to(low, x, y)
    return np.where(width > 0, area / np.where(width > 0, width, 1), np.interp(points, x, y))


def _area_up_to(t: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    area = np.concatenate([[0.0], np.cumsum(np.diff(x) * (y[1:] + y[:-1]) / 2)])
    left = np.clip(np.searchsorted(x, t, side="right") - 1, 0, len(x) - 2)
    return area[left] + (t - x[left]) * (y[left] + np.interp(t, x, y)) / 2
