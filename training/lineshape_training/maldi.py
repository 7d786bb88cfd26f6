"""The pre-treatment of linear MALDI-TOF spectra: bins of 3 Da, and counts made comparable.

Bins from 2,000 to 20,000 Da, square root (which evens out the variance of counts), Savitzky-Golay smoothing, SNIP
baseline, log1p, and each spectrum from 0 to 1: the order of MALDIGen's study of conditional generators.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Float64
from scipy.sparse import csr_array

from lineshape.errors import DataError
from lineshape.preprocessing import Log1p, MinMax, SavitzkyGolay, SquareRoot, forward

LOW, HIGH, WIDTH = 2000.0, 20000.0, 3.0  # Da
SMOOTHING = SavitzkyGolay(window=5)
SNIP_REACH = 20
"""Half of the widest SNIP window in bins: 60 Da, some five times the half width of a line at 10 kDa."""

_BLOCK = 256  # spectra at a time: 6,000 bins of them are 12 MB


def pretreated(
    counts: Float[np.ndarray, "n L"], mz: Float64[np.ndarray, " points"], low: float = LOW, high: float = HIGH
) -> Float32[np.ndarray, "n bins"]:
    """Spectra ready to be learnt: (high - low) / 3 values, 0 to 1.

    A spectrum without any signal (constant, or nowhere above 0) becomes 0 throughout.

    Parameters
    ----------
    counts : float [n, L]
        Detector counts; negative ones (an offset that was subtracted) are taken for 0.
    mz : float64 [L]
        Mass-to-charge ratio in Da, ascending.
    low, high : float
        Range in Da; a whole number of bins.

    Raises
    ------
    DataError
        If the axis is not the spectra's, does not rise or does not cover the range, or a count is not a finite number.
    """
    _check(counts, mz)
    edges = _edges(low, high)
    bins = np.empty((len(counts), len(edges) - 1), np.float32)
    for start in range(0, len(counts), _BLOCK):
        rows = slice(start, start + _BLOCK)
        binned = in_bins(np.maximum(counts[rows], 0), mz, edges)
        everywhere = np.ones(binned.shape)
        smooth = forward([SquareRoot(), SMOOTHING], np, binned, everywhere)[0]
        bins[rows] = forward([Log1p(), MinMax()], np, smooth - snip(smooth), everywhere)[0]
    return bins


def bin_centres(low: float = LOW, high: float = HIGH) -> Float64[np.ndarray, " bins"]:
    """Middle of each bin in Da."""
    edges = _edges(low, high)
    centres: Float64[np.ndarray, " bins"] = (edges[:-1] + edges[1:]) / 2
    return centres


def in_bins(
    counts: Float[np.ndarray, "n L"], mz: Float64[np.ndarray, " L"], edges: Float64[np.ndarray, " edges"]
) -> Float64[np.ndarray, "n bins"]:
    """Mean of the counts in each bin [edge, next edge); in one without points, the line between the points around it.

    The mean and not the sum: a time-of-flight axis widens with mass, and a sum would count its points.

    Raises
    ------
    DataError
        If the axis starts after the first bin or ends before the last one.
    """
    if mz[0] >= edges[1] or mz[-1] < edges[-2]:
        raise DataError(f"the axis runs from {mz[0]:g} to {mz[-1]:g} Da and does not cover {edges[0]:g} to "
                        f"{edges[-1]:g}; set low and high to a range that it covers")  # fmt: skip
    bins, column = len(edges) - 1, np.searchsorted(edges, mz, side="right") - 1
    inside = np.flatnonzero((column >= 0) & (column < bins))
    points = np.bincount(column[inside], minlength=bins)
    empty = np.flatnonzero(points == 0)
    middle = (edges[empty] + edges[empty + 1]) / 2
    after = np.searchsorted(mz, middle)
    share = (middle - mz[after - 1]) / (mz[after] - mz[after - 1])
    weights = np.concatenate([1 / points[column[inside]], 1 - share, share])
    places = np.concatenate([inside, after - 1, after]), np.concatenate([column[inside], empty, empty])
    binned: Float64[np.ndarray, "n bins"] = counts.astype(np.float64) @ csr_array((weights, places), (len(mz), bins))
    return binned


def snip(spectra: Float[np.ndarray, "n L"], reach: int = SNIP_REACH) -> Float[np.ndarray, "n L"]:
    """Baseline by statistics-sensitive non-linear iterative peak clipping (Ryan et al. 1988), nowhere above a spectrum.

    Each point is cut down to the mean of the points m before and m after it, with m falling from `reach` to 1, which
    leaves a smoother baseline than rising (Morhac and Matousek 2008). The m points next to an end, without a partner
    outside, are not cut.
    """
    baseline = spectra.copy()
    for m in range(min(reach, (spectra.shape[1] - 1) // 2), 0, -1):
        chord = (baseline[:, : -2 * m] + baseline[:, 2 * m :]) / 2
        np.minimum(baseline[:, m:-m], chord, out=baseline[:, m:-m])
    return baseline


def _edges(low: float, high: float) -> Float64[np.ndarray, " edges"]:
    bins = round((high - low) / WIDTH)
    if bins < 1 or abs(bins * WIDTH - (high - low)) > 1e-9 * high:
        raise DataError(f"{low:g} to {high:g} Da is not a whole number of bins of {WIDTH:g} Da")
    return low + WIDTH * np.arange(bins + 1)


def _check(counts: Float[np.ndarray, "n L"], mz: Float64[np.ndarray, " points"]) -> None:
    if counts.shape[1] != len(mz):
        raise DataError(f"the spectra have {counts.shape[1]} points and the axis has {len(mz)}")
    if not np.isfinite(mz).all():
        raise DataError(f"axis point {int(np.argmin(np.isfinite(mz)))} is not a finite number")
    falls = np.flatnonzero(np.diff(mz) <= 0)
    if len(falls):
        raise DataError(f"the axis must rise from point to point; {mz[falls[0]]:g} Da is followed by "
                        f"{mz[falls[0] + 1]:g}; sort the spectra by mass first")  # fmt: skip
    sound = np.isfinite(counts).all(axis=1)
    if not sound.all():
        raise DataError(f"spectrum {int(np.argmin(sound))} holds a count that is not a finite number")
