"""What is read of a source spectrum before anything is learned: the lines in it, and its slopes.

Slopes tell specimens apart better than intensities do: a background, and how strong a laser makes a line, weigh
little in them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape_training.lineshapes import profile
from lineshape_training.peaks import LineShapeBank
from lineshape_training.spectrogen.config import SpectroGenConfig

NARROW = (7.0, 3.5)  # FWHM, in grid points, of the lines whose slopes are taken of the spectrum and of its square
STRIDE = 3
TINY = 1e-6


class Reading(nn.Module):
    """Prepared source and mask to features [n, F] and slopes [n, S].

    Parameters
    ----------
    config : SpectroGenConfig
    length : int
        Points of a source spectrum.
    shape : float
        Lorentzian fraction of the source modality's lines.
    """

    mean: Tensor
    scale: Tensor
    slope_kernels: Tensor

    def __init__(self, config: SpectroGenConfig, length: int, shape: float) -> None:
        super().__init__()
        self.cell = config.cell
        self.bank = LineShapeBank(shape, config.source_widths, config.cell)
        self.features = len(config.source_widths) * -(-length // config.cell)
        self.slopes = 2 * len(range(0, length, STRIDE))
        x = torch.arange(-3 * NARROW[0], 3 * NARROW[0] + 1)
        lines = profile(x, torch.zeros(1), torch.tensor(NARROW)[:, None], shape)
        rising = torch.gradient(lines / lines.sum(1, keepdim=True), dim=1)[0]
        self.register_buffer("slope_kernels", rising[:, None], persistent=False)
        self.register_buffer("mean", torch.zeros(self.features))
        self.register_buffer("scale", torch.ones(1))

    @torch.no_grad()
    def begin(self, sources: Float[Tensor, "n L"]) -> None:
        """Centre and scale the features by these spectra."""
        found = self._found(sources)
        self.mean.copy_(found.mean(0))
        self.scale.fill_(float((found - found.mean(0)).std()) + TINY)

    def forward(self, source: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> tuple[Tensor, Tensor]:
        """Standardised features [n, F], and slopes [n, S] of unit length."""
        return self.standardised(source), self._slopes(source, mask)

    def standardised(self, source: Float[Tensor, "n L"]) -> Float[Tensor, "n F"]:
        """What the filters find, cell by cell."""
        features: Tensor = (self._found(source) - self.mean) / self.scale
        return features

    def _found(self, source: Tensor) -> Tensor:
        found: Tensor = self.bank(source)
        return found.flatten(1)

    def _slopes(self, source: Tensor, mask: Tensor) -> Tensor:
        """Of the spectrum and of its square, each of unit length, together of unit length."""
        both, reach = torch.stack([source, source**2], dim=1), self.slope_kernels.shape[2] // 2
        rising = F.conv1d(both, self.slope_kernels, stride=STRIDE, padding=reach, groups=2) * mask[:, None, ::STRIDE]
        unit: Tensor = rising / (rising.square().sum(2, keepdim=True) + TINY).sqrt()
        slopes: Tensor = unit.flatten(1) * 0.5**0.5
        return slopes
