"""The numbers in which a spectrum is diffused."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineshape_training.diffusion.detector import Detector

MOST = 4096  # spectra that the directions are taken from
DIRECTIONS = 128
FLOOR = 0.01  # variance, in standardised intensities, below which a direction counts for no more


class Coordinates(nn.Module, ABC):
    """A way from standardised spectra to numbers of like size, and back.

    Parameters
    ----------
    size : int
        How many numbers.
    detector : int
        Standard normals that the way back takes beside them, for the noise of the detector.
    """

    def __init__(self, size: int, detector: int) -> None:
        super().__init__()
        self.size, self.detector = size, detector

    @abstractmethod
    def begin(self, spectra: Float[Tensor, "n L"], mean: Float[Tensor, " L"]) -> None:
        """Learn what can be learned without descent from the spectra of the fit, and the mean taken from them."""

    @abstractmethod
    def read(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n d"]:
        """Standardised spectra to numbers."""

    @abstractmethod
    def written(self, numbers: Float[Tensor, "n d"], noise: Float[Tensor, "n detector"]) -> Float[Tensor, "n L"]:
        """Numbers and the detector's standard normals to standardised spectra."""


class HalfWhitened(Coordinates):
    """The signal and, at knots along the axis, the logarithm of the detector's noise: both are drawn together.

    A few broad shapes hold nearly all the variance of spectra, and would drown what tells classes apart. The signal's
    principal directions are therefore divided by the fourth root of their variances: half of the way to equal ones.
    Directions that no spectrum of the fit has taken are kept, at the scale of the faintest.

    Parameters
    ----------
    length : int
        Points of a spectrum.
    """

    directions: Tensor
    gains: Tensor
    scale: Tensor

    def __init__(self, length: int) -> None:
        detector = Detector(length)
        super().__init__(length + detector.knots, length)
        self.length, self.noise = length, detector
        self.register_buffer("directions", torch.zeros(DIRECTIONS, length))
        self.register_buffer("gains", torch.zeros(2, DIRECTIONS))  # beyond those of all others, there and back
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def begin(self, spectra: Float[Tensor, "n L"], mean: Float[Tensor, " L"]) -> None:
        """The detector's noise, then the directions of the rest and their variances."""
        self.noise.begin(spectra, mean)
        signal = self.noise.signal(spectra[torch.linspace(0, len(spectra) - 1, min(MOST, len(spectra))).long()])
        _, values, directions = torch.linalg.svd(signal, full_matrices=False)
        rank = min(DIRECTIONS, len(values))
        variance = values[:rank] ** 2 / len(signal)
        self.directions[:rank] = directions[:rank]
        gains = ((variance + FLOOR) / FLOOR) ** 0.25
        self.gains[:, :rank] = torch.stack([1 / gains - 1, gains - 1])
        self.scale.copy_(self._turned(signal, 0).square().mean().sqrt())

    def read(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n d"]:
        """Signal and noise levels."""
        signal = self.noise.signal(spectra)
        return torch.cat([self._turned(signal, 0) / self.scale, self.noise.levels(spectra, signal)], dim=1)

    def written(self, numbers: Float[Tensor, "n d"], noise: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
        """The signal, and the detector's noise at these levels."""
        signal, levels = self._turned(numbers[:, : self.length] * self.scale, 1), numbers[:, self.length :]
        grain: Tensor = self.noise(levels, signal, noise)
        return signal + grain

    def _turned(self, signal: Float[Tensor, "n L"], back: int) -> Float[Tensor, "n L"]:
        turned: Tensor = signal + ((signal @ self.directions.T) * self.gains[back]) @ self.directions
        return turned
