"""Variational autoencoder of spectra (Kingma and Welling, 2014), beta-weighted (Higgins et al., 2017).

A convolutional encoder, a small latent, a decoder that resizes and then convolves (transposed convolutions leave a
checkerboard). The prior is standard normal, so sampling is one pass of the decoder over noise.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape.bundle import SamplerSpec, TensorSpec
from lineshape_training.contract import Contract
from lineshape_training.family import Family, Table, Tensors, Trainable
from lineshape_training.preprocess import check_generated, generated, prepared
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import SpectraTable

STRIDE = 4  # of each of the two strided convolutions


class VAEConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers of the network.

    Parameters
    ----------
    latent : int
        Size of the latent.
    channels : int
        Of the first convolution; the second has twice as many.
    beta : float
        Weight of the KL divergence against the summed squared error in units of `deviation`.
    deviation : float
        Standard deviation of the observation model, in prepared intensities.
    """

    latent: Annotated[int, Meta(ge=2)] = 16
    channels: Annotated[int, Meta(ge=4)] = 16
    beta: Annotated[float, Meta(ge=0)] = 0.5
    deviation: Annotated[float, Meta(gt=0)] = 0.1


class VAENetwork(Trainable):
    """Encoder and decoder of spectra of one length."""

    middle: Tensor
    spread: Tensor

    def __init__(self, config: VAEConfig, recipe: Recipe) -> None:
        super().__init__()
        self.config, self.length = config, recipe.axes["spectrum"].n
        self.steps = recipe.intensity_half.get("spectrum", ())
        c, self.cells = config.channels, -(-self.length // STRIDE**2)
        self.encoder = nn.Sequential(
            nn.Conv1d(2, c, 9, STRIDE, 4), nn.GELU(), nn.Conv1d(c, 2 * c, 9, STRIDE, 4), nn.GELU(), nn.Flatten(),
            nn.Linear(2 * c * self.cells, 2 * config.latent),
        )  # fmt: skip
        self.seed = nn.Sequential(nn.Linear(config.latent, 2 * c * self.cells), nn.GELU())
        self.blocks = nn.ModuleList([nn.Conv1d(2 * c, c, 9, padding=4), nn.Conv1d(c, c // 2, 9, padding=4)])
        self.out = nn.Conv1d(c // 2, 1, 9, padding=4)
        self.register_buffer("middle", torch.zeros(self.length))
        self.register_buffer("spread", torch.ones(()))

    @torch.no_grad()
    def begin(self, tensors: Tensors) -> None:
        """Take the mean spectrum and its spread out of what is left to learn."""
        spectrum, points = prepared(self.steps, tensors["values"], tensors["mask"]), tensors["mask"].sum(0).clamp(min=1)
        self.middle.copy_(spectrum.sum(0) / points)
        rest = (spectrum - self.middle) * tensors["mask"]
        self.spread.copy_(torch.sqrt((rest**2).sum() / tensors["mask"].sum()).clamp(min=1e-6))

    def encode(self, spectrum: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [n, latent] of prepared intensities."""
        rest = (spectrum - self.middle) / self.spread * mask
        mean, log_variance = self.encoder(torch.stack([rest, mask], dim=1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 4)

    def decode(self, latent: Float[Tensor, "n latent"]) -> Float[Tensor, "n L"]:
        """Prepared intensities."""
        hidden = self.seed(latent).unflatten(1, (-1, self.cells))
        for block in self.blocks:
            hidden = F.gelu(block(hidden.repeat_interleave(STRIDE, dim=2)))
        rest: Tensor = self.out(hidden)[:, 0, : self.length]
        return self.middle + self.spread * rest

    def loss(self, batch: Tensors) -> Tensors:
        """Squared error and KL divergence, by point, so that the length does not decide the learning rate."""
        spectrum, mask = prepared(self.steps, batch["values"], batch["mask"]), batch["mask"]
        mean, log_variance = self.encode(spectrum, mask)
        decoded = self.decode(mean + torch.randn_like(mean) * torch.exp(log_variance / 2))
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        error = ((decoded - spectrum) ** 2 * mask).sum(1).mean() / (2 * self.config.deviation**2)
        return {"reconstruction": error / self.length, "kl": self.config.beta * divergence / self.length}

    @torch.no_grad()
    def score(self, held_out: Tensors) -> float:
        """Evidence bound of spectra of unseen groups, by point, at the latent's mean; smaller is better."""
        spectrum, mask = prepared(self.steps, held_out["values"], held_out["mask"]), held_out["mask"]
        mean, log_variance = self.encode(spectrum, mask)
        error = ((self.decode(mean) - spectrum) ** 2 * mask).sum(1).mean() / (2 * self.config.deviation**2)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return float(error + self.config.beta * divergence) / self.length


class VAESampler(Contract):
    """`noise` to `spectrum`."""

    def __init__(self, network: VAENetwork) -> None:
        super().__init__()
        self.network = network
        self.inputs = (TensorSpec("noise", "FP32", (-1, network.config.latent), "noise", "standard normal"),)
        self.outputs = (
            TensorSpec("spectrum", "FP32", (-1, network.length), "spectrum", "relative intensity", "spectrum"),
        )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """One pass of the decoder."""
        return (generated(self.network.steps, self.network.decode(inputs[0])),)


class VAE(Family[VAENetwork, VAEConfig]):
    """Variational autoencoder, sampled from its prior."""

    name: ClassVar[str] = "vae"
    task: ClassVar = "sample"
    scored_by: ClassVar[str] = "evidence bound by point (smaller is better)"
    sampler = SamplerSpec("decoder", 1)
    Config = VAEConfig

    def tensors(self, table: Table) -> Tensors:
        """Values and mask."""
        assert isinstance(table, SpectraTable)
        return {name: torch.from_numpy(np.ascontiguousarray(getattr(table, name))) for name in ("values", "mask")}

    def network(self, recipe: Recipe) -> VAENetwork:
        """Fresh weights."""
        check_generated(recipe.intensity_half.get("spectrum", ()), f"recipe {recipe.name}, [intensity_half] spectrum")
        return VAENetwork(self.config(recipe), recipe)

    def contract(self, network: VAENetwork, recipe: Recipe) -> Contract:
        """The decoder over noise."""
        return VAESampler(network)
