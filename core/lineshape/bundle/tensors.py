"""Hold tensors against what a bundle says of them; every face asks here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.bundle.contract import GraphSpec, Limits, TensorSpec
from lineshape.errors import TensorError

Tensor: TypeAlias = NDArray[Any]

DTYPES = {"FP32": np.dtype(np.float32), "INT64": np.dtype(np.int64)}
LARGEST_SEED = 2**53  # the largest that survives JSON
FARTHEST = 100.0  # from 0, that noise may be; seeded noise never is beyond 6
LOUDEST = 1e6  # times as measured, that the detector's noise may be


def check_inputs(graph: GraphSpec, limits: Limits, classes: int, arrays: Mapping[str, Tensor]) -> int:
    """Check all inputs of a graph.

    Parameters
    ----------
    graph, limits
        From the manifest.
    classes : int
        Number of labels.
    arrays : mapping of name to array [n, ...]

    Returns
    -------
    int
        The batch size n.

    Raises
    ------
    TensorError
        The message names the tensor, and the element where there is one.
    """
    wanted = {spec.name for spec in graph.inputs}
    if unknown := arrays.keys() - wanted:
        raise TensorError(f"input {min(unknown)!r}: the model has no such input; it takes {_list(wanted)}")
    if missing := wanted - arrays.keys():
        raise TensorError(f"input {min(missing)!r}: missing; the model takes {_list(wanted)}")
    sizes = {spec.name: _check_shape(spec, arrays[spec.name]) for spec in graph.inputs}
    if len(set(sizes.values())) > 1:
        raise TensorError(f"inputs disagree on the batch size: {', '.join(f'{k} {v}' for k, v in sizes.items())}")
    batch = next(iter(sizes.values()))
    if not 1 <= batch <= limits.max_batch:
        raise TensorError(f"a batch has 1 to {limits.max_batch} rows; got {batch}")
    for spec in graph.inputs:
        _check_values(spec, limits, classes, arrays[spec.name])
    return batch


def _check_shape(spec: TensorSpec, array: Tensor) -> int:
    if array.dtype != DTYPES[spec.dtype]:
        raise TensorError(f"input {spec.name!r}: dtype {array.dtype}, expected {DTYPES[spec.dtype]} ({spec.dtype})")
    if array.ndim != 2 or array.shape[1] != spec.shape[1]:
        raise TensorError(f"input {spec.name!r}: shape {list(array.shape)}, expected [n, {spec.shape[1]}]")
    return int(array.shape[0])


def _check_values(spec: TensorSpec, limits: Limits, classes: int, array: Tensor) -> None:
    low, high = limits.intensity
    match spec.role:
        case "source" | "source_b":
            _refuse(spec, array, ~((array >= low) & (array <= high)), f"an intensity between {low:g} and {high:g}")
        case "mask":
            _refuse(spec, array, ~((array == 0) | (array == 1)), "0 (not measured) or 1 (measured)")
            if (empty := ~array.any(axis=1)).any():
                raise TensorError(f"input {spec.name!r}: row {int(np.argmax(empty))} says that nothing was measured")
        case "seed":
            _refuse(spec, array, ~((array >= 0) & (array <= LARGEST_SEED)), "between 0 and 2^53")
        case "label":
            _refuse(
                spec,
                array,
                ~((array >= 0) & (array < classes)),
                f"a class number between 0 and {classes - 1}",
            )
        case "noise_scale":
            _refuse(spec, array, ~((array >= 0) & (array <= LOUDEST)), f"between 0 and {LOUDEST:g}")
        case "noise":
            _refuse(spec, array, ~(np.abs(array) <= FARTHEST), f"a standard normal, between ±{FARTHEST:g}")
        case "weight":
            _refuse(spec, array, ~((array >= 0) & (array <= 1)), "between 0 and 1")
        case "analyte":
            _refuse(spec, array, ~((array >= low) & (array <= high)), f"an amount between {low:g} and {high:g}")
        case _:
            _refuse(spec, array, ~np.isfinite(array.astype(np.float64)), "a finite number")


def _refuse(spec: TensorSpec, array: Tensor, wrong: NDArray[np.bool_], wanted: str) -> None:
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise TensorError(f"input {spec.name!r}: element [{row}, {column}] is {array[row, column]}, expected {wanted}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
