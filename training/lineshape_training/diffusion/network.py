"""What the diffusion and flow families share: a denoiser in some coordinates, fitted along a path and walked back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor, nn

from lineshape.bundle import SamplerSpec
from lineshape_training.conditions import Conditions
from lineshape_training.diffusion.coordinates import Coordinates
from lineshape_training.diffusion.guidance import Denoise, Guided
from lineshape_training.diffusion.predictions import Estimate, Prediction
from lineshape_training.diffusion.samplers import SAMPLERS, Sampler
from lineshape_training.diffusion.schedules import Moment, Schedule
from lineshape_training.family import Tensors
from lineshape_training.recipe import Recipe
from lineshape_training.sampling import SpectrumNetwork

HIDDEN = 0.1  # share of the spectra that are shown without their condition

SamplerName: TypeAlias = Literal["ddim", "dpm-solver++", "heun", "euler"]


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """How a path is walked back; a fitted network may be sampled in other ways than the one it was fitted with.

    Parameters
    ----------
    sampler : str
    evaluations : int
        Of the denoiser, for one spectrum; guidance takes two for each.
    guidance : float
        How far to go from the estimate that was told nothing to the one that was told the condition; beyond 1, classes
        are drawn apart and within them less varied.
    """

    sampler: SamplerName = "dpm-solver++"
    evaluations: Annotated[int, Meta(ge=1, le=1000)] = 10
    guidance: Annotated[float, Meta(ge=0)] = 1.0

    @property
    def spec(self) -> SamplerSpec:
        """As a bundle says it; every evaluation of the network is counted."""
        return SamplerSpec(self.sampler, self.evaluations * (2 if self.guided else 1), self.guidance)

    @property
    def guided(self) -> bool:
        """Whether the network is asked without the condition, too."""
        return self.guidance != 1


@dataclass(frozen=True)
class Path:
    """What a network is fitted along."""

    schedule: Schedule
    prediction: Prediction


class DiffusionNetwork(SpectrumNetwork):
    """A denoiser of spectra of one length.

    Parameters
    ----------
    walk : Walk
    path : Path
    coordinates : Coordinates
    denoiser : nn.Module
        Takes (z [n, d], time [m, 1], length of the step [m, 1], condition [n, c]) to [n, d].
    recipe : Recipe
    conditions : Conditions
    """

    def __init__(self, walk: Walk, path: Path, coordinates: Coordinates, denoiser: nn.Module, recipe: Recipe,
                 conditions: Conditions) -> None:  # fmt: skip
        super().__init__(recipe, conditions, coordinates.size + coordinates.detector, coordinates.detector)
        self.walk, self.path, self.coordinates, self.denoiser = walk, path, coordinates, denoiser
        self.sampler: Sampler = SAMPLERS[walk.sampler](path.schedule, walk.evaluations)

    @torch.no_grad()
    def begin(self, tensors: Tensors) -> None:
        """Mean and spread, then what the coordinates learn; a point that was not measured is taken for the mean's."""
        super().begin(tensors)
        self.coordinates.begin(self.standardised(tensors), self.middle / self.spread)

    def draw(self, noise: Float[Tensor, "n size"], condition: Float[Tensor, "n c"]) -> Float[Tensor, "n L"]:
        """Walk back from noise, then add the detector's."""
        start, detector = noise[:, : self.coordinates.size], noise[:, self.coordinates.size :]
        return self.coordinates.written(self.walked(start, condition, self.sampler), detector)

    def walked(self, start: Float[Tensor, "n d"], condition: Float[Tensor, "n c"], sampler: Sampler) -> Tensor:
        """The numbers at the other end of the path."""
        return sampler.sample(start, self.denoise(condition))

    def denoise(self, condition: Float[Tensor, "n c"]) -> Denoise:
        """The estimate of both ends under a condition, guided if the walk is."""
        told = partial(self._estimate, condition)
        if not self.walk.guided:
            return told
        return Guided(told, partial(self._estimate, torch.zeros_like(condition)), self.walk.guidance)

    def draws(self, n: int, device: torch.device) -> Tensors:
        """Noise, times, and whose condition is shown."""
        return {
            "noise": torch.randn(n, self.coordinates.size, device=device),
            "time": self.path.schedule.spread(torch.rand(n, 1, device=device)),
            "shown": (torch.rand(n, 1, device=device) >= HIDDEN).float(),
        }

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """Squared error of what the network says at a point between spectrum and noise."""
        return {"denoising": self.error(self.ends(batch), batch["time"], batch["condition"] * batch["shown"])}

    def error(self, ends: Estimate, time: Float[Tensor, "n 1"], condition: Float[Tensor, "n c"]) -> Float[Tensor, ""]:
        """Mean weighted squared error between two ends."""
        at, prediction = self.path.schedule.at(time), self.path.prediction
        said = self.said(ends.along(at), at, at, condition)
        return (prediction.weight(at) * (said - prediction.target(ends, at)) ** 2).mean()

    def stride(self, at: Moment[Any], to: Moment[Any]) -> Any:  # noqa: ANN401 - a number, or one a row
        """What the network is told of how far a step goes: nothing."""
        return 0 * at.time

    def ends(self, batch: Tensors) -> Estimate:
        """Measured spectra in the coordinates, and the noise of the batch."""
        return Estimate(self.coordinates.read(self.standardised(batch)), batch["noise"])

    def _estimate(
        self, condition: Float[Tensor, "n c"], z: Float[Tensor, "n d"], at: Moment[Any], to: Moment[Any]
    ) -> Estimate:
        return self.path.prediction.estimate(z, self.said(z, at, to, condition), at)

    def said(
        self, z: Float[Tensor, "n d"], at: Moment[Any], to: Moment[Any], condition: Float[Tensor, "n c"]
    ) -> Float[Tensor, "n d"]:
        """What the network says at the points z."""
        said: Tensor = self.denoiser(z, _column(at.time, z), _column(self.stride(at, to), z), condition)
        return said


def _column(time: float | Tensor, z: Float[Tensor, "n d"]) -> Float[Tensor, "m 1"]:
    """A time for each row, or one for all of them."""
    return time if isinstance(time, Tensor) else torch.full((1, 1), time, dtype=z.dtype, device=z.device)
