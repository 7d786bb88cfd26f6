"""Spectra and labels out of arrays and data frames, and back into the same kind.

A frame of pandas, polars or whatever else narwhals knows holds a spectrum a row and an axis position a column; none of
them is imported here.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from jaxtyping import Float, Shaped
from narwhals.exceptions import DuplicateError
from numpy.typing import NDArray

from lineshape.errors import DataError


def spectra_of(X: Any) -> Float[np.ndarray, "n L"]:  # noqa: ANN401
    """The intensities of an array or data frame.

    Parameters
    ----------
    X : array-like or data frame [n, L]

    Returns
    -------
    float32 or float64 [n, L]
        float32 where X is; anything else becomes float64.

    Raises
    ------
    DataError
        If X is no table of finite numbers.
    """
    values = _numbers(X)
    if values.ndim != 2 or 0 in values.shape:
        raise DataError(
            f"X must be a table of spectra, one a row; got shape {values.shape}. Give one spectrum as X[None]"
        )
    if values.dtype != np.float32:
        values = values.astype(np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise DataError(
            f"X holds a value that is not a finite number: row {row}, column {column}; drop or mend that spectrum"
        )
    return values


def _numbers(X: Any) -> NDArray[Any]:  # noqa: ANN401
    try:
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        values = frame.to_numpy() if isinstance(frame, nw.DataFrame) else np.asarray(X)
        return values if values.dtype.kind in "fiu" else values.astype(np.float64)
    except DuplicateError as error:
        raise DataError(
            f"two columns of X have one name; an axis position stands once in a spectrum: {error}"
        ) from error
    except (TypeError, ValueError) as error:
        raise DataError(f"X must hold numbers only, a spectrum a row: {error}; leave other columns out") from error


def empty_like(X: Any, values: Float[np.ndarray, "n L"]) -> Any:  # noqa: ANN401
    """X without its spectra: what `frame_like` needs to know of it."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame.head(0).to_native() if isinstance(frame, nw.DataFrame) else values[:0]


def frame_like(X: Any, values: Float[np.ndarray, "n L"]) -> Any:  # noqa: ANN401
    """Spectra as the kind of table that X is: its columns and their types; columns of whole numbers become float64."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return values
    schema = {name: kind if kind.is_float() else nw.Float64() for name, kind in frame.schema.items()}
    return nw.from_numpy(values, schema, backend=frame.implementation).to_native()


def column_of(y: Any, n: int, name: str) -> Shaped[np.ndarray, " n"]:  # noqa: ANN401
    """The entries of an array-like or series, one for each of n spectra.

    Raises
    ------
    DataError
        If they are not n entries, or one is missing.
    """
    series = nw.from_native(y, series_only=True, pass_through=True)
    entries = series.to_numpy() if isinstance(series, nw.Series) else np.asarray(y)
    if entries.shape != (n,):
        raise DataError(f"{name} must have one entry for each of the {n} spectra; got shape {entries.shape}")
    missing = series.is_null().to_list() if isinstance(series, nw.Series) else [False] * n
    for row, entry in enumerate(entries.tolist()):
        if missing[row] or entry is None or (isinstance(entry, float) and not np.isfinite(entry)):
            raise DataError(f"{name} has no value in row {row}; leave that spectrum out")
    return entries


def series_like(y: Any, values: Float[np.ndarray, " n"]) -> Any:  # noqa: ANN401
    """Amounts as the kind of column that y is: its name and type."""
    series = nw.from_native(y, series_only=True, pass_through=True)
    if not isinstance(series, nw.Series):
        return values.astype(np.asarray(y).dtype)
    return nw.new_series(series.name, values, series.dtype, backend=series.implementation).to_native()


def taken(y: Any, rows: NDArray[np.intp]) -> Any:  # noqa: ANN401
    """The entries of y at `rows`, counted anew from 0 where y has an index."""
    series = nw.from_native(y, series_only=True, pass_through=True)
    if not isinstance(series, nw.Series):
        return np.asarray(y)[rows]
    return nw.maybe_reset_index(series[rows]).to_native()
