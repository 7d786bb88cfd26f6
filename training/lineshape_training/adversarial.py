"""What the families of two players share: a generator, and a critic that sees its spectra beside measured ones.

Every measured spectrum of a batch stands beside one that was generated under its condition, and that counts on the
same points only. All that the critic sees in the repeats of its turn is made in one pass of the generator.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor, nn

from lineshape_training.conditions import Conditions
from lineshape_training.family import Tensors, Turn
from lineshape_training.recipe import Recipe
from lineshape_training.sampling import SpectrumNetwork

Widths: TypeAlias = Annotated[tuple[Annotated[int, Meta(ge=1)], ...], Meta(min_length=1)]


class AdversarialNetwork(SpectrumNetwork):
    """A generator and a critic.

    Parameters
    ----------
    recipe : Recipe
    conditions : Conditions
    size : int
        Standard normals that a spectrum is drawn from.
    n_critic : int
        Critic turns for each generator turn.
    detector : int
        So many of the normals, the last ones, are the noise of the detector.
    """

    generator: nn.Module
    critic: nn.Module

    def __init__(self, recipe: Recipe, conditions: Conditions, size: int, n_critic: int, detector: int = 0) -> None:
        super().__init__(recipe, conditions, size, detector)
        self.turns = (Turn("critic", ("critic",), n_critic), Turn("generator", ("generator",)))

    def draw(self, noise: Float[Tensor, "n size"], condition: Float[Tensor, "n c"]) -> Float[Tensor, "n L"]:
        """The generator."""
        drawn: Tensor = self.generator(noise, condition)
        return drawn

    def draws(self, n: int, device: torch.device) -> Tensors:
        """The generator's noise."""
        return {"noise": torch.randn(n, self.size, device=device)}

    def given(self, batch: Tensors, turn: str) -> Tensors:
        """For the critic: `real` spectra, and `fake` ones beside them."""
        return {"real": self.standardised(batch), "fake": self.beside(batch)} if turn == "critic" else {}

    def beside(self, batch: Tensors) -> Float[Tensor, "n L"]:
        """Generated spectra under the conditions of a batch, 0 where its spectra were not measured."""
        return self.draw(batch["noise"], batch["condition"]) * batch["mask"]

    def answers(self, batch: Tensors) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """The critic's on real and on generated spectra, in one pass."""
        both = torch.cat([batch["real"], batch["fake"]])
        real, fake = self.critic(both, batch["condition"].repeat(2, 1)).chunk(2)
        return real, fake

    def slope(self, batch: Tensors, at: str) -> Float[Tensor, " n"]:
        """The critic's squared slope at some spectra of a batch, over the points that were measured."""
        gradient: Tensor = self.critic.input_gradient(batch[at], batch["condition"])  # type: ignore[operator]
        return (gradient * batch["mask"]).square().sum(1)
