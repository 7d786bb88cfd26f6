"""Spectra to and from the objects of RamanSPy, by their attributes: it is not imported, and need not be installed.

Its spectra, containers, images and volumes hold `spectral_data` [..., L] and `spectral_axis` [L], Raman shifts in cm-1
that rise (Georgiev et al. 2024, Anal. Chem. 96, 8492).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Float32
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.errors import DataError, UsageError

T = TypeVar("T")


def from_ramanspy(objects: Any) -> tuple[Float32[np.ndarray, "n L"], SpectralAxis]:  # noqa: ANN401
    """Spectra of one RamanSPy object, or of several on one axis.

    Parameters
    ----------
    objects : object or sequence of objects
        With `spectral_data` [..., L] and `spectral_axis` [L].

    Returns
    -------
    values : float32 [n, L]
        Leading dimensions flattened, the last of them fastest; object after object.
    axis : SpectralAxis [L]
        Raman shift in cm-1.

    Raises
    ------
    DataError
        If an attribute is missing, a value is not finite, or the axes differ.
    AxisError
        If the axis is none.
    """
    listed = objects if isinstance(objects, Sequence) else [objects]
    if not listed:
        raise DataError("the list of objects is empty; give at least one")
    axes = [_attribute(item, "spectral_axis", place) for place, item in enumerate(listed)]
    for place, other in enumerate(axes):
        if not np.array_equal(other, axes[0]):
            raise DataError(f"object {place} stands on another axis than object 0; bring all to one axis first")
    axis = SpectralAxis.of(axes[0], "raman")
    values = [_spectra(_attribute(item, "spectral_data", place), len(axis), place) for place, item in enumerate(listed)]
    return np.concatenate(values), axis


def to_ramanspy(values: Float[np.ndarray, "... L"], axis: SpectralAxis, kind: Callable[[Any, Any], T]) -> T:
    """Spectra as a RamanSPy object.

    Parameters
    ----------
    values : float [L], [n, L], [rows, columns, L] ...
        In the shape that `kind` takes.
    axis : SpectralAxis [L]
        Of Raman shifts, or of wavelengths with the laser's.
    kind : class
        `ramanspy.Spectrum`, `ramanspy.SpectralContainer`, `ramanspy.SpectralImage` or `ramanspy.SpectralVolume`.

    Raises
    ------
    UsageError
        If the axis is not of Raman spectra.
    AxisError
        If it does not convert to shifts.
    DataError
        If values and axis do not fit.
    """
    if axis.modality != "raman":
        raise UsageError(f"RamanSPy holds Raman spectra; this axis is of {axis.modality}")
    if values.shape[-1:] != (len(axis),):
        raise DataError(f"values {values.shape} do not fit an axis of {len(axis)} points")
    return kind(values, axis.to("cm-1").values)


def _attribute(item: Any, name: str, place: int) -> NDArray[Any]:  # noqa: ANN401
    if not hasattr(item, name):
        raise DataError(f"object {place}, a {type(item).__name__}, has no {name}; give RamanSPy spectra or images")
    return np.asarray(getattr(item, name))


def _spectra(data: NDArray[Any], length: int, place: int) -> Float32[np.ndarray, "n L"]:
    if data.shape[-1:] != (length,):
        raise DataError(f"object {place} holds values {data.shape}, which do not fit its axis of {length} points")
    values = data.reshape(-1, length).astype(np.float32)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise DataError(f"spectrum {row} of object {place} holds a value that is not a finite number; drop or mend it")
    return values
