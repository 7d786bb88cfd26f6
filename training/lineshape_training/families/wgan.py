"""Wasserstein GAN with gradient penalty (Gulrajani et al., 2017), unconditional and conditional.

The critic's answers on real spectra rise and those on generated ones fall, while its slope between them is kept near 1;
the generator follows that slope. The conditional critic is a projection critic (Miyato and Koyama, 2018).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor

from lineshape.bundle import SamplerSpec
from lineshape_training.adversarial import AdversarialNetwork, Widths
from lineshape_training.conditions import Conditions
from lineshape_training.family import Tensors
from lineshape_training.networks.critic import Critic
from lineshape_training.networks.upsampling import Upsampler
from lineshape_training.recipe import Recipe
from lineshape_training.sampling import SpectrumFamily

TINY = 1e-12  # keeps the derivative of the slope's root finite where the critic is flat


class WGANConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers of the networks and of the loss.

    Parameters
    ----------
    latent : int
        Standard normals that a spectrum's shape is drawn from.
    generator : ints
        Channels at each resolution, from the coarsest; each has twice the points of the one before.
    critic : ints
        Channels of the convolutions, each of which divides the points by 4.
    features : int
        Width of the critic's dense layer.
    n_critic : int
        Critic turns for each generator turn.
    penalty, drift : float
        Weights of the squared distance of the critic's slope from 1, and of its squared answers on real spectra, which
        keeps both players' answers from wandering off together.
    """

    latent: Annotated[int, Meta(ge=2)] = 128
    generator: Widths = (64, 64, 32, 16, 8)
    critic: Widths = (16, 32, 64)
    features: Annotated[int, Meta(ge=4)] = 128
    n_critic: Annotated[int, Meta(ge=1)] = 5
    penalty: Annotated[float, Meta(ge=0)] = 10.0
    drift: Annotated[float, Meta(ge=0)] = 1e-3


class WGANNetwork(AdversarialNetwork):
    """Upsampling generator and convolutional critic of spectra of one length."""

    def __init__(self, config: WGANConfig, recipe: Recipe, conditions: Conditions) -> None:
        generator = Upsampler(config.latent, conditions.size, config.generator, recipe.axes["spectrum"].n)
        super().__init__(recipe, conditions, generator.size, config.n_critic, generator.size - config.latent)
        self.config, self.generator = config, generator
        self.critic = Critic(self.length, config.critic, (config.features,), conditions.size)

    def draws(self, n: int, device: torch.device) -> Tensors:
        """The generator's noise, and where between a real and a generated spectrum the slope is looked at."""
        return super().draws(n, device) | {"place": torch.rand(n, 1, device=device)}

    def given(self, batch: Tensors, turn: str) -> Tensors:
        """For the critic: real spectra, generated ones beside them, and some between."""
        seen = super().given(batch, turn)
        return seen | {"between": torch.lerp(seen["real"], seen["fake"], batch["place"])} if seen else seen

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """The critic's distance, penalty and drift, or the generator's answer to them."""
        if turn == "generator":
            return {"generator": -self.critic(self.beside(batch), batch["condition"]).mean()}
        real, fake = self.answers(batch)
        slope = (self.slope(batch, "between") + TINY).sqrt()
        return {
            "critic": fake.mean() - real.mean(),
            "penalty": self.config.penalty * (slope - 1).square().mean(),
            "drift": self.config.drift * real.square().mean(),
        }


class WGANGP(SpectrumFamily[WGANNetwork, WGANConfig]):
    """Wasserstein GAN with gradient penalty."""

    name: ClassVar[str] = "wgan-gp"
    sampler = SamplerSpec("generator", 1)
    Config = WGANConfig

    def build(self, config: WGANConfig, recipe: Recipe, conditions: Conditions) -> WGANNetwork:
        """Fresh weights."""
        return WGANNetwork(config, recipe, conditions)


class ConditionalWGANGP(WGANGP):
    """Wasserstein GAN with gradient penalty that is told classes and analytes."""

    name: ClassVar[str] = "cwgan-gp"
    conditional: ClassVar[bool] = True
