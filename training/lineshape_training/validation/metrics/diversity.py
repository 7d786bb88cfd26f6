"""Do the synthetic spectra of a class differ from each other as real ones do?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Shaped

from lineshape.errors import DataError
from lineshape.peaks import noise
from lineshape_training.spectra import Names
from lineshape_training.splits import group_folds
from lineshape_training.validation.metrics.blocks import comparable
from lineshape_training.validation.metrics.components import components
from lineshape_training.validation.metrics.snv import snv

DIRECTIONS = 10
"""Principal components along which variances are compared."""


def variance_ratio(
    synthetic: Float[np.ndarray, "n L"],
    labels: Names,
    real: Float[np.ndarray, "m L"],
    real_labels: Shaped[np.ndarray, " m"],
    real_group: Shaped[np.ndarray, " m"],
) -> float:
    """Variance of synthetic spectra within their classes, over that of real ones, in the directions real ones vary in.

    After SNV and less the class means, the leading principal components of one half of the real groups are the
    directions; the synthetic variance along them is divided by that of the other half, which those directions were
    not chosen for; the two ways round are added up. Point-to-point noise is subtracted from both, as it varies alike
    in all directions: class means plus noise have 0, whatever their noise.

    0 (each class one spectrum) and up; 1 is right, above 1 synthetic spectra differ more than real ones.

    Parameters
    ----------
    synthetic : float [n, L]
    labels : str [n]
        Classes; all the same for spectra without.
    real : float [m, L]
    real_labels, real_group : str [m]

    Raises
    ------
    DataError
        If the real spectra are of one group, or do not vary within their classes.
    """
    synthetic, real = (snv(spectra) for spectra in comparable(synthetic, real))
    ours, theirs = _centred(synthetic, labels), _centred(real, real_labels)
    variances = np.zeros(2)  # synthetic and real, both ways round
    for one, other in group_folds(real_group, 2, seed=0):
        directions, _ = components(theirs[one], DIRECTIONS)
        variances[0] += _signal_variance(ours, synthetic, directions)
        variances[1] += _signal_variance(theirs[other], real[other], directions)
    if variances[1] <= 0:
        raise DataError("the real spectra do not vary within their classes beyond noise; there is no ratio to it")
    return float(max(0.0, variances[0] / variances[1]))


def _centred(spectra: Float64[np.ndarray, "n L"], labels: Names) -> Float64[np.ndarray, "n L"]:
    """Spectra less their class mean; scaled up by what estimating that mean takes off the variance."""
    centred = np.empty_like(spectra)
    for name in np.unique(labels):
        here = labels == name
        centred[here] = spectra[here] - spectra[here].mean(axis=0)
    centred *= np.sqrt(len(spectra) / max(1, len(spectra) - len(np.unique(labels))))
    return centred


def _signal_variance(
    centred: Float64[np.ndarray, "n L"], spectra: Float64[np.ndarray, "n L"], directions: Float64[np.ndarray, "k L"]
) -> float:
    """Variance along all directions together, less that of white noise of the spectra's own size."""
    return float((((centred @ directions.T) ** 2).sum(axis=1) - len(directions) * noise(spectra) ** 2).mean())
