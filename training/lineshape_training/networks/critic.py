"""A critic of spectra, and its slope: the gradient of its answer with respect to the spectrum, as forward operations.

Strided convolutions, then dense layers, with leaky rectifiers between them. Such a network is linear in pieces: with
`s` the slopes (1 or .2) of the rectifiers at a spectrum, the gradient there is

    W1' s1 W2' s2 ... h,    h = head + projection of the condition

that is, transposed layers and the slopes, which are constant almost everywhere. A penalty on it descends by the usual
single backward pass through these operations; no gradient of a gradient is taken, and nothing of the pass that found
the slopes is kept. A condition enters by a projection on the last features (Miyato and Koyama, 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 4
TAPS = 8
PADDING = 4  # every point is met by two windows, whatever the length; L points become L // 4 + 1
SLOPE = 0.2


class Critic(nn.Module):
    """One number for each spectrum; no row of a batch is seen by another.

    Parameters
    ----------
    length : int
    channels : ints
        Of the convolutions, each of which divides the points by 4; none for a dense network.
    hidden : ints
        Widths of the dense layers; at least one.
    told : int
        Numbers of a condition, 0 for an unconditional critic.
    """

    def __init__(self, length: int, channels: Sequence[int], hidden: Sequence[int], told: int = 0) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inward, outward, (1, TAPS), (1, STRIDE), (0, PADDING))
            for inward, outward in pairwise([1, *channels])
        )
        self.lengths = [length]  # before each convolution and after the last
        for _ in channels:
            self.lengths.append(self.lengths[-1] // STRIDE + 1)
        features = [1, *channels][-1] * self.lengths[-1]
        self.dense = nn.ModuleList(nn.Linear(inward, outward) for inward, outward in pairwise([features, *hidden]))
        self.head = nn.Linear(hidden[-1], 1)
        self.projection = nn.Linear(told, hidden[-1], bias=False) if told else None
        for layer in (*self.convolutions, *self.dense):
            nn.init.kaiming_normal_(layer.weight, SLOPE)

    def forward(self, spectra: Float[Tensor, "n L"], condition: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
        """How real each spectrum looks."""
        return (self._features(spectra) * self._direction(condition)).sum(1) + self.head.bias

    def input_gradient(self, spectra: Float[Tensor, "n L"], condition: Float[Tensor, "n c"]) -> Float[Tensor, "n L"]:
        """The gradient of each answer by its spectrum; differentiable by the weights, constant in the spectra."""
        gradient = self._direction(condition)
        slopes: list[Tensor] = []
        with torch.no_grad():
            self._features(spectra, slopes)
        for dense in reversed(self.dense):
            gradient = (gradient * slopes.pop()) @ cast(nn.Linear, dense).weight
        gradient = self._image(gradient)
        for layer, before, after in reversed([*zip(self.convolutions, self.lengths, self.lengths[1:], strict=False)]):
            left = before - STRIDE * (after - 1)  # points behind the last whole stride
            weight = cast(nn.Conv2d, layer).weight
            gradient = F.conv_transpose2d(gradient * slopes.pop(), weight, None, (1, STRIDE), (0, PADDING), (0, left))
        return gradient.flatten(1)

    def _features(self, spectra: Float[Tensor, "n L"], slopes: list[Tensor] | None = None) -> Float[Tensor, "n f"]:
        """The last features; the slopes of all rectifiers are noted where a list is given."""
        hidden = spectra[:, None, :, None].permute(0, 3, 1, 2)
        for layer in self.convolutions:
            hidden = _rectified(layer(hidden), slopes)
        hidden = hidden.permute(0, 2, 3, 1).flatten(1)
        for layer in self.dense:
            hidden = _rectified(layer(hidden), slopes)
        return hidden

    def _image(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n c 1 T"]:
        """The input of the first dense layer as the last convolution left it."""
        return features.reshape(len(features), 1, self.lengths[-1], -1).permute(0, 3, 1, 2)

    def _direction(self, condition: Float[Tensor, "n c"]) -> Float[Tensor, "n f"]:
        """What the last features are multiplied by."""
        head = self.head.weight.expand(len(condition), -1)
        return head + self.projection(condition) if self.projection else head


def _rectified(hidden: Tensor, slopes: list[Tensor] | None) -> Tensor:
    """A leaky rectifier that notes its slopes where it is asked to."""
    if slopes is None:
        return F.leaky_relu(hidden, SLOPE)
    slopes.append(torch.where(hidden > 0, hidden.new_ones(()), SLOPE))
    return hidden * slopes[-1]
