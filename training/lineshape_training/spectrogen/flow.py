"""A flow from the source spectrum itself to the target, in a few steps, instead of from noise.

A straight path leads from each source, laid on the target's grid, to its target (Liu et al., Flow straight and fast,
ICLR 2023, with pairs that are given and not drawn). A network that is told the latent says where the path ends, seen
from any point of it; the velocity there is the rest of the way over the rest of the time.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineshape.bundle import AxisSpec
from lineshape_training.family import Tensors
from lineshape_training.spectrogen.config import SpectroGenConfig
from lineshape_training.spectrogen.decoder import Decoder

STIR = 0.05  # noise on the points of the path, so that what a step missed can be mended by the next


class Flow(Decoder):
    """`config.evaluations` steps of equal duration along learned paths.

    Parameters
    ----------
    config : SpectroGenConfig
    source, target : AxisSpec
    """

    start: Tensor

    def __init__(self, config: SpectroGenConfig, source: AxisSpec, target: AxisSpec) -> None:
        super().__init__()
        self.steps, self.length = config.evaluations, target.n
        self.register_buffer("start", laid(source, target), persistent=False)
        self.told = nn.Linear(config.latent, config.drawing)
        self.seen = nn.Linear(target.n + 1, config.drawing)
        self.end = nn.Sequential(nn.GELU(), nn.Dropout(0.1), nn.Linear(config.drawing, target.n))

    def forward(self, latent: Float[Tensor, "n latent"], source: Float[Tensor, "n S"]) -> Float[Tensor, "n L"]:
        """Where the path from the source ends."""
        here, told = source @ self.start, self.told(latent)
        for step in range(self.steps):
            end = self._end(here, torch.full_like(here[:, :1], step / self.steps), told)
            here = here + (end - here) / (self.steps - step)
        return here

    def draws(self, n: int, device: torch.device) -> Tensors:
        """A time on the path of each spectrum, and the noise there."""
        return {"time": torch.rand(n, 1, device=device), "stir": torch.randn(n, self.length, device=device)}

    def errors(self, latent: Float[Tensor, "n latent"], batch: Tensors, spread: Float[Tensor, ""]) -> Tensors:
        """Of the end, seen from one point of each path."""
        first, last, mask, time = batch["source"] @ self.start, batch["target"], batch["target_mask"], batch["time"]
        here = (1 - time) * first + time * last + STIR * (1 - time) * batch["stir"]
        missed = (self._end(here, time, self.told(latent)) - last) * mask
        return {"end": (missed / spread).square().sum() / mask.sum()}

    def _end(self, here: Tensor, time: Tensor, told: Tensor) -> Tensor:
        end: Tensor = self.end(told + self.seen(torch.cat([here, time], dim=1)))
        return end


def laid(source: AxisSpec, target: AxisSpec) -> Float[Tensor, "S L"]:
    """Interpolation of a source on the target's grid: at the same positions, or end to end where units differ."""
    from_, to = source.axis().values, target.axis().values
    if source.unit != target.unit:
        from_, to = (np.linspace(0, 1, axis.n) for axis in (source, target))
    order = np.argsort(from_)
    unit = np.eye(source.n)[order]
    laid = np.stack([np.interp(to, from_[order], column, left=0, right=0) for column in unit.T])
    return torch.from_numpy(laid.astype(np.float32))
