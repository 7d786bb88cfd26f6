"""Warm-up from the golden inputs: Triton runs them before a model is READY, so no client meets a cold graph.

Triton makes of a sample with batch size n as many requests of one row, all with the same row, and reads that from one
raw file for each input: the first row of the golden case, in the byte order of every machine that Triton runs on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tritonclient.grpc import model_config_pb2 as wire

from lineshape.bundle import Bundle, Form

FOLDER = "warmup"  # the name that Triton looks for in a model's folder


@dataclass(frozen=True)
class Sample:
    """A golden case as Triton is told of it, and its raw files by name."""

    message: Any
    files: dict[str, bytes]


def samples(bundle: Bundle, form: Form) -> list[Sample]:
    """One sample for each golden case of a form.

    Files carry the bundle's digest in their names, so that those of an earlier version stay what its config means.
    """
    cases = [inputs for inputs, _ in bundle.golden(form)]
    return [_sample(bundle, form, number, inputs) for number, inputs in enumerate(cases)]


def _sample(bundle: Bundle, form: Form, case: int, inputs: dict[str, Any]) -> Sample:
    specs = {spec.name: spec for spec in bundle.manifest.graphs[form].inputs}
    names = {name: f"{bundle.digest[:12]}.{case}.{name}" for name in specs}
    message = wire.ModelWarmup(name=f"golden case {case}", batch_size=len(next(iter(inputs.values()))), count=1)
    for name, spec in specs.items():
        message.inputs[name].data_type = wire.DataType.Value(f"TYPE_{spec.dtype}")
        message.inputs[name].dims.extend(spec.shape[1:])
        message.inputs[name].input_data_file = names[name]
    raw = {names[name]: _little_endian(inputs[name][:1]) for name in specs}
    return Sample(message, raw)


def _little_endian(row: Any) -> bytes:  # noqa: ANN401 - an array of any dtype
    return bytes(row.astype(row.dtype.newbyteorder("<")).tobytes())
