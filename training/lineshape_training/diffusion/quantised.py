"""Spectra diffused as the cells of a vector-quantised autoencoder, which is fitted before they are."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lineshape_training.diffusion.coordinates import Coordinates
from lineshape_training.diffusion.detector import Detector
from lineshape_training.family import Tensors
from lineshape_training.networks.quantised import DECAY, Codebook, Decoder, Encoder, Figure, Layout, Line, summed

LayoutName: TypeAlias = Literal["line", "figure"]

LAYOUTS: dict[str, type[Layout]] = {"line": Line, "figure": Figure}
COMMITMENT = 0.25
OFFERS = 8  # cells that each spectrum of a batch offers to dead codes
FIRST = 4096  # spectra whose cells the codes start from
NARROWEST = 1e-3  # spread of a number


class QuantisedLatent(Coordinates):
    """The signal as cells before they are quantised, and the detector's noise at knots along the axis.

    The decoder is shown codes for one half of the spectra, cells for the other: it learns to draw from both. What is
    drawn is decoded as it is, for which of two codes is the next one can hang on the last digit.

    Parameters
    ----------
    length : int
        Points of a spectrum.
    layout : str
        ``line`` or ``figure``.
    width, channels, codes : int
        Channels of the first convolution, numbers of a cell, codes in the book.
    """

    middle: Tensor
    square: Tensor

    def __init__(self, length: int, layout: LayoutName, width: int, channels: int, codes: int) -> None:
        detector, laid = Detector(length), LAYOUTS[layout](length)
        super().__init__(laid.cells * channels + detector.knots, length)
        self.cells, self.channels, self.noise = laid.cells, channels, detector
        self.encoder, self.decoder = Encoder(laid, width, channels), Decoder(laid, width, channels)
        self.codebook = Codebook(codes, channels)
        self.register_buffer("middle", torch.zeros(laid.cells, channels))
        self.register_buffer("square", torch.ones(laid.cells, channels))

    @torch.no_grad()
    def begin(self, spectra: Float[Tensor, "n L"], mean: Float[Tensor, " L"]) -> None:
        """The detector's noise; codes, means and spreads of the cells as they are before the first step."""
        self.noise.begin(spectra, mean)
        some = torch.linspace(0, len(spectra) - 1, min(FIRST, len(spectra)), device=spectra.device)
        cells = self.encoder(self.noise.signal(spectra[some.long()]))
        self.codebook.begin(cells.flatten(0, 1))
        self._measure(cells, 1.0)

    def read(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n d"]:
        """Cells and noise levels; nothing is learned through them."""
        with torch.no_grad():
            signal = self.noise.signal(spectra)
            cells = (self.encoder(signal) - self.middle) / self._spread
            return torch.cat([cells.flatten(1), self.noise.levels(spectra, signal)], dim=1)

    def written(self, numbers: Float[Tensor, "n d"], noise: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
        """The signal, and the detector's noise at these levels."""
        size = self.cells * self.channels
        cells = torch.unflatten(numbers[:, :size], 1, (self.cells, self.channels))
        signal = self._signal(self.middle + self._spread * cells)
        signal = self._signal(self.middle + self._spread * cells)
        grain: Tensor = self.noise(numbers[:, size:], signal, noise)
        return signal + grain

    def draws(self, n: int, device: torch.device) -> Tensors:
        """Which spectra are shown to the decoder as codes, which cells are offered, and to which codes."""
        return {
            "coded": torch.rand(n, 1, 1, device=device) < 0.5,
            "offered": torch.randint(self.cells, (n, OFFERS), device=device),
            "to": torch.randint(len(self.codebook.codes), (n, OFFERS), device=device),
        }

    def learn(self, spectra: Float[Tensor, "n L"], mask: Float[Tensor, "n L"], coded: Bool[Tensor, "n 1 1"],
              offered: Int[Tensor, "n k"], to: Int[Tensor, "n k"]) -> Tensors:  # fmt: skip
        """One step of the autoencoder: terms of its loss; the codes and the measures of cells move on the way."""
        signal = self.noise.signal(spectra)
        cells = self.encoder(signal)
        nearest = self.codebook.nearest(cells.detach().flatten(0, 1))
        codes = self.codebook.codes[nearest].view_as(cells)
        self._follow(cells.detach(), nearest, offered, to)
        decoded = self._signal(torch.where(coded, cells + (codes - cells).detach(), cells))
        return {
            "reconstruction": ((decoded - signal) ** 2 * mask).mean(),
            "commitment": COMMITMENT * (cells - codes).square().mean(),
        }

    def _signal(self, cells: Float[Tensor, "n cells c"]) -> Float[Tensor, "n L"]:
        """What cells mean; a signal holds nothing that its filter would not pass, and seams between cells are such."""
        return self.noise.signal(self.decoder(cells))

    def _follow(self, cells: Float[Tensor, "n cells c"], nearest: Int[Tensor, " m"], offered: Int[Tensor, "n k"],
                to: Int[Tensor, "n k"]) -> None:  # fmt: skip
        offers = cells.gather(1, offered[:, :, None].expand(-1, -1, self.channels))
        self.codebook.follow(cells.flatten(0, 1), nearest, offers.flatten(0, 1), to.flatten())
        self._measure(cells, 1 - DECAY)

    def _measure(self, cells: Float[Tensor, "n cells c"], share: float) -> None:
        """Move mean and mean square of each number by a share towards those of a batch."""
        both = torch.stack([cells.sum(0), cells.square().sum(0), torch.full_like(cells[0], cells.shape[0])])
        sums, squares, count = summed(both)
        self.middle.lerp_(sums / count, share)
        self.square.lerp_(squares / count, share)

    @property
    def _spread(self) -> Float[Tensor, "cells c"]:
        return (self.square - self.middle**2).clamp(min=NARROWEST**2).sqrt()
