"""The infer bodies of the Open Inference Protocol v2 over HTTP, with Triton's extensions for binary tensors and shared
memory.

A body is a JSON header, and after it the raw little-endian bytes of every tensor that says ``binary_data_size`` instead
of ``data``, in the header's order. The HTTP header ``Inference-Header-Content-Length`` says where the JSON ends.

References: KServe, "Open Inference Protocol (V2), REST"; Triton Inference Server, "Binary Tensor Data Extension",
"Shared-Memory Extension".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Raw
from numpy.typing import NDArray

from lineshape.errors import LineshapeError, TensorError
from lineshape_serving import oip_header, placement
from lineshape_serving.oip_header import Input, OutputParameters, RequestParameters
from lineshape_serving.placement import Laid
from lineshape_serving.shared_memory import Place, Regions
from lineshape_serving.tensors import DTYPES, Arrays, check_datatype, check_size, from_bytes, refuse_repeated, to_wire

_BLOCK = 1 << 14  # numbers that become JSON at a time: under 1 ms, in which no other thread runs
HEADER_LENGTH = "Inference-Header-Content-Length"

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
    timeout : float, optional
        Seconds that it may take.
    placed : mapping of output name to Place
        Outputs that shall lie in shared memory.
    """

    inputs: Arrays
    outputs: tuple[str, ...]
    binary: Mapping[str, bool]
    binary_rest: bool
    id: str | None
    min_familiarity: float | None = None
    timeout: float | None = None
    placed: Mapping[str, Place] = field(default_factory=dict)

    @property
    def spectra(self) -> int:
        """How many there are, before anything is validated."""
        return max(len(array) for array in self.inputs.values())


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


