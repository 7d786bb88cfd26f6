"""A family whose network is a `DiffusionNetwork`."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from lineshape.bundle import SamplerSpec
from lineshape_training.diffusion.network import DiffusionNetwork, Walk
from lineshape_training.recipe import Recipe
from lineshape_training.sampling import SpectrumFamily

Network = TypeVar("Network", bound=DiffusionNetwork)
Config = TypeVar("Config", bound=Walk)


class DiffusionFamily(SpectrumFamily[Network, Config]):
    """Told classes and analytes if there are any; drawn in as many evaluations as asked for."""

    conditional: ClassVar[bool] = True
    needs_conditions: ClassVar[bool] = False

    def sampler_of(self, recipe: Recipe) -> SamplerSpec:
        """As the recipe says."""
        return self.config(recipe).spec
