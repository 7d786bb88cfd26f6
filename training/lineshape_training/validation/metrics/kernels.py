"""Kernels between spectra: a fitted kernel answers for any block of the pooled set, synthetic rows first.

Both give 1 for a spectrum with itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64
from scipy.ndimage import gaussian_filter1d

from lineshape.errors import DataError
from lineshape_training.validation.metrics.blocks import Real, Synthetic, comparable, squared_distances, squared_norms

Gram: TypeAlias = Callable[[slice, slice], Float64[np.ndarray, "rows columns"]]
Kernel: TypeAlias = Callable[[Synthetic, Real], Gram]

WIDEST = 4.0  # times the median squared distance
TERMS = 5  # each half as wide as the one before: 4, 2, 1, 1/2 and 1/4 of the median
SAMPLED = 2000  # real spectra whose distances tell the median: two million pairs
REACH = 6.0  # standard deviations at which a smoothed peak ends


def rbf_mixture(synthetic: Synthetic, real: Real) -> Gram:
    """Mean of Gaussian kernels `exp(-d^2 / (2 s))` with `s` = 1/4, 1/2, 1, 2 and 4 times the median squared distance.

    The median is that of pairs of real spectra alone (Gretton et al. 2012, section 8, pool both sides). A pooled median
    grows with how far off the synthetic spectra are, so every generator would be measured by a ruler of its own; by the
    real ones' ruler two generators can be compared, and so can a generator and its floor.

    Raises
    ------
    DataError
        If all real spectra are alike.
    """
    pooled = np.concatenate(comparable(synthetic, real))
    widest = 2 * WIDEST * _median_squared_distance(pooled[len(synthetic) :])

    def gram(rows: slice, columns: slice) -> Float64[np.ndarray, "rows columns"]:
        distances = squared_distances(pooled[rows], pooled[columns])
        distances /= -widest
        term: Float64[np.ndarray, "rows columns"] = np.exp(distances, out=distances)
        total = term.copy()
        for _ in range(TERMS - 1):
            term *= term  # half the width is the square
            total += term
        total /= TERMS
        return total

    return gram


def _median_squared_distance(real: Float64[np.ndarray, "m L"]) -> float:
    some = real[np.linspace(0, len(real) - 1, min(SAMPLED, len(real))).astype(np.intp)]
    distances = squared_distances(some, some)[np.triu_indices(len(some), k=1)]
    if not (distances > 0).any():
        raise DataError("the real spectra are all alike: their distances give the kernel no width")
    return float(np.median(distances[distances > 0]))


def pike(synthetic: Synthetic, real: Real, time: float = 2.0) -> Gram:
    """The peak information kernel, for MALDI-TOF: peaks that lie close together count as partly the same.

    Weis et al. 2020 (Bioinformatics 36, Suppl. 1, "Topological and kernel-based microbial phenotype prediction from
    MALDI-TOF mass spectra") let heat diffuse from peaks of heights `a_i` at positions `x_i` for a time `t`, and take
    the inner product, `sum_ij a_i b_j exp(-(x_i - y_j)^2 / 8t) / (2 sqrt(2 pi t))`. On a grid of bins that is the inner
    product of the spectra after a Gaussian filter of variance `2t`, which costs no double sum; here it is divided by
    both spectra's norms. Every point is a peak of its own height: set to 0 what is none.

    Parameters
    ----------
    synthetic, real : float [n, L], [m, L]
        Intensities in bins of equal width.
    time : float
        Diffusion time in squared bins, at least 0.5; peaks further apart than about `5 sqrt(t)` bins are strangers.

    Raises
    ------
    DataError
        If `time` is so short that the bins could not show the diffusion.
    """
    if time < 0.5:
        raise DataError(f"a diffusion time of {time} squared bins is finer than the bins; use at least half of one")
    sigma = float(np.sqrt(2 * time))
    room = int(np.ceil(REACH * sigma))  # for the heat of peaks near the ends
    diffused = np.pad(np.concatenate(comparable(synthetic, real)), ((0, 0), (room, room)))
    gaussian_filter1d(diffused, sigma, mode="constant", truncate=REACH, output=diffused)
    norms = np.sqrt(squared_norms(diffused))[:, None]
    diffused /= np.where(norms > 0, norms, 1)

    def gram(rows: slice, columns: slice) -> Float64[np.ndarray, "rows columns"]:
        block: Float64[np.ndarray, "rows columns"] = diffused[rows] @ diffused[columns].T
        return block

    return gram
