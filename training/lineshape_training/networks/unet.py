"""A one-dimensional U-Net at full resolution (Ronneberger et al., 2015; Ho et al., 2020): the reference denoiser.

Its convolutions see every point at every evaluation, which makes it some twenty times as dear as `networks.dense`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape_training.networks.context import Context

CONTEXT = 128
TAPS = 5
GROUPS = 4


class Residual(nn.Module):
    """Two convolutions that the context scales and shifts between.

    Parameters
    ----------
    inward, outward : int
        Channels.
    """

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(GROUPS, inward), nn.SiLU(), nn.Conv1d(inward, outward, TAPS, padding=TAPS // 2)
        )
        self.norm = nn.GroupNorm(GROUPS, outward)
        self.second = nn.Conv1d(outward, outward, TAPS, padding=TAPS // 2)
        self.modulation = nn.Linear(CONTEXT, 2 * outward)
        self.past = nn.Conv1d(inward, outward, 1) if inward != outward else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, hidden: Float[Tensor, "n i T"], context: Float[Tensor, "n e"]) -> Float[Tensor, "n o T"]:
        """The next layer."""
        scale, shift = self.modulation(context)[:, :, None].chunk(2, dim=1)
        inner = self.second(F.silu(self.norm(self.first(hidden)) * (1 + scale) + shift))
        out: Tensor = self.past(hidden) + inner
        return out


class UNet(nn.Module):
    """Noisy numbers, time, length of the step and conditions to numbers; parameters as of `DenseDenoiser`.

    Parameters
    ----------
    size, told : int
        Numbers of a spectrum and of a condition.
    width : int
        Channels at full resolution, a multiple of 4; twice as many from the second level on.
    blocks : int
        Levels, each of half the points.
    """

    def __init__(self, size: int, told: int, width: int, blocks: int) -> None:
        super().__init__()
        self.size, self.whole = size, 2 ** (blocks - 1)
        widths = [width, *[2 * width] * (blocks - 1)]
        self.context = Context(told, CONTEXT)
        self.read = nn.Conv1d(1, width, TAPS, padding=TAPS // 2)
        pairs = list(zip([width, *widths], widths, strict=False))
        self.down = nn.ModuleList(Residual(*pair) for pair in pairs)
        self.halve = nn.ModuleList(nn.Conv1d(w, w, 4, 2, 1) for w in widths[:-1])
        self.middle = Residual(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            Residual(after + own, own) for after, own in zip([*widths[1:], widths[-1]], widths, strict=True)
        )
        self.write = nn.Sequential(nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv1d(width, 1, TAPS, padding=TAPS // 2))

    def forward(
        self, z: Float[Tensor, "n d"], time: Float[Tensor, "m 1"], stride: Float[Tensor, "m 1"],
        told: Float[Tensor, "n c"],
    ) -> Float[Tensor, "n d"]:  # fmt: skip
        """What the network says; times may be one for all rows."""
        context = self.context(time, stride, told)
        hidden = self.read(F.pad(z, (0, -self.size % self.whole))[:, None])
        levels: list[Tensor] = []
        for level, block in enumerate(self.down):
            hidden = block(self.halve[level - 1](hidden) if level else hidden, context)
            levels.append(hidden)
        hidden = self.middle(hidden, context)
        for level in reversed(range(len(levels))):
            hidden = self.up[level](torch.cat([hidden, levels[level]], dim=1), context)
            hidden = F.interpolate(hidden, scale_factor=2.0, mode="nearest") if level else hidden
        said: Tensor = self.write(hidden)[:, 0, : self.size]
        return said
