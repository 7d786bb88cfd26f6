"""All ways of drawing under all seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from joblib import Parallel, delayed, parallel_config

from lineshape.errors import LineshapeError, UsageError
from lineshape_training.comparison import Comparison
from lineshape_training.comparison.cells import REAL
from lineshape_training.comparison.cells import Cell as Fold
from lineshape_training.recipe import Recipe
from lineshape_training.run import Run
from lineshape_training.spectra import SpectraTable
from lineshape_training.steps.cells import Cell, answer_of, compute
from lineshape_training.steps.networks import LESSON, Lesson, Network
from lineshape_training.steps.table import ABOUT, Steps, line_of, verdicts
from lineshape_training.steps.ways import FITTED, STUDENT, TEACHER, WAYS, Way
from lineshape_training.study.cells import one_thread


class StepsBench:
    """The cells of one data set: every way under every seed.

    Seed k holds fold k out and fits with seed k, so that seeds differ by what they are judged on as much as by chance.

    Parameters
    ----------
    table : SpectraTable
        Measured spectra on the recipes' grid; those without a class are left out.
    recipes : sequence of Recipe
        Of the families `FITTED`, all of this data set.
    seeds : int
    folds : int
        Into which the groups are split.
    work : Path
        Of fits and cells; those that are there are kept.
    lesson : Lesson
        Of the students.
    ways : sequence of Way
        By default all.

    Raises
    ------
    UsageError
        If there are more seeds than folds.
    DataError
        If no class has as many groups as there are folds.
    """

    def __init__(self, table: SpectraTable, recipes: Sequence[Recipe], seeds: int, folds: int, work: Path, *,
                 lesson: Lesson = LESSON, ways: Sequence[Way] = WAYS) -> None:  # fmt: skip
        if seeds > folds:
            raise UsageError(f"{seeds} seeds need as many folds; there are {folds}")
        self.work, self.lesson, self.ways, self.folds = work, lesson, tuple(ways), folds
        plans = {plan.family: plan for plan in recipes}
        held_out = Comparison(table, recipes[:1], folds, seeds, 0, work).cells[REAL]
        self.networks = [self._networks(fold, plans, seed) for seed, fold in enumerate(held_out)]
        by_seed = list(zip(held_out, self.networks, strict=True))
        self.cells = {way: [self._cell(way, *seed) for seed in by_seed] for way in (None, *self.ways)}

    @property
    def count(self) -> int:
        """How many cells there are."""
        return sum(map(len, self.cells.values()))

    def run(self, jobs: int = 1, progress: Callable[[int], object] = lambda cells: None) -> Steps:
        """Fit and compute what is missing, `jobs` at a time, and tabulate."""
        cells = [cell for by_seed in self.cells.values() for cell in by_seed]
        missing = [cell for cell in cells if not cell.path.exists()]
        progress(len(cells) - len(missing))
        for stage in _stages(missing):
            for _ in _each(jobs, _fit, stage):
                continue
        for _ in _each(jobs, compute, missing):
            progress(1)
        lines = tuple(line_of(way, [answer_of(cell) for cell in by_seed]) for way, by_seed in self.cells.items())
        return Steps(ABOUT, len(self.networks), self.folds, lines, verdicts(lines))

    def _networks(self, fold: Fold, plans: Mapping[str, Recipe], seed: int) -> dict[str, Network]:
        """The fits of one seed."""
        found = {
            name: Network(plans[name], fold.train, seed, self.work / f"{name}-{seed}-{_key(fold, plans[name])}.fit")
            for name in FITTED
        }
        teacher = found[TEACHER]
        folder = self.work / f"{teacher.folder.stem}-{STUDENT}-{self.lesson.pairs}-{self.lesson.steps}.fit"
        return found | {STUDENT: Network(teacher.recipe, fold.train, seed, folder, teacher, self.lesson)}

    def _cell(self, way: Way | None, fold: Fold, networks: Mapping[str, Network]) -> Cell:
        network = networks[way.network if way else TEACHER]
        what = f"{way.sampler}-{way.evaluations}" if way else "floor"
        return Cell(way, network, fold.test, self.work / f"{network.folder.stem}-{what}.json")


def _stages(cells: Sequence[Cell]) -> Iterator[list[Network]]:
    """The fits that these cells need, once each: first those that need no other fit."""
    needed = {cell.network.folder: cell.network for cell in cells if cell.way}
    needed |= {one.teacher.folder: one.teacher for one in needed.values() if one.teacher}
    for taught in (False, True):
        yield [one for one in needed.values() if (one.teacher is not None) == taught and not Run(one.folder).ended]


def _fit(network: Network) -> None:
    """One fit; why one cannot be made is said by its cells."""
    with one_thread(), suppress(LineshapeError):
        network.fitted()


def _each(jobs: int, task: Callable[[Any], None], parts: Iterable[Any]) -> Iterator[None]:
    with parallel_config(backend="loky", inner_max_num_threads=1):
        yield from Parallel(jobs, return_as="generator_unordered")(delayed(task)(part) for part in parts)


def _key(fold: Fold, plan: Recipe) -> str:
    """What decides a fit and its cells beside the seed; of a recipe not what it says about itself."""
    decides = (plan.data, plan.axes, plan.axis_half, plan.intensity_half, plan.family, plan.model, plan.fit)
    digest = sha256(msgspec.json.encode(decides))
    for table in (fold.train, fold.test):
        digest.update(np.ascontiguousarray(table.values).tobytes())
        digest.update(msgspec.json.encode((table.group.tolist(), table.labels.tolist())))
    return digest.hexdigest()[:12]
