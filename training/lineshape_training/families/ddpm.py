"""Denoising diffusion (Ho et al., 2020), told classes and amounts of analytes if there are any, with guidance.

The default is a dense denoiser that estimates the spectrum itself: its evaluation takes a fraction of a millisecond,
and ten of them with DPM-Solver++ draw a spectrum. A U-Net at full resolution that estimates the noise, on the linear
schedule of a thousand steps, is the reference of the field, and as such it can be fitted too.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import Meta
from torch import nn

from lineshape_training.conditions import Conditions
from lineshape_training.diffusion.coordinates import HalfWhitened
from lineshape_training.diffusion.family import DiffusionFamily
from lineshape_training.diffusion.network import DiffusionNetwork, Path, Walk
from lineshape_training.diffusion.predictions import Clean, Noise, Prediction, V
from lineshape_training.diffusion.schedules import Cosine, Linear, Schedule
from lineshape_training.networks.dense import DenseDenoiser
from lineshape_training.networks.unet import UNet
from lineshape_training.recipe import Recipe

ScheduleName: TypeAlias = Literal["cosine", "linear"]
PredictionName: TypeAlias = Literal["clean", "noise", "v"]
Width: TypeAlias = Annotated[int, Meta(ge=8)]
Blocks: TypeAlias = Annotated[int, Meta(ge=1)]

SCHEDULES: dict[str, Schedule] = {"cosine": Cosine(), "linear": Linear()}
PREDICTIONS: dict[str, Prediction] = {"clean": Clean(), "noise": Noise(), "v": V()}


class DDPMConfig(Walk, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Numbers of the network, beside those of `Walk`.

    Parameters
    ----------
    denoiser : str
        ``dense``, or ``unet`` at full resolution.
    width, blocks : int
        Of the dense layers; of the U-Net `width` is the number of channels of its first level, `blocks` its levels.
    schedule, prediction : str
    """

    denoiser: Literal["dense", "unet"] = "dense"
    width: Width = 256
    blocks: Blocks = 4
    schedule: ScheduleName = "cosine"
    prediction: PredictionName = "clean"


class DDPM(DiffusionFamily[DiffusionNetwork, DDPMConfig]):
    """Denoising diffusion."""

    name: ClassVar[str] = "ddpm"
    Config = DDPMConfig

    def build(self, config: DDPMConfig, recipe: Recipe, conditions: Conditions) -> DiffusionNetwork:
        """Fresh weights."""
        coordinates = HalfWhitened(recipe.axes["spectrum"].n)
        kinds: dict[str, type[nn.Module]] = {"dense": DenseDenoiser, "unet": UNet}
        denoiser = kinds[config.denoiser](coordinates.size, conditions.size, config.width, config.blocks)
        path = Path(SCHEDULES[config.schedule], PREDICTIONS[config.prediction])
        return DiffusionNetwork(config, path, coordinates, denoiser, recipe, conditions)
