"""Noise schedules: how much of the spectrum and how much noise there is at each time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

Number = TypeVar("Number", float, Tensor)

TINY = 1e-12  # of sigma, where its rate divides by it


@dataclass(frozen=True)
class Moment(Generic[Number]):
    """A time, alpha and sigma there, and the rates at which they change with time; numbers, or one of each a row."""

    time: Number
    alpha: Number
    sigma: Number
    alpha_rate: Number
    sigma_rate: Number


class Schedule(ABC):
    """A path from a spectrum at time 0 to noise at time 1."""

    latest: float = 1.0  # where sampling starts
    shift: float = 1.0  # how many times denser the times lie at the noisy end

    @abstractmethod
    def at(self, time: Float[Tensor, "*n"]) -> Moment[Tensor]:
        """Alpha, sigma and their rates."""

    def spread(self, shares: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The times at these shares of all times that are looked at, in a fit and by a sampler.

        The broad shapes of a spectrum add up over many points: they are lost in noise only near its end of the path,
        which therefore needs more times (Esser et al., 2024, eq. 23).
        """
        return self.latest * self.shift * shares / (1 + (self.shift - 1) * shares)

    def grid(self, steps: int) -> list[Moment[float]]:
        """The times between which so many steps go, from the latest to 0."""
        return [self._number(time) for time in self.spread(torch.linspace(1, 0, steps + 1, dtype=torch.float64))]

    def _number(self, time: Float[Tensor, ""]) -> Moment[float]:
        at = self.at(time)
        return Moment(*(float(value) for value in (at.time, at.alpha, at.sigma, at.alpha_rate, at.sigma_rate)))


@dataclass(frozen=True)
class Straight(Schedule):
    """The straight line of rectified flow: alpha = 1 - t, sigma = t (Liu et al., 2023)."""

    shift: float = 3.0

    def at(self, time: Float[Tensor, "*n"]) -> Moment[Tensor]:
        """Constant rates."""
        one = torch.ones_like(time)
        return Moment(time, 1 - time, time, -one, one)


@dataclass(frozen=True)
class Cosine(Schedule):
    """A quarter of a circle: alpha = cos(pi t / 2), sigma = sin(pi t / 2) (Nichol and Dhariwal, 2021)."""

    shift: float = 3.0
    latest: float = 0.996  # alpha .006, as of the usual linear schedule: with none of the spectrum left, none follows

    def at(self, time: Float[Tensor, "*n"]) -> Moment[Tensor]:
        """The rates are those of an even turn."""
        turn = math.pi / 2
        alpha, sigma = torch.cos(turn * time), torch.sin(turn * time)
        return Moment(time, alpha, sigma, -turn * sigma, turn * alpha)


@dataclass(frozen=True)
class Linear(Schedule):
    """Variances of the steps of a chain that rise evenly from `first` to `last` (Ho et al., 2020), in continuous time.

    With b(t) = first + t (last - first), alpha = exp(-steps / 2 times the integral of b) (Song et al., 2021, eq. 33).
    """

    steps: int = 1000
    first: float = 1e-4
    last: float = 0.02

    def at(self, time: Float[Tensor, "*n"]) -> Moment[Tensor]:
        """Alpha squared and sigma squared add to 1."""
        rate = self.steps * (self.first + time * (self.last - self.first))
        integral = self.steps * (self.first * time + time**2 * (self.last - self.first) / 2)
        alpha = torch.exp(-integral / 2)
        sigma = torch.sqrt(-torch.expm1(-integral))
        return Moment(time, alpha, sigma, -rate * alpha / 2, rate * alpha**2 / (2 * sigma.clamp(min=TINY)))
