"""What a network says of a noisy spectrum, and how the estimates of spectrum and noise follow from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lineshape_training.diffusion.schedules import Moment

LARGEST_WEIGHT = 400.0  # of an error in the spectrum: as of one in the velocity at a time of .05


class Estimate(NamedTuple):
    """A spectrum and the noise that was added to it; a path's two ends."""

    clean: Float[Tensor, "n d"]
    noise: Float[Tensor, "n d"]

    def along(self, at: Moment[Any]) -> Float[Tensor, "n d"]:
        """The point between them at a time."""
        point: Tensor = at.alpha * self.clean + at.sigma * self.noise
        return point

    def rate(self, at: Moment[Any]) -> Float[Tensor, "n d"]:
        """How fast that point moves."""
        rate: Tensor = at.alpha_rate * self.clean + at.sigma_rate * self.noise
        return rate


class Prediction(ABC):
    """A number for each one of a spectrum, from which both ends of the path follow."""

    @abstractmethod
    def target(self, ends: Estimate, at: Moment[Tensor]) -> Float[Tensor, "n d"]:
        """What the network should say."""

    @abstractmethod
    def estimate(self, z: Float[Tensor, "n d"], said: Float[Tensor, "n d"], at: Moment[Any]) -> Estimate:
        """What follows from what it said at the point z."""

    def weight(self, at: Moment[Tensor]) -> Float[Tensor, "n 1"]:
        """How much a squared error counts."""
        return torch.ones_like(at.sigma)


class Noise(Prediction):
    """The noise e (Ho et al., 2020)."""

    def target(self, ends: Estimate, at: Moment[Tensor]) -> Float[Tensor, "n d"]:
        """The noise."""
        return ends.noise

    def estimate(self, z: Float[Tensor, "n d"], said: Float[Tensor, "n d"], at: Moment[Any]) -> Estimate:
        """x = (z - sigma e) / alpha."""
        return Estimate((z - at.sigma * said) / at.alpha, said)


class Clean(Prediction):
    """The spectrum x itself; its error counts as one in the velocity does."""

    def target(self, ends: Estimate, at: Moment[Tensor]) -> Float[Tensor, "n d"]:
        """The spectrum."""
        return ends.clean

    def estimate(self, z: Float[Tensor, "n d"], said: Float[Tensor, "n d"], at: Moment[Any]) -> Estimate:
        """e = (z - alpha x) / sigma."""
        return Estimate(said, (z - at.alpha * said) / at.sigma)

    def weight(self, at: Moment[Tensor]) -> Float[Tensor, "n 1"]:
        """1 / sigma squared, up to a limit."""
        return (1 / at.sigma.clamp(min=LARGEST_WEIGHT**-0.5)) ** 2


class V(Prediction):
    """v = alpha e - sigma x, on schedules whose alpha and sigma, squared, add to 1 (Salimans and Ho, 2022)."""

    def target(self, ends: Estimate, at: Moment[Tensor]) -> Float[Tensor, "n d"]:
        """The mixture that stands at right angles to z."""
        return at.alpha * ends.noise - at.sigma * ends.clean

    def estimate(self, z: Float[Tensor, "n d"], said: Float[Tensor, "n d"], at: Moment[Any]) -> Estimate:
        """x = alpha z - sigma v, e = sigma z + alpha v."""
        return Estimate(at.alpha * z - at.sigma * said, at.sigma * z + at.alpha * said)


class Velocity(Prediction):
    """u = alpha' x + sigma' e, the rate of the path (Lipman et al., 2023)."""

    def target(self, ends: Estimate, at: Moment[Tensor]) -> Float[Tensor, "n d"]:
        """The rate."""
        return ends.rate(at)

    def estimate(self, z: Float[Tensor, "n d"], said: Float[Tensor, "n d"], at: Moment[Any]) -> Estimate:
        """The solution of z = alpha x + sigma e, u = alpha' x + sigma' e."""
        determinant = at.alpha * at.sigma_rate - at.sigma * at.alpha_rate
        clean = (at.sigma_rate * z - at.sigma * said) / determinant
        return Estimate(clean, (at.alpha * said - at.alpha_rate * z) / determinant)
