"""What is exported for the table: one network of every family, of 1,024 points where the family draws spectra.

A few steps of fitting are enough: neither the size of a graph nor its speed depends on what its weights have learned.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import msgspec

from lineshape.bundle import AxisSpec, Task
from lineshape_training import fitting, loading, recipe
from lineshape_training.family import Table
from lineshape_training.recipe import Recipe
from lineshape_training.run import Run
from lineshape_training.simulation import Design, simulate

DESIGN = Design("raman", classes=3, subjects=20, replicates=4, analytes=("sugar",), points=1024)
STEPS = 20


class Subject(NamedTuple):
    """One line of the table: a shipped recipe of a size, what it is exported for, and how many evaluations it takes."""

    recipe: str
    size: str = "cpu"
    task: Task | None = None
    evaluations: int | None = None

    @property
    def name(self) -> str:
        """What the line is called."""
        family = self.recipe.removeprefix("saliva-").removeprefix("tablets-")
        told = (self.size if self.size == "gpu" else "", self.task, self.evaluations and f"x{self.evaluations}")
        return " ".join(str(word) for word in (family, *told) if word)


REFERENCE = Subject("saliva-wgan-gp", "gpu")  # the architecture of the field: 256-128-64-32 channels, latent 128
SUBJECTS = (
    REFERENCE,
    Subject("saliva-wgan-gp"),
    Subject("saliva-cwgan-gp"),
    Subject("saliva-cgan"),
    Subject("saliva-bayesop-gan"),
    Subject("saliva-vae"),
    Subject("saliva-cvae"),
    Subject("saliva-vae", task="reconstruct"),
    Subject("saliva-vae", task="encode"),
    Subject("saliva-vae", task="interpolate"),
    *(Subject("saliva-ddpm", evaluations=evaluations) for evaluations in (1, 10)),
    *(Subject("saliva-flow", evaluations=evaluations) for evaluations in (1, 2, 4, 10, 32)),
    *(Subject("saliva-shortcut", evaluations=evaluations) for evaluations in (1, 4)),
    *(Subject("saliva-difframan", evaluations=evaluations) for evaluations in (1, 10)),
    Subject("saliva-difframan-figure", evaluations=1),
    Subject("tablets-mlp-diffusion", evaluations=10),
    Subject("raman-to-ir"),
    Subject("raman-to-xrd"),
)


def fitted(subject: Subject, work: Path) -> Run:
    """A short fit of the subject, kept in a folder for all its lines."""
    plan = _short(subject)
    folder = work / f"{subject.recipe}-{subject.size}"
    if not (folder / "fitted.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        fitting.fit(plan, _table(plan), folder, data=loading.EMBEDDED, data_sha256=loading.EMBEDDED)
    run = Run(folder)
    return run.walked(evaluations=subject.evaluations) if subject.evaluations else run


def _short(subject: Subject) -> Recipe:
    plan = recipe.load(subject.recipe, subject.size)
    fit = msgspec.structs.replace(plan.fit, steps=STEPS, evaluate_every=STEPS // 2, batch=8, folds=2, holdouts=2)
    plan = msgspec.structs.replace(plan, fit=fit, search=None)
    if plan.data.source:
        return plan
    data = msgspec.structs.replace(plan.data, analytes=DESIGN.analytes if plan.data.analytes else ())
    return msgspec.structs.replace(plan, data=data, axes={"spectrum": AxisSpec.of(simulate(DESIGN).table.axis)})


def _table(plan: Recipe) -> Table:
    return loading.load_table(loading.EMBEDDED, plan) if plan.data.source else simulate(DESIGN).table
