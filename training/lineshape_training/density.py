"""How amounts of analytes are distributed, without the spectra that they belong to: to ask a generator for likely ones.

A Gaussian copula: each analyte's amounts go by their ranks to standard normals, whose correlation is kept beside the
quantiles of each. Sampling goes the other way, from seeded normals; between quantiles amounts are spread evenly, so
that few stand exactly where one of the fit stood.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64
from msgspec import Struct
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from lineshape import noise

AMOUNTS = 2  # a stream of noise of its own, beside those for spectra and detectors
LEVELS = 33  # quantiles of an analyte
LEAST = 1e-3  # share of a direction in the normal scores' correlation that gaps in the amounts may leave below 0


class Density(Struct, frozen=True, forbid_unknown_fields=True):
    """The joint density of k amounts.

    Parameters
    ----------
    quantiles : tuple of tuples of float [k][LEVELS]
        At evenly spaced shares from 0 to 1, in the user's units.
    correlation : tuple of tuples of float [k][k]
        Of the normal scores.
    """

    quantiles: tuple[tuple[float, ...], ...]
    correlation: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, amounts: Float64[np.ndarray, "n k"]) -> Density:
        """The density of measured amounts; NaN where one is missing."""
        levels = np.linspace(0, 1, LEVELS)
        quantiles = [np.nanquantile(column, levels).tolist() for column in amounts.T]
        scores = np.stack([_normal_scores(column) for column in amounts.T], axis=1)
        return cls(tuple(map(tuple, quantiles)), tuple(map(tuple, _correlation(scores).tolist())))

    def sample(self, seed: int, n: int) -> Float64[np.ndarray, "n k"]:
        """Amounts 0 to n - 1 of a seed: row i is the same whatever n."""
        normals = noise.normals(noise.seeds(seed, n), len(self.quantiles), AMOUNTS).astype(np.float64)
        shares = ndtr(normals @ np.linalg.cholesky(np.array(self.correlation)).T)
        levels = np.linspace(0, 1, LEVELS)
        return np.stack([np.interp(shares[:, k], levels, row) for k, row in enumerate(self.quantiles)], axis=1)


def _normal_scores(amounts: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Standard normals in the order of the amounts (van der Waerden's scores); 0, the middle, where one is missing."""
    known = np.isfinite(amounts)
    scores = np.zeros(len(amounts))
    scores[known] = ndtri(rankdata(amounts[known]) / (known.sum() + 1))
    return scores


def _correlation(scores: Float[np.ndarray, "n k"]) -> Float64[np.ndarray, "k k"]:
    """Correlation over the rows that have both amounts, brought back to one that a Gaussian can have."""
    both = (scores != 0).astype(np.float64)
    squares = (scores**2).T @ both
    found = scores.T @ scores / np.sqrt(np.maximum(squares * squares.T, np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(found)
    mended = (vectors * np.maximum(values, LEAST)) @ vectors.T
    scale = np.sqrt(np.diag(mended))
    return np.asarray(mended / np.outer(scale, scale))
