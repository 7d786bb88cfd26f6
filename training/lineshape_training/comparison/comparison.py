"""All methods on all folds of a data set, and the table that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
from joblib import Parallel, delayed, parallel_config

from lineshape.errors import DataError
from lineshape.results import Interval
from lineshape_training.comparison.cells import (
    PROBES,
    REAL,
    Answer,
    Cell,
    answer_of,
    compute,
    predictions_of,
)
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import SpectraTable
from lineshape_training.splits import Rows, stratified_folds
from lineshape_training.study.estimates import Predicted, class_scores, interval
from lineshape_training.study.estimates import drawn as weights_of

FIGURES = (
    "distance ratio", "near copies", "membership AUC", "MMD", "PIKE MMD", "two-sample AUC", "precision", "recall",
    "density", "coverage", "peak F1", "peak position error", "Fourier distance", "high-frequency power",
    "variance ratio", "class agreement",
)  # fmt: skip
METHODS = ("classical", "smote", "spectral-smote")


class Line(msgspec.Struct, frozen=True):
    """One method on one data set, over all its folds.

    Parameters
    ----------
    tstr : Interval or None
        Balanced accuracy of probes fitted to synthetic spectra alone (to real ones in the line of real spectra), mean
        of `PROBES`, on groups that neither they nor the generator have seen; None where no classes are drawn.
    metrics : dict of str to float
        Means over the folds; in the line of real spectra the floor.
    """

    method: str
    tstr: Interval | None
    metrics: dict[str, float]
    milliseconds: float
    parameters: int
    minutes: float
    folds: int
    refused: str = ""


class Comparison:
    """The cells of one data set.

    Parameters
    ----------
    table : SpectraTable
        Measured spectra on the recipes' grid; those without a class are left out.
    recipes : sequence of Recipe
        One for each family, all of this data set.
    folds : int
        Into which the groups are split.
    used : int
        The first so many folds are computed.
    seed : int
    work : Path
        Of the cells; those that are there are kept.
    most : int, optional
        Spectra of a class that a fit gets; all that there are by default.

    Raises
    ------
    DataError
        If no class has as many groups as there are folds.
    """

    def __init__(self, table: SpectraTable, recipes: Sequence[Recipe], folds: int, used: int, seed: int,
                 work: Path, most: int | None = None) -> None:  # fmt: skip
        self.table = _spread(table, folds)
        splits = [
            self._known(self._few(fit, most, seed), held)
            for fit, held in stratified_folds(self.table.group, self.table.labels, folds, seed)
        ]
        plans = {REAL: recipes[0], **dict.fromkeys(METHODS, recipes[0]), **{plan.name: plan for plan in recipes}}
        digest = sha256(np.ascontiguousarray(self.table.values).tobytes())
        self.cells = {
            method: [
                Cell(method, plan, self.table.rows(train), self.table.rows(test), seed,
                     work / f"{method.replace(' ', '-')}-{_key(digest.hexdigest(), method, plan, train, seed)}.json")
                for train, test in splits[:used]
            ]
            for method, plan in plans.items()
        }  # fmt: skip

    def _known(self, train: Rows, test: Rows) -> tuple[Rows, Rows]:
        """A split without the test spectra of classes that are not in the fit."""
        return train, test[np.isin(self.table.labels[test], self.table.labels[train])]

    def _few(self, rows: Rows, most: int | None, seed: int) -> Rows:
        """At most so many rows of each class, at random."""
        mixed = np.random.default_rng(seed).permutation(rows)
        labels = self.table.labels[mixed]
        kept = [mixed[labels == name][:most] for name in np.unique(labels)]
        return np.sort(np.concatenate(kept)) if most else rows

    @property
    def count(self) -> int:
        """How many cells there are."""
        return sum(map(len, self.cells.values()))

    def run(self, jobs: int = 1, progress: Callable[[int], object] = lambda cells: None) -> tuple[Line, ...]:
        """Compute what is missing, `jobs` cells at a time, and tabulate."""
        cells = [cell for by_fold in self.cells.values() for cell in by_fold]
        missing = [cell for cell in cells if not cell.path.exists()]
        progress(len(cells) - len(missing))
        with parallel_config(backend="loky", inner_max_num_threads=1):
            for _ in Parallel(jobs, return_as="generator_unordered")(delayed(compute)(cell) for cell in missing):
                progress(1)
        return tuple(self._line(method) for method in self.cells)

    def _line(self, method: str) -> Line:
        cells = self.cells[method]
        answers = [answer_of(cell) for cell in cells]
        if reasons := [answer.refused for answer in answers if answer.refused]:
            return Line(method, None, {}, 0, 0, 0, len(cells), reasons[0])
        mean = {name: float(np.mean([getattr(a, name) for a in answers])) for name in ("milliseconds", "minutes")}
        return Line(
            method, self._tstr(cells), _means(answers), mean["milliseconds"], answers[0].parameters, mean["minutes"],
            len(cells),
        )  # fmt: skip

    def _tstr(self, cells: list[Cell]) -> Interval | None:
        """The mean over the probes, draw by draw, of the predictions of all folds together."""
        parts = [predictions_of(cell) for cell in cells]
        if not parts[0]:
            return None
        classes = np.unique(self.table.labels)
        truth = np.concatenate([np.searchsorted(classes, cell.test.labels) for cell in cells])
        weights = weights_of(np.concatenate([cell.test.group for cell in cells]))
        scores = [
            class_scores(Predicted(truth, np.concatenate([part[probe] for part in parts]), weights), 0)
            for probe in PROBES
        ]
        return interval(np.mean([one["balanced accuracy"] for one in scores], axis=0))


def _means(answers: list[Answer]) -> dict[str, float]:
    """Each figure's mean over the folds; the floor's, where nothing was drawn."""
    found = [answer.metrics or answer.floor for answer in answers]
    return {name: float(np.mean([one[name] for one in found])) for name in FIGURES if all(name in one for one in found)}


def _spread(table: SpectraTable, folds: int) -> SpectraTable:
    """The spectra of classes with a group for every fold."""
    groups = {name: len(np.unique(table.group[table.labels == name])) for name in np.unique(table.labels).tolist()}
    kept = [name for name, count in groups.items() if name and count >= folds]
    if len(kept) < 2:
        raise DataError(f"{len(kept)} classes have {folds} independent groups; a comparison needs two such classes")
    return table.rows(np.flatnonzero(np.isin(table.labels, kept)))


def _key(digest: str, method: str, plan: Recipe, rows: Rows, seed: int) -> str:
    """What decides a cell; of a recipe not what it says about itself."""
    decides: tuple[object, ...] = (plan.data, plan.axes, plan.axis_half, plan.intensity_half)
    if method == plan.name:
        decides += (plan.family, plan.model, plan.fit, plan.search)
    return sha256(msgspec.json.encode((digest, method, decides, rows.tolist(), seed))).hexdigest()[:12]
