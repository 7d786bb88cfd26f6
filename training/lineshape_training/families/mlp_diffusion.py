"""Diffusion of whitened scores, told amounts of analytes: for the near infrared.

The same path as of `ddpm`, with a few dozen numbers in the place of a spectrum, so that a small network (FiLM layers,
Fourier features of the amounts) is fitted in seconds and evaluated in a fraction of a millisecond.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, cast

import torch
from msgspec import Meta

from lineshape_training.conditions import Conditions
from lineshape_training.diffusion.family import DiffusionFamily
from lineshape_training.diffusion.network import DiffusionNetwork, Path, Walk
from lineshape_training.diffusion.predictions import V
from lineshape_training.diffusion.schedules import Cosine
from lineshape_training.diffusion.scores import Scores
from lineshape_training.family import Tensors
from lineshape_training.networks.film import FiLM
from lineshape_training.recipe import Recipe

# Whitened scores hold broad shapes and faint ones alike: no time tells more than another.
SCHEDULE = Cosine(shift=1.0)


class MLPDiffusionConfig(Walk, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Numbers of the network, beside those of `Walk`.

    Parameters
    ----------
    width, blocks : int
        Of its layers.
    components : int
        Principal components whose scores are diffused.
    """

    width: Annotated[int, Meta(ge=8)] = 256
    blocks: Annotated[int, Meta(ge=1)] = 4
    components: Annotated[int, Meta(ge=1)] = 16


class MLPDiffusionNetwork(DiffusionNetwork):
    """A denoiser of scores that knows their response to the amounts."""

    @torch.no_grad()
    def begin(self, tensors: Tensors) -> None:
        """Mean and spread, components, then the response of the scores."""
        super().begin(tensors)
        numbers = self.coordinates.read(self.standardised(tensors))
        cast(FiLM, self.denoiser).begin(numbers, tensors["condition"])


class MLPDiffusion(DiffusionFamily[MLPDiffusionNetwork, MLPDiffusionConfig]):
    """Diffusion of whitened scores."""

    name: ClassVar[str] = "mlp-diffusion"
    Config = MLPDiffusionConfig

    def build(self, config: MLPDiffusionConfig, recipe: Recipe, conditions: Conditions) -> MLPDiffusionNetwork:
        """Fresh weights."""
        scores = Scores(recipe.axes["spectrum"].n, config.components)
        told = len(conditions.classes), len(conditions.analytes)
        denoiser = FiLM(scores.size, *told, config.width, config.blocks, SCHEDULE)
        return MLPDiffusionNetwork(config, Path(SCHEDULE, V()), scores, denoiser, recipe, conditions)
