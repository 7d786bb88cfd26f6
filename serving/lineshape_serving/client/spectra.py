"""Spectra that share an axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.spectrum import Spectrum


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra on one axis: as arrays, or one by one.

    Parameters
    ----------
    axis : SpectralAxis [L]
    intensities : float32 [n, L]
        Relative intensities.
    """

    axis: SpectralAxis
    intensities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.intensities)

    def __getitem__(self, row: int) -> Spectrum:
        return Spectrum(self.intensities[row].astype(np.float64), self.axis)

    def __iter__(self) -> Iterator[Spectrum]:
        return map(self.__getitem__, range(len(self)))
