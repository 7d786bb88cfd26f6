"""One cell: one way of drawing under one seed, computed once and kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from lineshape.errors import LineshapeError
from lineshape.files import write_atomically
from lineshape_training.comparison.cells import MOST, TIMED, counted, drawn
from lineshape_training.drawing import RunSampler
from lineshape_training.spectra import SpectraTable
from lineshape_training.steps.figures import Intervals, floor, judged
from lineshape_training.steps.networks import Network
from lineshape_training.steps.ways import Way
from lineshape_training.study.cells import one_thread
from lineshape_training.validation.evidence import Evidence, Side
from lineshape_training.validation.generator import scaled
from lineshape_training.validation.measures import Found

ALONE, TOGETHER = 9, 3  # repeats of a timing, of one spectrum and of `TIMED` at a time


@dataclass(frozen=True, eq=False)
class Cell:
    """What decides a cell.

    Parameters
    ----------
    way : Way or None
        None for the floor.
    network : Network
        That draws; of the floor only its spectra and its preprocessing count.
    test : SpectraTable
        Measured spectra with their classes, of groups that the network has not seen.
    path : Path
        Of the answer.
    """

    way: Way | None
    network: Network
    test: SpectraTable
    path: Path


class Answer(msgspec.Struct, frozen=True):
    """What a cell found.

    Parameters
    ----------
    figures : dict of str to float
        See `figures.FIGURES`.
    intervals : dict of str to Interval
        95 %: of a way the two-sample test's own, of the floor those of its halvings.
    alone, together : float
        Milliseconds of processor time for a spectrum in PyTorch on one thread, drawn by itself and as one of `TIMED`;
        0 for the floor.
    parameters : int
    minutes : float
        Of the fit on one thread, for a student with its teacher's.
    refused : str
        Why there is nothing else, or empty.
    """

    figures: Found = {}
    intervals: Intervals = {}
    alone: float = 0.0
    together: float = 0.0
    parameters: int = 0
    minutes: float = 0.0
    refused: str = ""


def compute(cell: Cell) -> None:
    """Draw, measure and time; the file is written last, all or nothing."""
    try:
        with one_thread():
            answer = _floor(cell) if cell.way is None else _drawn(cell, cell.way)
    except LineshapeError as error:  # a fit that diverged is a result, not the end of the comparison
        answer = Answer(refused=str(error).removeprefix(f"{cell.network.folder}: "))
    write_atomically(cell.path, msgspec.json.encode(answer))


def answer_of(cell: Cell) -> Answer:
    """What a computed cell found."""
    return msgspec.json.decode(cell.path.read_bytes(), type=Answer)


def _floor(cell: Cell) -> Answer:
    train, test = _sides(cell)
    return Answer(*floor(_limited(test, test, train, cell)))


def _drawn(cell: Cell, way: Way) -> Answer:
    run, (train, test) = cell.network.fitted(), _sides(cell)
    sampler = RunSampler(run.walked(sampler=way.sampler, evaluations=way.evaluations))
    counts = counted(test.label)
    names = np.repeat(list(counts), list(counts.values()))
    ours = Side.synthetic(drawn(sampler, cell.network.seed, counts), names)
    alone, together = (_milliseconds(sampler, n, repeats) for n, repeats in ((1, ALONE), (TIMED, TOGETHER)))
    return Answer(
        *judged(_limited(ours, test, train, cell)), alone, together, run.fitted.parameters, cell.network.minutes
    )


def _sides(cell: Cell) -> tuple[Side, Side]:
    """The spectra of the fit and the unseen ones, as samples are scaled."""
    train, test = (scaled(table, cell.network.recipe) for table in (cell.network.train, cell.test))
    known = np.isin(test.labels, train.labels)
    return Side.of(train), Side.of(test.rows(np.flatnonzero(known)))


def _limited(ours: Side, test: Side, train: Side, cell: Cell) -> Evidence:
    """As many spectra on each side as the metrics look at."""
    return Evidence(ours, test, train, cell.test.axis).limited(MOST)


def _milliseconds(sampler: RunSampler, n: int, repeats: int) -> float:
    """Median time for one of n spectra that are drawn together, after one round to warm up."""
    spent = [_seconds(sampler, n) for _ in range(repeats + 1)][1:]
    return 1000 * float(np.median(spent)) / n


def _seconds(sampler: RunSampler, n: int) -> float:
    started = time.process_time()  # on one thread that of the clock, less what other programs took of it
    sampler.draw(n, 0, sampler.classes[0])
    return time.process_time() - started
