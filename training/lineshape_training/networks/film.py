"""A small denoiser told amounts: what goes with them in a straight line is measured, the rest is learnt."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineshape_training.diffusion.schedules import Schedule
from lineshape_training.networks.dense import DenseDenoiser

OCTAVES = 4  # of waves of an amount
SLOWEST = 0.5  # radians over a standard deviation of the amounts


class AmountWaves(nn.Module):
    """Rows of conditions with Fourier features beside the amounts, for what does not go with them in a straight line.

    Everything about an amount that is not known is 0, as in the row itself.

    Parameters
    ----------
    classes, analytes : int
        A row holds an indicator of each class, the standardised amounts, and whether each is known.
    """

    frequencies: Tensor

    def __init__(self, classes: int, analytes: int) -> None:
        super().__init__()
        self.classes, self.analytes = classes, analytes
        self.told = classes + 2 * analytes
        self.size = self.told + 2 * OCTAVES * analytes
        self.register_buffer("frequencies", SLOWEST * 2.0 ** torch.arange(OCTAVES), persistent=False)

    def forward(self, told: Float[Tensor, "n c"]) -> Float[Tensor, "n size"]:
        """The rows as they were, then sines and cosines."""
        if not self.analytes:
            return told
        amounts = told[:, self.classes : self.classes + self.analytes, None]
        known = told[:, self.classes + self.analytes :, None]
        angles = amounts * self.frequencies
        waves = torch.cat([known * torch.sin(angles), known * torch.cos(angles)], dim=2)
        return torch.cat([told, waves.flatten(1)], dim=1)


class FiLM(nn.Module):
    """Noisy numbers, time, length of the step and conditions to v; layers scaled and shifted (Perez et al., 2018).

    Absorbance is linear in concentration, in so many faint directions that no loss over all of them shows it well. The
    response to what is told is therefore taken from the spectra by least squares, r = c W, and the layers work on what
    is left: of z - alpha r they say v', and v = v' - sigma r. Before the first step, with v' = 0, the network thus
    draws normal scores around that line. A condition that is not shown is a row of 0, with no response.

    Parameters
    ----------
    size : int
        Numbers of a spectrum.
    classes, analytes : int
        See `AmountWaves`.
    width, blocks : int
        Of the layers between.
    schedule : Schedule
        Whose alpha and sigma, squared, add to 1.
    """

    response: Tensor

    def __init__(self, size: int, classes: int, analytes: int, width: int, blocks: int, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule
        self.waves = AmountWaves(classes, analytes)
        self.dense = DenseDenoiser(size, self.waves.size, width, blocks)
        self.register_buffer("response", torch.zeros(self.waves.told, size))

    @torch.no_grad()
    def begin(self, numbers: Float[Tensor, "n d"], told: Float[Tensor, "n c"]) -> None:
        """The least-squares response of spectra to what was told of them."""
        self.response.copy_(torch.linalg.pinv(told.double(), rtol=1e-6).to(numbers.dtype) @ numbers)

    def forward(
        self, z: Float[Tensor, "n d"], time: Float[Tensor, "m 1"], stride: Float[Tensor, "m 1"],
        told: Float[Tensor, "n c"],
    ) -> Float[Tensor, "n d"]:  # fmt: skip
        """What the network says; times may be one for all rows."""
        at, response = self.schedule.at(time), told @ self.response
        said: Tensor = self.dense(z - at.alpha * response, time, stride, self.waves(told)) - at.sigma * response
        return said
