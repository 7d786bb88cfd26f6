"""Leading principal components, by Lanczos iteration on the smaller of the two Gram matrices.

A handful of directions costs a small part of a full decomposition that way.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.sparse.linalg import eigsh

_NOTHING = 1e-10  # share of the largest variance below which there is none


def components(
    centred: Float64[np.ndarray, "n L"], most: int
) -> tuple[Float64[np.ndarray, "k L"], Float64[np.ndarray, " k"]]:
    """Orthonormal directions of the largest variances, largest first, and the standard deviations along them.

    Parameters
    ----------
    centred : float64 [n, L]
        Spectra less their mean (or class means).
    most : int
        How many are wanted; there are fewer where the spectra vary in fewer directions.
    """
    wide = len(centred) < centred.shape[1]
    gram = centred @ centred.T if wide else centred.T @ centred
    start = np.random.default_rng(0).normal(size=len(gram))  # seeded: the same answer at every run
    if not gram.any():
        return np.empty((0, centred.shape[1])), np.empty(0)
    # a tolerance of the variances: the directions themselves come out far closer
    squares, vectors = eigsh(gram, min(most, len(gram) - 1), v0=start, tol=1e-6)
    real = squares > _NOTHING * squares.max()
    squares, vectors = squares[real][::-1], vectors[:, real][:, ::-1]
    directions = (vectors.T @ centred) / np.sqrt(squares)[:, None] if wide else vectors.T
    return np.ascontiguousarray(directions), np.sqrt(squares / len(centred))
