"""Do the synthetic spectra have the real ones' peaks: at the right places, as often, as high?

Both figures are of whole populations. Where classes have peaks of their own, call them once a class.
"""

from __future__ import annotations

import msgspec
import numpy as np
from jaxtyping import Float, Float64
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance

from lineshape.peaks import Peaks, find_peaks
from lineshape_training.validation.metrics.blocks import comparable
from lineshape_training.validation.metrics.consensus import Consensus, at_consensus, consensus, tolerance_of

_NO_MATCH = 1e6  # points: beyond any spectrum, so that pairs further apart than the tolerance are formed last


class PeakMatch(msgspec.Struct, frozen=True):
    """How well two populations' peaks agree.

    Parameters
    ----------
    f1, precision, recall : float
        0 (no peak in common) to 1 (every peak at its place in the same share of spectra); higher is better.
    position_error : float
        Mean distance of matched peaks in points, 0 and up; lower is better. NaN where none matched.
    """

    f1: float
    precision: float
    recall: float
    position_error: float


class PeakDistance(msgspec.Struct, frozen=True):
    """Wasserstein-1 distances at the real population's peaks, averaged by the share of real spectra that have them.

    Parameters
    ----------
    height : float
        In units of the peak's mean real height; 0 and up, lower is better.
    position : float
        In points; 0 to twice the tolerance, which is also the price of a peak that no synthetic spectrum has.
    """

    height: float
    position: float


def peak_match(
    synthetic: Float[np.ndarray, "n L"], real: Float[np.ndarray, "m L"], tolerance: float | None = None
) -> PeakMatch:
    """Do peaks that recur among the synthetic spectra stand where real ones do, and the real ones' among theirs?

    Each recurring peak counts by the share of spectra that have it, so that F1 does not jump where a weak peak is found
    a little less often. *Precision*: how much of the synthetic peaks stands at a recurring real peak or at a peak of
    the real mean spectrum (a line that single spectra hide in noise is no error in a synthetic spectrum without
    noise). *Recall*: how much of the real peaks is found; of a real peak in a share r of the spectra, matched one to
    one with a synthetic one in a share s, min(s, r) is. F1 is their harmonic mean; where every share is 1 these are the
    usual figures.

    Parameters
    ----------
    synthetic, real : float [n, L], [m, L]
    tolerance : float or None
        Points within which peaks match; from the real peaks' FWHM if None.

    Returns
    -------
    PeakMatch
        All 1 with a NaN position error where neither has any peak: there is nothing to get wrong.
    """
    synthetic, real = comparable(synthetic, real)
    found = find_peaks(synthetic), find_peaks(real)
    tolerance = tolerance_of(found[1]) if tolerance is None else tolerance
    ours, theirs = (
        consensus(peaks, len(spectra), spectra.shape[1], tolerance)
        for peaks, spectra in zip(found, (synthetic, real), strict=True)
    )
    mean = find_peaks(real.mean(axis=0, keepdims=True))
    return matched(ours, theirs, mean.position, tolerance)


def matched(ours: Consensus, theirs: Consensus, of_mean: Float64[np.ndarray, " p"], tolerance: float) -> PeakMatch:
    """Agreement of two populations' recurring peaks; matched pairs have the least total distance."""
    if not len(ours) and not len(theirs):
        return PeakMatch(1.0, 1.0, 1.0, float("nan"))
    gap = np.abs(ours.position[:, None] - theirs.position)
    i, j = linear_sum_assignment(np.where(gap <= tolerance, gap, _NO_MATCH))
    near = gap[i, j] <= tolerance
    i, j = i[near], j[near]
    agreed = np.minimum(ours.share[i], theirs.share[j])
    real = np.concatenate([theirs.position, of_mean])
    stands = (np.abs(ours.position[:, None] - real) <= tolerance).any(1)
    precision = _ratio(ours.share[stands].sum(), ours.share.sum())
    recall = _ratio(agreed.sum(), theirs.share.sum())
    error = float(np.average(gap[i, j], weights=agreed)) if len(i) else float("nan")
    return PeakMatch(_ratio(2 * precision * recall, precision + recall), precision, recall, error)


def peak_wasserstein(
    synthetic: Float[np.ndarray, "n L"], real: Float[np.ndarray, "m L"], tolerance: float | None = None
) -> PeakDistance:
    """Distance of the distributions of heights and of positions, at each peak that recurs among the real spectra.

    A spectrum without the peak has height 0 there. Wasserstein-1: the mean distance that the sorted values must move.

    Parameters
    ----------
    synthetic, real : float [n, L], [m, L]
    tolerance : float or None
        Points on either side that belong to a peak; from the real peaks' FWHM if None.

    Returns
    -------
    PeakDistance
        Both 0 where the real spectra have no recurring peak.
    """
    synthetic, real = comparable(synthetic, real)
    found = find_peaks(synthetic), find_peaks(real)
    tolerance = tolerance_of(found[1]) if tolerance is None else tolerance
    population = consensus(found[1], len(real), real.shape[1], tolerance)
    if not len(population):
        return PeakDistance(0.0, 0.0)
    ours, theirs = (
        _columns(peaks, len(spectra), population, tolerance)
        for peaks, spectra in zip(found, (synthetic, real), strict=True)
    )
    height = [wasserstein_distance(a, b) / b.mean() for (a, _), (b, _) in zip(ours, theirs, strict=True)]
    position = [
        wasserstein_distance(a, b) if len(a) else 2 * tolerance for (_, a), (_, b) in zip(ours, theirs, strict=True)
    ]
    weights = population.share
    return PeakDistance(float(np.average(height, weights=weights)), float(np.average(position, weights=weights)))


def _columns(
    peaks: Peaks, spectra: int, population: Consensus, tolerance: float
) -> list[tuple[NDArray[np.float64], Float64[np.ndarray, " p"]]]:
    """Of each of the population's peaks: every spectrum's height, and the positions of those that have it."""
    height, where = at_consensus(peaks, spectra, population.position, tolerance)
    return [(h, w[np.isfinite(w)]) for h, w in zip(height.T, where.T, strict=True)]


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
