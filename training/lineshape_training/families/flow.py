"""Rectified flow (Liu et al., 2023): the straight path from spectrum to noise, which few steps can follow.

A fitted flow can be distilled: drawn spectra and the noise that they came from make a second flow whose paths hardly
cross, so that a single evaluation goes all the way (`lineshape_training.distilling`).
"""

from __future__ import annotations

from typing import ClassVar

from lineshape_training.conditions import Conditions
from lineshape_training.diffusion.coordinates import HalfWhitened
from lineshape_training.diffusion.family import DiffusionFamily
from lineshape_training.diffusion.network import DiffusionNetwork, Path, Walk
from lineshape_training.diffusion.predictions import Clean
from lineshape_training.diffusion.schedules import Straight
from lineshape_training.families.ddpm import Blocks, Width
from lineshape_training.networks.dense import DenseDenoiser
from lineshape_training.recipe import Recipe

PATH = Path(Straight(), Clean())


class FlowConfig(Walk, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Numbers of the network, beside those of `Walk`.

    Parameters
    ----------
    width, blocks : int
        Of the dense layers.
    """

    width: Width = 256
    blocks: Blocks = 4


class Flow(DiffusionFamily[DiffusionNetwork, FlowConfig]):
    """Rectified flow."""

    name: ClassVar[str] = "flow"
    Config: type[FlowConfig] = FlowConfig
    kind: ClassVar[type[DiffusionNetwork]] = DiffusionNetwork

    def build(self, config: FlowConfig, recipe: Recipe, conditions: Conditions) -> DiffusionNetwork:
        """Fresh weights."""
        coordinates = HalfWhitened(recipe.axes["spectrum"].n)
        denoiser = DenseDenoiser(coordinates.size, conditions.size, config.width, config.blocks)
        return self.kind(config, PATH, coordinates, denoiser, recipe, conditions)
