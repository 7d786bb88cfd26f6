"""What a fitted family hands to export: a pure tensor function with its tensors declared.

No state, no random op, no op that mixes the rows of a batch; every tensor is rank 2, batch first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lineshape.bundle import TensorSpec
from lineshape.noise import DETECTOR
from lineshape_training.seeded import Normals


class Contract(nn.Module):
    """A module whose `forward` takes `inputs` in order and returns `outputs` in order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    detector: int = 0  # so many of a sampler's noise, the last ones, are the noise of the detector

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The function itself."""
        raise NotImplementedError


class Seeded(Contract):
    """The seeded form of a sampler: `seed` (seed, sample index) in the place of its `noise`."""

    def __init__(self, sampler: Contract) -> None:
        super().__init__()
        noise, *conditions = sampler.inputs
        self.inputs = (TensorSpec("seed", "INT64", (-1, 2), "seed", "seed, sample index"), *conditions)
        self.outputs = sampler.outputs
        self.detector = sampler.detector
        self.latent = Normals(noise.shape[1] - self.detector)
        self.grain = Normals(self.detector, DETECTOR) if self.detector else None
        self.sampler = sampler

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Draw the noise of each row, then sample."""
        seed, *conditions = inputs
        noise = self.latent(seed) if self.grain is None else torch.cat([self.latent(seed), self.grain(seed)], dim=1)
        outputs: tuple[Tensor, ...] = self.sampler(noise, *conditions)
        return outputs
