"""What people do with a model: draw spectra, transfer them to another modality, rebuild, encode and blend them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshape.spectrum import Spectrum
from lineshape_edge import plans
from lineshape_edge.model import Model
from lineshape_edge.plans import Plan, Transferred, refuse_unfamiliar

__all__ = ["Transferred", "encode", "gridded", "interpolate", "prepared", "reconstruct", "refuse_unfamiliar", "sample",
           "transfer"]  # fmt: skip

T = TypeVar("T")


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
    plan = plans.sample(model.manifest, n, seed, first, label, analyte, extrapolate, noise_scale)
    return _run(model, plan)


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
    return _run(model, plans.transfer(model.manifest, spectra, model.library))


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
    return _run(model, plans.reconstruct(model.manifest, spectra))


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
    return _run(model, plans.encode(model.manifest, spectra))


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
    return _run(model, plans.interpolate(model.manifest, first, second, weights))


def gridded(model: Model, spectrum: Spectrum) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The axis half of the bundle's preprocessing: values and mask [L_in] on the model's grid."""
    return plans.gridded(model.manifest, spectrum)


def prepared(model: Model, values: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Source spectra [n, L_in] as the model sees them: after the intensity half of its preprocessing."""
    return plans.prepared(model.manifest, values, mask)


def _run(model: Model, plan: Plan[T]) -> T:
    return plan.result([model.run(batch) for batch in plan.batches])
