"""What a served model is, in the words of the Open Inference Protocol v2 and its extensions."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from lineshape.bundle import AnalyteSpec, AxisSpec, Form, Limits, Manifest, NoiseSpec, SamplerSpec, Task, TensorSpec
from lineshape.preprocessing import AxisStep, Step

PLATFORM = "onnxruntime_onnx"
FACTS = "model"  # the configuration's parameter that holds `ModelParameters`, for who cannot see our metadata


class ServerMetadata(Struct, frozen=True):
    """The protocol's description of a server."""

    name: str
    version: str
    extensions: tuple[str, ...]


class TensorMetadata(Struct, frozen=True):
    """The protocol's description of a tensor; -1 is the batch, `parameters` says what the numbers are."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, str | None]

    @classmethod
    def of(cls, spec: TensorSpec) -> TensorMetadata:
        """A tensor of the manifest; its axis is a key of the model's axes."""
        return cls(spec.name, spec.dtype, spec.shape, {"role": spec.role, "unit": spec.unit, "axis": spec.axis})


class ModelParameters(Struct, frozen=True):
    """What a client needs beyond the tensors: the model's grid, what is done to a spectrum before and in the graph."""

    digest: str
    family: str
    task: Task
    form: Form
    axes: dict[str, AxisSpec]
    axis_half: dict[str, tuple[AxisStep, ...]]
    intensity_half: dict[str, tuple[Step, ...]]
    limits: Limits
    classes: tuple[str, ...]
    analytes: tuple[AnalyteSpec, ...]
    sampler: SamplerSpec | None
    noise: NoiseSpec | None


class ModelMetadata(Struct, frozen=True):
    """The protocol's description of a model."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
    parameters: ModelParameters


def metadata(name: str, versions: tuple[str, ...], form: Form, manifest: Manifest, digest: str) -> ModelMetadata:
    """Describe one form of a bundle under its name on the wire; `versions` are all that are loaded."""
    graph = manifest.graphs[form]
    return ModelMetadata(
        name=name,
        versions=versions,
        platform=PLATFORM,
        inputs=tuple(map(TensorMetadata.of, graph.inputs)),
        outputs=tuple(map(TensorMetadata.of, graph.outputs)),
        parameters=_parameters(form, manifest, digest),
    )


def _parameters(form: Form, manifest: Manifest, digest: str) -> ModelParameters:
    shared = {name: getattr(manifest, name) for name in ModelParameters.__struct_fields__ if hasattr(manifest, name)}
    return ModelParameters(digest=digest, form=form, **shared)


# Triton's model configuration, so far as it says something of us.


class TensorConfig(Struct, frozen=True):
    """A tensor without its batch."""

    name: str
    data_type: str
    dims: tuple[int, ...]


class Text(Struct, frozen=True):
    """A value of the configuration's parameters."""

    string_value: str


class InstanceGroup(Struct, frozen=True):
    """Runs at a time."""

    name: str
    kind: Literal["KIND_CPU", "KIND_GPU"]
    count: int


class DynamicBatching(Struct, frozen=True):
    """Requests are joined while they wait, and nothing waits to be joined."""

    max_queue_delay_microseconds: int = 0


class ModelConfig(Struct, frozen=True):
    """The configuration extension's description of a model."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: tuple[TensorConfig, ...]
    output: tuple[TensorConfig, ...]
    instance_group: tuple[InstanceGroup, ...]
    dynamic_batching: DynamicBatching
    parameters: dict[str, Text]


def config(name: str, form: Form, manifest: Manifest, digest: str, device: str, runners: int) -> ModelConfig:
    """Describe how one form of a bundle runs."""
    graph = manifest.graphs[form]
    kind: Literal["KIND_CPU", "KIND_GPU"] = "KIND_GPU" if device == "cuda" else "KIND_CPU"
    return ModelConfig(
        name=name,
        platform=PLATFORM,
        backend="onnxruntime",
        max_batch_size=manifest.limits.max_batch,
        input=tuple(map(_tensor, graph.inputs)),
        output=tuple(map(_tensor, graph.outputs)),
        instance_group=(InstanceGroup(name, kind, runners),),
        dynamic_batching=DynamicBatching(),
        parameters={"digest": Text(digest), "form": Text(form), FACTS: Text(facts(form, manifest, digest))},
    )


def facts(form: Form, manifest: Manifest, digest: str) -> str:
    """`ModelParameters` as JSON: what our client needs beyond the tensors, where a protocol has no place for it."""
    return msgspec.json.encode(_parameters(form, manifest, digest), order="deterministic").decode()


def _tensor(spec: TensorSpec) -> TensorConfig:
    return TensorConfig(spec.name, f"TYPE_{spec.dtype}", spec.shape[1:])


State: TypeAlias = Literal["READY", "UNAVAILABLE"]


class IndexEntry(Struct, frozen=True):
    """A line of the repository index."""

    name: str
    version: str
    state: State
    reason: str
