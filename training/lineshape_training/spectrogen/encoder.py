"""Features to a latent, and from a latent what the material is made of."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from lineshape_training.spectrogen.config import SpectroGenConfig

SURE = -6.0  # of the log-variance before anything is learned: noise as wide as the prior would hide what few pairs say


class Encoder(nn.Module):
    """Features of a source spectrum to the mean and log-variance of its latent."""

    def __init__(self, config: SpectroGenConfig, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(features, config.hidden), nn.GELU(),
            nn.Dropout(config.dropout), nn.Linear(config.hidden, 2 * config.latent),
        )  # fmt: skip

    def forward(self, features: Float[Tensor, "n F"]) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [n, latent]."""
        mean, log_variance = self.body(features).chunk(2, dim=1)
        return mean, (log_variance + SURE).clamp(-8, 4)


class Composition(nn.Sequential):
    """Latent to the logit of each class and of each constituent; many unpaired spectra teach it."""

    def __init__(self, config: SpectroGenConfig, known: int) -> None:
        super().__init__(nn.GELU(), nn.Dropout(config.dropout), nn.Linear(config.latent, known))
