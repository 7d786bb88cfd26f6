"""One line of the table after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineshape_edge.session import Session
from lineshape_export.bench.formats import Beside, Call, Format, Formats, Line
from lineshape_export.bench.subjects import REFERENCE, Subject, fitted
from lineshape_export.export import forms_of
from lineshape_export.golden import Measured, inputs_of
from lineshape_export.graphs import to_onnx, to_program
from lineshape_training.conditions import Conditions
from lineshape_training.families import family_of
from lineshape_training.loading import EMBEDDED, load_table
from lineshape_training.run import Run
from lineshape_training.spectra import PairTable


def reference(work: Path) -> Beside:
    """Calls of the field's WGAN-GP as seeded ONNX, beside which every model is timed."""
    contract = forms_of(fitted(REFERENCE, work), "sample")["model"]
    session = Session(to_onnx(to_program(contract), contract, {}))

    def call(rows: NDArray[np.int64]) -> Call:
        inputs = inputs_of(contract, Conditions(), rows)
        return lambda: session.run(inputs)

    return call


def line_of(subject: Subject, work: Path, beside: Beside) -> Line:
    """The line of a subject."""
    run = fitted(subject, work)
    task = subject.task or family_of(run.recipe.family).task
    return Formats(run, forms_of(run, task), _known(run)).measure(beside)


def as_text(name: str, line: Line) -> str:
    """A line for each format."""
    ratio = line.of_reference
    head = f"{name}: {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) times the reference WGAN-GP"
    return "\n".join([head, *(f"  {_told(of, one)}" for of, one in line.formats.items())])


def _told(name: str, one: Format) -> str:
    size = f"{one.size / 1e6:7.2f} MB" if one.size else " " * 10
    nodes = f"{one.nodes:5d} nodes" if one.nodes else " " * 11
    seconds = f"{one.seconds:5.1f} s" if one.seconds is not None else " " * 7
    deviation = f"deviates {one.deviation:.1e}" if one.deviation is not None else " " * 16
    times = ", ".join(f"batch {batch} {taken.value:.2f} ms" for batch, taken in one.milliseconds.items())
    return f"{name:<12} {size} {nodes} {seconds} {deviation}  {times}{'  refused' if one.refused else ''}"


def _known(run: Run) -> Measured | None:
    """Sources of the fit, where a transfer takes some."""
    if not run.recipe.data.source:
        return None
    table = load_table(EMBEDDED, run.recipe)
    assert isinstance(table, PairTable)
    return table.source.values, table.source.mask
