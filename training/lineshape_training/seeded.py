"""Seeded noise in tensor operations: the text of `lineshape.noise`, for the inside of a graph.

Words are held in int64. A product of two of them may wrap round, but its lower 64 bits are right, and the mask after
the shift removes the sign that int64 drags in; so ONNX, TorchScript and numpy agree to the last bit. Both halves of a
round travel in one tensor, because a graph pays for every node, when it runs and when it is exported.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lineshape.noise import DETECTOR, LATENT, MULTIPLIERS, ROUNDS, WEYL

_LOW = 0xFFFFFFFF


class Normals(nn.Module):
    """(seed, sample index) int64 [n, 2] to standard normals float32 [n, latent + detector].

    See `lineshape.noise.normals`; the last `detector` of them come from the stream of that name.
    """

    blocks: Tensor
    streams: Tensor
    multipliers: Tensor
    weyl: Tensor

    def __init__(self, latent: int, detector: int = 0) -> None:
        super().__init__()
        self.latent, self.detector = latent, detector
        wanted = {LATENT: -(-latent // 4), DETECTOR: -(-detector // 4)}  # blocks of four words
        self.start = 4 * wanted[LATENT]
        constants = {
            "blocks": torch.cat([torch.arange(count) for count in wanted.values()])[None, None],
            "streams": torch.cat([torch.full((count,), stream) for stream, count in wanted.items()])[None, None],
            "multipliers": torch.tensor(MULTIPLIERS)[:, None],
            "weyl": torch.tensor([turn * step for turn in range(ROUNDS) for step in WEYL])[:, None],
        }
        for name, constant in constants.items():
            self.register_buffer(name, constant, persistent=False)

    def forward(self, seed: Int[Tensor, "n 2"]) -> Float[Tensor, "n count"]:
        """Normals of each row."""
        radial, angular = self._words(seed[:, :1], seed[:, 1:])
        radius = torch.sqrt(-2.0 * torch.log(((radial >> 8).to(torch.float32) + 1.0) * 2.0**-24))
        angle = (2.0 * math.pi) * ((angular >> 8).to(torch.float32) * 2.0**-24)
        pairs = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)
        normals = pairs.transpose(1, 2).flatten(1)  # of each block the pair of its first words, then of its last
        grain = normals[:, self.start : self.start + self.detector]
        return torch.cat([normals[:, : self.latent], grain], dim=1) if self.detector else normals[:, : self.latent]

    def _words(self, key: Int[Tensor, "n 1"], index: Int[Tensor, "n 1"]) -> tuple[Tensor, Tensor]:
        """Philox 4x32-10: words 0 and 2, and words 1 and 3, of each block, each int64 [n, 2, blocks]."""
        low, high = (half[:, :, None] for half in (index & _LOW, (index >> 32) & _LOW))
        zero = torch.zeros_like(low * self.blocks)
        even = torch.cat([zero + self.blocks, zero + low], dim=1)
        odd = torch.cat([zero + self.streams, zero + high], dim=1)
        halves = torch.cat([key & _LOW, (key >> 32) & _LOW], dim=1)[:, :, None]
        keys = (halves.repeat(1, ROUNDS, 1) + self.weyl) & _LOW
        for turn in torch.split(keys, 2, dim=1):
            product = (even * self.multipliers).flip(1)
            even, odd = ((product >> 32) & _LOW) ^ odd ^ turn, product & _LOW
        return even, odd
