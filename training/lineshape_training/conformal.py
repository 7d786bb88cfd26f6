"""Split conformal prediction with a scale of its own for each point, and with groups as the units.

A model says how far the truth may lie off, up to a factor; spectra of groups it has not seen tell the factor, so that
the promise holds for the next group (Lei et al., JASA 113 (2018) 1094, section 5.2).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lineshape_training.spectra import Names

Floats = NDArray[np.float32]


def stretch(off: Floats, mask: Floats, group: Names, level: float) -> float:
    """By how much an interval must be stretched so that it covers `level` of the points of a new group.

    Parameters
    ----------
    off : float32 [n, L]
        How far the truth lies from the answer, in units of the interval's own scale on that side, for spectra of groups
        that the network has not seen.
    mask : float32 [n, L]
        1 where the truth was measured.
    group : str [n]
        Every group has the same weight, spread over its measured points.
    level : float
        Coverage wanted, .9 for a 90 % interval.

    Returns
    -------
    float
        The level's quantile of `off`, with the finite-sample correction (1 + 1/groups); never below 0. With fewer than
        level / (1 - level) groups no finite number keeps the promise; the largest seen is returned.
    """
    names, of = np.unique(group, return_inverse=True)
    points = np.bincount(of, weights=mask.sum(axis=1), minlength=len(names))
    seen = mask > 0
    beyond = off[seen]
    weight = np.broadcast_to(1.0 / points[of][:, None], mask.shape)[seen]
    order = np.argsort(beyond)
    covered = np.cumsum(weight[order]) / weight.sum()
    corrected = min(level * (1 + 1 / len(names)), 1.0)
    place = min(int(np.searchsorted(covered, corrected)), len(order) - 1)
    return max(float(beyond[order[place]]), 0.0)


def interval_score(
    lower: Floats, upper: Floats, truth: Floats, mask: Floats, level: float
) -> Float64[np.ndarray, " n"]:
    """Width of the interval, and 2 / (1 - level) times how far the truth lies outside; mean over measured points.

    Gneiting and Raftery, JASA 102 (2007) 359, equation 43; smaller is better.
    """
    outside = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    score = (upper - lower) + 2 / (1 - level) * outside
    mean: Float64[np.ndarray, " n"] = (score * mask).sum(axis=1, dtype=np.float64) / mask.sum(axis=1).clip(min=1)
    return mean
