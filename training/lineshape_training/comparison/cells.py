"""One cell: one method on one fold of one data set, computed once and kept."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from lineshape.errors import LineshapeError
from lineshape.files import write_atomically
from lineshape.npz import read_npz
from lineshape_training import fitting
from lineshape_training.drawing import RunSampler
from lineshape_training.recipe import Recipe
from lineshape_training.resampling import SpectralSampler
from lineshape_training.resampling.draws import largest_remainder
from lineshape_training.run import Run
from lineshape_training.spectra import Names, SpectraTable
from lineshape_training.study.cells import AUGMENTATIONS, one_thread, predicted
from lineshape_training.study.probes import CLASSIFIERS
from lineshape_training.validation.evidence import Evidence, Side
from lineshape_training.validation.generator import scaled
from lineshape_training.validation.measures import Found, measured

REAL = "real only"
PROBES = ("PLS-DA", "logistic regression", "random forest")
MOST = 1000  # spectra of a side that the metrics look at
TIMED = 256  # spectra that are drawn against the clock

Counts: TypeAlias = dict[str, int]
Draw: TypeAlias = Callable[[Counts], Float32[np.ndarray, "n L"]]  # how many of each class to spectra, class by class


@dataclass(frozen=True, eq=False)
class Cell:
    """What decides a cell.

    Parameters
    ----------
    method : str
        `REAL`, one of the augmentations, or the name of `recipe`.
    recipe : Recipe
        Of the family; for other methods any of the data set's, for its preprocessing.
    train, test : SpectraTable
        Measured spectra with their classes, no group on both sides.
    seed : int
    path : Path
        Of the answer; the fit stands beside it.
    """

    method: str
    recipe: Recipe
    train: SpectraTable
    test: SpectraTable
    seed: int
    path: Path


class Answer(msgspec.Struct, frozen=True):
    """What a cell found, beside its probes' answers.

    Parameters
    ----------
    metrics : dict of str to float
        See `validation.measures.FIGURES`.
    floor : dict of str to float
        The same of real spectra against real spectra of other groups.
    milliseconds : float
        To draw one spectrum, on one thread; 0 where nothing is drawn.
    parameters : int
    minutes : float
        Of the fit, on one thread.
    refused : str
        Why there is nothing else, or empty.
    """

    metrics: Found = {}
    floor: Found = {}
    milliseconds: float = 0.0
    parameters: int = 0
    minutes: float = 0.0
    refused: str = ""


def compute(cell: Cell) -> None:
    """Fit, draw, measure and predict; the files are written last, all of them or none that counts."""
    try:
        with one_thread():
            answer, predictions = _computed(cell)
    except LineshapeError as error:  # a class too small for a method is a result, not the end of the comparison
        answer, predictions = Answer(refused=str(error)), {}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **predictions)
    write_atomically(cell.path.with_suffix(".npz"), content.getvalue())
    write_atomically(cell.path, msgspec.json.encode(answer))


def answer_of(cell: Cell) -> Answer:
    """What a computed cell found."""
    return msgspec.json.decode(cell.path.read_bytes(), type=Answer)


def predictions_of(cell: Cell) -> dict[str, NDArray[np.float64]]:
    """Scores of all classes [m, K] for the test spectra, by probe; empty where the method draws no classes."""
    path = cell.path.with_suffix(".npz")
    return read_npz(path.read_bytes(), str(path))


def synthetic(cell: Cell) -> tuple[Draw, bool, Run | None]:
    """How a method draws spectra, whether they are of classes, and its fit if it has one."""
    if cell.method in AUGMENTATIONS:
        train = scaled(cell.train, cell.recipe)
        sampler = AUGMENTATIONS[cell.method](cell.seed).fit(train.values, train.labels, groups=train.group)
        return partial(_resampled, sampler), True, None
    run = fitting.fit(cell.recipe, cell.train, cell.path.with_suffix(".fit"), data="fold", data_sha256="fold",
                      seed=cell.seed, resume=True)  # fmt: skip
    return partial(drawn, RunSampler(run), cell.seed), bool(run.spec.conditions.classes), run


def counted(labels: Names) -> Counts:
    """How many of each class."""
    names, counts = np.unique(labels, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _resampled(sampler: SpectralSampler, counts: Counts) -> Float32[np.ndarray, "n L"]:
    return np.concatenate([sampler.sample({name: count})[0] for name, count in counts.items()])


def drawn(sampler: RunSampler, seed: int, counts: Counts) -> Float32[np.ndarray, "n L"]:
    """So many spectra of each class, class by class; of a run without classes as many in all."""
    if not sampler.classes:
        return sampler.draw(sum(counts.values()), seed)
    # A seed for each class: under one seed sample i of every class would be made of the same noise.
    seeded = {name: seed + sampler.classes.index(name) for name in counts}
    return np.concatenate([sampler.draw(count, seeded[name], name) for name, count in counts.items()])


def _computed(cell: Cell) -> tuple[Answer, dict[str, Any]]:
    train, test = (scaled(table, cell.recipe) for table in (cell.train, cell.test))
    if cell.method == REAL:
        train_side, test_side = (Side.of(replace(table, label=None)) for table in (train, test))
        evidence = Evidence(test_side, test_side, train_side, train.axis).limited(MOST)
        return Answer(floor=measured(evidence.halves())[0]), _predictions(train.values, train.labels, cell)
    draw, classed, run = synthetic(cell)
    metrics = measured(_evidence(draw, classed, train, test).limited(MOST))[0]
    parameters, minutes = (run.fitted.parameters, run.fitted.seconds / 60) if run else (0, 0.0)
    answer = Answer(metrics, {}, _milliseconds(draw, train), parameters, minutes)
    counts = counted(train.labels)
    return answer, _predictions(draw(counts), _labels(counts), cell) if classed else {}


def _labels(counts: Counts) -> Names:
    """The class of each spectrum that is drawn."""
    return np.repeat(list(counts), list(counts.values()))


def _evidence(draw: Draw, classed: bool, train: SpectraTable, test: SpectraTable) -> Evidence:
    """As many synthetic spectra as there are real ones to judge by, of the same classes where classes are drawn."""
    counts = counted(test.labels)
    if not classed:
        train, test = replace(train, label=None), replace(test, label=None)
    ours = Side.synthetic(draw(counts), _labels(counts) if classed else None)
    return Evidence(ours, Side.of(test), Side.of(train), train.axis)


def _milliseconds(draw: Draw, train: SpectraTable) -> float:
    names, sizes = np.unique(train.labels, return_counts=True)
    counts = largest_remainder(sizes, TIMED).tolist()
    started = time.perf_counter()
    draw({name: count for name, count in zip(names.tolist(), counts, strict=True) if count})
    return 1000 * (time.perf_counter() - started) / TIMED


def _predictions(X: NDArray[Any], y: Names, cell: Cell) -> dict[str, NDArray[np.float64]]:
    """What probes fitted to these spectra say of the test spectra."""
    held = scaled(cell.test, cell.recipe).values
    classes = np.unique(np.concatenate([cell.train.labels, cell.test.labels]))
    return {name: predicted(CLASSIFIERS[name](cell.seed).fit(X, y), held, classes) for name in PROBES}
