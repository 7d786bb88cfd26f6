"""A small convolutional classifier: three strided convolutions, pooled to eight cells, and a linear layer."""

from __future__ import annotations

from torch import nn

from lineshape_training.study.networks import NetworkClassifier

CHANNELS = 16


class ConvolutionalClassifier(NetworkClassifier):
    """Three strided convolutions, pooled to eight cells, and a linear layer."""

    def network(self, classes: int) -> nn.Module:
        """A network with fresh weights."""
        c = CHANNELS
        return nn.Sequential(
            nn.Conv1d(1, c, 9, 2, 4), nn.GELU(), nn.Conv1d(c, 2 * c, 9, 4, 4), nn.GELU(),
            nn.Conv1d(2 * c, 2 * c, 9, 4, 4), nn.GELU(), nn.AdaptiveAvgPool1d(8), nn.Flatten(),
            nn.Linear(16 * c, classes),
        )  # fmt: skip
