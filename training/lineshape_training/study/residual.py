"""A residual network of one dimension, after He, Zhang, Ren and Sun (2016), for spectra of many classes."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from lineshape_training.study.networks import NetworkClassifier

WIDTHS = (24, 48, 96)  # channels of the three stages, each of half the length of the one before
GROUPS = 8  # of channels that are normalised together; with batches there would be no telling of one spectrum alone


class ResidualClassifier(NetworkClassifier):
    """A strided and pooled stem, three residual blocks of two convolutions, the mean over the axis, a linear layer."""

    steps: ClassVar[int] = 600
    batch: ClassVar[int] = 32
    rate: ClassVar[float] = 4e-3

    def network(self, classes: int) -> nn.Module:
        """A network with fresh weights."""
        first = WIDTHS[0]
        stem = [
            nn.Conv1d(1, first, 15, 2, 7, bias=False),
            nn.GroupNorm(GROUPS, first),
            nn.GELU(),
            nn.MaxPool1d(3, 2, 1),
        ]
        stages = [_Block(*ends) for ends in zip((first, *WIDTHS), WIDTHS, strict=False)]
        return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], classes))


class _Block(nn.Module):
    """Two convolutions beside a shortcut; the first halves the length."""

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, wider, 5, 2, 2, bias=False), nn.GroupNorm(GROUPS, wider), nn.GELU(),
            nn.Conv1d(wider, wider, 5, 1, 2, bias=False), nn.GroupNorm(GROUPS, wider),
        )  # fmt: skip
        self.shortcut = nn.Conv1d(channels, wider, 1, 2, bias=False)

    def forward(self, x: Float[Tensor, "n c L"]) -> Float[Tensor, "n w M"]:
        y: Tensor = nn.functional.gelu(self.body(x) + self.shortcut(x))
        return y
