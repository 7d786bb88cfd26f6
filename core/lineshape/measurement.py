"""Tools for a spectrum as the detector gave it: cosmic rays, saturation, and the calibration of a Raman shift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lineshape.errors import DataError, UsageError
from lineshape.spectrum import Spectrum

__all__ = ["SILICON", "calibrate_shift", "remove_cosmic_rays", "saturated"]

SILICON = 520.7  # cm-1, first-order line of silicon at room temperature
REACH = 15.0  # cm-1 around the known line within which it is looked for
# The share of its height that a spike loses to the narrow opening. A line of 2 pixels full width, Gaussian or
# Lorentzian, loses 0.76 at most, wherever it falls between the pixels.
SHARPNESS = 0.8
NEIGHBOURHOOD = 21  # points over which the noise around a spike is judged

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


def remove_cosmic_rays(spectrum: Spectrum, threshold: float = 8.0, width: int = 2) -> Spectrum:
    """Replace spikes of a few pixels by a straight line between their neighbours.

    A pixel belongs to a spike if it stands out of the spectrum opened (grey-scale morphology) over `width` + 1
    pixels by more than `threshold` standard deviations of the noise, and if most of that is lost already there and
    not only over 2 `width` + 1 pixels, as a line would. The noise is the robust deviation of first differences, as
    in Whitaker and Hayes, Chemometrics and Intelligent Laboratory Systems 179 (2018) 82, taken over the whole
    spectrum and near the pixel, whichever is larger, so that shot noise on a strong line is none.

    Parameters
    ----------
    spectrum : Spectrum [n]
        As measured: not smoothed, not interpolated.
    threshold : float
        Standard deviations of the noise.
    width : int
        Pixels that a cosmic ray covers at most. Lines of twice that full width at half maximum are kept; narrower
        ones may be taken for spikes where they are weak. A spike on a line is found where it is higher than the line.

    Returns
    -------
    Spectrum [n]
        With a note that names the positions; the spectrum itself where there are none.

    Raises
    ------
    UsageError
        If `threshold` or `width` is not positive.
    DataError
        If the spectrum is shorter than `NEIGHBOURHOOD` points.
    """
    if threshold <= 0 or width < 1:
        raise UsageError(f"threshold and width must be positive; got {threshold:g} and {width}")
    y = spectrum.intensities
    if len(y) < NEIGHBOURHOOD:
        raise DataError(f"{len(y)} points are too few to tell noise from cosmic rays; give {NEIGHBOURHOOD} or more")
    narrow, wide = y - _opened(y, width + 1), y - _opened(y, 2 * width + 1)
    spikes = (narrow > threshold * _noise(y)) & (narrow > SHARPNESS * wide)
    if not spikes.any():
        return spectrum
    covered = np.convolve(spikes, np.ones(3), mode="same") > 0  # charge spills into the neighbours
    points = np.arange(len(y))
    mended = np.where(covered, np.interp(points, points[~covered], y[~covered]), y)
    return replace(spectrum, intensities=mended).noted(_spike_note(spectrum, spikes))


def saturated(spectrum: Spectrum, run: int = 3) -> Mask:
    """Where the detector was at its limit: runs of `run` or more equal points at the maximum.

    Parameters
    ----------
    spectrum : Spectrum [n]
        As measured; a correction of baseline or response tilts the flat top and hides it.
    run : int
        Equal points in a row that are no chance.

    Returns
    -------
    bool [n]
        True where saturated; ``saturated(s).any()`` says whether at all. A constant spectrum is saturated throughout.
    """
    if run < 1:
        raise UsageError(f"a run is 1 point or more; got {run}")
    top = spectrum.intensities == spectrum.intensities.max()
    if len(top) < run:
        return np.zeros(len(top), dtype=np.bool_)
    full = sliding_window_view(top, run).all(axis=1)
    return np.convolve(full, np.ones(run)) > 0


def calibrate_shift(spectrum: Spectrum, reference: Spectrum, line: float = SILICON) -> Spectrum:
    """Shift a Raman axis so that the line of a reference sample falls where it belongs.

    The line is fitted in `reference` with a Lorentzian on a sloping background (least squares), which places it at
    a small fraction of a pixel.

    Parameters
    ----------
    spectrum : Spectrum [n]
        Raman, in cm-1.
    reference : Spectrum [m]
        Silicon, or another sample with a line at `line`, measured on the same instrument.
    line : float
        Where the line belongs, in cm-1.

    Returns
    -------
    Spectrum [n]
        On the shifted axis, with a note that names the shift.

    Raises
    ------
    UsageError
        If either is not Raman in cm-1, or the two were measured with different lasers.
    DataError
        If the reference shows no line within `REACH` of `line`.
    """
    for one in (spectrum, reference):
        if (one.axis.modality, one.axis.unit) != ("raman", "cm-1"):
            raise UsageError(f"a Raman shift is calibrated in cm-1; got {one.axis.modality} in {one.axis.unit}")
    lasers = spectrum.axis.laser_nm, reference.axis.laser_nm
    if lasers[0] is not None and lasers[1] is not None and abs(lasers[0] - lasers[1]) > 1:
        raise UsageError(
            f"spectrum and reference were excited at {lasers[0]:g} and {lasers[1]:g} nm; measure both alike"
        )
    found = _line_near(reference.ascending(), line)
    shift = line - found
    note = f"Shifted the axis by {shift:+.3f} cm-1: the line of the reference at {found:.3f} belongs at {line:g} cm-1."
    return replace(spectrum, axis=replace(spectrum.axis, values=spectrum.axis.values + shift)).noted(note)


def _opened(y: Floats, size: int) -> Floats:
    """Grey-scale opening: the largest of the smallest values of all windows that hold a pixel."""
    padded = np.pad(y, size - 1, mode="edge")
    eroded = sliding_window_view(padded, size).min(axis=1)
    opened: Floats = sliding_window_view(eroded, size).max(axis=1)
    return opened


def _noise(y: Floats) -> Floats:
    """Standard deviation of the noise at each pixel, from the absolute first differences [n]."""
    steps = np.abs(np.diff(y, append=y[-1]))
    near = np.median(sliding_window_view(np.pad(steps, NEIGHBOURHOOD // 2, mode="reflect"), NEIGHBOURHOOD), axis=1)
    # 0.6745 turns a median deviation into a standard one, the root of 2 a difference into a value
    noise: Floats = np.maximum(near, np.median(steps)) / (0.6745 * np.sqrt(2))
    return noise


def _spike_note(spectrum: Spectrum, spikes: Mask) -> str:
    first = np.flatnonzero(spikes & ~np.concatenate([[False], spikes[:-1]]))
    places = ", ".join(f"{spectrum.axis.values[i]:.1f}" for i in first[:10]) + (", ..." if len(first) > 10 else "")
    rays = "1 cosmic ray" if len(first) == 1 else f"{len(first)} cosmic rays"
    return f"Removed {rays} at {places} {spectrum.axis.unit}."


def _line_near(reference: Spectrum, line: float) -> float:
    """Position of the strongest line within `REACH`, if it stands out of the noise."""
    x, y = reference.axis.values, reference.intensities
    inside = np.abs(x - line) <= REACH
    if inside.sum() < 5:
        raise DataError(f"the reference has {inside.sum()} points within {REACH:g} cm-1 of {line:g}; it needs 5")
    top = int(np.argmax(np.where(inside, y, -np.inf)))
    near = np.abs(x - x[top]) <= REACH  # about the peak, so that the fit does not depend on where the line belongs
    x, y, top = x[near], y[near], top - int(np.argmax(near))
    level = float(np.median(y))
    noise = np.median(np.abs(np.diff(reference.intensities))) / (0.6745 * np.sqrt(2))
    if y[top] - level <= 5 * noise or not 0 < top < len(y) - 1 or y[top] < max(y[top - 1], y[top + 1]):
        raise _no_line(line)
    half = np.abs(x[y > (y[top] + level) / 2] - x[top]).max(initial=x[top + 1] - x[top])
    centre = _lorentzian_centre(x, y, x[top], min(half, REACH / 2))
    if abs(centre - line) > REACH or abs(centre - x[top]) > 2 * (x[top + 1] - x[top - 1]):
        raise _no_line(line)
    return centre


def _lorentzian_centre(x: Floats, y: Floats, centre: float, half: float) -> float:
    """Gauss-Newton on centre and half width; height, background and slope follow by linear least squares."""
    for _ in range(50):
        t = (x - centre) / half
        shape = 1 / (1 + t**2)
        linear = np.column_stack([shape, np.ones_like(x), x - x.mean()])
        height = np.linalg.lstsq(linear, y, rcond=None)[0][0]
        slopes = np.column_stack([2 * t * shape**2, 2 * t**2 * shape**2]) * height / half
        step = np.linalg.lstsq(np.column_stack([linear, slopes]), y, rcond=None)[0][3:]
        step = np.clip(step, -half / 2, half / 2)  # a step of half a width at most keeps the fit at its line
        centre, half = centre + float(step[0]), max(half + float(step[1]), 0.1 * half)
        if abs(step[0]) < 1e-6 * half:
            break
    return centre


def _no_line(line: float) -> DataError:
    return DataError(
        f"the reference shows no line within {REACH:g} cm-1 of {line:g}; measure silicon with a longer exposure"
    )
