"""Tensors as the Open Inference Protocol v2 carries them: a datatype's name, a shape, and raw little-endian bytes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.errors import TensorError

Arrays: TypeAlias = dict[str, NDArray[Any]]
Buffer: TypeAlias = bytes | memoryview

DIMENSIONS = 8  # of a tensor at most
LONGEST = 2**31 - 1  # length of a dimension: the product of eight stays a number that Python writes out

DTYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "INT64": np.dtype("<i8")}


def refuse_repeated(role: str, names: Iterable[str]) -> None:
    """Refuse two inputs, or two outputs, of one name."""
    for name, count in Counter(names).items():
        if count > 1:
            raise TensorError(f"{role} {name!r}: named {count} times")


def check_datatype(name: str, datatype: str) -> None:
    """Refuse an input of a datatype that no bundle has."""
    if datatype not in DTYPES:
        raise TensorError(f"input {name!r}: datatype {datatype!r} is not one of {', '.join(DTYPES)}")


def check_size(name: str, datatype: str, shape: Sequence[int], what: str, size: int) -> None:
    """Refuse an input that comes with another number of bytes than its shape has; `what` says where that stood."""
    wanted = math.prod(shape) * DTYPES[datatype].itemsize
    if size != wanted:
        raise TensorError(f"input {name!r}: {what} {size}, but {datatype} {list(shape)} has {wanted} bytes")


def from_bytes(datatype: str, shape: Sequence[int], raw: Buffer) -> NDArray[Any]:
    """The tensor whose bytes are `raw`: a view of them, or a copy where they lie askew."""
    return np.require(np.frombuffer(raw, DTYPES[datatype]).reshape(shape), requirements="A")


def to_wire(array: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """The datatype of an output, and the output as its bytes go over the wire: contiguous and little-endian."""
    datatype = "INT64" if array.dtype.kind == "i" else "FP32"
    return datatype, np.ascontiguousarray(array).astype(DTYPES[datatype], copy=False)
