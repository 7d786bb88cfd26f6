"""The fitting loop.

How long to fit is chosen on groups that are held out: networks are fitted without them, scored every so often, and the
step with the best mean score is the step to which the last network, on all groups, is fitted. What the family learns
from held-out groups (intervals, familiarity) comes from the same networks. Where a recipe names numbers to search for,
short fits on the first of these splits choose them beforehand.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric

from lineshape.errors import DataError, RecipeError
from lineshape.library import LIBRARY
from lineshape_training.conditions import Conditions
from lineshape_training.families import family_of
from lineshape_training.family import Family, Table, Trainable
from lineshape_training.fitter import CHECKPOINT, Job, Progress
from lineshape_training.library import library_of
from lineshape_training.recipe import Recipe
from lineshape_training.run import Fitted, Run, RunSpec, Trial, group_hash
from lineshape_training.search import check_search, searched
from lineshape_training.splits import group_folds

SMALLEST_TABLE = 8


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
        If the table is too small to be fitted and judged, or a conditional family is told nothing.
    FitError
        If the loss diverges, or the samples have collapsed.
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    family, conditions = _checked(recipe, table, fabric)
    hashes = tuple(group_hash(name) for name in np.unique(table.group).tolist())
    spec = RunSpec(recipe, data, data_sha256, seed, len(table), len(hashes), hashes, conditions)
    run = begun(out, spec, fabric, resume)
    if run.ended:
        return run
    folds = group_folds(table.group, recipe.fit.folds, seed)[: recipe.fit.holdouts]
    job = Job(recipe, conditions, family.tensors(table, conditions), fabric, seed, progress,
              references=lambda rows: family.references(table.rows(rows), conditions))  # fmt: skip
    job, trials = searched(job, run, *folds[0])
    parts = [run.part(f"fold-{k}") for k in range(len(folds))]
    scores = [job.fit(part, k, *folds[k], recipe.fit.steps) for k, part in enumerate(parts)]
    steps, whole = best_step(scores, recipe), run.part("final")
    job.fit(whole, len(folds), np.arange(len(table)), None, steps)
    network = job.evaluated(whole, steps)
    unseen = [(job.evaluated(part, steps), held) for part, (_, held) in zip(parts, folds, strict=True)]
    family.calibrate(network, job.tensors, table.group, unseen)
    network.check(job.tensors, str(out))
    if fabric.global_rank == 0:
        if recipe.data.library:
            run.keep(LIBRARY, library_of(recipe, table))
        run.finish(network, fitted_of(job.recipe, trials, steps, scores, [*parts, whole], network, fabric))
    fabric.barrier()
    return run


def best_step(scores: list[list[float]], recipe: Recipe) -> int:
    """The evaluated step with the best mean score over the held-out folds, as far as all of them were fitted."""
    reached = min(map(len, scores))
    mean = np.mean([fold[:reached] for fold in scores], axis=0)
    return (int(np.argmin(mean)) + 1) * recipe.fit.evaluate_every


def total_steps(recipe: Recipe) -> int:
    """Steps of all networks of a fit, if none stops early and the last one goes all the way."""
    trials = recipe.search.trials * recipe.search.steps if recipe.search else 0
    return trials + recipe.fit.steps * (min(recipe.fit.holdouts, recipe.fit.folds) + 1)


def _checked(recipe: Recipe, table: Table, fabric: Fabric) -> tuple[Family[Any, Any], Conditions]:
    """The family and what it is told, once all that can be wrong has been tried; no folder is made before."""
    family, groups = family_of(recipe.family), len(np.unique(table.group))
    if len(table) < SMALLEST_TABLE or groups < recipe.fit.folds:
        raise DataError(f"{len(table)} spectra of {groups} independent groups are too few; recipe {recipe.name} needs "
                        f"at least {SMALLEST_TABLE} spectra and {recipe.fit.folds} groups")  # fmt: skip
    if (family.task == "transfer") != (recipe.data.source is not None):
        wanted = "names" if family.task == "transfer" else "names no"
        raise RecipeError(f"recipe {recipe.name}: family {family.name} {wanted} [data] source")
    if recipe.fit.batch % fabric.world_size:
        raise RecipeError(
            f"recipe {recipe.name}: a batch of {recipe.fit.batch} cannot be shared by {fabric.world_size} evenly"
        )
    check_search(recipe, family)
    conditions = family.conditions(table, recipe)
    family.network(recipe, conditions)
    return family, conditions


def begun(out: Path, spec: RunSpec, fabric: Fabric, resume: bool) -> Run:
    """The folder of a fit, begun or gone on with."""
    run = Run(out)
    if fabric.global_rank == 0:
        run.begin(spec, resume)
    fabric.barrier()
    return run


def fitted_of(recipe: Recipe, trials: tuple[Trial, ...], steps: int, scores: list[list[float]], parts: list[Path],
              network: Trainable, fabric: Fabric) -> Fitted:  # fmt: skip
    """What a fit found, by the checkpoints of its networks."""
    saved = [torch.load(part / CHECKPOINT, map_location="cpu", weights_only=True) for part in parts]
    hardware = torch.cuda.get_device_name() if fabric.device.type == "cuda" else platform.machine() or "cpu"
    versions = {name: version(name) for name in ("lineshape", "torch", "lightning", "numpy")}
    chosen = tuple(values[steps // recipe.fit.evaluate_every - 1] for values in scores)
    parameters = sum(p.numel() for p in network.parameters())
    seconds = sum(state["seconds"] for state in saved) + sum(trial.seconds for trial in trials)
    return Fitted(steps, chosen, scores, seconds, parameters, hardware, versions, trials)
