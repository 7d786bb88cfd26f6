"""What `bundle.json` says: the contract between the exporter that writes a bundle and the faces that run it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from lineshape.axis import Order, SpectralAxis, Unit
from lineshape.errors import UnsupportedBundle
from lineshape.preprocessing import AxisStep, Step

SCHEMA: Literal[1] = 1
MANIFEST, ROOT = "bundle.json", "bundle.sha256"  # the only files that bundle.json does not list
GOLDEN = "golden.npz"
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)  # JSON that is none; ValueError: it is not UTF-8

Task: TypeAlias = Literal["sample", "transfer", "reconstruct", "encode", "interpolate"]
Form: TypeAlias = Literal["model", "noise", "fp16", "int8"]
FULL: dict[Form, Form] = {"fp16": "model", "int8": "model"}  # of what each is the lower precision
Role: TypeAlias = Literal[
    "seed", "noise", "label", "analyte", "noise_scale", "source", "source_b", "mask", "weight",
    "spectrum", "lower", "upper", "familiarity", "latent",
]  # fmt: skip
Name: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?\Z")]
Version: TypeAlias = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\Z")]
FileName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
Sha256: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count: TypeAlias = Annotated[int, Meta(ge=1)]


class AxisSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A regular axis by its ends."""

    modality: str
    unit: Unit
    first: float
    last: float
    n: Count
    order: Order
    laser_nm: float | None = None
    xray_angstrom: float | None = None

    def __post_init__(self) -> None:
        if (self.order == "ascending") != (self.first < self.last):
            raise ValueError(f"an axis from {self.first:g} to {self.last:g} is not {self.order}")

    @classmethod
    def of(cls, axis: SpectralAxis) -> AxisSpec:
        """The ends of a regular axis."""
        return cls(
            axis.modality,
            axis.unit,
            axis.first,
            axis.last,
            len(axis),
            axis.order,
            axis.laser_nm,
            axis.xray_angstrom,
        )

    def axis(self) -> SpectralAxis:
        """The axis itself."""
        return SpectralAxis.regular(self.modality, self.first, self.last, self.n, self.unit,
                                    laser_nm=self.laser_nm, xray_angstrom=self.xray_angstrom)  # fmt: skip


class TensorSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One tensor of a graph; the first dimension is the batch and stands as -1."""

    name: str
    dtype: Literal["FP32", "INT64"]
    shape: tuple[int, int]
    role: Role
    unit: str
    axis: str | None = None  # a key of Manifest.axes


class Tolerance(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How far an output may deviate between machines.

    Each element by absolute + relative x |expected|; of each (share, most) in `quantiles`, that share of the elements
    by no more than so much; a peak by `peak_shift` grid points.
    """

    absolute: float
    relative: float
    quantiles: tuple[tuple[float, float], ...] = ()
    peak_shift: int | None = None


class GraphSpec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One ONNX graph with its tensors; `tolerances` are the bundle's but for a graph in lower precision."""

    file: FileName
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    tolerances: dict[str, Tolerance] = {}


class SamplerSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """How a spectrum is drawn: algorithm, network evaluations, guidance strength."""

    algorithm: str
    evaluations: Annotated[int, Meta(ge=1, le=32)]
    guidance: float = 1.0


class NoiseSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """How (seed, sample index) becomes `size` standard normals; see `lineshape.noise`.

    The last `detector` of them are the noise of the detector, and come from the stream of that name.
    """

    size: Count
    detector: Annotated[int, Meta(ge=0)] = 0
    words: Literal["philox4x32-10"] = "philox4x32-10"
    normals: Literal["box-muller-float32"] = "box-muller-float32"


class AnalyteSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """An analyte that a sampler is told, and the lowest and highest amount of the fit, in the user's units."""

    name: str
    low: float
    high: float


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What a face accepts."""

    max_batch: Count
    intensity: tuple[float, float]


class FileSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the bundle."""

    bytes: Annotated[int, Meta(ge=0)]
    sha256: Sha256


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of `bundle.json`."""

    schema: Literal[1] = SCHEMA
    name: Name
    version: Version
    family: str
    task: Task
    graphs: dict[Form, GraphSpec]
    axes: dict[str, AxisSpec]
    axis_half: dict[str, tuple[AxisStep, ...]] = {}
    intensity_half: dict[str, tuple[Step, ...]] = {}
    sampler: SamplerSpec | None = None
    noise: NoiseSpec | None = None
    classes: tuple[str, ...] = ()
    analytes: tuple[AnalyteSpec, ...] = ()  # in the order of the columns of `analyte`
    interval: float | None = None  # share of points that `lower` and `upper` promise to hold, .9 for 90 %
    limits: Limits
    tolerances: dict[str, Tolerance]
    library: FileName | None = None  # spectra of the fit; only where the recipe of the fit lets them leave with it
    files: dict[FileName, FileSpec] = {}

    @property
    def wire_names(self) -> dict[str, Form]:
        """The name of each form on the wire."""
        return {self.name if form == "model" else f"{self.name}-{form}": form for form in self.graphs}

    def allowed(self, form: Form) -> dict[str, Tolerance]:
        """How far each output of a form may deviate between machines."""
        return {**self.tolerances, **self.graphs[form].tolerances}

    def axis(self, key: str) -> SpectralAxis:
        """The axis of a tensor role."""
        if key not in self.axes:
            raise UnsupportedBundle(f"bundle {self.name} has no axis {key!r}; it has {', '.join(self.axes)}")
        return self.axes[key].axis()


def encode(manifest: Manifest) -> bytes:
    """`bundle.json` as bytes: the same manifest is always the same bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2) + b"\n"


def decode(content: bytes) -> Manifest:
    """Read `bundle.json`, whose digest has been checked.

    Raises
    ------
    UnsupportedBundle
        If it does not follow this schema; the message names the field.
    """
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except UNREADABLE as error:
        raise UnsupportedBundle(f"{MANIFEST}: {error}; this version of Lineshape reads schema {SCHEMA}") from None
    listed = {graph.file for graph in manifest.graphs.values()} | {GOLDEN}
    listed |= {manifest.library} if manifest.library else set()
    if missing := listed - manifest.files.keys():
        raise UnsupportedBundle(f"{MANIFEST}: names {', '.join(sorted(missing))} but does not list it among its files")
    outputs = {tensor.name for graph in manifest.graphs.values() for tensor in graph.outputs}
    if missing := outputs - manifest.tolerances.keys():
        raise UnsupportedBundle(f"{MANIFEST}: states no tolerance for output {min(missing)!r}")
    return manifest
