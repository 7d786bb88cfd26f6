"""DiffRaman (Yao et al., 2024): diffusion in the latent of a vector-quantised autoencoder, told classes if any.

The first part of a fit is the autoencoder's; then it stays as it is, and the diffusion goes on alone. The paper folds
a spectrum into a square figure and diffuses on a linear schedule of 500 steps, estimating the noise; here a spectrum
is a line by default and the cells themselves are estimated, which needs ten evaluations.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor

from lineshape_training.conditions import Conditions
from lineshape_training.diffusion.family import DiffusionFamily
from lineshape_training.diffusion.network import DiffusionNetwork, Path, Walk
from lineshape_training.diffusion.predictions import Clean, Noise, Prediction
from lineshape_training.diffusion.quantised import LayoutName, QuantisedLatent
from lineshape_training.diffusion.schedules import Cosine, Linear, Schedule
from lineshape_training.families.ddpm import Blocks, ScheduleName, Width
from lineshape_training.family import Tensors
from lineshape_training.networks.dense import DenseDenoiser
from lineshape_training.recipe import Recipe

AUTOENCODER = 0.35  # share of the steps in which the autoencoder is fitted

SCHEDULES: dict[str, Schedule] = {"cosine": Cosine(), "linear": Linear(steps=500)}
PREDICTIONS: dict[str, Prediction] = {"clean": Clean(), "noise": Noise()}


class DiffRamanConfig(Walk, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Numbers of the network, beside those of `Walk`.

    Parameters
    ----------
    layout : str
        ``line``, or ``figure`` for a square of the points.
    channels, codes : int
        Numbers of a cell, which stands for eight points; codes in the book.
    convolutions : int
        Channels of the autoencoder's first convolution.
    width, blocks : int
        Of the dense layers of the denoiser.
    schedule, prediction : str
        ``cosine``, or ``linear`` of 500 steps; ``clean`` or ``noise``.
    """

    layout: LayoutName = "line"
    channels: Annotated[int, Meta(ge=1)] = 4
    codes: Annotated[int, Meta(ge=2)] = 512
    convolutions: Annotated[int, Meta(ge=1)] = 32
    width: Width = 384
    blocks: Blocks = 4
    schedule: ScheduleName = "cosine"
    prediction: Literal["clean", "noise"] = "clean"


class DiffRamanNetwork(DiffusionNetwork):
    """A denoiser of cells, and the autoencoder that they come from."""

    coordinates: QuantisedLatent

    def draws(self, n: int, device: torch.device) -> Tensors:
        """As of a diffusion, and what the autoencoder draws."""
        return super().draws(n, device) | self.coordinates.draws(n, device)

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """The denoiser's, whose cells are taken as they are; over the first steps the autoencoder's, too."""
        terms = super().loss(batch, turn, done)
        if done < AUTOENCODER:
            own = (batch[name] for name in ("mask", "coded", "offered", "to"))
            terms |= self.coordinates.learn(self.standardised(batch), *own)
        return terms


class DiffRaman(DiffusionFamily[DiffRamanNetwork, DiffRamanConfig]):
    """Latent diffusion on a vector-quantised autoencoder."""

    name: ClassVar[str] = "difframan"
    Config = DiffRamanConfig

    def build(self, config: DiffRamanConfig, recipe: Recipe, conditions: Conditions) -> DiffRamanNetwork:
        """Fresh weights."""
        length = recipe.axes["spectrum"].n
        coordinates = QuantisedLatent(length, config.layout, config.convolutions, config.channels, config.codes)
        denoiser = DenseDenoiser(coordinates.size, conditions.size, config.width, config.blocks)
        path = Path(SCHEDULES[config.schedule], PREDICTIONS[config.prediction])
        return DiffRamanNetwork(config, path, coordinates, denoiser, recipe, conditions)
