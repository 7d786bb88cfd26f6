"""Parity: ONNX Runtime and TorchScript must answer as PyTorch does, in a process that has not seen the export."""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext

import torch

from lineshape.bundle import Form, Tolerance, check_close
from lineshape_edge.session import Session
from lineshape_export.golden import Arrays, Case

BATCHES = (1, 2, 7, 64)


def tolerances(cases: Sequence[Case]) -> dict[str, Tolerance]:
    """What each output may deviate between machines.

    Float32 carries 6e-8; sums over some thousand terms and other orders of summation cost two to three digits, so 5e-5
    of the largest value, and 1e-4 of each.
    """
    names = cases[0][1]
    largest = {name: max(float(abs(outputs[name]).max()) for _, outputs in cases) for name in names}
    return {name: Tolerance(5e-5 * max(1.0, largest[name]), 1e-4) for name in names}


def check_parity(form: Form, model: bytes, script: bytes | None, cases: Sequence[Case],
                 allowed: Mapping[str, Tolerance]) -> None:  # fmt: skip
    """Run the cases through the graphs in a fresh process.

    Raises
    ------
    ParityError
        Names the output, the graph, the case and the largest deviation.
    """
    with ProcessPoolExecutor(1, mp_context=_fresh()) as fresh:
        fresh.submit(_compare, form, model, script, list(cases), dict(allowed)).result()


def _fresh() -> BaseContext:
    """New processes; where there can be one, from a server that has imported torch, which takes seconds, for all."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _compare(form: Form, model: bytes, script: bytes | None, cases: list[Case], allowed: dict[str, Tolerance]) -> None:
    session = Session(model)
    traced = torch.jit.load(io.BytesIO(script)) if script else None  # type: ignore[no-untyped-call]
    for inputs, expected in cases:
        batch = len(next(iter(inputs.values())))
        check_close(form, allowed, expected, session.run(inputs), f"in ONNX Runtime, batch {batch},")
        if traced is not None:
            check_close(form, allowed, expected, _run(traced, inputs, expected), f"in TorchScript, batch {batch},")


def _run(traced: torch.jit.ScriptModule, inputs: Arrays, expected: Arrays) -> Arrays:
    with torch.no_grad():
        outputs = traced(*(torch.from_numpy(array) for array in inputs.values()))
    return {name: output.numpy() for name, output in zip(expected, outputs, strict=True)}
