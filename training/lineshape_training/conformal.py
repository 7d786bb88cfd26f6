"""Conformalised quantile regression (Romano, Patterson and Candes, NeurIPS 2019), with groups as the units.

A quantile head promises an interval; spectra of groups it has not seen tell by how much it must be widened so that the
promise holds for the next group.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineshape_training.spectra import Names

Floats = NDArray[np.float32]


def widening(lower: Floats, upper: Floats, measured: Floats, mask: Floats, group: Names, level: float) -> float:
    """How much to add on either side of an interval so that it covers `level` of the points of a new group.

    Parameters
    ----------
    lower, upper, measured, mask : float32 [n, L]
        Interval and truth for spectra of groups that the network has not seen.
    group : str [n]
        Every group has the same weight, spread over its measured points.
    level : float
        Coverage wanted, .9 for a 90 % interval.

    Returns
    -------
    float
        The level's quantile of max(lower - y, y - upper), with the finite-sample correction (1 + 1/groups); below 0
        where the interval was too wide. With fewer than level / (1 - level) groups no finite number keeps the promise;
        the largest excess seen is returned.
    """
    names, of = np.unique(group, return_inverse=True)
    points = np.bincount(of, weights=mask.sum(axis=1), minlength=len(names))
    seen = mask > 0
    excess = np.maximum(lower - measured, measured - upper)[seen]
    weight = np.broadcast_to(1.0 / points[of][:, None], mask.shape)[seen]
    order = np.argsort(excess)
    covered = np.cumsum(weight[order]) / weight.sum()
    corrected = min(level * (1 + 1 / len(names)), 1.0)
    return float(excess[order][min(np.searchsorted(covered, corrected), len(order) - 1)])
