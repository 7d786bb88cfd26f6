"""A denoiser that can be served: dense layers over the whole spectrum.

Lines stand at the same wavenumbers in every spectrum of a material, so each point may well have weights of its own; a
weight is then used once for each spectrum, and an evaluation costs no more than reading the weights. The layers between
are narrower than the spectrum: what a spectrum may be fits through them, noise at every point does not, so that such a
network estimates the spectrum (Li and He, 2025), never the noise. Time and conditions scale and shift the layers
(Peebles and Xie, 2023).
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape_training.networks.context import Context

CONTEXT = 128


class Block(nn.Module):
    """A residual layer that does nothing before the first step.

    Parameters
    ----------
    width, context : int
    """

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(context, 3 * width)
        self.inward, self.outward = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, hidden: Float[Tensor, "n w"], context: Float[Tensor, "n e"]) -> Float[Tensor, "n w"]:
        """The next layer."""
        scale, shift, gate = self.modulation(context).chunk(3, dim=1)
        inner: Tensor = F.gelu(self.inward(self.norm(hidden) * (1 + scale) + shift))
        out: Tensor = hidden + gate * self.outward(inner)
        return out


class DenseDenoiser(nn.Module):
    """Noisy numbers, time, length of the step and conditions to numbers.

    Parameters
    ----------
    size, told : int
        Numbers of a spectrum and of a condition.
    width, blocks : int
        Of the layers between.
    """

    def __init__(self, size: int, told: int, width: int, blocks: int) -> None:
        super().__init__()
        self.context = Context(told, CONTEXT)
        self.read = nn.Linear(size, width)
        self.blocks = nn.ModuleList(Block(width, CONTEXT) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.write = nn.Linear(width, size)
        nn.init.zeros_(self.write.weight)

    def forward(
        self, z: Float[Tensor, "n d"], time: Float[Tensor, "m 1"], stride: Float[Tensor, "m 1"],
        told: Float[Tensor, "n c"],
    ) -> Float[Tensor, "n d"]:  # fmt: skip
        """What the network says; times may be one for all rows."""
        context, hidden = self.context(time, stride, told), self.read(z)
        for block in self.blocks:
            hidden = block(hidden, context)
        said: Tensor = self.write(self.norm(hidden))
        return said
