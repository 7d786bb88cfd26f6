"""All pairs of two sets of spectra, a few rows at a time, so that memory stays bounded however many there are.

Everything is computed in double precision by matrix multiplication. A squared distance is then off by about 1e-15 of
the spectra's squared size, so distances below some 1e-7 of a spectrum's size cannot be told from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Shaped

from lineshape.errors import DataError

Synthetic: TypeAlias = Float[np.ndarray, "n L"]
Real: TypeAlias = Float[np.ndarray, "m L"]
SyntheticGroups: TypeAlias = Shaped[np.ndarray, " n"]  # strings: the independent unit of each spectrum
RealGroups: TypeAlias = Shaped[np.ndarray, " m"]
Pairs: TypeAlias = Float64[np.ndarray, "n m"]

ENTRIES = 2**22  # of one block of pairs: 32 MiB


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of the rows of a table of pairs, each of about `ENTRIES` entries."""
    step = max(1, ENTRIES // columns)
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def squared_distances(a: Synthetic, b: Real) -> Pairs:
    """Squared Euclidean distance of every row of `a` from every row of `b`; call it on `blocks` of a large `a`."""
    centre = b.mean(axis=0, dtype=np.float64)  # distances between points far from the origin would lose their digits
    a, b = a - centre, b - centre
    distances: Pairs = a @ b.T
    distances *= -2
    distances += squared_norms(a)[:, None]
    distances += squared_norms(b)
    np.maximum(distances, 0, out=distances)
    return distances


def squared_norms(a: Synthetic) -> Float64[np.ndarray, " n"]:
    """Sum of squares of every row."""
    norms: Float64[np.ndarray, " n"] = np.einsum("ij,ij->i", a, a, dtype=np.float64)
    return norms


def comparable(
    synthetic: Float[np.ndarray, "_ _"], real: Float[np.ndarray, "_ _"]
) -> tuple[Float64[np.ndarray, "_ _"], Float64[np.ndarray, "_ _"]]:
    """Both sets in double precision.

    Raises
    ------
    DataError
        If a set is empty, the grids differ in length, or a value is not a finite number.
    """
    if synthetic.shape[1] != real.shape[1]:
        raise DataError(
            f"synthetic spectra have {synthetic.shape[1]} points and real ones {real.shape[1]}; put both on one grid"
        )
    return _finite(synthetic, "synthetic"), _finite(real, "real")


def _finite(spectra: Float[np.ndarray, "_ _"], side: str) -> Float64[np.ndarray, "_ _"]:
    if spectra.size == 0:
        raise DataError(f"the {side} set is empty; there is nothing to compare")
    sound = np.isfinite(spectra).all(axis=1)
    if not sound.all():
        raise DataError(
            f"{side} spectrum {int(np.argmin(sound))} holds a value that is not a finite number; leave it out"
        )
    return spectra.astype(np.float64)
