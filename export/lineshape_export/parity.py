"""Parity: every graph must answer as PyTorch does, in a process that has not seen the export."""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

from lineshape.bundle import Form, TensorSpec, Tolerance, check_close
from lineshape_edge.session import Session
from lineshape_export.golden import Arrays, Case

BATCHES = (1, 2, 7, 64)
# Of the largest value of an output. Float32 carries 6e-8; sums over some thousand terms and other orders of summation
# cost two to three digits in the worst element, and one to two in most.
WORST, QUANTILES = 5e-5, ((0.5, 1e-5), (0.99, 2.5e-5))
RELATIVE = 1e-4
PEAK_SHIFT = 1  # grid points: two neighbours may be equally high


class Written(NamedTuple):
    """One form of a model in each of its formats, as bytes."""

    onnx: bytes
    script: bytes | None = None
    program: bytes | None = None


def tolerances(outputs: Iterable[TensorSpec], cases: Sequence[Case]) -> dict[str, Tolerance]:
    """What each output may deviate between machines, by the largest values that the cases have."""
    return {spec.name: _tolerance(spec, [expected[spec.name] for _, expected in cases]) for spec in outputs}


def _tolerance(spec: TensorSpec, recorded: list[NDArray[Any]]) -> Tolerance:
    largest = max(1.0, *(float(abs(array).max()) for array in recorded))
    quantiles = tuple((share, most * largest) for share, most in QUANTILES)
    return Tolerance(WORST * largest, RELATIVE, quantiles, PEAK_SHIFT if spec.role == "spectrum" else None)


def check_parity(form: Form, written: Written, cases: Sequence[Case], allowed: Mapping[str, Tolerance]) -> None:
    """Run the cases through the graphs in a fresh process.

    Raises
    ------
    ParityError
        Names the output, the runtime, the batch, the largest deviation, and the input that caused it.
    """
    with ProcessPoolExecutor(1, mp_context=_fresh()) as fresh:
        fresh.submit(_compare, form, written, list(cases), dict(allowed)).result()


def _fresh() -> BaseContext:
    """New processes; where there can be one, from a server that has imported torch, which takes seconds, for all."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _compare(form: Form, written: Written, cases: list[Case], allowed: dict[str, Tolerance]) -> None:
    runtimes = _runtimes(written)
    for inputs, expected in cases:
        batch = len(next(iter(inputs.values())))
        for name, run in runtimes.items():
            check_close(form, allowed, expected, run(inputs, expected), f"in {name}, batch {batch},", inputs)


def _runtimes(written: Written) -> dict[str, Callable[[Arrays, Arrays], Arrays]]:
    """What runs a graph: inputs, and outputs for their names, to outputs."""
    session = Session(written.onnx)
    found = {"ONNX Runtime": lambda inputs, expected: session.run(inputs)}
    if written.script:
        found["TorchScript"] = _by_torch(torch.jit.load(io.BytesIO(written.script)))  # type: ignore[no-untyped-call]
    if written.program:
        found["torch.export"] = _by_torch(torch.export.load(io.BytesIO(written.program)).module())
    return found


def _by_torch(module: torch.nn.Module) -> Callable[[Arrays, Arrays], Arrays]:
    def run(inputs: Arrays, expected: Arrays) -> Arrays:
        with torch.no_grad():
            outputs = module(*(torch.from_numpy(array) for array in inputs.values()))
        return {name: output.numpy() for name, output in zip(expected, outputs, strict=True)}

    return run
