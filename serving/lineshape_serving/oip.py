"""The infer bodies of the Open Inference Protocol v2 over HTTP, with Triton's binary-tensor extension.

A body is a JSON header, and after it the raw little-endian bytes of every tensor that says ``binary_data_size`` instead
of ``data``, in the header's order. The HTTP header ``Inference-Header-Content-Length`` says where the JSON ends.

References: KServe, "Open Inference Protocol (V2), REST"; Triton Inference Server, "Binary Tensor Data Extension".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Raw, UnsetType
from numpy.typing import NDArray

from lineshape.errors import LineshapeError, TensorError
from lineshape_serving import oip_header
from lineshape_serving.oip_header import Input, Output, OutputParameters

HEADER_LENGTH = "Inference-Header-Content-Length"
Arrays: TypeAlias = dict[str, NDArray[Any]]

_DTYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "INT64": np.dtype("<i8")}
_LARGEST_FP32 = float(np.finfo(np.float32).max)
_Fp32: TypeAlias = Annotated[float, Meta(ge=-_LARGEST_FP32, le=_LARGEST_FP32)]
_Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
# numbers, flat or in rows; numpy sees to it that the rows are equal
_NUMBERS: dict[str, msgspec.json.Decoder[Any]] = {
    "FP32": msgspec.json.Decoder(list[_Fp32 | list[_Fp32]]),
    "INT64": msgspec.json.Decoder(list[_Int64 | list[_Int64]]),
}


@dataclass(frozen=True, eq=False)
class InferRequest:
    """What an infer body asks for.

    Parameters
    ----------
    inputs : mapping of tensor name to array
        Views of the body where the tensor came as bytes.
    outputs : tuple of str
        The outputs asked for, in that order; empty means all of them.
    binary : mapping of output name to bool
        Outputs whose form was asked for: bytes, or JSON numbers.
    binary_rest : bool
        The form of all other outputs.
    id : str, optional
        Comes back in the answer.
    min_familiarity : float, optional
        Of a transfer: refuse the request if one of its spectra is less familiar.
    """

    inputs: Arrays
    outputs: tuple[str, ...]
    binary: Mapping[str, bool]
    binary_rest: bool
    id: str | None
    min_familiarity: float | None = None


def parse_header_length(value: str | None) -> int | None:
    """Read the value of ``Inference-Header-Content-Length``.

    Raises
    ------
    TensorError
        If it is not a plain number.
    """
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 16):
        raise TensorError(f"{HEADER_LENGTH}: {value[:32]!r} is not a number of bytes")
    return int(value)


def decode_request(body: bytes | memoryview, header_length: int | None = None) -> InferRequest:
    """Read an infer body.

    Parameters
    ----------
    body : bytes-like
        The whole body.
    header_length : int, optional
        How much of it is JSON; all of it unless told.

    Raises
    ------
    TensorError
        For anything malformed; the message names the tensor where there is one.
    """
    view = memoryview(body)
    end = len(view) if header_length is None else header_length
    if end > len(view):
        raise TensorError(f"{HEADER_LENGTH}: {end} bytes of JSON announced, but the body has {len(view)}")
    header = oip_header.decode(view[:end])
    _refuse_repeated("input", [tensor.name for tensor in header.inputs])
    asked = header.outputs or []
    _refuse_repeated("output", [tensor.name for tensor in asked])
    return InferRequest(
        inputs=_inputs(header.inputs, view[end:]),
        outputs=tuple(output.name for output in asked),
        binary={output.name: binary for output in asked if (binary := _binary(output)) is not UNSET},
        binary_rest=header.parameters is not None and header.parameters.binary_data_output,
        id=header.id,
        min_familiarity=header.parameters.min_familiarity if header.parameters else None,
    )


def encode_response(model: str, version: str, outputs: Arrays, request: InferRequest) -> tuple[bytes, int | None]:
    """Write the answer to an infer request.

    Parameters
    ----------
    model, version : str
        The model that answered.
    outputs : mapping of tensor name to array
    request : InferRequest
        Says which outputs travel as bytes.

    Returns
    -------
    body : bytes
    header_length : int, optional
        The value of ``Inference-Header-Content-Length`` if some outputs travel as bytes.

    Raises
    ------
    LineshapeError
        If an output that travels as JSON is not finite: JSON has no such numbers.
    """
    tensors = [_described(name, np.ascontiguousarray(array)) for name, array in outputs.items()]
    raw: list[memoryview] = []
    for tensor, array in tensors:
        if request.binary.get(tensor["name"], request.binary_rest):
            tensor["parameters"] = {"binary_data_size": array.nbytes}
            raw.append(array.data)
        else:
            tensor["data"] = _numbers(tensor["name"], array)
    answer = {"model_name": model, "model_version": version, "outputs": [tensor for tensor, _ in tensors]}
    header = msgspec.json.encode(answer if request.id is None else {"id": request.id, **answer})
    return (b"".join([header, *raw]), len(header)) if raw else (header, None)


def _described(name: str, array: NDArray[Any]) -> tuple[dict[str, Any], NDArray[Any]]:
    datatype = "INT64" if array.dtype.kind == "i" else "FP32"
    return {"name": name, "datatype": datatype, "shape": array.shape}, array.astype(_DTYPES[datatype], copy=False)


def _refuse_repeated(role: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise TensorError(f"{role} {name!r}: named {count} times")


def _inputs(tensors: Iterable[Input], raw: memoryview) -> Arrays:
    arrays: Arrays = {}
    start = 0
    for tensor in tensors:
        size = tensor.parameters.binary_data_size if tensor.parameters else UNSET
        _check_form(tensor, size)
        if size is UNSET:
            arrays[tensor.name] = _from_json(tensor)
        else:
            arrays[tensor.name] = _from_bytes(tensor, raw[start : start + size], size)
            start += size
    if start != len(raw):
        raise TensorError(
            f"{len(raw)} bytes follow the JSON header, but the inputs' binary_data_size add up to {start}"
        )
    return arrays


def _check_form(tensor: Input, size: int | UnsetType) -> None:
    where = f"input {tensor.name!r}"
    if tensor.parameters and tensor.parameters.shared_memory_region is not UNSET:
        raise TensorError(f"{where}: shared memory is not offered; send its bytes or its numbers")
    if tensor.datatype not in _DTYPES:
        raise TensorError(f"{where}: datatype {tensor.datatype!r} is not one of {', '.join(_DTYPES)}")
    if (tensor.data is UNSET) == (size is UNSET):
        raise TensorError(f"{where}: give either data or the parameter binary_data_size, one of the two")


def _from_bytes(tensor: Input, raw: memoryview, size: int) -> NDArray[Any]:
    dtype, where = _DTYPES[tensor.datatype], f"input {tensor.name!r}"
    wanted = math.prod(tensor.shape) * dtype.itemsize
    if size != wanted:
        raise TensorError(f"{where}: binary_data_size {size}, but {tensor.datatype} {tensor.shape} has {wanted} bytes")
    if len(raw) < size:
        raise TensorError(f"{where}: the body ends {size - len(raw)} bytes before this tensor does")
    return np.require(np.frombuffer(raw, dtype).reshape(tensor.shape), requirements="A")  # copies only if misaligned


def _from_json(tensor: Input) -> NDArray[Any]:
    where, wanted = f"input {tensor.name!r}", math.prod(tensor.shape)
    assert isinstance(tensor.data, Raw)  # noqa: S101 - for the type checker; _check_form saw to it
    try:
        array: NDArray[Any] = np.array(_NUMBERS[tensor.datatype].decode(tensor.data), _DTYPES[tensor.datatype])
    except oip_header.UNREADABLE as error:
        raise TensorError(f"{where}: data must be {tensor.datatype} numbers, flat or in equal rows: {error}") from None
    if array.size != wanted:
        raise TensorError(f"{where}: {array.size} elements in data, but shape {tensor.shape} has {wanted}")
    if array.ndim > 1 and list(array.shape) != tensor.shape:
        raise TensorError(f"{where}: data is nested as {list(array.shape)}, but shape says {tensor.shape}")
    return array.reshape(tensor.shape)


def _binary(output: Output) -> bool | UnsetType:
    given = output.parameters or OutputParameters()
    if given.shared_memory_region is not UNSET or given.classification is not UNSET:
        raise TensorError(f"output {output.name!r}: shared memory and classification are not offered")
    return given.binary_data


def _numbers(name: str, array: NDArray[Any]) -> list[float]:
    if not np.isfinite(array).all():
        raise LineshapeError(f"output {name!r}: holds values that are not finite, which JSON cannot carry; "
                             "ask for it as bytes (binary_data)")  # fmt: skip
    numbers: list[float] = array.ravel().tolist()
    return numbers
