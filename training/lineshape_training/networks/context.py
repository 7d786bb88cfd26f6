"""What a denoiser is told beside the noisy spectrum: the time, how far the step goes, and the conditions."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

FREQUENCIES = 32
HIGHEST = 20.0  # radians over the whole path: faster features make students of few steps rough in time


class Context(nn.Module):
    """Time, length of the step and conditions as one vector.

    Parameters
    ----------
    told : int
        Numbers of a condition.
    width : int
        Of the vector.
    """

    frequencies: Tensor

    def __init__(self, told: int, width: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(0, math.log10(HIGHEST), FREQUENCIES), persistent=False)
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.stride = nn.Linear(2 * FREQUENCIES, width, bias=False)
        self.told = nn.Linear(max(told, 1), width, bias=False)
        nn.init.zeros_(self.stride.weight)  # most networks are never told how far a step goes

    def forward(
        self, time: Float[Tensor, "m 1"], stride: Float[Tensor, "m 1"], told: Float[Tensor, "n c"]
    ) -> Float[Tensor, "n width"]:
        """The context of each row; one time may stand for all of them."""
        known = told if told.shape[1] else torch.zeros_like(told.sum(1, keepdim=True))
        context: Tensor = F.silu(self.time(self._waves(time)) + self.stride(self._waves(stride)) + self.told(known))
        return context

    def _waves(self, time: Float[Tensor, "m 1"]) -> Float[Tensor, "m f"]:
        angle = time * self.frequencies
        return torch.cat([torch.sin(angle), torch.cos(angle)], dim=1)
