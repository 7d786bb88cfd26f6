"""What people do with a model: sample spectra, transfer spectra to another modality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshape import noise
from lineshape.axis import SpectralAxis
from lineshape.errors import UsageError
from lineshape.preprocessing import to_grid
from lineshape.spectrum import Spectrum
from lineshape_edge.model import Model
from lineshape_edge.session import Arrays


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
    """

    axis: SpectralAxis
    intensities: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    familiarity: float


def sample(model: Model, n: int, seed: int = 0, first: int = 0, label: str | None = None) -> NDArray[np.float32]:
    """Draw spectra; sample i of a seed is always the same.

    Parameters
    ----------
    model : Model
        For task ``sample``.
    n, seed, first : int
        Samples `first` to `first + n - 1` of `seed`.
    label : str, optional
        The class, for a bundle that has classes.

    Returns
    -------
    float32 [n, L]
    """
    model.require("sample")
    if n < 1 or not 0 <= seed <= 2**53:
        raise UsageError(f"a sample needs n >= 1 and a seed from 0 to 2^53; got n={n}, seed={seed}")
    inputs = {"seed": noise.seeds(seed, n, first), **_label(model, n, label)}
    spectra: NDArray[np.float32] = _in_batches(model, inputs)["spectrum"]
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
        If a spectrum does not reach the grid or is of another modality.
    """
    model.require("transfer")
    if not spectra:
        return []
    rows = [gridded(model, spectrum) for spectrum in spectra]
    inputs = {"source": np.stack([row[0] for row in rows]), "mask": np.stack([row[1] for row in rows])}
    outputs = _in_batches(model, inputs)
    axis = model.manifest.axis("spectrum")
    found = zip(outputs["spectrum"], outputs["lower"], outputs["upper"], outputs["familiarity"][:, 0], strict=True)
    return [Transferred(axis, spectrum, lower, upper, float(known)) for spectrum, lower, upper, known in found]


def gridded(model: Model, spectrum: Spectrum) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The axis half of the bundle's preprocessing: values and mask [L_in] on the model's grid."""
    return to_grid(spectrum, model.manifest.axis_half.get("source", ()), model.manifest.axis("source"))


def _label(model: Model, n: int, label: str | None) -> Arrays:
    """The label input of n samples; empty for a bundle without classes."""
    classes = model.manifest.classes
    if label is None and not classes:
        return {}
    if label not in classes:
        known = f"a label, one of {', '.join(classes)}" if classes else "no label: it has no classes"
        raise UsageError(f"bundle {model.manifest.name} needs {known}; got {label!r}")
    return {"label": np.full((n, 1), classes.index(label), np.int64)}


def _in_batches(model: Model, inputs: Arrays) -> Arrays:
    """Run any number of rows, at most `max_batch` at a time."""
    step, n = model.manifest.limits.max_batch, len(next(iter(inputs.values())))
    parts = [
        model.run({name: rows[start : start + step] for name, rows in inputs.items()}) for start in range(0, n, step)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
