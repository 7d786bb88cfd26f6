"""What people do with a model: draw spectra, transfer them to another modality, rebuild, encode and blend them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshape import noise
from lineshape.axis import SpectralAxis
from lineshape.errors import AxisError, DataError, UsageError
from lineshape.library import Match, line_width
from lineshape.preprocessing import forward, to_grid
from lineshape.spectrum import Spectrum
from lineshape_edge.conditions import asked, noise_level
from lineshape_edge.model import Model
from lineshape_edge.session import Arrays

ROWS = 8  # that a refusal names
WHOLE = 0.9  # share of the grid below which a transfer warns, and that an interpolation needs: it has no mask
LEAST = 0.5  # share of the grid that a transfer needs
UNFAMILIAR = 0.05  # of the groups held out of a fit, one in twenty was stranger


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


def sample(model: Model, n: int, seed: int = 0, first: int = 0, label: str | None = None,
           analyte: Mapping[str, float] | None = None, extrapolate: bool = False,
           noise_scale: float | None = None) -> NDArray[np.float32]:  # fmt: skip
    """Draw spectra; sample i of a seed is always the same.

    Parameters
    ----------
    model : Model
        For task ``sample``.
    n, seed, first : int
        Samples `first` to `first + n - 1` of `seed`.
    label : str, optional
        The class, for a bundle that has classes.
    analyte : mapping of name to amount, optional
        The amount of each analyte, in the user's units, for a bundle that has analytes.
    extrapolate : bool
        Whether amounts outside those of the fit are taken.
    noise_scale : float, optional
        Detector noise for a bundle that draws it: 1 as measured (the default), 0 none.

    Returns
    -------
    float32 [n, L]

    Raises
    ------
    UsageError
        If the bundle needs another label or other analytes (they are listed), an amount is outside the fit's, or there
        is no detector noise to be scaled.
    """
    model.require("sample")
    if n < 1 or not 0 <= seed <= 2**53:
        raise UsageError(f"a sample needs n >= 1 and a seed from 0 to 2^53; got n={n}, seed={seed}")
    told = asked(model.manifest, n, label, analyte or {}, extrapolate) | noise_level(model.manifest, n, noise_scale)
    spectra: NDArray[np.float32] = _in_batches(model, {"seed": noise.seeds(seed, n, first), **told})["spectrum"]
    return spectra


def transfer(model: Model, spectra: Sequence[Spectrum]) -> list[Transferred]:
    """Transfer measured spectra to the bundle's target modality.

    Parameters
    ----------
    model : Model
        For task ``transfer``.
    spectra : sequence of Spectrum
        On any axis of the source modality that reaches the model's grid.

    Raises
    ------
    AxisError
        If a spectrum covers less than half of the grid or is of another modality.
    DataError
        If a spectrum is flat.
    """
    model.require("transfer")
    if not spectra:
        return []
    inputs = _sources(model, spectra)
    _refuse_empty(model, inputs)
    outputs, compared = _in_batches(model, inputs), _compared(model, spectra, inputs)
    axis, covered = model.manifest.axis("spectrum"), inputs["mask"].mean(axis=1)
    found = zip(outputs["spectrum"], outputs["lower"], outputs["upper"], outputs["familiarity"][:, 0].tolist(),
                compared, covered.tolist(), strict=True)  # fmt: skip
    return [
        Transferred(axis, spectrum, lower, upper, known, nearest, (*_doubts(known, share), *cautions))
        for spectrum, lower, upper, known, (nearest, cautions), share in found
    ]


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


def prepared(model: Model, values: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Source spectra [n, L_in] as the model sees them: after the intensity half of its preprocessing."""
    seen: NDArray[np.float32] = forward(model.manifest.intensity_half.get("source", ()), np, values, mask)[0]
    return seen


def reconstruct(model: Model, spectra: Sequence[Spectrum]) -> NDArray[np.float32]:
    """What the model understands of measured spectra, in relative intensities.

    Parameters
    ----------
    model : Model
        For task ``reconstruct``.
    spectra : sequence of Spectrum
        At least one, as for `transfer`.

    Returns
    -------
    float32 [n, L]
        On the axis ``spectrum``, also where nothing was measured.
    """
    model.require("reconstruct")
    rebuilt: NDArray[np.float32] = _in_batches(model, _sources(model, spectra))["spectrum"]
    return rebuilt


def encode(model: Model, spectra: Sequence[Spectrum]) -> NDArray[np.float32]:
    """The latents of measured spectra.

    Parameters
    ----------
    model : Model
        For task ``encode``.
    spectra : sequence of Spectrum
        At least one, as for `transfer`.

    Returns
    -------
    float32 [n, d]
    """
    model.require("encode")
    latents: NDArray[np.float32] = _in_batches(model, _sources(model, spectra))["latent"]
    return latents


