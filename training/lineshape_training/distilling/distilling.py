"""The fit of a student: from its teacher's run to a run of its own, which is exported and drawn from like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import msgspec
import numpy as np
from lightning.fabric import Fabric

from lineshape.errors import DataError, FailedValidation, UsageError
from lineshape_training.diffusion.network import DiffusionNetwork
from lineshape_training.diffusion.schedules import Straight
from lineshape_training.distilling.acceptance import Compared, compared
from lineshape_training.distilling.pairs import CHUNK, drawn_pairs
from lineshape_training.distilling.students import Halving, Reflow, Student
from lineshape_training.families import family_of
from lineshape_training.family import Trainable
from lineshape_training.fitter import Job, Progress
from lineshape_training.fitting import begun, fitted_of
from lineshape_training.recipe import FitSpec, Recipe
from lineshape_training.run import ACCEPTANCE, Distilled, Run, group_hash
from lineshape_training.spectra import SpectraTable

Method: TypeAlias = Literal["reflow", "halving", "shortcut"]

PAIRS, STEPS = 40_000, 2000  # with 2,500 pairs a student of many modes draws mixtures of them
MOST = 32  # evaluations that halving starts from
LOOKS = 5  # checkpoints of a fit
SAMPLERS: dict[Method, str] = {"reflow": "euler", "halving": "ddim", "shortcut": "shortcut"}


@dataclass(frozen=True)
class StudentJob(Job):
    """A fit that starts from a teacher's weights."""

    make: Callable[[], Trainable]

    def network(self) -> Trainable:
        """The student before its first step."""
        return self.make()


def distil(run: Run, table: SpectraTable, out: Path, **asked: Any) -> tuple[Run, Compared]:  # noqa: ANN401
    """Fit a student to a teacher, and accept it if it is as good.

    Parameters
    ----------
    run, table, out, **asked
        As of `taught`; groups of the table that were held out of the teacher's fit judge the student.

    Returns
    -------
    Run, Compared
        The student, and its figures beside the teacher's.

    Raises
    ------
    FailedValidation
        If the student falls short of its teacher; then its weights are withdrawn, and it cannot be exported.
    """
    student = taught(run, table, out, **asked)
    found = compared(run, student, table)
    student.keep(ACCEPTANCE, found)
    if not found.accepted:
        student.withdraw()
        raise FailedValidation(f"{out}: the student falls short of its teacher: {found.reasons}; distil another in a "
                               "new folder, with more --steps or more --evaluations")  # fmt: skip
    return student, found


