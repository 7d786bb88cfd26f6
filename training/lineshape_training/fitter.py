"""One network on its way: its batches, its turns, its evaluations and its checkpoint.

Every step draws from a generator seeded by (seed, network, step) and nothing else, so that a fit that was killed and
resumed ends in the same weights. All random numbers of a step are drawn for the whole batch by every device, which
then takes its share: two processes make the same steps as one.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from jaxtyping import Int
from lightning.fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from lineshape.errors import FitError
from lineshape.files import write_atomically
from lineshape_training.conditions import Conditions
from lineshape_training.families import family_of
from lineshape_training.family import CHANCE, Rows, Tensors, Trainable, Turn
from lineshape_training.recipe import FitSpec, Recipe
from lineshape_training.run import load_weights, save_weights

Weights: TypeAlias = tuple[Tensor, ...] | list[Tensor]
Progress: TypeAlias = Callable[[int], object]  # told how many steps have been made

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Job:
    """What all networks of one fit share."""

    recipe: Recipe
    conditions: Conditions
    tensors: Tensors
    fabric: Fabric
    seed: int
    progress: Progress
    references: Callable[[Rows], Tensors] = field(default=lambda rows: {}, kw_only=True)  # learned beside these rows

    def fit(self, part: Path, network: int, rows: Rows, held: Rows | None, steps: int) -> list[float]:
        """Fit one network to `rows`, scoring it on `held` at every evaluation; go on where a kill left it."""
        fitter = Fitter(self, part, network)
        fitter.load()
        self.progress(fitter.step)
        fitter.refer(self.references(rows))
        fitting = fitter.prepared(self._rows(rows))
        if fitter.step == 0:
            fitter.begin(fitting)
        unseen = None if held is None else fitter.prepared(self._rows(held))
        while fitter.step < steps and not fitter.stale:
            losses = fitter.advance(fitting)
            self.progress(1)
            if fitter.step % self.recipe.fit.evaluate_every == 0:
                fitter.evaluate(losses, fitting, unseen)
        return fitter.scores

    def _rows(self, rows: Rows) -> Tensors:
        return {name: values[rows] for name, values in self.tensors.items()}

    def network(self) -> Trainable:
        """Fresh weights."""
        network: Trainable = family_of(self.recipe.family).network(self.recipe, self.conditions)
        return network

    def evaluated(self, part: Path, step: int) -> Trainable:
        """The averaged weights of an evaluated step, on the CPU."""
        network = self.network()
        load_weights(network, part / f"step-{step}.safetensors")
        return network.eval()


class Fitter:
    """One network on its way: weights, their average, the optimiser, and how far they have come."""

    def __init__(self, job: Job, part: Path, number: int) -> None:
        self.job, self.part, self.number = job, part, number
        spec = job.recipe.fit
        torch.manual_seed(self._seed_of(0))
        network = job.network()
        self.weights = list(network.parameters())
        self.players = {turn.name: _moving(network, turn) for turn in network.turns}
        self.turns = network.turns
        optimizers = [_adamw(players, spec) for players in self.players.values()]
        self.network, *self.optimizers = job.fabric.setup(network, *optimizers)
        for method in ("loss", "given", "begin"):
            self.network.mark_forward_method(method)
        self.average = AveragedModel(network, multi_avg_fn=self._follow, use_buffers=False)
        self.step, self.scores = 0, list[float]()
        self.done = torch.zeros((), device=job.fabric.device)
        self.seconds, self.started = 0.0, time.monotonic()

    def prepared(self, tensors: Tensors) -> Tensors:
        """What the network needs of the tensors, on its device."""
        onto = {name: self.job.fabric.to_device(values) for name, values in tensors.items()}
        return self._own.prepare(onto)

    def refer(self, references: Tensors) -> None:
        """Give the network, and its average, what is learned beside the table's rows."""
        ready = self.prepared(references) if references else {}
        for network in (self._own, cast(Trainable, self.average.module)):
            network.references = ready

    @property
    def _own(self) -> Trainable:
        return cast(Trainable, self.network.module)

    def begin(self, tensors: Tensors) -> None:
        """Set what follows from the spectra without descent, in the network and in its average."""
        self.network.begin(tensors)
        cast(Trainable, self.average.module).begin(tensors)

    @property
    def stale(self) -> bool:
        """Whether the score has not become better for as long as the recipe is patient."""
        patience = self.job.recipe.fit.patience
        return patience is not None and len(self.scores) - 1 - int(np.argmin(self.scores or [0])) >= patience

    def advance(self, tensors: Tensors) -> Tensors:
        """One step: every turn descends on batches drawn with replacement."""
        spec = self.job.recipe.fit
        torch.manual_seed(self._seed_of(self.step + 1))
        self.done.fill_(self.step / spec.steps)
        rate = spec.learning_rate * (1 + math.cos(math.pi * self.step / spec.steps)) / 2
        self.network.train()
        losses: Tensors = {}
        for turn, optimizer in zip(self.turns, self.optimizers, strict=True):
            for batch in self._batches(tensors, turn):
                losses |= self._descend(batch, turn, optimizer, rate)
        self.average.update_parameters(self.network)
        self.step += 1
        return losses

    def _batches(self, tensors: Tensors, turn: Turn) -> list[Tensors]:
        """The batches of a turn. All devices draw the same numbers, and each takes its share of every batch."""
        fabric, size = self.job.fabric, self.job.recipe.fit.batch
        index = _drawn(tensors, turn.repeats * size)
        draws = self.network.module.draws(len(index), fabric.device)
        own = torch.arange(len(index), device=fabric.device).view(turn.repeats, size)
        own = own[:, fabric.global_rank :: fabric.world_size].flatten()
        batch = {name: values[index[own]] for name, values in tensors.items() if name != CHANCE}
        batch |= {name: values[own] for name, values in draws.items()}
        with torch.no_grad():
            batch |= self.network.given(batch, turn.name)
        parts = {name: values.chunk(turn.repeats) for name, values in batch.items()}
        return [{name: chunks[k] for name, chunks in parts.items()} for k in range(turn.repeats)]

    def _descend(self, batch: Tensors, turn: Turn, optimizer: Any, rate: float) -> Tensors:  # noqa: ANN401 - Fabric's
        for parameter in self.weights:
            parameter.requires_grad_(False)
        for parameter in self.players[turn.name]:
            parameter.requires_grad_(True)
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses: Tensors = self.network.loss(batch, turn.name, self.done)
        optimizer.zero_grad()
        self.job.fabric.backward(torch.stack(list(losses.values())).sum())
        optimizer.step()
        return losses

    def evaluate(self, losses: Tensors, fitted: Tensors, held_out: Tensors | None) -> None:
        """Score the averaged weights on held-out groups, keep them, and save where the fit stands.

        Raises
        ------
        FitError
            If the loss is not finite any more.
        """
        wrong = [name for name, loss in losses.items() if not torch.isfinite(loss)]
        if wrong:
            raise FitError(f"{self.part}: the {', '.join(wrong)} loss is not finite after {self.step} steps; lower "
                           "learning_rate in the recipe, or look for outliers in the data")  # fmt: skip
        network = cast(Trainable, self.average.module.eval())
        network.settle(fitted)
        if held_out is not None:
            self._judge(network.score(held_out))
        if self.job.fabric.global_rank == 0:
            save_weights(network, self.part / f"step-{self.step}.safetensors")
            self._save()
        self.job.fabric.barrier()  # the others read what the first has written

    def _judge(self, score: float) -> None:
        if not math.isfinite(score):
            raise FitError(f"{self.part}: the score of unseen groups is not a finite number after {self.step} steps; "
                           "lower learning_rate in the recipe")  # fmt: skip
        self.scores.append(score)

    def load(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        path = self.part / CHECKPOINT
        if path.exists():
            state: dict[str, Any] = torch.load(path, map_location=self.job.fabric.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.step, self.scores, self.seconds = state["step"], state["scores"], state["seconds"]

    def _follow(self, averages: Weights, current: Weights, number: Tensor | int) -> None:
        """Move the averaged weights; faster over the first steps, so that fresh weights are forgotten."""
        decay = min(self.job.recipe.fit.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(averages, current, 1 - decay)

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step, "scores": self.scores,
            "seconds": self.seconds + time.monotonic() - self.started,
        }  # fmt: skip
        content = io.BytesIO()
        torch.save(state, content)
        write_atomically(self.part / CHECKPOINT, content.getvalue())

    def _seed_of(self, step: int) -> int:
        return int(np.random.SeedSequence([self.job.seed, self.number, step]).generate_state(1, np.uint64)[0] >> 1)


def _moving(network: Trainable, turn: Turn) -> list[torch.nn.Parameter]:
    """The parameters that descend in a turn."""
    parts = [network.get_submodule(part) for part in turn.parts] or [network]
    return [parameter for part in parts for parameter in part.parameters()]


def _adamw(parameters: list[torch.nn.Parameter], spec: FitSpec) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters, lr=spec.learning_rate, betas=spec.betas, weight_decay=spec.weight_decay, fused=True
    )


def _drawn(tensors: Tensors, count: int) -> Int[Tensor, " count"]:
    """Rows for a batch, with replacement, each as often as its chance says."""
    first = next(iter(tensors.values()))
    if CHANCE not in tensors:
        return torch.randint(len(first), (count,), device=first.device)
    rising = tensors[CHANCE].double().cumsum(0)
    drawn = torch.rand(count, dtype=torch.float64, device=first.device) * rising[-1]
    return torch.searchsorted(rising, drawn).clamp(max=len(first) - 1)
