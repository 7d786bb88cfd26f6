"""What is asked of /v1 and what it answers, as JSON and as the query of a request."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from lineshape.axis import Unit
from lineshape.bundle import AnalyteSpec, AxisSpec, Task

MOST = 1000  # spectra of one request: an answer in JSON of some 20 MB
MOST_POINTS = 3_000_000  # of all of them together
LARGEST = 2**53  # the largest whole number that JSON carries safely
LOUDEST = 1e6  # times as measured, that a bundle lets the detector's noise be

Spectra: TypeAlias = Annotated[int, Meta(ge=1, le=MOST)]
Number: TypeAlias = Annotated[float, Meta(ge=-1e9, le=1e9)]  # no axis of any modality reaches beyond this
Wavelength: TypeAlias = Annotated[float, Meta(gt=0, le=1e9)]


class SampleRequest(Struct, forbid_unknown_fields=True):
    """Samples `first` to `first + n - 1` of `seed`; the same on every face."""

    n: Spectra = 1
    seed: Annotated[int, Meta(ge=0, le=LARGEST)] = 0
    first: Annotated[int, Meta(ge=0, le=LARGEST - MOST)] = 0
    label: str | None = None
    analyte: Annotated[dict[str, Number], Meta(max_length=64)] = {}
    extrapolate: bool = False
    noise_scale: Annotated[float, Meta(ge=0, le=LOUDEST)] | None = None


class Measured(Struct, forbid_unknown_fields=True):
    """A measured spectrum: one intensity for each point of its axis, which rises or falls throughout."""

    axis: Annotated[list[Number], Meta(min_length=2)]
    intensities: Annotated[list[Number], Meta(min_length=2)]
    modality: Annotated[str, Meta(min_length=1)] | None = None
    unit: Unit | None = None
    laser_nm: Wavelength | None = None
    xray_angstrom: Wavelength | None = None
    name: str | None = None


class SpectraRequest(Struct, forbid_unknown_fields=True):
    """Measured spectra."""

    spectra: Annotated[list[Measured], Meta(min_length=1, max_length=MOST)]


class PairRequest(Struct, forbid_unknown_fields=True):
    """Two measured spectra."""

    spectra: Annotated[list[Measured], Meta(min_length=2, max_length=2)]


class Options(Struct, forbid_unknown_fields=True):
    """The query of a request with measured spectra.

    Parameters
    ----------
    filename : str, optional
        What to call spectra that have no name; its ending helps to choose the reader.
    modality : str, optional
        What was measured, where the body does not say it or says it wrongly.
    unit : str, optional
        Of the axis; likewise.
    laser_nm, xray_angstrom : float, optional
        Wavelengths of the laser and of the X-rays; likewise.
    """

    filename: str | None = None
    modality: str | None = None
    unit: Unit | None = None
    laser_nm: Wavelength | None = None
    xray_angstrom: Wavelength | None = None


class TransferOptions(Options):
    """Also how familiar every spectrum has to be."""

    min_familiarity: Annotated[float, Meta(ge=0, le=1)] = 0


class InterpolateOptions(Options):
    """Also how many spectra to make, both ends among them."""

    steps: Annotated[int, Meta(ge=2, le=MOST)] = 9


class Axis(Struct):
    """The points of the spectra of an answer."""

    modality: str
    unit: Unit
    values: list[float]
    laser_nm: float | None
    xray_angstrom: float | None


class Origin(Struct):
    """Which bundle answered."""

    bundle: str
    version: str
    digest: str


class Samples(Origin):
    """Drawn spectra, and what they were drawn with."""

    seed: int
    first: int
    label: str | None
    analyte: dict[str, float]
    noise_scale: float | None
    axis: Axis
    spectra: list[list[float]]


class Nearest(Struct):
    """The nearest spectrum of the fit: its material, its specimen, and the correlation with it."""

    name: str
    identity: str
    similarity: float


class Estimate(Struct):
    """A spectrum in the target modality, its interval, and its familiarity from 0 (like nothing in the fit) to 1."""

    source: str
    intensities: list[float]
    lower: list[float]
    upper: list[float]
    familiarity: float
    nearest: Nearest | None
    cautions: list[str]
    notes: list[str]


class Estimates(Origin):
    """One estimate for each spectrum, in their order."""

    axis: Axis
    spectra: list[Estimate]


class Rebuilt(Struct):
    """What the model understands of a spectrum, in relative intensities."""

    source: str
    intensities: list[float]
    notes: list[str]


class Reconstructions(Origin):
    """One reconstruction for each spectrum, in their order."""

    axis: Axis
    spectra: list[Rebuilt]


class Latent(Struct):
    """The latent of a spectrum."""

    source: str
    latent: list[float]
    notes: list[str]


class Latents(Origin):
    """One latent for each spectrum, in their order."""

    latents: list[Latent]


class Between(Struct):
    """A spectrum between two others: weight 0 is the first, 1 the second."""

    weight: float
    intensities: list[float]


class Interpolation(Origin):
    """Spectra from one to another, in relative intensities."""

    sources: list[str]
    notes: list[str]
    axis: Axis
    spectra: list[Between]


class ModelCard(Origin):
    """A model, and what may be asked of it.

    Parameters
    ----------
    name : str
        Its name in addresses.
    task : str
        The last part of the address to post to.
    axes : dict
        `source`, the grid of measured spectra, and `spectrum`, that of the answers.
    interval : float, optional
        The share of points that `lower` and `upper` promise to hold.
    """

    name: str
    family: str
    task: Task
    axes: dict[str, AxisSpec]
    classes: tuple[str, ...]
    analytes: tuple[AnalyteSpec, ...]
    interval: float | None


class Models(Struct):
    """Every model that /v1 answers for."""

    models: list[ModelCard]


class Refusal(Struct):
    """What was wrong, where, and what to do."""

    error: str
