"""Variational autoencoder of spectra (Kingma and Welling, 2014), beta-weighted (Higgins et al., 2017).

A convolutional encoder, a small latent, a decoder. The prior is learned with them: a standard normal distribution bent
by couplings (Chen et al., 2017, "Variational lossy autoencoder"), because latents of distinct materials leave holes in
a normal distribution, and what is drawn from a hole is a spectrum of several materials at once. Sampling is one pass
over noise.

The decoder says what is expected; a detector adds noise to it. Its level, for each latent and stretch of the axis, is
learned from how much rougher measured spectra are than decoded ones: in second differences white noise has six times
its variance, baselines and broad lines next to nothing.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor

from lineshape.bundle import SamplerSpec, Task
from lineshape_training.conditions import Conditions
from lineshape_training.contract import Contract
from lineshape_training.family import Tensors
from lineshape_training.latent import TASKS, LatentNetwork, latent_contract
from lineshape_training.networks.autoencoder import Decoder, Encoder, NoiseLevel, Prior
from lineshape_training.recipe import Recipe
from lineshape_training.sampling import SpectrumFamily

WARM_UP = 0.2  # share of the steps over which the KL divergence gains its weight


class VAEConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers of the network.

    Parameters
    ----------
    latent : int
        Size of the latent.
    channels : int
        Of the first convolution; the second has twice as many.
    hidden : int
        Of the layers between convolutions and latent.
    couplings : int
        That bend the prior; 0 leaves it normal.
    beta : float
        Weight of the KL divergence against the summed squared error in units of `deviation`.
    deviation : float
        Standard deviation of the observation model, in prepared intensities.
    noise : bool
        Whether samples have detector noise.
    """

    latent: Annotated[int, Meta(ge=2)] = 16
    channels: Annotated[int, Meta(ge=4)] = 16
    hidden: Annotated[int, Meta(ge=8)] = 128
    couplings: Annotated[int, Meta(ge=0)] = 6
    beta: Annotated[float, Meta(ge=0)] = 0.5
    deviation: Annotated[float, Meta(gt=0)] = 0.15
    noise: bool = True


class VAENetwork(LatentNetwork):
    """Encoder, decoder, prior and noise level of spectra of one length.

    Parameters
    ----------
    config : VAEConfig
    recipe : Recipe
    conditions : Conditions
    told : int
        Numbers by which all four are told of a spectrum.
    """

    def __init__(self, config: VAEConfig, recipe: Recipe, conditions: Conditions, told: int = 0) -> None:
        points = recipe.axes["spectrum"].n
        super().__init__(recipe, conditions, config.latent, points * config.noise)
        self.config = config
        sizes = (points, config.latent, config.channels, config.hidden, told)
        self.encoder, self.decoder = Encoder(*sizes), Decoder(*sizes)
        self.prior = Prior(config.latent, config.hidden // 2, told, config.couplings)
        self.level = NoiseLevel(points, config.latent + told) if config.noise else None

    def told(self, condition: Float[Tensor, "n c"]) -> Float[Tensor, "n e"]:
        """What the parts are told of each spectrum: nothing."""
        return condition[:, :0]

    def untold(self, like: Float[Tensor, "n d"]) -> Float[Tensor, "n e"]:
        """What they are told where nothing is known, for as many spectra as there are rows in `like`."""
        return self.told(torch.zeros_like(like[:, :1]).expand(-1, self.conditions.size))

    def encoded(self, standardised: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> Float[Tensor, "n latent"]:
        """Means of the posteriors."""
        mean: Tensor = self.encoder(standardised, mask, self.untold(standardised))[0]
        return mean

    def decoded(self, latent: Float[Tensor, "n latent"]) -> Float[Tensor, "n L"]:
        """What the decoder expects."""
        spectrum: Tensor = self.decoder(latent, self.untold(latent))
        return spectrum

    def draw(self, noise: Float[Tensor, "n size"], condition: Float[Tensor, "n c"]) -> Float[Tensor, "n L"]:
        """Prior, decoder and detector."""
        told = self.told(condition)
        latent = self.prior.draw(noise[:, : self.latent], told)
        expected: Tensor = self.decoder(latent, told)
        return expected if self.level is None else expected + self.level(latent, told) * noise[:, self.latent :]

    @torch.no_grad()
    def begin(self, tensors: Tensors) -> None:
        """Mean and spread, and the noise that the spectra have at most."""
        super().begin(tensors)
        if self.level is not None:
            self.level.begin(self.standardised(tensors), tensors["mask"])

    def draws(self, n: int, device: torch.device) -> Tensors:
        """The latent's noise."""
        return {"noise": torch.randn(n, self.latent, device=device)}

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """Squared error and KL divergence, by point, so that the length does not decide the learning rate; noise."""
        spectrum, mask, config = self.standardised(batch), batch["mask"], self.config
        told = self.told(batch["condition"])
        mean, log_variance = self.encoder(spectrum, mask, told)
        latent = mean + batch["noise"] * torch.exp(log_variance / 2)
        decoded = self.decoder(latent, told)
        error = ((decoded - spectrum) ** 2 * mask).sum(1).mean() * self.spread**2 / (2 * config.deviation**2)
        entropy = 0.5 * (batch["noise"] ** 2 + log_variance).sum(1)
        divergence = -(entropy + self.prior.log_density(latent, told)).mean()
        weight = config.beta * (done / WARM_UP).clamp(max=1)
        losses = {"reconstruction": error / self.length, "kl": weight * divergence / self.length}
        if self.level is not None:
            losses["noise"] = self.level.loss(spectrum, decoded.detach(), mask, latent.detach(), told.detach())
        return losses


class VAE(SpectrumFamily[VAENetwork, VAEConfig]):
    """Variational autoencoder, sampled from its prior."""

    name: ClassVar[str] = "vae"
    tasks: ClassVar[tuple[Task, ...]] = ("sample", *TASKS)
    sampler = SamplerSpec("decoder", 1)
    Config = VAEConfig

    def build(self, config: VAEConfig, recipe: Recipe, conditions: Conditions) -> VAENetwork:
        """Fresh weights."""
        return VAENetwork(config, recipe, conditions)

    def contract(self, network: VAENetwork, recipe: Recipe, task: Task | None = None) -> Contract:
        """Noise to a spectrum, or one of the tasks on a measured spectrum."""
        if task in TASKS:
            return latent_contract(network, task)
        return super().contract(network, recipe, task)
