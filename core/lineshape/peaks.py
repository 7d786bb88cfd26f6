"""Peaks of many spectra at once: topographic prominence, sub-pixel position and FWHM, without a loop over spectra.

A peak is a local maximum that stands above its own foot by more than noise can. Its foot is the higher of the two
lowest points that separate it from higher ground (topographic prominence), so that a fluorescence background does not
count. How far a peak reaches is answered for all peaks together by binary search in tables of extremes over windows of
1, 2, 4, ... points (Bender and Farach-Colton, LATIN 2000, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.preprocessing import SavitzkyGolay, forward

SMOOTHING = SavitzkyGolay(window=5)
NOISE_FACTOR = 7.0
"""Prominence in noise standard deviations: white noise alone spans some 6.5 between the extremes of 1,000 points."""

LEAST_SHARE = 0.02
"""Of a spectrum's largest prominence: below it stand ripples of resampling and of a network, even without noise."""

_BLOCK = 256  # spectra at a time: the tables of a block take some 50 MB at 1,024 points

Rows: TypeAlias = NDArray[np.float64]  # [n, L]
Levels: TypeAlias = list[NDArray[np.float64]]  # level k holds extremes over windows of 2^k points
Flat: TypeAlias = NDArray[np.intp]  # one entry a peak
Heights: TypeAlias = NDArray[np.float64]  # likewise


@dataclass(frozen=True, eq=False)
class Peaks:
    """Peaks of many spectra, one entry for each.

    Parameters
    ----------
    row : int [p]
        The spectrum it stands in; ascending.
    position : float64 [p]
        In points, counted from 0; vertex of the parabola through the maximum and its neighbours.
    height : float64 [p]
        Prominence, in the spectra's unit.
    fwhm : float64 [p]
        Full width at half the prominence, in points.
    """

    row: NDArray[np.intp]
    position: NDArray[np.float64]
    height: NDArray[np.float64]
    fwhm: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.row)


def find_peaks(
    spectra: NDArray[np.floating[Any]], noise_factor: float = NOISE_FACTOR, least_share: float = LEAST_SHARE
) -> Peaks:
    """Peaks that stand out of the noise, in every spectrum.

    Spectra are smoothed over 5 points first (Savitzky and Golay, 1964); widths are those of the smoothed line.

    Parameters
    ----------
    spectra : float [n, L]
    noise_factor : float
        Least prominence, in standard deviations of the spectrum's own noise.
    least_share : float
        Least prominence as a share of the spectrum's largest.
    """
    blocks = [
        _peaks(spectra[start : start + _BLOCK], start, noise_factor, least_share)
        for start in range(0, len(spectra), _BLOCK)
    ]
    row, position, height, fwhm = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return Peaks(row, position, height, fwhm)


