"""Whether two runs of a graph agree: in each element, in the bulk of them, and in where the peaks lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lineshape.bundle.contract import Tolerance
from lineshape.errors import ParityError

Tensor: TypeAlias = NDArray[Any]

REACH = 5  # grid points to each side over which a peak is the highest, and within which it is looked for again
PROMINENCE = 0.02  # of a spectrum's range: how far a peak stands above the points two places away
SHORT = 4  # values of an input that an error shows one by one
NOTHING: Mapping[str, Tensor] = {}


def check_close(form: str, tolerances: Mapping[str, Tolerance], expected: Mapping[str, Tensor],
                found: Mapping[str, Tensor], where: str, inputs: Mapping[str, Tensor] = NOTHING) -> None:  # fmt: skip
    """Hold outputs against recorded ones.

    Parameters
    ----------
    form : str
        Of the graph.
    tolerances : mapping of output to Tolerance
    expected, found : mapping of output to array [n, ...]
    where : str
        For the error: which runtime, which case.
    inputs : mapping of input to array [n, ...]
        What the graph was given; the error says what the row was that deviates most.

    Raises
    ------
    ParityError
        Names the output, its largest deviation and the row of the inputs that caused it.
    """
    for name, wanted in expected.items():
        got, this = found[name], f"output {name!r} of form {form!r} {where}"
        if got.shape != wanted.shape:
            raise ParityError(f"{this}: shape {got.shape}, expected {wanted.shape}")
        if fault := _fault(tolerances[name], wanted.astype(np.float64), got.astype(np.float64)):
            row, words = fault
            raise ParityError(f"{this}: {words}, more than the bundle's tolerance allows{_told(inputs, row)}")


def peak_shifts(expected: Tensor, found: Tensor) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """How far each peak of the expected spectra lies from the highest point near it in the found ones.

    A peak is the highest of `REACH` points to each side, and stands `PROMINENCE` above the points two places away.

    Parameters
    ----------
    expected, found : array [n, length]

    Returns
    -------
    rows, shifts : int [peaks]
        The spectrum of each peak, and its distance in grid points.
    """
    if expected.shape[1] < 2 * REACH + 1:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    around, again = (sliding_window_view(side, 2 * REACH + 1, axis=1) for side in (expected, found))
    beside = np.maximum(around[..., REACH - 2], around[..., REACH + 2])
    enough = beside + PROMINENCE * np.ptp(expected, axis=1, keepdims=True)
    rows, places = np.nonzero((around.argmax(axis=2) == REACH) & (around[..., REACH] > enough))
    return rows, np.abs(again[rows, places].argmax(axis=1) - REACH)


def _fault(allowed: Tolerance, wanted: Tensor, got: Tensor) -> tuple[int, str] | None:
    """The row that misses most, and how; None where all is within the tolerance."""
    deviation = np.abs(got - wanted)
    excess = deviation - allowed.absolute - allowed.relative * np.abs(wanted)
    worst = np.unravel_index(int(np.argmax(np.where(np.isnan(excess), np.inf, excess))), excess.shape)
    if not excess[worst] <= 0:
        return int(worst[0]), f"deviates by {deviation[worst]:.3g} at {[int(i) for i in worst]}"
    for share, most in allowed.quantiles:
        reached = float(np.quantile(deviation, share))
        if reached > most:
            return int(worst[0]), f"{1 - share:.0%} of its elements deviate by {reached:.3g} or more"
    if allowed.peak_shift is not None:
        rows, shifts = peak_shifts(wanted, got)
        if shifts.size and shifts.max() > allowed.peak_shift:
            return int(rows[shifts.argmax()]), f"a peak lies {shifts.max()} grid points away"
    return None


def _told(inputs: Mapping[str, Tensor], row: int) -> str:
    """The inputs of a row, in words."""
    told = [f"{name} {_values(array[row])}" for name, array in inputs.items()]
    return f"; row {row} was given {', '.join(told)}" if told else ""


def _values(values: Tensor) -> str:
    if values.size <= SHORT:
        return str([value.item() for value in values])
    return f"of {values.size} values from {values.min():.4g} to {values.max():.4g}"
