"""Seeded noise in tensor operations: the text of `lineshape.noise`, for the inside of a graph.

Words are held in int64. A product of two of them may wrap round, but its lower 64 bits are right, and the mask after
the shift removes the sign that int64 drags in; so ONNX, TorchScript and numpy agree to the last bit.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lineshape.noise import LATENT, MULTIPLIERS, ROUNDS, WEYL

_LOW = 0xFFFFFFFF


def philox(counter: list[Int[Tensor, ...]], key: list[Int[Tensor, ...]]) -> list[Int[Tensor, ...]]:
    """Philox 4x32-10 on four counter words and two key words of equal shape."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(ROUNDS):
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        high0, high1 = (p0 >> 32) & _LOW, (p1 >> 32) & _LOW
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, p1 & _LOW, high0 ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + WEYL[0]) & _LOW, (k1 + WEYL[1]) & _LOW
    return [c0, c1, c2, c3]


class Normals(nn.Module):
    """(seed, sample index) int64 [n, 2] to standard normals float32 [n, count]; see `lineshape.noise.normals`."""

    blocks: Tensor

    def __init__(self, count: int, stream: int = LATENT) -> None:
        super().__init__()
        self.count, self.stream = count, stream
        self.register_buffer("blocks", torch.arange(-(-count // 4))[None, :], persistent=False)

    def forward(self, seed: Int[Tensor, "n 2"]) -> Float[Tensor, "n count"]:
        """Normals of each row."""
        key, index = seed[:, :1], seed[:, 1:]
        zero = torch.zeros_like(key * self.blocks)
        counter = [zero + self.blocks, zero + self.stream, zero + (index & _LOW), zero + ((index >> 32) & _LOW)]
        words = philox(counter, [zero + (key & _LOW), zero + ((key >> 32) & _LOW)])
        fractions = [(word >> 8).to(torch.float32) for word in words]
        pairs = [_box_muller(fractions[0], fractions[1]), _box_muller(fractions[2], fractions[3])]
        return torch.stack([*pairs[0], *pairs[1]], dim=-1).flatten(1)[:, : self.count]


def _box_muller(radial: Tensor, angular: Tensor) -> tuple[Tensor, Tensor]:
    radius = torch.sqrt(-2.0 * torch.log((radial + 1.0) * 2.0**-24))
    angle = (2.0 * math.pi) * (angular * 2.0**-24)
    return radius * torch.cos(angle), radius * torch.sin(angle)
