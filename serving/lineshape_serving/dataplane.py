"""The data plane: which models are loaded, what they are, and one way to run them. It knows no transport.

Every bundle shows as one model for each form of its graph: NAME, and for samplers NAME-noise. Its version on the wire
is the bundle's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version as installed_version
from typing import Any, TypeAlias

from msgspec import Struct
from numpy.typing import NDArray

from lineshape.bundle import (
    AnalyteSpec,
    AxisSpec,
    Form,
    GraphSpec,
    Limits,
    NoiseSpec,
    SamplerSpec,
    Task,
    TensorSpec,
    check_verdict,
)
from lineshape.errors import TensorError, UnknownModel, UsageError
from lineshape.preprocessing import AxisStep, Step
from lineshape_edge import Model
from lineshape_edge.tasks import refuse_unfamiliar

Arrays: TypeAlias = dict[str, NDArray[Any]]

FAMILIARITY = "familiarity"  # the output that `min_familiarity` is held against


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


@dataclass(frozen=True, eq=False)
class Answer:
    """The outputs of a model, and which model it was."""

    model: str
    version: str
    outputs: Arrays


@dataclass(frozen=True, eq=False)
class Served:
    """One form of a bundle under its name on the wire."""

    name: str
    form: Form
    model: Model

    @property
    def version(self) -> str:
        """The bundle's version."""
        return self.model.manifest.version

    @property
    def graph(self) -> GraphSpec:
        """Its tensors."""
        return self.model.manifest.graphs[self.form]

    @cached_property
    def metadata(self) -> ModelMetadata:
        """What it is."""
        manifest = self.model.manifest
        shared = {
            name: getattr(manifest, name) for name in ModelParameters.__struct_fields__ if hasattr(manifest, name)
        }
        return ModelMetadata(
            name=self.name,
            versions=(self.version,),
            platform="onnxruntime_onnx",
            inputs=tuple(map(TensorMetadata.of, self.graph.inputs)),
            outputs=tuple(map(TensorMetadata.of, self.graph.outputs)),
            parameters=ModelParameters(digest=self.model.digest, form=self.form, **shared),
        )


class DataPlane:
    """The loaded models; safe to ask from any number of threads.

    Parameters
    ----------
    models : iterable of Model
        Models that passed their golden test, as `Model.open` gives them.

    Raises
    ------
    UsageError
        If two of them want one name.
    FailedValidation
        If a model failed validation and nobody answers for it in its provenance.
    """

    def __init__(self, models: Iterable[Model] = ()) -> None:
        self._served: dict[str, Served] = {}
        for model in models:
            self.add(model)

    def add(self, model: Model) -> None:
        """Serve one more model that passed its golden test."""
        check_verdict(model.bundle)
        new = {name: Served(name, form, model) for name, form in model.manifest.wire_names.items()}
        if taken := new.keys() & self._served.keys():
            raise UsageError(f"two bundles want the name {min(taken)!r}; serve one of them, or export it under another")
        self._served = {**self._served, **new}  # one assignment: a reader sees all forms or none

    @property
    def names(self) -> tuple[str, ...]:
        """Every name on the wire."""
        return tuple(self._served)

    def live(self) -> bool:
        """Whether the process answers at all."""
        return True

    def ready(self) -> bool:
        """Whether there is a model to ask."""
        return bool(self._served)

    def server(self) -> ServerMetadata:
        """What this server is and speaks."""
        return ServerMetadata("lineshape", installed_version("lineshape"), ("binary_tensor_data",))

    def find(self, name: str, version: str | None = None) -> Served:
        """The model of a name.

        Raises
        ------
        UnknownModel
            If it is not loaded, or in another version.
        """
        served = self._served.get(name)
        if served is None:
            raise UnknownModel(f"no model {name!r} here; loaded are {', '.join(sorted(self.names)) or 'none'}")
        if version not in (None, served.version):
            raise UnknownModel(f"model {name!r} has no version {version!r}; it is loaded as {served.version}")
        return served

    def metadata(self, name: str, version: str | None = None) -> ModelMetadata:
        """What a model is: tensors, axes, preprocessing, digest."""
        return self.find(name, version).metadata

    def infer(self, name: str, version: str | None, inputs: Mapping[str, NDArray[Any]],
              outputs: Sequence[str] = (), min_familiarity: float | None = None) -> Answer:  # fmt: skip
        """Run a model over one batch.

        Parameters
        ----------
        name, version : str
            Any version if None.
        inputs : mapping of tensor name to array [n, ...]
        outputs : sequence of str
            Those wanted, in that order; all of them if empty.
        min_familiarity : float, optional
            Of a transfer: refuse the batch if one of its spectra is less familiar.

        Raises
        ------
        UnknownModel
            If the model is not loaded.
        TensorError
            If a tensor is not what the model takes or gives; it is named, with the element where there is one.
        DataError
            If a spectrum is not familiar enough; the rows are named.
        """
        served = self.find(name, version)
        wanted = tuple(outputs) or tuple(spec.name for spec in served.graph.outputs)
        if unknown := set(wanted) - {spec.name for spec in served.graph.outputs}:
            given = ", ".join(spec.name for spec in served.graph.outputs)
            raise TensorError(f"output {min(unknown)!r}: model {name!r} has no such output; it gives {given}")
        if min_familiarity is not None and FAMILIARITY not in {spec.name for spec in served.graph.outputs}:
            raise TensorError(f"min_familiarity: model {name!r} gives no {FAMILIARITY}; it is asked of transfers")
        found = served.model.run(inputs, served.form)
        if min_familiarity is not None:
            refuse_unfamiliar(found[FAMILIARITY][:, 0], min_familiarity)
        return Answer(served.name, served.version, {output: found[output] for output in wanted})
