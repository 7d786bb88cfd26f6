"""Shortcut model (Frans et al., 2025): a flow that is told how far a step goes, and draws in 1, 2, 4 or more of them.

Most of a batch teaches steps without length, as in a flow. For the rest, a step of length 2 s has to arrive where two
steps of length s arrive, one behind the other; so the longest step, from noise to spectrum, learns from all shorter
ones.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor

from lineshape_training.diffusion.network import DiffusionNetwork
from lineshape_training.diffusion.predictions import Estimate
from lineshape_training.diffusion.schedules import Moment
from lineshape_training.families.flow import Flow, FlowConfig
from lineshape_training.family import Tensors

JUMPS = 4  # one spectrum in so many of a batch learns a step of some length
LEVELS = 6  # the path is halved so many times to the shortest step


class ShortcutNetwork(DiffusionNetwork):
    """A flow that asks where a step goes."""

    def draws(self, n: int, device: torch.device) -> Tensors:
        """As of a flow, and which step of which length is learned."""
        steps = 2 ** torch.randint(LEVELS, (n, 1), device=device)
        begins = (torch.rand(n, 1, device=device) * steps).floor() + 1
        shares = torch.cat([begins, begins - 0.5, begins - 1], dim=1) / steps
        return super().draws(n, device) | {"times": self.path.schedule.spread(shares)}

    def given(self, batch: Tensors, turn: str) -> Tensors:
        """Where two half steps arrive."""
        ends, condition = self.ends(batch), batch["condition"] * batch["shown"]
        jumps = len(condition) // JUMPS
        at, between, to = (self.path.schedule.at(time) for time in batch["times"][:jumps].chunk(3, dim=1))
        z = Estimate(ends.clean[:jumps], ends.noise[:jumps]).along(at)
        half = self._jumped(z, at, between, condition[:jumps])
        return {"arrival": self._jumped(half, between, to, condition[:jumps])}

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """Steps without length as in a flow, steps with one by where two halves of them arrive."""
        ends, condition = self.ends(batch), batch["condition"] * batch["shown"]
        jumps, arrival = len(batch["arrival"]), batch["arrival"]
        at, _, to = (self.path.schedule.at(time) for time in batch["times"][:jumps].chunk(3, dim=1))
        z = Estimate(ends.clean[:jumps], ends.noise[:jumps]).along(at)
        said = self.said(z, at, to, condition[:jumps])
        clean = z + at.time * (arrival - z) / (at.time - to.time)  # whose path leads through both points
        jump = (self.path.prediction.weight(at) * (said - clean) ** 2).mean()
        rest = Estimate(ends.clean[jumps:], ends.noise[jumps:])
        return {"denoising": self.error(rest, batch["time"][jumps:], condition[jumps:]), "jump": jump / JUMPS}

    def stride(self, at: Moment[Any], to: Moment[Any]) -> Any:  # noqa: ANN401 - a number, or one a row
        """How far the step goes."""
        return at.time - to.time

    def _jumped(self, z: Tensor, at: Moment[Tensor], to: Moment[Tensor], condition: Tensor) -> Tensor:
        estimate = self.path.prediction.estimate(z, self.said(z, at, to, condition), at)
        return z + (to.time - at.time) * estimate.rate(at)


class ShortcutConfig(FlowConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Numbers of the network; it knows one way to be drawn."""

    sampler: Literal["shortcut"] = "shortcut"  # type: ignore[assignment]  # in the place of the others
    evaluations: Annotated[int, Meta(ge=1, le=1000)] = 4


class Shortcut(Flow):
    """Shortcut model."""

    name: ClassVar[str] = "shortcut"
    Config: type[FlowConfig] = ShortcutConfig
    kind: ClassVar[type[DiffusionNetwork]] = ShortcutNetwork
