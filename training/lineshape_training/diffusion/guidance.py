"""Classifier-free guidance (Ho and Salimans, 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from lineshape_training.diffusion.predictions import Estimate
from lineshape_training.diffusion.schedules import Moment


@runtime_checkable
class Denoise(Protocol):
    """Estimates both ends of the path from a point on it."""

    def __call__(self, z: Float[Tensor, "n d"], at: Moment[Any], to: Moment[Any]) -> Estimate:
        """The ends that the point z at time `at` belongs to; `to` is where the step goes."""


@dataclass(frozen=True)
class Guided:
    """The estimate that was told something, moved on away from the one that was not; two evaluations of the network.

    Parameters
    ----------
    told, untold : Denoise
    strength : float
        1 is the told estimate itself, 0 the untold.
    """

    told: Denoise
    untold: Denoise
    strength: float

    def __call__(self, z: Float[Tensor, "n d"], at: Moment[Any], to: Moment[Any]) -> Estimate:
        """untold + strength (told - untold), of both ends."""
        told, untold = self.told(z, at, to), self.untold(z, at, to)
        clean, noise = (u + self.strength * (t - u) for t, u in zip(told, untold, strict=True))
        return Estimate(clean, noise)
