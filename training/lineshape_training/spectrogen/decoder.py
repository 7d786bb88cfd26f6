"""A latent to a target spectrum: lines of the target modality's shape, and a bounded residual."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape_training.family import Tensors
from lineshape_training.peaks import Knots, LineRenderer, anchored_lines
from lineshape_training.scores import pearson
from lineshape_training.spectrogen.config import SpectroGenConfig


class Decoder(nn.Module):
    """Latent to spectrum, by one way or another of drawing it."""

    def forward(self, latent: Float[Tensor, "n latent"], source: Float[Tensor, "n S"]) -> Float[Tensor, "n L"]:
        """The spectrum, in prepared intensities, of a latent that was read from this prepared source."""
        raise NotImplementedError

    def prepare(self, targets: Float[Tensor, "n L"]) -> Tensors:
        """What the errors need of prepared targets beside themselves."""
        return {}

    def draws(self, n: int, device: torch.device) -> Tensors:
        """Random numbers of the errors of n spectra."""
        return {}

    def errors(self, latent: Float[Tensor, "n latent"], batch: Tensors, spread: Float[Tensor, ""]) -> Tensors:
        """Named terms of the loss, weighted; `spread` is the targets' standard deviation."""
        raise NotImplementedError


class Lines(Decoder):
    """Lines of the target's shape near a regular row of anchors, and a bounded residual.

    Parameters
    ----------
    config : SpectroGenConfig
    length : int
        Points of a target spectrum.
    shape : float
        Lorentzian fraction to start from.
    """

    def __init__(self, config: SpectroGenConfig, length: int, shape: float) -> None:
        super().__init__()
        self.config = config
        self.render = LineRenderer(length, config.hop, config.reach, config.target_width)
        self.fine = Knots(length, config.knot)
        self.shape_logit = float(np.log(np.clip(shape, 0.02, 0.98) / (1 - np.clip(shape, 0.02, 0.98))))
        self.sizes = [self.render.lines] * 4 + [self.fine.count]
        self.body = nn.Sequential(nn.GELU(), nn.Linear(config.latent, config.drawing), nn.GELU(), nn.Dropout(0.1))
        self.heads = nn.Linear(config.drawing, sum(self.sizes))

    def forward(self, latent: Float[Tensor, "n latent"], source: Float[Tensor, "n S"]) -> Float[Tensor, "n L"]:
        """The spectrum; nothing but the latent is asked."""
        return self._drawn(latent)[0]

    def prepare(self, targets: Float[Tensor, "n L"]) -> Tensors:
        """Their lines."""
        return {"lines": anchored_lines(targets, self.render)}

    def errors(self, latent: Float[Tensor, "n latent"], batch: Tensors, spread: Float[Tensor, ""]) -> Tensors:
        """Of the intensities, of their correlation, and of the lines."""
        config, truth, mask = self.config, batch["target"], batch["target_mask"]
        spectrum, (place, height, width) = self._drawn(latent)
        seen_place, seen_height, seen_width = batch["lines"].unbind(1)
        misplaced = (place - seen_place).abs() + (width - seen_width).abs()
        share = mask / mask.mean(1, keepdim=True)
        return {
            "absolute": ((spectrum - truth).abs() * share).mean() / spread,
            "correlation": config.correlation * (1 - pearson(spectrum, truth, mask)).mean(),
            "peaks": config.peaks * ((height - seen_height).abs() + seen_height * misplaced).sum(1).mean(),
        }

    def _drawn(self, latent: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The spectrum; and of its lines the place (-1 to 1 hop from the anchor), height, and log width (0 to 1)."""
        position, height, width, shape, residual = self.heads(self.body(latent)).split(self.sizes, dim=1)
        height = F.softplus(height - 3)
        lines = self.render(position, height, width, torch.sigmoid(shape + self.shape_logit))
        spectrum = lines + self.config.residual * self.fine(torch.tanh(residual))
        return spectrum, (torch.tanh(position), height, torch.sigmoid(width))
