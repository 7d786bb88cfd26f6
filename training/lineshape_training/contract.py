"""What a fitted family hands to export: a pure tensor function with its tensors declared.

No state, no random op, no op that mixes the rows of a batch; every tensor is rank 2, batch first.
"""

from __future__ import annotations

from torch import Tensor, nn

from lineshape.bundle import TensorSpec
from lineshape_training.seeded import Normals

SEED = TensorSpec("seed", "INT64", (-1, 2), "seed", "seed, sample index")


class Contract(nn.Module):
    """A module whose `forward` takes `inputs` in order and returns `outputs` in order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    detector: int = 0  # so many of a sampler's noise, the last ones, are the noise of the detector

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The function itself."""
        raise NotImplementedError


class Drawing(Contract):
    """Noise alone: `seed` to the `noise` that a sampler takes."""

    inputs = (SEED,)

    def __init__(self, latent: int, detector: int) -> None:
        super().__init__()
        self.outputs = (TensorSpec("noise", "FP32", (-1, latent + detector), "noise", "standard normal"),)
        self.normals = Normals(latent, detector)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Draw the noise of each row."""
        return (self.normals(*inputs),)


class Seeded(Contract):
    """The seeded form of a sampler: `seed` (seed, sample index) in the place of its `noise`."""

    def __init__(self, sampler: Contract) -> None:
        super().__init__()
        noise, *conditions = sampler.inputs
        self.inputs = (SEED, *conditions)
        self.outputs = sampler.outputs
        self.detector = sampler.detector
        self.normals = Normals(noise.shape[1] - self.detector, self.detector)
        self.sampler = sampler

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Draw the noise of each row, then sample."""
        seed, *conditions = inputs
        outputs: tuple[Tensor, ...] = self.sampler(self.normals(seed), *conditions)
        return outputs
