"""Samplers: how a step goes from one time of a path to an earlier one.

A step reads like its equation and draws no random number; the one sampler that needs more noise than it starts from is
given it. All times are fixed beforehand, so that a sampler can be unrolled into a graph.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

from jaxtyping import Float
from torch import Tensor

from lineshape.errors import UsageError
from lineshape_training.diffusion.guidance import Denoise
from lineshape_training.diffusion.predictions import Estimate
from lineshape_training.diffusion.schedules import Moment, Schedule

At: TypeAlias = Moment[Any]  # numbers, or one a row
Points: TypeAlias = Float[Tensor, "n d"]


class Sampler(ABC):
    """Walks from noise to a spectrum.

    Parameters
    ----------
    schedule : Schedule
    evaluations : int
        Of the denoiser.

    Raises
    ------
    UsageError
        If no whole number of steps takes so many evaluations.
    """

    def __init__(self, schedule: Schedule, evaluations: int) -> None:
        if evaluations < 1:
            raise UsageError(f"{evaluations} evaluations draw nothing; ask for 1 or more")
        self.evaluations = evaluations
        self.moments = schedule.grid(self._steps(evaluations))

    @property
    def steps(self) -> Iterator[tuple[At, At]]:
        """From when to when each step goes."""
        return pairwise(self.moments)

    @abstractmethod
    def sample(self, noise: Points, denoise: Denoise) -> Points:
        """The spectra at the other end of the path."""

    def _steps(self, evaluations: int) -> int:
        return evaluations


class OneStep(Sampler):
    """A sampler whose step knows nothing of the steps before."""

    @abstractmethod
    def step(self, z: Points, at: At, to: At, denoise: Denoise) -> Points:
        """The point on the path at an earlier time."""

    def sample(self, noise: Points, denoise: Denoise) -> Points:
        """Step by step."""
        z = noise
        for at, to in self.steps:
            z = self.step(z, at, to, denoise)
        return z


class DDIM(OneStep):
    """Take both ends for right, and go along their path (Song et al., 2021; order 1)."""

    def step(self, z: Points, at: At, to: At, denoise: Denoise) -> Points:
        """alpha x + sigma e."""
        return denoise(z, at, to).along(to)


class Euler(OneStep):
    """Go on at the rate of the path (order 1)."""

    def step(self, z: Points, at: At, to: At, denoise: Denoise) -> Points:
        """z + dt u(z, t)."""
        there: Points = z + (to.time - at.time) * denoise(z, at, to).rate(at)
        return there


class Shortcut(Euler):
    """Euler's step by a denoiser that looks at where it goes, and means the whole way (Frans et al., 2025)."""


class Heun(OneStep):
    """Go at the mean of the rates at both ends of a step (order 2); the last step is Euler's (Karras et al., 2022)."""

    def step(self, z: Points, at: At, to: At, denoise: Denoise) -> Points:
        """z + dt (u(z, t) + u(z', t')) / 2, z' = z + dt u(z, t)."""
        rate, dt = denoise(z, at, to).rate(at), to.time - at.time
        there: Points = z + dt * rate
        if to.sigma != 0:  # else no noise is left to be estimated there
            there = z + dt * (rate + denoise(there, to, to).rate(to)) / 2
        return there

    def _steps(self, evaluations: int) -> int:
        if evaluations % 2 == 0:
            raise UsageError(f"Heun's sampler takes an odd number of evaluations, two a step but one for the last; got "
                             f"{evaluations}")  # fmt: skip
        return (evaluations + 1) // 2


class DPMSolver(Sampler):
    """DPM-Solver++(2M): the spectrum's estimate as a straight line in log(alpha / sigma) (Lu et al., 2022; order 2)."""

    def sample(self, noise: Points, denoise: Denoise) -> Points:
        """Each step looks back on the estimate before."""
        z, before = noise, None
        for at, to in self.steps:
            now = (at, denoise(z, at, to).clean)
            z = self.step(z, to, now, before or now)
            before = now
        return z

    def step(self, z: Points, to: At, now: tuple[At, Points], before: tuple[At, Points]) -> Points:
        """z sigma' / sigma - alpha' (exp(-h) - 1) D, D = x + (x - x_before) h / (2 h_before) (algorithm 2)."""
        (at, clean), (earlier, clean_before) = now, before
        h, h_before = _half_log_snr(to) - _half_log_snr(at), _half_log_snr(at) - _half_log_snr(earlier)
        straight = 0.0 if h_before == 0 or math.isinf(h) else h / (2 * h_before)  # first and last step: order 1
        ahead = clean + straight * (clean - clean_before) if straight else clean
        there: Points = to.sigma / at.sigma * z - to.alpha * math.expm1(-h) * ahead
        return there


class Ancestral(Sampler):
    """The chain of the original diffusion model, which adds fresh noise at every step (Ho et al., 2020).

    Parameters
    ----------
    schedule : Schedule
    evaluations : int
    fresh : tensors [n, d], optional
        Standard normals, one for each step; needed to sample.
    """

    def __init__(self, schedule: Schedule, evaluations: int, fresh: Iterable[Points] = ()) -> None:
        super().__init__(schedule, evaluations)
        self.fresh = fresh

    def sample(self, noise: Points, denoise: Denoise) -> Points:
        """Every step takes the next of the fresh noises.

        Raises
        ------
        UsageError
            If there are fewer of them than steps.
        """
        z, noises = noise, iter(self.fresh)
        for at, to in self.steps:
            fresh = next(noises, None)
            if fresh is None:
                raise UsageError(f"the fresh noises ran out; give one for each of the {self.evaluations} steps")
            z = self.step(z, at, to, denoise(z, at, to), fresh)
        return z

    def step(self, z: Points, at: At, to: At, estimate: Estimate, fresh: Points) -> Points:
        """alpha' x + sqrt(sigma'^2 - s^2) e + s fresh, s the deviation of z' given x and z (eqs. 6 and 7)."""
        kept = at.alpha / to.alpha
        deviation = to.sigma / at.sigma * math.sqrt(max(at.sigma**2 - (kept * to.sigma) ** 2, 0.0))
        left = math.sqrt(max(to.sigma**2 - deviation**2, 0.0))
        there: Points = to.alpha * estimate.clean + left * estimate.noise + deviation * fresh
        return there


SAMPLERS: dict[str, type[Sampler]] = {
    "ddim": DDIM, "dpm-solver++": DPMSolver, "heun": Heun, "euler": Euler, "shortcut": Shortcut,
}  # fmt: skip


def _half_log_snr(at: At) -> float:
    """log(alpha / sigma)."""
    if at.sigma == 0:
        return math.inf
    return math.log(at.alpha / at.sigma) if at.alpha else -math.inf
