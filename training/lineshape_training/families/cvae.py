"""Conditional variational autoencoder (Sohn et al., 2015), the VAE that MALDIGen found to balance best.

Classes and analytes become a few numbers by a linear embedding. Encoder, decoder and prior see them: the prior
p(z | condition) is learned, so that each class has a place of its own among the latents. Some spectra of every batch
are shown without their condition; so the network also knows what to make of a spectrum of which nothing is told. That
is how `reconstruct`, `encode` and `interpolate` read a measured spectrum, whose class nobody gives: two spectra of
different classes have latents in one space, and what lies between them needs no class.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor, nn

from lineshape_training.conditions import Conditions
from lineshape_training.families.vae import VAE, VAEConfig, VAENetwork
from lineshape_training.family import Tensors
from lineshape_training.recipe import Recipe

HIDDEN = 0.1  # share of the spectra that are shown without their condition


class ConditionalVAEConfig(VAEConfig, frozen=True, forbid_unknown_fields=True):
    """Numbers of the network.

    Parameters
    ----------
    embedding : int
        Numbers that a condition becomes.
    """

    embedding: Annotated[int, Meta(ge=1)] = 8


class ConditionalVAENetwork(VAENetwork):
    """A VAE whose parts see what is told of a spectrum."""

    def __init__(self, config: ConditionalVAEConfig, recipe: Recipe, conditions: Conditions) -> None:
        super().__init__(config, recipe, conditions, config.embedding)
        self.embedding = nn.Linear(conditions.size, config.embedding, bias=False)

    def told(self, condition: Float[Tensor, "n c"]) -> Float[Tensor, "n e"]:
        """The embedded condition; 0 where nothing is known."""
        embedded: Tensor = self.embedding(condition)
        return embedded

    def draws(self, n: int, device: torch.device) -> Tensors:
        """The latent's noise, and whose condition is shown."""
        return super().draws(n, device) | {"shown": (torch.rand(n, 1, device=device) >= HIDDEN).float()}

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """As of a VAE, with some conditions hidden."""
        return super().loss(batch | {"condition": batch["condition"] * batch["shown"]}, turn, done)


class ConditionalVAE(VAE):
    """Variational autoencoder of classes and amounts of analytes."""

    name: ClassVar[str] = "cvae"
    conditional: ClassVar[bool] = True
    Config = ConditionalVAEConfig

    def build(self, config: VAEConfig, recipe: Recipe, conditions: Conditions) -> VAENetwork:
        """Fresh weights."""
        assert isinstance(config, ConditionalVAEConfig)
        return ConditionalVAENetwork(config, recipe, conditions)