def decode_request(body: bytes | memoryview, header_length: int | None = None,
                   regions: Regions | None = None) -> InferRequest:  # fmt: skip
    """Read an infer body.

    Parameters
    ----------
    body : bytes-like
        The whole body.
    header_length : int, optional
        How much of it is JSON; all of it unless told.
    regions : Regions, optional
        Shared memory, where it is offered.

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
    refuse_repeated("input", [tensor.name for tensor in header.inputs])
    asked, rest = header.outputs or [], header.parameters or RequestParameters()
    refuse_repeated("output", [tensor.name for tensor in asked])
    forms = {output.name: output.parameters or OutputParameters() for output in asked}
    placed = placement.places(regions, forms)
    return InferRequest(
        inputs=_inputs(header.inputs, view[end:], regions),
        outputs=tuple(output.name for output in asked),
        binary={name: form.binary_data for name, form in forms.items() if form.binary_data is not UNSET},
        binary_rest=rest.binary_data_output,
        id=header.id,
        min_familiarity=rest.min_familiarity,
        timeout=rest.seconds,
        placed=placed,
    )


def encode_response(model: str, version: str, outputs: Arrays, request: InferRequest,
                    regions: Regions | None = None) -> tuple[bytes, int | None]:  # fmt: skip
    """Write the answer to an infer request.

    Parameters
    ----------
    model, version : str
        The model that answered.
    outputs : mapping of tensor name to array
    request : InferRequest
        Says which outputs travel as bytes, and which are laid down in shared memory.
    regions : Regions, optional
        That of `decode_request`.

    Returns
    -------
    body : bytes
    header_length : int, optional
        The value of ``Inference-Header-Content-Length`` if some outputs travel as bytes.

    Raises
    ------
    LineshapeError
        If an output that travels as JSON is not finite: JSON has no such numbers.
    TensorError
        If an output does not fit into the shared memory that is set aside for it.
    """
    tensors = [_described(name, array) for name, array in outputs.items()]
    raw: list[memoryview] = []
    for tensor, array in tensors:
        if (place := request.placed.get(tensor["name"])) is not None:
            placement.deliver(regions, tensor["name"], array, place)
            tensor["parameters"] = _laid_down(place, array.nbytes)
        elif request.binary.get(tensor["name"], request.binary_rest):
            tensor["parameters"] = {"binary_data_size": array.nbytes}
            raw.append(array.data)
        else:
            tensor["data"] = _numbers(tensor["name"], array)
    answer = {"model_name": model, "model_version": version, "outputs": [tensor for tensor, _ in tensors]}
    header = msgspec.json.encode(answer if request.id is None else {"id": request.id, **answer})
    return (b"".join([header, *raw]), len(header)) if raw else (header, None)


def _described(name: str, array: NDArray[Any]) -> tuple[dict[str, Any], NDArray[Any]]:
    datatype, array = to_wire(array)
    return {"name": name, "datatype": datatype, "shape": array.shape}, array


def _laid_down(place: Place, size: int) -> dict[str, Any]:
    offset = {"shared_memory_offset": place.offset} if place.offset else {}
    return {"shared_memory_region": place.region, **offset, "shared_memory_byte_size": size}


def _inputs(tensors: Iterable[Input], raw: memoryview, regions: Regions | None) -> Arrays:
    arrays: Arrays = {}
    laid: dict[str, Laid] = {}
    start = 0
    for tensor in tensors:
        check_datatype(tensor.name, tensor.datatype)
        place, size = _place(tensor), _size(tensor)
        _check_form(tensor, place, size)
        if place is not None:
            laid[tensor.name] = Laid(place, tensor.datatype, tensor.shape)
        elif size is None:
            arrays[tensor.name] = _from_json(tensor)
        else:
            arrays[tensor.name] = _from_body(tensor, raw[start : start + size], size)
            start += size
    if start != len(raw):
        raise TensorError(
            f"{len(raw)} bytes follow the JSON header, but the inputs' binary_data_size add up to {start}"
        )
    return arrays | placement.fetch(regions, laid)


def _place(tensor: Input) -> Place | None:
    """Of a tensor that lies in shared memory."""
    return tensor.parameters.place(f"input {tensor.name!r}") if tensor.parameters else None


def _size(tensor: Input) -> int | None:
    """Of a tensor that travels as bytes."""
    size = tensor.parameters.binary_data_size if tensor.parameters else UNSET
    return None if size is UNSET else size


def _check_form(tensor: Input, place: Place | None, size: int | None) -> None:
    if [tensor.data is not UNSET, size is not None, place is not None].count(True) != 1:
        raise TensorError(f"input {tensor.name!r}: give either data or the parameter binary_data_size or "
                          "shared_memory_region, one of them")  # fmt: skip


def _from_body(tensor: Input, raw: memoryview, size: int) -> NDArray[Any]:
    check_size(tensor.name, tensor.datatype, tensor.shape, "binary_data_size", size)
    if len(raw) < size:
        raise TensorError(f"input {tensor.name!r}: the body ends {size - len(raw)} bytes before this tensor does")
    return from_bytes(tensor.datatype, tensor.shape, raw)


def _from_json(tensor: Input) -> NDArray[Any]:
    where, wanted = f"input {tensor.name!r}", math.prod(tensor.shape)
    assert isinstance(tensor.data, Raw)  # noqa: S101 - for the type checker; _check_form saw to it
    try:
        array: NDArray[Any] = np.array(_NUMBERS[tensor.datatype].decode(tensor.data), DTYPES[tensor.datatype])
    except oip_header.UNREADABLE as error:
        raise TensorError(f"{where}: data must be {tensor.datatype} numbers, flat or in equal rows: {error}") from None
    if array.size != wanted:
        raise TensorError(f"{where}: {array.size} elements in data, but shape {tensor.shape} has {wanted}")
    if array.ndim > 1 and list(array.shape) != tensor.shape:
        raise TensorError(f"{where}: data is nested as {list(array.shape)}, but shape says {tensor.shape}")
    return array.reshape(tensor.shape)


def _numbers(name: str, array: NDArray[Any]) -> Raw:
    """An array as JSON, flat. It is written in blocks: in a thread, one long step would stop the event loop as well."""
    if not np.isfinite(array).all():
        raise LineshapeError(f"output {name!r}: holds values that are not finite, which JSON cannot carry; "
                             "ask for it as bytes (binary_data)")  # fmt: skip
    flat = array.ravel()
    blocks = (flat[start : start + _BLOCK].tolist() for start in range(0, flat.size, _BLOCK))
    return Raw(b"[" + b",".join(msgspec.json.encode(block)[1:-1] for block in blocks) + b"]")
