"""What the tasks ask of a model and make of its answer, short of running it.

A plan needs no model, only what is known of it, so that whoever runs it may be this process, a server with a queue, or
a client at the other end of a wire:

    plan = plans.transfer(manifest, spectra)
    found = plan.result([model.run(batch) for batch in plan.batches])
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshape import noise
from lineshape.axis import SpectralAxis
from lineshape.bundle import AnalyteSpec, Limits, NoiseSpec, Task
from lineshape.errors import AxisError, DataError, UnsupportedBundle, UsageError
from lineshape.library import Library, Match, line_width
from lineshape.preprocessing import AxisStep, Step, forward, to_grid
from lineshape.spectrum import Spectrum
from lineshape_edge.conditions import asked, noise_level

Arrays: TypeAlias = dict[str, NDArray[Any]]
OnGrid: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]  # values and mask
T = TypeVar("T")

ROWS = 8  # that a refusal names
WHOLE = 0.9  # share of the grid below which a transfer warns, and that an interpolation needs: it has no mask
LEAST = 0.5  # share of the grid that a transfer needs
UNFAMILIAR = 0.05  # of the groups held out of a fit, one in twenty was stranger


class Facts(Protocol):
    """What has to be known of a model: a `Manifest` says it, and so does a model's metadata on the wire."""

    @property
    def name(self) -> str: ...  # noqa: D102 - these are the manifest's fields, and described there
    @property
    def task(self) -> Task: ...  # noqa: D102
    @property
    def axis_half(self) -> Mapping[str, Sequence[AxisStep]]: ...  # noqa: D102
    @property
    def intensity_half(self) -> Mapping[str, Sequence[Step]]: ...  # noqa: D102
    @property
    def noise(self) -> NoiseSpec | None: ...  # noqa: D102
    @property
    def classes(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def analytes(self) -> Sequence[AnalyteSpec]: ...  # noqa: D102
    @property
    def limits(self) -> Limits: ...  # noqa: D102

    def axis(self, key: str) -> SpectralAxis:
        """The axis of a tensor role."""
        ...


@dataclass(frozen=True, eq=False)
class Plan(Generic[T]):
    """One task over one model, short of running it.

    Parameters
    ----------
    inputs : dict of tensor name to array [n, ...]
        Of the model's seeded or full form; none at all where there is nothing to run.
    rows : int
        Most that the model takes at once.
    read : callable
        Makes the result of the outputs, a dict of tensor name to array [n, ...].
    """

    inputs: Arrays
    rows: int
    read: Callable[[Arrays], T]

    @property
    def batches(self) -> list[Arrays]:
        """The inputs, at most `rows` at a time; they may be run in any order and at once."""
        n = len(next(iter(self.inputs.values()), ()))
        starts = range(0, n, self.rows)
        return [{name: array[at : at + self.rows] for name, array in self.inputs.items()} for at in starts]

    def result(self, answers: Sequence[Arrays]) -> T:
        """What was asked for, from the outputs of each batch, in the order of the batches."""
        names = answers[0] if answers else ()
        return self.read({name: np.concatenate([answer[name] for answer in answers]) for name in names})


@dataclass(frozen=True, eq=False)
class Transferred:
    """A spectrum in the target modality, and how far to trust it.

    Parameters
    ----------
    axis : SpectralAxis [L_out]
    intensities : float32 [L_out]
        Relative intensities.
    lower, upper : float32 [L_out]
        The bundle's interval around each point.
    familiarity : float
        0 unlike anything in training, 1 well inside.
    nearest : Match, optional
        The nearest spectrum of the fit, for a bundle that holds them and a spectrum that has any structure.
    cautions : tuple of str
        Why to trust it less, one sentence each: nothing like it was in the fit, it covers too little of the model's
        range, and, for a bundle that holds the spectra of its fit, an unlike laser or width of lines.
    """

    axis: SpectralAxis
    intensities: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    familiarity: float
    nearest: Match | None = None
    cautions: tuple[str, ...] = ()


def sample(facts: Facts, n: int, seed: int = 0, first: int = 0, label: str | None = None,
           analyte: Mapping[str, float] | None = None, extrapolate: bool = False,
           noise_scale: float | None = None) -> Plan[NDArray[np.float32]]:  # fmt: skip
    """Draw spectra: see `lineshape_edge.sample`."""
    require(facts, "sample")
    if n < 1 or not 0 <= seed <= 2**53:
        raise UsageError(f"a sample needs n >= 1 and a seed from 0 to 2^53; got n={n}, seed={seed}")
    told = asked(facts, n, label, analyte or {}, extrapolate) | noise_level(facts, n, noise_scale)
    return _plan(facts, {"seed": noise.seeds(seed, n, first), **told}, _spectra)


def transfer(facts: Facts, spectra: Sequence[Spectrum], library: Library | None = None) -> Plan[list[Transferred]]:
    """Transfer measured spectra: see `lineshape_edge.transfer`.

    Parameters
    ----------
    facts, spectra
    library : Library, optional
        The spectra of the fit, to compare with.
    """
    require(facts, "transfer")
    if not spectra:
        return _plan(facts, {}, lambda outputs: [])
    inputs = _sources(facts, spectra, _telling)
    return _plan(facts, inputs, partial(_transferred, facts, spectra, library, inputs))


def reconstruct(facts: Facts, spectra: Sequence[Spectrum]) -> Plan[NDArray[np.float32]]:
    """What the model understands of measured spectra: see `lineshape_edge.reconstruct`."""
    require(facts, "reconstruct")
    return _plan(facts, _sources(facts, spectra), _spectra)


def encode(facts: Facts, spectra: Sequence[Spectrum]) -> Plan[NDArray[np.float32]]:
    """The latents of measured spectra: see `lineshape_edge.encode`."""
    require(facts, "encode")
    return _plan(facts, _sources(facts, spectra), _latents)


def interpolate(facts: Facts, first: Spectrum, second: Spectrum, weights: ArrayLike) -> Plan[NDArray[np.float32]]:
    """Spectra between two measured ones: see `lineshape_edge.interpolate`."""
    require(facts, "interpolate")
    weight = np.asarray(weights, np.float32).reshape(-1, 1)
    if not len(weight):
        raise UsageError("an interpolation needs at least one weight from 0 to 1")
    bridged = _each((first, second), partial(_bridged, facts))
    sources = dict(zip(("source", "source_b"), bridged, strict=True))
    repeated = {name: np.repeat(row[None], len(weight), axis=0) for name, row in sources.items()}
    return _plan(facts, {**repeated, "weight": weight}, _spectra)


def gridded(facts: Facts, spectrum: Spectrum) -> OnGrid:
    """The axis half of the bundle's preprocessing: values and mask [L_in] on the model's grid."""
    return to_grid(spectrum, facts.axis_half.get("source", ()), facts.axis("source"))


def prepared(facts: Facts, values: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Source spectra [n, L_in] as the model sees them: after the intensity half of its preprocessing."""
    seen: NDArray[np.float32] = forward(facts.intensity_half.get("source", ()), np, values, mask)[0]
    return seen


def refuse_unfamiliar(familiarity: NDArray[np.float32], least: float) -> None:
    """Refuse spectra about which the model could only invent.

    Parameters
    ----------
    familiarity : float32 [n]
    least : float
        From 0 to 1.

    Raises
    ------
    DataError
        If one is less familiar; where there are several, the message names their rows.
    """
    below = np.flatnonzero(~(familiarity >= least))
    if not len(below):
        return
    of = "" if len(familiarity) == 1 else f" of row{'s' if len(below) > 1 else ''} {', '.join(map(str, below[:ROWS]))}"
    more = f" and {len(below) - ROWS} more" if len(below) > ROWS else ""
    worst = float(familiarity[below].min())
    raise DataError(f"the familiarity{of}{more} ({worst:.2f}) is below the {least:g} that was asked for, so nothing "
                    "was estimated")  # fmt: skip


@contextmanager
def about(name: str | None) -> Iterator[None]:
    """Put the name of a spectrum before what refuses it; leave it as it is where there is no other spectrum (None)."""
    try:
        yield
    except (AxisError, DataError) as error:
        if name is None:
            raise
        raise type(error)(f"{name}: {error}") from error


def require(facts: Facts, task: Task) -> None:
    """Refuse a model made for something else.

    Raises
    ------
    UnsupportedBundle
        Naming the task it was made for.
    """
    if facts.task != task:
        raise UnsupportedBundle(f"bundle {facts.name} is for {facts.task}, not for {task}")


def _plan(facts: Facts, inputs: Arrays, read: Callable[[Arrays], T]) -> Plan[T]:
    return Plan(inputs, facts.limits.max_batch, read)


def _spectra(outputs: Arrays) -> NDArray[np.float32]:
    return outputs["spectrum"]


def _latents(outputs: Arrays) -> NDArray[np.float32]:
    return outputs["latent"]


def _transferred(facts: Facts, spectra: Sequence[Spectrum], library: Library | None, inputs: Arrays,
                 outputs: Arrays) -> list[Transferred]:  # fmt: skip
    axis, covered = facts.axis("spectrum"), inputs["mask"].mean(axis=1)
    compared = _compared(facts, spectra, inputs, library)
    found = zip(outputs["spectrum"], outputs["lower"], outputs["upper"], outputs["familiarity"][:, 0].tolist(),
                compared, covered.tolist(), strict=True)  # fmt: skip
    return [
        Transferred(axis, spectrum, lower, upper, known, nearest, (*_doubts(known, share), *cautions))
        for spectrum, lower, upper, known, (nearest, cautions), share in found
    ]


def _sources(facts: Facts, spectra: Sequence[Spectrum], prepare: Callable[[Facts, Spectrum], OnGrid] = gridded
             ) -> Arrays:  # fmt: skip
    if not spectra:
        raise UsageError(f"bundle {facts.name} needs at least one spectrum")
    values, masks = zip(*_each(spectra, partial(prepare, facts)), strict=True)
    return {"source": np.stack(values), "mask": np.stack(masks)}


def _each(spectra: Sequence[Spectrum], make: Callable[[Spectrum], T]) -> Iterator[T]:
    """What is made of each spectrum; where there are several, a refusal says which one it is about."""
    for number, spectrum in enumerate(spectra, start=1):
        name = spectrum.metadata.get("source") or f"spectrum {number}"
        with about(name if len(spectra) > 1 else None):
            made = make(spectrum)
        yield made


def _telling(facts: Facts, spectrum: Spectrum) -> OnGrid:
    """A spectrum on the grid, refused if it tells nothing: too few points of it, or all of one intensity."""
    values, mask = gridded(facts, spectrum)
    if mask.mean() < LEAST:
        axis = facts.axis("source")
        raise AxisError(f"the spectrum covers {mask.mean():.0%} of the model's range ({axis.low:g} to {axis.high:g} "
                        f"{axis.unit}); a transfer needs {LEAST:.0%}")  # fmt: skip
    if not np.ptp(values[mask > 0]):
        raise DataError("the spectrum is flat: it has one intensity at all points, so there is nothing to go by")
    return values, mask


def _doubts(familiarity: float, covered: float) -> list[str]:
    """What a transfer says of itself, in sentences."""
    unlike = f"Unlike what the model has seen (familiarity below {UNFAMILIAR:g}): do not use the estimate."
    partly = f"It covers {covered:.0%} of the model's range: measured on all of it, the estimate would rest on more."
    return [said for said, holds in ((unlike, familiarity < UNFAMILIAR), (partly, covered < WHOLE)) if holds]


def _compared(facts: Facts, spectra: Sequence[Spectrum], inputs: Arrays,
              library: Library | None) -> list[tuple[Match | None, tuple[str, ...]]]:  # fmt: skip
    """For each spectrum the nearest one of the fit, and what sets it apart from all of them."""
    if library is None:
        return [(None, ())] * len(spectra)
    values, masks, grid = inputs["source"], inputs["mask"], facts.axis("source")
    nearest = library.nearest(prepared(facts, values, masks), masks)
    widths = [line_width(row, mask, grid) for row, mask in zip(values, masks, strict=True)]
    cautions = [library.cautions(s.axis.laser_nm, width, grid.unit) for s, width in zip(spectra, widths, strict=True)]
    return list(zip(nearest, cautions, strict=True))


def _bridged(facts: Facts, spectrum: Spectrum) -> NDArray[np.float32]:
    """A spectrum on the grid with straight lines where nothing was measured."""
    values, mask = gridded(facts, spectrum)
    if mask.mean() < WHOLE:
        axis = facts.axis("source")
        raise AxisError(f"the spectrum covers {mask.mean():.0%} of the model's range ({axis.low:g} to {axis.high:g} "
                        f"{axis.unit}); an interpolation needs {WHOLE:.0%}")  # fmt: skip
    points = np.arange(len(values))
    return np.interp(points, points[mask > 0], values[mask > 0]).astype(np.float32)