def taught(run: Run, table: SpectraTable, out: Path, *, method: Method = "reflow", evaluations: int = 1,
           pairs: int = PAIRS, steps: int = STEPS, seed: int = 0, fabric: Fabric | None = None, resume: bool = False,
           progress: Progress = lambda steps: None) -> Run:  # fmt: skip
    """Fit a student to a teacher, whatever comes of it.

    Parameters
    ----------
    run : Run
        The teacher's, ended.
    table : SpectraTable
        That holds the spectra of its fit.
    out : Path
        Folder of the student's run.
    method : str
        ``reflow`` learns pairs of noise and spectrum, ``halving`` and ``shortcut`` learn steps.
    evaluations : int
        Of the student.
    pairs : int
        That a reflow learns.
    steps : int
        Of the fit.
    seed : int
    fabric : Fabric, optional
        As of `lineshape_training.fitting.fit`.
    resume : bool
        Go on with an interrupted one.
    progress : callable
        Called with the number of steps made, and of files of pairs drawn.

    Returns
    -------
    Run
        Ended.

    Raises
    ------
    UsageError
        If the teacher is no diffusion or flow, or not one that this method can teach.
    DataError
        If the table holds none of the teacher's groups.
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    teacher = _teacher(run, method).to(fabric.device)
    own, recipe = _own(run, table), _recipe(run, method, evaluations, steps)
    distilled = Distilled(method, pairs if method == "reflow" else 0, run.weights_sha256)
    spec = msgspec.structs.replace(run.spec, recipe=recipe, seed=seed, distilled=distilled)
    student = begun(out, spec, fabric, resume)
    if student.ended:
        return student
    tensors = family_of(run.recipe.family).tensors(own, run.spec.conditions)
    job = Job(recipe, run.spec.conditions, tensors, fabric, seed, progress)
    network, parts = _FITS[method](job, student, teacher, pairs)
    student.finish(network, fitted_of(recipe, (), recipe.fit.steps, [], parts, network, fabric))
    return student


def total_steps(method: Method, pairs: int, steps: int) -> int:
    """What `progress` adds up to."""
    return steps + (-(-pairs // CHUNK) if method == "reflow" else 0)


def _teacher(run: Run, method: Method) -> DiffusionNetwork:
    network = run.network()
    if method not in get_args(Method):
        raise UsageError(f"no method {method!r}; choose {', '.join(get_args(Method))}")
    if not isinstance(network, DiffusionNetwork):
        raise UsageError(f"{run.folder}: family {run.recipe.family} draws in one pass; there is nothing to distil")
    if method == "reflow" and not isinstance(network.path.schedule, Straight):
        raise UsageError(f"{run.folder}: family {run.recipe.family} has no straight path; distil it by halving")
    if method == "shortcut" and run.recipe.family != "flow":
        raise UsageError(f"{run.folder}: only a flow becomes a shortcut model; distil this one by halving")
    return network.requires_grad_(False).eval()


def _recipe(run: Run, method: Method, evaluations: int, steps: int) -> Recipe:
    """The student's: its walk, and the numbers of its fit."""
    recipe = run.recipe
    if steps % LOOKS:
        raise UsageError(f"{steps} steps: give a multiple of {LOOKS}")
    walk = {"sampler": SAMPLERS[method], "evaluations": evaluations, "guidance": 1.0}
    fit = FitSpec(steps, steps // LOOKS, 2 * recipe.fit.batch, recipe.fit.learning_rate / 2, ema=recipe.fit.ema)
    return msgspec.structs.replace(
        recipe, name=f"{recipe.name}-{method}", about=f"{recipe.about}, distilled by {method}", minutes=None, fit=fit,
        family="shortcut" if method == "shortcut" else recipe.family, model={**recipe.model, **walk}, search=None,
    )  # fmt: skip


def _own(run: Run, table: SpectraTable) -> SpectraTable:
    """The spectra of the teacher's fit."""
    known = np.isin([group_hash(name) for name in table.group.tolist()], run.spec.group_sha256)
    if not known.any():
        raise DataError(f"{run.folder}: none of the groups of its fit is in the data; give the data of the fit")
    return table.rows(np.flatnonzero(known))


def _copied(job: Job, teacher: DiffusionNetwork) -> DiffusionNetwork:
    """The student's network with the teacher's weights."""
    network = family_of(job.recipe.family).network(job.recipe, job.conditions)
    network.load_state_dict(teacher.state_dict())
    assert isinstance(network, DiffusionNetwork)
    return network


def _reflowed(job: Job, run: Run, teacher: DiffusionNetwork, pairs: int) -> tuple[DiffusionNetwork, list[Path]]:
    part = run.part("student")
    drawn = drawn_pairs(teacher, job.tensors, pairs, part, job.seed, job.progress)
    return _fitted(replace(job, tensors=drawn), part, lambda: Reflow(_copied(job, teacher))), [part]


def _halved(job: Job, run: Run, teacher: DiffusionNetwork, pairs: int) -> tuple[DiffusionNetwork, list[Path]]:
    """Half of the evaluations, again and again; each student is the next one's teacher."""
    rounds = [MOST >> k for k in range(1, MOST.bit_length()) if MOST >> k >= job.recipe.model["evaluations"]]
    steps = max(job.recipe.fit.steps // len(rounds) // LOOKS, 1) * LOOKS
    fit = msgspec.structs.replace(job.recipe.fit, steps=steps, evaluate_every=steps // LOOKS)
    job = replace(job, recipe=msgspec.structs.replace(job.recipe, fit=fit))
    parts = []
    for count in rounds:
        parts.append(run.part(f"evaluations-{count}"))
        make = _halving(job, teacher, count)
        teacher = _fitted(job, parts[-1], make).to(job.fabric.device).requires_grad_(False)
    return teacher.cpu(), parts


def _halving(job: Job, teacher: DiffusionNetwork, count: int) -> Callable[[], Student]:
    return lambda: Halving(_copied(job, teacher), teacher, count)


def _shortened(job: Job, run: Run, teacher: DiffusionNetwork, pairs: int) -> tuple[DiffusionNetwork, list[Path]]:
    part = run.part("student")
    return _fitted(job, part, lambda: _copied(job, teacher)), [part]


def _fitted(job: Job, part: Path, make: Callable[[], Trainable]) -> DiffusionNetwork:
    """The student's network after its fit."""
    fit = StudentJob(job.recipe, job.conditions, job.tensors, job.fabric, job.seed, job.progress, make)
    rows = np.arange(len(job.tensors["condition"]))
    fit.fit(part, 0, rows, None, job.recipe.fit.steps)
    student = fit.evaluated(part, job.recipe.fit.steps)
    network = student.network if isinstance(student, Student) else student
    assert isinstance(network, DiffusionNetwork)
    return network


_FITS = {"reflow": _reflowed, "halving": _halved, "shortcut": _shortened}
