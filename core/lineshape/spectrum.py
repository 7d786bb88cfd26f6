"""A spectrum: intensities on an axis, with what is known about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis, Unit
from lineshape.errors import DataError


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Intensities on an axis.

    Parameters
    ----------
    intensities : float64 [n]
        Finite intensities, one for each point of `axis`.
    axis : SpectralAxis
    metadata : mapping of str to str
        What the file said: instrument, laser, sample, date.
    notes : tuple of str
        What was mended on the way in, one sentence each; nothing is mended silently.

    Raises
    ------
    DataError
        If the intensities do not fit the axis or are not finite.
    """

    intensities: NDArray[np.float64]
    axis: SpectralAxis
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        intensities = np.array(self.intensities, dtype=np.float64)
        if intensities.shape != (len(self.axis),):
            raise DataError(f"{intensities.shape} intensities do not fit an axis of {len(self.axis)} points")
        if not np.isfinite(intensities).all():
            at = self.axis.values[int(np.argmin(np.isfinite(intensities)))]
            raise DataError(f"the intensity at {at:g} {self.axis.unit} is not a finite number")
        intensities.setflags(write=False)
        object.__setattr__(self, "intensities", intensities)
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    def __len__(self) -> int:
        return len(self.axis)

    def ascending(self) -> Spectrum:
        """The same spectrum with its axis rising."""
        if self.axis.order == "ascending":
            return self
        return replace(self, intensities=self.intensities[::-1], axis=self.axis.reversed())

    def to(self, unit: Unit) -> Spectrum:
        """The same spectrum with its axis in another unit; intensities are not rescaled (no Jacobian)."""
        return replace(self, axis=self.axis.to(unit))

    def noted(self, *notes: str) -> Spectrum:
        """The same spectrum with further notes."""
        return replace(self, notes=self.notes + notes)