def interpolate(model: Model, first: Spectrum, second: Spectrum, weights: ArrayLike) -> NDArray[np.float32]:
    """Spectra between two measured ones, in relative intensities.

    Parameters
    ----------
    model : Model
        For task ``interpolate``.
    first, second : Spectrum
        Measured on at least 90 % of the model's grid; the rest is bridged by straight lines and level ends.
    weights : floats [n]
        0 is the reconstruction of the first, 1 that of the second.

    Returns
    -------
    float32 [n, L]

    Raises
    ------
    AxisError
        If a spectrum does not reach the grid, covers too little of it, or is of another modality.
    """
    model.require("interpolate")
    weight = np.asarray(weights, np.float32).reshape(-1, 1)
    if not len(weight):
        raise UsageError("an interpolation needs at least one weight from 0 to 1")
    sources = {name: _bridged(model, spectrum) for name, spectrum in (("source", first), ("source_b", second))}
    repeated = {name: np.repeat(row[None], len(weight), axis=0) for name, row in sources.items()}
    spectra: NDArray[np.float32] = _in_batches(model, {**repeated, "weight": weight})["spectrum"]
    return spectra


def gridded(model: Model, spectrum: Spectrum) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The axis half of the bundle's preprocessing: values and mask [L_in] on the model's grid."""
    return to_grid(spectrum, model.manifest.axis_half.get("source", ()), model.manifest.axis("source"))


def _sources(model: Model, spectra: Sequence[Spectrum]) -> Arrays:
    if not spectra:
        raise UsageError(f"bundle {model.manifest.name} needs at least one spectrum")
    values, masks = zip(*(gridded(model, spectrum) for spectrum in spectra), strict=True)
    return {"source": np.stack(values), "mask": np.stack(masks)}


def _refuse_empty(model: Model, inputs: Arrays) -> None:
    """Refuse spectra that tell nothing: too few points of the grid, or all of one intensity."""
    axis = model.manifest.axis("source")
    for values, mask in zip(inputs["source"], inputs["mask"], strict=True):
        if mask.mean() < LEAST:
            raise AxisError(f"the spectrum covers {mask.mean():.0%} of the model's range ({axis.low:g} to "
                            f"{axis.high:g} {axis.unit}); a transfer needs {LEAST:.0%}")  # fmt: skip
        if not np.ptp(values[mask > 0]):
            raise DataError("the spectrum is flat: it has one intensity at all points, so there is nothing to go by")


def _doubts(familiarity: float, covered: float) -> list[str]:
    """What a transfer says of itself, in sentences."""
    unlike = f"Unlike what the model has seen (familiarity below {UNFAMILIAR:g}): do not use the estimate."
    partial = f"It covers {covered:.0%} of the model's range: measured on all of it, the estimate would rest on more."
    return [said for said, holds in ((unlike, familiarity < UNFAMILIAR), (partial, covered < WHOLE)) if holds]


def _compared(model: Model, spectra: Sequence[Spectrum], inputs: Arrays) -> list[tuple[Match | None, tuple[str, ...]]]:
    """For each spectrum the nearest one of the fit, and what sets it apart from all of them."""
    library, values, masks = model.library, inputs["source"], inputs["mask"]
    if library is None:
        return [(None, ())] * len(spectra)
    nearest, grid = library.nearest(prepared(model, values, masks), masks), model.manifest.axis("source")
    widths = [line_width(row, mask, grid) for row, mask in zip(values, masks, strict=True)]
    cautions = [library.cautions(s.axis.laser_nm, width, grid.unit) for s, width in zip(spectra, widths, strict=True)]
    return list(zip(nearest, cautions, strict=True))


def _bridged(model: Model, spectrum: Spectrum) -> NDArray[np.float32]:
    """A spectrum on the grid with straight lines where nothing was measured."""
    values, mask = gridded(model, spectrum)
    if mask.mean() < WHOLE:
        axis = model.manifest.axis("source")
        raise AxisError(f"the spectrum covers {mask.mean():.0%} of the model's range ({axis.low:g} to {axis.high:g} "
                        f"{axis.unit}); an interpolation needs {WHOLE:.0%}")  # fmt: skip
    points = np.arange(len(values))
    return np.interp(points, points[mask > 0], values[mask > 0]).astype(np.float32)


def _in_batches(model: Model, inputs: Arrays) -> Arrays:
    """Run any number of rows, at most `max_batch` at a time."""
    step, n = model.manifest.limits.max_batch, len(next(iter(inputs.values())))
    parts = [
        model.run({name: rows[start : start + step] for name, rows in inputs.items()}) for start in range(0, n, step)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
