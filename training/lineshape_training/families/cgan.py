"""Conditional GAN of dense networks (Mirza and Osindero, 2014), as compared on MALDI-TOF spectra beside a VAE.

A label is embedded in a few numbers, which join the generator's noise. In the critic it enters by a projection (Miyato
and Koyama, 2018): joined to thousands of points it is not noticed. The loss is the non-saturating logistic one; a
penalty on the critic's slope at real spectra (R1; Mescheder et al., 2018) keeps the two from circling.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar

import msgspec
import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape.bundle import SamplerSpec
from lineshape_training.adversarial import AdversarialNetwork, Widths
from lineshape_training.conditions import Conditions
from lineshape_training.family import Tensors
from lineshape_training.networks.critic import SLOPE, Critic
from lineshape_training.recipe import Recipe
from lineshape_training.sampling import SpectrumFamily

QUIET = 0.1  # factor of the last layer's first weights: what they draw is white, which a dense layer unlearns slowly


class CGANConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers of the networks and of the loss.

    Parameters
    ----------
    latent, embedding : int
        Standard normals that a spectrum is drawn from, and numbers that a condition becomes.
    generator, critic : ints
        Widths of the hidden layers.
    penalty : float
        Weight of the critic's squared slope at real spectra, by the distance at which spectra lie from each other.
    """

    latent: Annotated[int, Meta(ge=2)] = 128
    embedding: Annotated[int, Meta(ge=1)] = 8
    generator: Widths = (128, 256)
    critic: Widths = (256, 128)
    penalty: Annotated[float, Meta(ge=0)] = 2.0


class DenseGenerator(nn.Module):
    """Noise and an embedded condition to a spectrum."""

    def __init__(self, config: CGANConfig, told: int, length: int) -> None:
        super().__init__()
        self.embedding = _embedding(told, config.embedding)
        widths = [config.latent + config.embedding, *config.generator, length]
        layers = [nn.Linear(*pair) for pair in pairwise(widths)]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, SLOPE)
        with torch.no_grad():
            layers[-1].weight.mul_(QUIET)
        self.layers = nn.ModuleList(layers)

    def forward(self, noise: Float[Tensor, "n latent"], condition: Float[Tensor, "n c"]) -> Float[Tensor, "n L"]:
        """Spectra near the mean of the fit before the first step."""
        hidden: Tensor = self.layers[0](torch.cat([noise, self.embedding(condition)], dim=1))
        for layer in self.layers[1:]:
            hidden = layer(F.leaky_relu(hidden, SLOPE))
        return hidden


class CGANNetwork(AdversarialNetwork):
    """Dense generator and critic of spectra of one length."""

    def __init__(self, config: CGANConfig, recipe: Recipe, conditions: Conditions) -> None:
        super().__init__(recipe, conditions, config.latent, n_critic=1)
        self.config = config
        self.generator = DenseGenerator(config, conditions.size, self.length)
        self.critic = Critic(self.length, (), config.critic, conditions.size)

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """Cross entropy of the critic, with its penalty, or of the generator's spectra taken for real ones."""
        if turn == "generator":
            return {"generator": F.softplus(-self.critic(self.beside(batch), batch["condition"])).mean()}
        real, fake = self.answers(batch)
        # The squared distance of two spectra grows with the points: a slope counts by what it makes of such a distance.
        penalty = self.config.penalty * (self.slope(batch, "real") * batch["mask"].sum(1)).mean() / 2
        return {"critic": F.softplus(-real).mean() + F.softplus(fake).mean(), "penalty": penalty}


class CGAN(SpectrumFamily[CGANNetwork, CGANConfig]):
    """Conditional GAN of dense networks."""

    name: ClassVar[str] = "cgan"
    conditional: ClassVar[bool] = True
    sampler = SamplerSpec("generator", 1)
    Config = CGANConfig

    def build(self, config: CGANConfig, recipe: Recipe, conditions: Conditions) -> CGANNetwork:
        """Fresh weights."""
        return CGANNetwork(config, recipe, conditions)


def _embedding(told: int, width: int) -> nn.Linear:
    """A condition's row in a few numbers, as wide as the noise for every class."""
    embedding = nn.Linear(told, width, bias=False)
    nn.init.normal_(embedding.weight)
    return embedding