def noise(spectra: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Standard deviation of each spectrum's point-to-point noise.

    Median absolute second difference, which lines hardly touch, times 1.4826 / sqrt(6): exact for white Gaussian
    noise, whose second difference has variance 1 + 4 + 1.
    """
    bend: NDArray[np.float64] = np.median(np.abs(np.diff(spectra.astype(np.float64), 2, axis=1)), axis=1)
    bend *= 1.4826 / np.sqrt(6)
    return bend


def topography(x: Rows, row: Flat, top: Flat) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Prominence and FWHM of the maxima at x[row, top]: those of `scipy.signal`, all at once.

    Parameters
    ----------
    x : float64 [n, L]
    row, top : int [p]

    Returns
    -------
    prominence : float64 [p]
        Above the higher of the two feet.
    fwhm : float64 [p]
        Between the points where a straight line from sample to sample crosses half the prominence.
    """
    height, last = x[row, top], x.shape[1] - 1
    sides = [(x, top), (np.ascontiguousarray(x[:, ::-1]), last - top)]  # the right side is the left of the mirror image
    lows = [_levels(side, np.minimum) for side, _ in sides]
    feet = [
        _lowest(low, row, at, _clear(_levels(-side, np.minimum), row, at, -height, strict=False))
        for low, (side, at) in zip(lows, sides, strict=True)
    ]
    prominence = height - np.maximum(*feet)
    half = height - prominence / 2
    crossings = [
        _crossing(side, row, at - 1 - _clear(low, row, at, half, strict=True), half)
        for low, (side, at) in zip(lows, sides, strict=True)
    ]
    fwhm: Heights = last - crossings[1] - crossings[0]
    return prominence, fwhm


def _peaks(
    spectra: NDArray[np.floating[Any]], start: int, noise_factor: float, least_share: float
) -> tuple[Flat, Heights, Heights, Heights]:
    x = forward([SMOOTHING], np, spectra.astype(np.float64), np.ones(spectra.shape))[0]
    row, top = maxima(x)
    prominence, fwhm = topography(x, row, top)
    largest = np.zeros(len(x))
    np.maximum.at(largest, row, prominence)
    smoothed = np.linalg.norm(SMOOTHING.coefficients())  # what smoothing leaves of white noise
    least = np.maximum(noise_factor * smoothed * noise(spectra), least_share * largest)
    kept = (prominence >= least[row]) & (prominence > 0)
    row, top = row[kept], top[kept]
    return row + start, top + _vertex(x, row, top), prominence[kept], fwhm[kept]


def maxima(x: Rows) -> tuple[Flat, Flat]:
    """Row and column of every point, or middle of a level stretch, from which the spectrum falls on both sides."""
    steps = np.sign(np.diff(x, axis=1))
    column = np.arange(steps.shape[1])
    ahead = np.where(steps != 0, column, column[-1])  # of each step, the next one that is not level
    ahead = np.minimum.accumulate(ahead[:, ::-1], axis=1)[:, ::-1]
    falls = np.take_along_axis(steps, ahead, axis=1) < 0
    row, first = np.nonzero((steps[:, :-1] > 0) & falls[:, 1:])
    return row, (first + 1 + ahead[row, first + 1]) // 2


def _vertex(x: Rows, row: Flat, top: Flat) -> NDArray[np.float64]:
    """Distance of the parabola's vertex from its middle point, -1/2 to 1/2; 0 where the three points are level."""
    before, here, after = (x[row, top + step] for step in (-1, 0, 1))
    curvature = before - 2 * here + after
    level = curvature == 0
    shift: Heights = np.where(level, 0, (before - after) / np.where(level, 1, 2 * curvature))
    return shift.clip(-0.5, 0.5)


def _levels(x: Rows, extreme: np.ufunc) -> Levels:
    levels = [x]
    while levels[-1].shape[1] > 2 ** (len(levels) - 1):
        step = 2 ** (len(levels) - 1)
        levels.append(extreme(levels[-1][:, :-step], levels[-1][:, step:]))
    return levels


def _clear(lows: Levels, row: Flat, top: Flat, bound: Heights, *, strict: bool) -> Flat:
    """How many points just left of each top lie at or above the bound (strictly above it) without a gap."""
    free = np.zeros_like(top)
    for k in range(len(lows) - 1, -1, -1):
        start = top - free - 2**k
        lowest = lows[k][row, np.maximum(start, 0)]
        free += np.where((start >= 0) & ((lowest > bound) if strict else (lowest >= bound)), 2**k, 0)
    return free


def _lowest(lows: Levels, row: Flat, top: Flat, free: Flat) -> Heights:
    """Lowest of the `free` points left of each top and the top itself: two windows of 2^k points that overlap."""
    k = np.log2(free + 1).astype(int)
    lowest = np.empty(len(top))
    for level in np.unique(k):
        here = k == level
        table, left = lows[level], (top - free)[here]
        lowest[here] = np.minimum(table[row[here], left], table[row[here], top[here] + 1 - 2**level])
    return lowest


def _crossing(x: Rows, row: Flat, below: Flat, bound: Heights) -> Heights:
    """Where the straight line from the last point at or below the bound to its right neighbour reaches it."""
    low, high = x[row, below], x[row, below + 1]
    crossing: Heights = below + (bound - low) / (high - low)
    return crossing
