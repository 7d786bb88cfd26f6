"""The extrinsic study: every protocol, method, arm and probe, in cells that are computed once and kept.

A generator is fitted inside each fold, on that fold's fitting groups only; nothing is chosen on what is judged. A study
that was killed goes on where it stood, and ends in the same table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray

from lineshape.errors import DataError, UsageError
from lineshape.preprocessing import MinMax, Step, forward
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import SpectraTable
from lineshape_training.study.arms import AUGMENTED, DECIDING, GENERATED
from lineshape_training.study.cells import NONE, REFUSED, Cell, Problem, compute, computed
from lineshape_training.study.estimates import Predicted, amount_scores, class_scores, drawn
from lineshape_training.study.methods import looked_up
from lineshape_training.study.probes import probes
from lineshape_training.study.protocols import (
    FOLDS,
    Split,
    by_group,
    by_spectrum,
    check,
    imbalanced,
    limited,
    rarest,
    without_instrument,
)
from lineshape_training.study.table import Key, Outcome, Scores, tabulated

PROTOCOLS = ("group", "spectrum", "imbalance", "curve", "instrument")
RATIOS = (20, 138)  # of the imbalance protocol; 138:1 is that of a published clinical set
CURVE = (5, 10, 20, 40)  # independent groups of the learning curve


class StudySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides a study's table, beside the data.

    Parameters
    ----------
    methods : tuple of str
        Of the augmentations, and recipes by name; `NONE` alone for real spectra only.
    protocols : tuple of str
        Of `PROTOCOLS`.
    steps : tuple of Step
        Intensity steps, each spectrum by itself, before anything else sees it.
    analyte : str, optional
        To be predicted, in the place of the class.
    repeats, folds, seed : int
    probes : tuple of str
        Of `probes.CLASSIFIERS` and `probes.ASKED_FOR`, or of `probes.REGRESSORS`; by default the usual ones.
    recipes : dict of Recipe
        What names among the methods stand for, before the recipes that are shipped.
    """

    methods: tuple[str, ...] = ("classical", "smote", "spectral-smote")
    protocols: tuple[str, ...] = ("group",)
    steps: tuple[Step, ...] = (MinMax(),)
    analyte: str | None = None
    repeats: int = 1
    folds: int = FOLDS
    seed: int = 0
    probes: tuple[str, ...] = ()
    recipes: dict[str, Recipe] = {}


