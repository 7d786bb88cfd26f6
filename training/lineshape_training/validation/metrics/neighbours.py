"""Precision, recall, density and coverage: fidelity and diversity, told apart by nearest neighbours."""

from __future__ import annotations

import msgspec
import numpy as np
from jaxtyping import Float64

from lineshape.errors import DataError
from lineshape_training.validation.metrics.blocks import Real, Synthetic, blocks, comparable, squared_distances

INSIDE = 1 - 1e-9  # of a squared radius: a neighbour on the sphere itself is outside, however its distance was rounded


class PRDC(msgspec.Struct, frozen=True):
    """Fidelity (precision, density) and diversity (recall, coverage); larger is better.

    Precision, recall and coverage go from 0 to 1. Density counts, so it may pass 1 where synthetic spectra crowd where
    real ones are dense; it expects 1 of a perfect generator.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(synthetic: Synthetic, real: Real, k: int = 5) -> PRDC:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020, equations 1 to 4).

    With the ball of a spectrum reaching to (and excluding) its k-th nearest neighbour on its own side: precision is the
    share of synthetic spectra within some real spectrum's ball, recall that of real ones within some synthetic one's,
    density the number of real balls around a synthetic spectrum divided by `k`, and coverage the share of real spectra
    with a synthetic one in their ball. None of them notices copies of the training set: those score highest.

    Raises
    ------
    DataError
        If a side has no more than `k` spectra.
    """
    if min(len(synthetic), len(real)) <= k:
        raise DataError(f"{min(len(synthetic), len(real))} spectra have no {k} nearest neighbours; use a smaller k")
    synthetic, real = comparable(synthetic, real)
    real_ball, synthetic_ball = _squared_radii(real, k) * INSIDE, _squared_radii(synthetic, k) * INSIDE
    covering = np.empty(len(synthetic))  # real balls around each synthetic spectrum
    covered = np.zeros((2, len(real)), dtype=bool)  # by a synthetic ball; with a synthetic spectrum in the own ball
    for rows in blocks(len(synthetic), len(real)):
        distances = squared_distances(synthetic[rows], real)
        within_real = distances < real_ball
        covering[rows] = within_real.sum(axis=1)
        covered |= [(distances < synthetic_ball[rows, None]).any(axis=0), within_real.any(axis=0)]
    recall, coverage = covered.mean(axis=1)
    return PRDC(float((covering > 0).mean()), float(recall), float(covering.mean() / k), float(coverage))


def _squared_radii(spectra: Float64[np.ndarray, "n L"], k: int) -> Float64[np.ndarray, " n"]:
    """Squared distance of every spectrum from its k-th nearest neighbour other than itself."""
    radii = np.empty(len(spectra))
    for rows in blocks(len(spectra), len(spectra)):
        distances = squared_distances(spectra[rows], spectra)
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = -1  # itself comes first
        radii[rows] = np.partition(distances, k, axis=1)[:, k]
    return radii
