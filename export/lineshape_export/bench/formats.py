"""Each format of a model: what it takes to write, how far it is from PyTorch, and how long a call takes beside it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias, TypeVar

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from lineshape import noise
from lineshape.bundle import Form
from lineshape.results import Interval, bootstrapped
from lineshape_edge.session import Session
from lineshape_export.golden import Arrays, Measured, eager, inputs_of
from lineshape_export.graphs import quiet, seeded_onnx, to_onnx, to_program, to_pt2, to_torchscript
from lineshape_export.lowering import measured, trials_for
from lineshape_training.contract import Contract, Seeded
from lineshape_training.run import Run

T = TypeVar("T")
Call: TypeAlias = Callable[[], object]
Beside: TypeAlias = Callable[[NDArray[np.int64]], Call]  # rows of seed and index to a call of the reference model

BATCHES = {1: 60, 64: 15}  # rows, and how often they are run in each format by turns
WARM = 5
FORMATS = ("eager", "ONNX", "noise ONNX", "TorchScript", "torch.export", "fp16", "int8")
REFERENCE = "reference"
SEED = 22


class Format(msgspec.Struct, omit_defaults=True):
    """One format of one model.

    Parameters
    ----------
    size : int
        Bytes.
    nodes : int
        Of an ONNX graph.
    seconds : float
        To write it.
    deviation : float
        The largest from PyTorch's answers to the same inputs, as a share of the largest value.
    milliseconds : mapping of batch to Interval
        Median of a call on one thread.
    refused : list of str
        What the gate of lower precision says against it.
    """

    size: int | None = None
    nodes: int | None = None
    seconds: float | None = None
    deviation: float | None = None
    milliseconds: dict[str, Interval] = {}
    refused: list[str] = []


class Line(msgspec.Struct):
    """All formats of a model, and how many times as long as the reference model its ONNX takes for one spectrum."""

    formats: dict[str, Format]
    of_reference: Interval


class Formats:
    """A model in every format it has.

    Parameters
    ----------
    run : Run
    forms : mapping of Form to Contract
        Of the task that it is exported for.
    known : (values [m, L], mask [m, L]), optional
        Spectra of the fit, for a task that takes spectra.
    """

    def __init__(self, run: Run, forms: Mapping[Form, Contract], known: Measured | None) -> None:
        self.forms, self.conditions, self.known = forms, run.spec.conditions, known
        self.found = {"eager": Format()}
        self.contents: dict[str, bytes] = {}
        model = forms["model"]
        seconds, program = _timed(lambda: to_program(model))
        if isinstance(model, Seeded):
            noise_form = self._put("noise ONNX", lambda: _onnx(model.sampler))
            self._put("ONNX", lambda: seeded_onnx(model, noise_form), self.found["noise ONNX"].seconds)
        else:
            self._put("ONNX", lambda: to_onnx(program, model, {}), seconds)
        self._put("TorchScript", lambda: to_torchscript(model))
        self._put("torch.export", lambda: to_pt2(program), seconds)
        self._lower()

    def _lower(self) -> None:
        """In lower precision, passed or not; what is refused is still measured."""
        trials = trials_for(self.forms["model"], self.conditions, self.known)
        outputs = self.forms["model"].outputs
        for form in ("fp16", "int8"):
            seconds, lower = _timed(partial(measured, form, self.contents["ONNX"], trials, outputs, {}))
            self._put(form, partial(bytes, lower.onnx), seconds)
            self.found[form].refused = lower.fidelity.faults

    def _put(self, name: str, write: Callable[[], bytes], before: float | None = None) -> bytes:
        """Write a format; `before` are the seconds of what it is written from."""
        seconds, content = _timed(write)
        nodes = len(onnx.load_model_from_string(content).graph.node) if _is_onnx(name) else None
        self.found[name] = Format(len(content), nodes, round(seconds + (before or 0), 1))
        self.contents[name] = content
        return content

    def measure(self, beside: Beside) -> Line:
        """Deviations, then every format and the reference model by turns."""
        torch.set_num_threads(1)
        runs = {name: _loaded(name, content) for name, content in self.contents.items()}
        runs["eager"] = self._eager
        self._deviations(runs)
        ratio = None
        for batch, rounds in BATCHES.items():
            rows = noise.seeds(SEED, batch)
            calls = {name: self._call(run, name, rows) for name, run in runs.items()}
            calls[REFERENCE] = beside(rows)
            taken = by_turns(calls, rounds)
            for name in runs:
                self.found[name].milliseconds[str(batch)] = _median(taken[name])
            ratio = ratio or _ratio(taken["ONNX"], taken[REFERENCE])
        assert ratio is not None
        return Line({name: self.found[name] for name in FORMATS if name in self.found}, ratio)

    def _eager(self, inputs: Arrays) -> Arrays:
        return eager(self.forms["model"], inputs)

    def _call(self, run: Callable[[Arrays], object], name: str, rows: NDArray[np.int64]) -> Call:
        inputs = self._inputs(_form(name), rows)
        return lambda: run(inputs)

    def _deviations(self, runs: Mapping[str, Callable[[Arrays], object]]) -> None:
        rows = noise.seeds(SEED, max(BATCHES))
        for name, run in runs.items():
            inputs = self._inputs(_form(name), rows)
            expected = eager(self.forms[_form(name)], inputs)
            found = run(inputs)
            arrays = found.values() if isinstance(found, dict) else [tensor.numpy() for tensor in found]  # type: ignore[attr-defined]
            pairs = list(zip(expected.values(), arrays, strict=True))
            largest = max(1.0, *(float(np.abs(wanted).max()) for wanted, _ in pairs))
            deviation = max(float(np.abs(wanted - got).max()) for wanted, got in pairs) / largest
            self.found[name].deviation = None if name == "eager" else float(f"{deviation:.2g}")

    def _inputs(self, form: Form, rows: NDArray[np.int64]) -> Arrays:
        return inputs_of(self.forms[form], self.conditions, rows, self.known)


def _onnx(contract: Contract) -> bytes:
    return to_onnx(to_program(contract), contract, {})


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what was made in them."""
    start = time.perf_counter()
    made = work()
    return time.perf_counter() - start, made


def by_turns(calls: Mapping[str, Call], rounds: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of each call, one after the other in every round."""
    for call in calls.values():
        for _ in range(WARM):
            call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: np.array(each) for name, each in taken.items()}


def _median(values: NDArray[np.float64]) -> Interval:
    return bootstrapped(values, np.arange(len(values)).astype(str), lambda drawn: float(np.median(drawn)))


def _ratio(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Interval:
    pairs = np.stack([ours, theirs], axis=1)
    return bootstrapped(pairs, np.arange(len(pairs)).astype(str),
                        lambda drawn: float(np.median(drawn[:, 0]) / np.median(drawn[:, 1])))  # fmt: skip


def _loaded(name: str, content: bytes) -> Callable[[Arrays], object]:
    if _is_onnx(name):
        return Session(content).run
    with quiet():
        module = (
            torch.jit.load(io.BytesIO(content))  # type: ignore[no-untyped-call]
            if name == "TorchScript"
            else torch.export.load(io.BytesIO(content)).module()
        )

    def run(inputs: Arrays) -> object:
        with torch.no_grad():
            return module(*(torch.from_numpy(array) for array in inputs.values()))

    return run


def _form(name: str) -> Form:
    return "noise" if name == "noise ONNX" else "model"


def _is_onnx(name: str) -> bool:
    return name in ("ONNX", "noise ONNX", "fp16", "int8")
