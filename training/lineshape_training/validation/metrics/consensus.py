"""Peaks that recur in a population of spectra, and where and how high each spectrum has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks as maxima

from lineshape.peaks import Peaks

LEAST_RECURRENCE = 0.1
"""Share of the spectra in which a peak must stand to be one of the population's."""

_FINE = 4  # histogram bins a point: finer than the positions of noisy peaks are known


@dataclass(frozen=True, eq=False)
class Consensus:
    """Peaks of a population.

    Parameters
    ----------
    position : float64 [k]
        Median position of the spectra's own peaks, in points; ascending.
    share : float64 [k]
        Of the spectra that have it, `LEAST_RECURRENCE` to 1.
    """

    position: Float64[np.ndarray, " k"]
    share: Float64[np.ndarray, " k"]

    def __len__(self) -> int:
        return len(self.position)


def tolerance_of(peaks: Peaks) -> float:
    """Points within which two positions are one line: a quarter of the median FWHM, at least 2."""
    return max(2.0, float(np.median(peaks.fwhm)) / 4) if len(peaks) else 2.0


def consensus(peaks: Peaks, spectra: int, length: int, tolerance: float) -> Consensus:
    """Positions that recur: modes of the peaks' density, at least two tolerances apart.

    Parameters
    ----------
    peaks : Peaks
    spectra, length : int
        How many spectra they were found in, and of how many points.
    tolerance : float
        Points on either side that belong to a position.
    """
    histogram = np.bincount(np.round(peaks.position * _FINE).astype(int), minlength=length * _FINE)
    density = gaussian_filter1d(histogram.astype(np.float64), tolerance * _FINE / 2, mode="constant")
    modes, _ = maxima(np.pad(density, 1), distance=max(1, round(2 * tolerance * _FINE)))
    where = np.sort(modes - 1) / _FINE
    at = assigned(peaks, where, tolerance)
    share = np.array([len(np.unique(peaks.row[at == k])) for k in range(len(where))]) / spectra
    recurring = np.flatnonzero(share >= LEAST_RECURRENCE)
    middle = [float(np.median(peaks.position[at == k])) for k in recurring]
    return Consensus(np.array(middle, np.float64), share[recurring].astype(np.float64))


def assigned(peaks: Peaks, position: Float64[np.ndarray, " k"], tolerance: float) -> NDArray[np.intp]:
    """Index [p] of the position that each peak stands at, within the tolerance; -1 where at none."""
    if len(position) == 0:
        return np.full(len(peaks), -1, np.intp)
    after = np.searchsorted(position, peaks.position).clip(0, len(position) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(peaks.position - position[before]) <= np.abs(peaks.position - position[after])
    nearest = np.where(nearer, before, after)
    return np.where(np.abs(peaks.position - position[nearest]) <= tolerance, nearest, -1)


def at_consensus(
    peaks: Peaks, spectra: int, position: Float64[np.ndarray, " k"], tolerance: float
) -> tuple[Float64[np.ndarray, "n k"], Float64[np.ndarray, "n k"]]:
    """Each spectrum's own peak at each position: the highest one within the tolerance.

    Returns
    -------
    height : float64 [n, k]
        0 where the spectrum has none.
    where : float64 [n, k]
        NaN where it has none.
    """
    height, where = np.zeros((spectra, len(position))), np.full((spectra, len(position)), np.nan)
    at = assigned(peaks, position, tolerance)
    order = np.argsort(peaks.height, kind="stable")
    order = order[at[order] >= 0]  # ascending: of several peaks at one position the highest is written last
    height[peaks.row[order], at[order]] = peaks.height[order]
    where[peaks.row[order], at[order]] = peaks.position[order]
    return height, where
