"""The fitting loop.

How long to fit is chosen on groups that are held out: networks are fitted without them, scored every so often, and the
step with the best mean score is the step to which the last network, on all groups, is fitted. What the family learns
from held-out groups (intervals, familiarity) comes from the same networks.

Every step draws from a generator seeded by (seed, network, step) and nothing else, so that a fit that was killed and
resumed ends in the same weights.
"""

from __future__ import annotations

import io
import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning.fabric import Fabric
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lineshape.errors import DataError, FitError, RecipeError
from lineshape.files import write_atomically
from lineshape_training.families import family_of
from lineshape_training.family import Family, Rows, Table, Tensors, Trainable
from lineshape_training.recipe import Recipe
from lineshape_training.run import Fitted, Run, RunSpec, load_weights, save_weights
from lineshape_training.splits import group_folds

Progress = Callable[[int], object]  # told how many steps have been made

SMALLEST_TABLE = 8
CHECKPOINT = "checkpoint.pt"


def fit(recipe: Recipe, table: Table, out: Path, *, data: str, data_sha256: str, seed: int = 0,
        fabric: Fabric | None = None, resume: bool = False,
        progress: Progress = lambda steps: None) -> Run:  # fmt: skip
    """Fit one family to one table.

    Parameters
    ----------
    recipe : Recipe
    table : Table
        Of the recipe's kind, on its grids; see `lineshape_training.loading`.
    out : Path
        The run's folder.
    data, data_sha256 : str
        Where the table came from, for the record.
    seed : int
    fabric : Fabric, optional
        Device, precision and strategy; launched. By default one CPU process.
    resume : bool
        Go on with an interrupted run.
    progress : callable
        Called with the number of steps made since the last call.

    Returns
    -------
    Run
        Ended, with its weights.

    Raises
    ------
    DataError
        If the table is too small to be fitted and judged.
    FitError
        If the loss diverges.
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    family = _checked(recipe, table, fabric)
    groups = np.unique(table.group).tolist()
    hashes = tuple(sha256(name.encode()).hexdigest()[:16] for name in groups)
    run = _begun(out, RunSpec(recipe, data, data_sha256, seed, len(table), len(groups), hashes), fabric, resume)
    if run.ended:
        return run
    job = Job(recipe, family.tensors(table), fabric, seed, progress)
    folds = group_folds(table.group, recipe.fit.folds, seed)[: recipe.fit.holdouts]
    parts = [run.part(f"fold-{k}") for k in range(len(folds))]
    scores = [job.fit(part, k, *folds[k], recipe.fit.steps) for k, part in enumerate(parts)]
    steps, whole = best_step(scores, recipe), run.part("final")
    job.fit(whole, len(folds), np.arange(len(table)), None, steps)
    network = job.evaluated(whole, steps)
    unseen = [(job.evaluated(part, steps), held) for part, (_, held) in zip(parts, folds, strict=True)]
    family.calibrate(network, job.tensors, table.group, unseen)
    if fabric.global_rank == 0:
        run.finish(network, _found(recipe, steps, scores, [*parts, whole], network, fabric))
    fabric.barrier()
    return run


def best_step(scores: list[list[float]], recipe: Recipe) -> int:
    """The evaluated step with the best mean score over the held-out folds."""
    return (int(np.argmin(np.mean(scores, axis=0))) + 1) * recipe.fit.evaluate_every


def total_steps(recipe: Recipe) -> int:
    """Steps of all networks of a fit, if the last one goes all the way."""
    return recipe.fit.steps * (min(recipe.fit.holdouts, recipe.fit.folds) + 1)


@dataclass(frozen=True)
class Job:
    """What all networks of one fit share."""

    recipe: Recipe
    tensors: Tensors
    fabric: Fabric
    seed: int
    progress: Progress

    def fit(self, part: Path, network: int, rows: Rows, held: Rows | None, steps: int) -> list[float]:
        """Fit one network to `rows`, scoring it on `held` at every evaluation; go on where a kill left it."""
        fitter = Fitter(self, part, network)
        fitter.load()
        self.progress(fitter.step)
        fitting = {name: self.fabric.to_device(values[rows]) for name, values in self.tensors.items()}
        if fitter.step == 0:
            fitter.begin(fitting)
        unseen = (
            None if held is None else {n: self.fabric.to_device(values[held]) for n, values in self.tensors.items()}
        )
        while fitter.step < steps:
            losses = fitter.advance(fitting)
            self.progress(1)
            if fitter.step % self.recipe.fit.evaluate_every == 0:
                fitter.evaluate(losses, unseen)
        return fitter.scores

    def evaluated(self, part: Path, step: int) -> Trainable:
        """The averaged weights of an evaluated step, on the CPU."""
        network: Trainable = family_of(self.recipe.family).network(self.recipe)
        load_weights(network, part / f"step-{step}.safetensors")
        return network.eval()


class Fitter:
    """One network on its way: weights, their average, the optimiser, and how far they have come."""

    def __init__(self, job: Job, part: Path, number: int) -> None:
        self.job, self.part, self.number = job, part, number
        spec = job.recipe.fit
        torch.manual_seed(self._seed_of(0))
        network = family_of(job.recipe.family).network(job.recipe)
        optimizer = torch.optim.AdamW(network.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay)
        self.network, self.optimizer = job.fabric.setup(network, optimizer)
        self.network.mark_forward_method("loss")
        self.network.mark_forward_method("begin")
        decayed = get_ema_multi_avg_fn(spec.ema)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(network, multi_avg_fn=decayed, use_buffers=False)
        self.step, self.scores = 0, list[float]()
        self.seconds, self.started = 0.0, time.monotonic()

    def begin(self, tensors: Tensors) -> None:
        """Set what follows from the spectra without descent, in the network and in its average."""
        self.network.begin(tensors)
        cast(Trainable, self.average.module).begin(tensors)

    def advance(self, tensors: Tensors) -> Tensors:
        """One step of AdamW on a batch drawn with replacement."""
        spec, fabric = self.job.recipe.fit, self.job.fabric
        torch.manual_seed(self._seed_of(self.step + 1))
        count = len(next(iter(tensors.values())))
        index = torch.randint(count, (spec.batch,), device=fabric.device)[fabric.global_rank :: fabric.world_size]
        torch.manual_seed(self._seed_of(self.step + 1) + fabric.global_rank)  # each device its own dropout and latents
        for group in self.optimizer.param_groups:
            group["lr"] = spec.learning_rate * (1 + math.cos(math.pi * self.step / spec.steps)) / 2
        self.network.train()
        losses: Tensors = self.network.loss({name: values[index] for name, values in tensors.items()})
        self.optimizer.zero_grad()
        fabric.backward(torch.stack(list(losses.values())).sum())
        self.optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return losses

    def evaluate(self, losses: Tensors, held_out: Tensors | None) -> None:
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
        if held_out is not None:
            self.scores.append(network.score(held_out))
        if self.job.fabric.global_rank == 0:
            save_weights(network, self.part / f"step-{self.step}.safetensors")
            self._save()
        self.job.fabric.barrier()  # the others read what the first has written

    def load(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        path = self.part / CHECKPOINT
        if path.exists():
            state: dict[str, Any] = torch.load(path, map_location=self.job.fabric.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.scores, self.seconds = state["step"], state["scores"], state["seconds"]

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(), "step": self.step, "scores": self.scores,
            "seconds": self.seconds + time.monotonic() - self.started,
        }  # fmt: skip
        content = io.BytesIO()
        torch.save(state, content)
        write_atomically(self.part / CHECKPOINT, content.getvalue())

    def _seed_of(self, step: int) -> int:
        return int(np.random.SeedSequence([self.job.seed, self.number, step]).generate_state(1, np.uint64)[0] >> 1)


def _checked(recipe: Recipe, table: Table, fabric: Fabric) -> Family[Any, Any]:
    """The recipe's family, once everything that can be wrong has been tried; no folder is made before."""
    family, groups = family_of(recipe.family), len(np.unique(table.group))
    if len(table) < SMALLEST_TABLE or groups < recipe.fit.folds:
        raise DataError(f"{len(table)} spectra of {groups} independent groups are too few; recipe {recipe.name} needs "
                        f"at least {SMALLEST_TABLE} spectra and {recipe.fit.folds} groups")  # fmt: skip
    if (family.task == "transfer") != (recipe.data.source is not None):
        wanted = "names" if family.task == "transfer" else "names no"
        raise RecipeError(f"recipe {recipe.name}: family {family.name} {wanted} [data] source")
    if recipe.fit.batch < fabric.world_size:
        raise RecipeError(
            f"recipe {recipe.name}: a batch of {recipe.fit.batch} cannot be shared by {fabric.world_size}"
        )
    family.network(recipe)
    return family


def _begun(out: Path, spec: RunSpec, fabric: Fabric, resume: bool) -> Run:
    run = Run(out)
    if fabric.global_rank == 0:
        run.begin(spec, resume)
    fabric.barrier()
    return run


def _found(recipe: Recipe, steps: int, scores: list[list[float]], parts: list[Path], network: Trainable,
           fabric: Fabric) -> Fitted:  # fmt: skip
    saved = [torch.load(part / CHECKPOINT, map_location="cpu", weights_only=True) for part in parts]
    hardware = torch.cuda.get_device_name() if fabric.device.type == "cuda" else platform.machine() or "cpu"
    versions = {name: version(name) for name in ("lineshape", "torch", "lightning", "numpy")}
    chosen = tuple(values[steps // recipe.fit.evaluate_every - 1] for values in scores)
    parameters = sum(p.numel() for p in network.parameters())
    seconds = sum(state["seconds"] for state in saved)
    return Fitted(steps, chosen, scores, seconds, parameters, hardware, versions)
