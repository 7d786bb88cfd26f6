"""What a student minimises, by each way of distilling."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lineshape_training.diffusion.network import DiffusionNetwork
from lineshape_training.diffusion.predictions import Estimate
from lineshape_training.diffusion.samplers import DDIM
from lineshape_training.family import Tensors, Trainable

POLISH = 0.25  # share of the steps, the last ones, that look only at the times at which the student will be asked


class Student(Trainable):
    """A network that starts as its teacher.

    Parameters
    ----------
    network : DiffusionNetwork
        With the teacher's weights; it walks as the student will.
    """

    def __init__(self, network: DiffusionNetwork) -> None:
        super().__init__()
        self.network = network


class Reflow(Student):
    """A flow between noise and the spectrum that the teacher made of it (Liu et al., 2023).

    Such paths hardly cross, so that they are straight, and one step can go all the way. The last steps are a direct
    regression of the spectrum on the noise, where the student is asked once; of what it is asked, where it is more.
    """

    def draws(self, n: int, device: torch.device) -> Tensors:
        """Times anywhere on the path, and times at which the sampler asks."""
        asked = torch.tensor([at.time for at, _ in self.network.sampler.steps], device=device)
        return {
            "time": self.network.path.schedule.spread(torch.rand(n, 1, device=device)),
            "asked": asked[torch.randint(len(asked), (n, 1), device=device)],
        }

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """Squared error between the ends of a pair."""
        time = torch.where(done < 1 - POLISH, batch["time"], batch["asked"])
        ends = Estimate(batch["clean"], batch["noise"])
        return {"reflow": self.network.error(ends, time, batch["condition"])}


class Halving(Student):
    """One step where the teacher takes two (Salimans and Ho, 2022).

    Parameters
    ----------
    network : DiffusionNetwork
    teacher : DiffusionNetwork
    evaluations : int
        Of the student by DDIM; the teacher takes twice as many.
    """

    def __init__(self, network: DiffusionNetwork, teacher: DiffusionNetwork, evaluations: int) -> None:
        super().__init__(network)
        self.teachers = (teacher,)  # in a tuple, a module is no part of this one
        self.halves = DDIM(teacher.path.schedule, 2 * evaluations)
        times = [moment.time for moment in self.halves.moments]
        self.times = torch.tensor([times[k : k + 3] for k in range(0, len(times) - 2, 2)])

    def draws(self, n: int, device: torch.device) -> Tensors:
        """Noise, and begin, middle and end of the step that is learned."""
        times = self.times.to(device)
        noise = torch.randn(n, self.network.coordinates.size, device=device)
        return {"noise": noise, "times": times[torch.randint(len(times), (n,), device=device)]}

    def given(self, batch: Tensors, turn: str) -> Tensors:
        """Where a step begins, and the spectrum towards which one must go to end where the teacher's two do."""
        teacher = self.teachers[0]
        denoise = teacher.denoise(batch["condition"])
        at, between, to = (teacher.path.schedule.at(time) for time in batch["times"].chunk(3, dim=1))
        z = teacher.ends(batch).along(at)
        arrival = self.halves.step(self.halves.step(z, at, between, denoise), between, to, denoise)
        left = to.sigma / at.sigma
        return {"z": z, "clean": (arrival - left * z) / (to.alpha - left * at.alpha)}

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """Squared error of what the network says at the beginning of the step."""
        z, clean, path = batch["z"], batch["clean"], self.network.path
        at = path.schedule.at(batch["times"][:, :1])
        target = path.prediction.target(Estimate(clean, (z - at.alpha * clean) / at.sigma), at)
        said = self.network.said(z, at, at, batch["condition"])
        return {"halving": (path.prediction.weight(at) * (said - target) ** 2).mean()}