class Study:
    """A study of one table.

    Parameters
    ----------
    table : SpectraTable
    spec : StudySpec
    work : Path
        Folder of the computed cells.

    Raises
    ------
    UsageError
        For a protocol, method or probe that does not exist.
    DataError
        If the table lacks what a protocol needs.
    """

    def __init__(self, table: SpectraTable, spec: StudySpec, work: Path) -> None:
        _check(spec, table)
        self.spec, self.table = spec, _judgeable(table, spec)
        values = forward(spec.steps, np, self.table.values, self.table.mask)[0].astype(np.float32)
        y = self.table.label if spec.analyte is None else self.table.analytes[spec.analyte]
        assert y is not None
        self.problem = Problem(values, y, self.table.group)
        self.methods = looked_up((NONE, *spec.methods), spec.recipes)
        self.probes = tuple(probes(spec.analyte is None, spec.probes))
        self.cells = [cell for split in self._splits() for cell in self._cells_of(split, work)]

    def run(self, jobs: int = 1, progress: Callable[[int], object] = lambda cells: None) -> Outcome:
        """Compute what is missing, `jobs` cells at a time, and tabulate.

        Parameters
        ----------
        jobs : int
            Processes; the table does not depend on it.
        progress : callable
            Told how many cells are done since the last call.
        """
        missing = [cell for cell in self.cells if not cell.path.exists()]
        progress(len(self.cells) - len(missing))
        with parallel_config(backend="loky", inner_max_num_threads=1):
            for _ in Parallel(jobs, return_as="generator_unordered")(
                delayed(compute)(cell, self.problem) for cell in missing
            ):
                progress(1)
        return self.outcome()

    def outcome(self) -> Outcome:
        """The table of all computed cells."""
        rare = rarest(self.table) if self.spec.analyte is None else None
        scored: dict[Key, Scores] = {}
        refused: dict[str, str] = {}
        for protocol, methods in self._cells_by_protocol().items():
            scores_of = self._scoring(methods[NONE], rare)
            for method, cells in methods.items():
                parts = [computed(cell) for cell in cells]
                if reasons := [str(part[REFUSED]) for part in parts if REFUSED in part]:
                    refused[f"{protocol}, {method}"] = reasons[-1]
                    continue
                for name in parts[0]:
                    arm, probe = name.split("|")
                    scored[protocol, method, arm, probe] = scores_of(np.concatenate([part[name] for part in parts]))
        return tabulated(scored, refused, rare)

    def _scoring(self, cells: list[Cell], rare: str | None) -> Callable[[NDArray[np.float64]], Scores]:
        """Scores of a protocol's answers, pooled over its folds; all methods share the draws of its groups."""
        rows, classes = np.concatenate([cell.split.held for cell in cells]), self.problem.classes
        truth, weights = self.problem.truth[rows], drawn(self.problem.group[rows])
        if classes is None:
            return lambda answer: amount_scores(Predicted(truth, answer, weights))
        position = classes.tolist().index(rare)
        return lambda answer: class_scores(Predicted(truth, answer, weights), position)

    def _cells_by_protocol(self) -> dict[str, dict[str, list[Cell]]]:
        """The cells of each method under each protocol; all methods of one have the same splits in the same order."""
        cells: dict[str, dict[str, list[Cell]]] = {}
        for cell in self.cells:
            cells.setdefault(cell.split.protocol, {}).setdefault(cell.method, []).append(cell)
        return cells

    def _splits(self) -> Iterator[Split]:
        """All splits of all protocols, checked; those that leave nothing to fit or judge are left out."""
        for name in self.spec.protocols:
            for split in self._splits_of(name):
                check(self.table, split)
                if len(split.fitting) and len(split.held):
                    yield split

    def _splits_of(self, name: str) -> Iterator[Split]:
        table, spec = self.table, self.spec
        whole = by_group(table, spec.repeats, spec.seed, spec.folds)
        if name == "group":
            yield from whole
        elif name == "spectrum":
            yield from by_spectrum(table, spec.repeats, spec.seed, spec.folds)
        elif name == "imbalance":
            for ratio in RATIOS:
                yield from imbalanced(table, whole, ratio, spec.seed)
        elif name == "curve":
            smallest = min(len(np.unique(table.group[split.fitting])) for split in whole)
            for groups in (count for count in CURVE if count < smallest):
                yield from limited(table, whole, groups, spec.seed)
        else:
            assert table.instrument is not None
            for instrument in np.unique(table.instrument).tolist():
                yield from without_instrument(table, whole, instrument)

    def _cells_of(self, split: Split, work: Path) -> Iterator[Cell]:
        whole = split.protocol == "by group"
        for method, plan in self.methods.items():
            key = self._key(split, plan or method, whole)
            name = re.sub(r"[^\w.]+", "-", split.protocol)  # an instrument may have any name
            path = work / f"{name}-{key}.npz"
            yield Cell(split, method, plan, self.probes, whole, self.spec.seed, path)

    def _key(self, split: Split, plan: Recipe | str, whole: bool) -> str:
        """What decides a cell: spectra, targets, rows, method, arms, probes, seed, and the versions that compute it."""
        arms = (AUGMENTED, GENERATED, DECIDING) if whole else split.balances
        versions = [version(name) for name in ("lineshape", "torch", "numpy", "scikit-learn", "imbalanced-learn")]
        rows = (split.number, split.fitting.tolist(), split.held.tolist())
        key = sha256(msgspec.json.encode((plan, str(arms), self.probes, self.spec.seed, rows, versions)))
        for array in (self.problem.X, self.problem.y, self.problem.group):
            key.update(np.ascontiguousarray(array).tobytes())
        return key.hexdigest()[:12]


def _check(spec: StudySpec, table: SpectraTable) -> None:
    if unknown := set(spec.protocols) - set(PROTOCOLS):
        raise UsageError(f"no protocol {min(unknown)!r}; there are {', '.join(PROTOCOLS)}")
    if "instrument" in spec.protocols and table.instrument is None:
        raise DataError("the table names no instrument, so none can be left out; name its column with --instrument")
    if spec.analyte is None and table.label is None:
        raise DataError("a study needs classes or an analyte; name the column with --label or --analyte")
    if spec.analyte is not None and spec.analyte not in table.analytes:
        raise DataError(f"no analyte {spec.analyte!r} in the table; it has {', '.join(table.analytes) or 'none'}")
    if spec.analyte is not None and "imbalance" in spec.protocols:
        raise UsageError("imbalance is about classes; leave that protocol out for an analyte")


def _judgeable(table: SpectraTable, spec: StudySpec) -> SpectraTable:
    """The rows whose target is known; without their classes where an analyte is asked for."""
    if spec.analyte is not None:
        known = np.isfinite(table.analytes[spec.analyte])
        return replace(table.rows(np.flatnonzero(known)), label=None)
    assert table.label is not None
    known = table.rows(np.flatnonzero(table.label != ""))
    if len(set(known.label.tolist() if known.label is not None else [])) < 2:
        raise DataError(f"all {len(known)} spectra with a class are of one; a study needs two")
    return known
