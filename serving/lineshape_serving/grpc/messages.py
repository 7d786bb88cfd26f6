"""Infer messages: what a request asks for, and what goes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as wire

from lineshape.errors import TensorError
from lineshape_serving import placement
from lineshape_serving.dataplane import Answer
from lineshape_serving.oip import InferRequest
from lineshape_serving.oip_header import InputParameters, OutputParameters, RequestParameters
from lineshape_serving.placement import Laid
from lineshape_serving.shared_memory import Place, Regions
from lineshape_serving.tensors import (
    DIMENSIONS,
    DTYPES,
    LONGEST,
    Arrays,
    check_datatype,
    check_size,
    from_bytes,
    refuse_repeated,
    to_wire,
)

Message: TypeAlias = Any  # a generated protobuf class, which has no types
Parameters = TypeVar("Parameters", InputParameters, OutputParameters, RequestParameters)

_NUMBERS = {"FP32": "fp32_contents", "INT64": "int64_contents"}


def decode(request: Message, regions: Regions | None = None) -> InferRequest:
    """Read a ModelInferRequest.

    Parameters
    ----------
    request : ModelInferRequest
    regions : Regions, optional
        Shared memory, where it is offered.

    Raises
    ------
    TensorError
        For anything malformed; the message names the tensor where there is one.
    """
    refuse_repeated("input", [tensor.name for tensor in request.inputs])
    refuse_repeated("output", [tensor.name for tensor in request.outputs])
    rest = _parameters("request", request.parameters, RequestParameters)
    forms = {
        tensor.name: _parameters(f"output {tensor.name!r}", tensor.parameters, OutputParameters)
        for tensor in request.outputs
    }
    placed = placement.places(regions, forms)
    return InferRequest(_inputs(request, regions), tuple(forms), {}, True, request.id, rest.min_familiarity,
                        rest.seconds, placed)  # fmt: skip


def encode(answer: Answer, asked: InferRequest, regions: Regions | None = None) -> Message:
    """Write the ModelInferResponse to a request: outputs as raw bytes, or in shared memory.

    Raises
    ------
    TensorError
        If an output does not fit into the shared memory that is set aside for it.
    """
    response = wire.ModelInferResponse(model_name=answer.model, model_version=answer.version, id=asked.id)
    for name, output in answer.outputs.items():
        datatype, array = to_wire(output)
        tensor = response.outputs.add(name=name, datatype=datatype, shape=array.shape)
        if place := asked.placed.get(name):
            placement.deliver(regions, name, array, place)
            _say_where(tensor, place, array.nbytes)
        # one entry for each output, an empty one too: clients count them
        response.raw_output_contents.append(b"" if place else array.tobytes())
    return response


def _inputs(request: Message, regions: Regions | None) -> Arrays:
    if not request.inputs:
        raise TensorError("the request has no inputs")
    raw = list(request.raw_input_contents)
    arrays: Arrays = {}
    laid: dict[str, Laid] = {}
    sent = 0
    for tensor in request.inputs:
        _check_form(tensor)
        if (place := _place(tensor)) is not None:
            laid[tensor.name] = Laid(place, tensor.datatype, list(tensor.shape))
        elif raw:
            arrays[tensor.name] = _from_raw(tensor, raw, sent)
            sent += 1
        else:
            arrays[tensor.name] = _from_contents(tensor)
    if sent != len(raw):
        raise TensorError(f"raw_input_contents has {len(raw)} tensors, but {sent} inputs want one")
    return arrays | placement.fetch(regions, laid)


def _check_form(tensor: Message) -> None:
    check_datatype(tensor.name, tensor.datatype)
    if not (1 <= len(tensor.shape) <= DIMENSIONS and all(1 <= length <= LONGEST for length in tensor.shape)):
        raise TensorError(f"input {tensor.name!r}: shape {list(tensor.shape)[:DIMENSIONS]}; give 1 to {DIMENSIONS} "
                          f"lengths from 1 to {LONGEST}")  # fmt: skip


def _place(tensor: Message) -> Place | None:
    """Of a tensor that lies in shared memory."""
    where = f"input {tensor.name!r}"
    return _parameters(where, tensor.parameters, InputParameters).place(where)


def _from_raw(tensor: Message, raw: list[bytes], number: int) -> NDArray[Any]:
    if tensor.HasField("contents"):
        raise TensorError(f"input {tensor.name!r}: has contents beside raw_input_contents; give one of the two")
    if number == len(raw):
        raise TensorError(f"input {tensor.name!r}: raw_input_contents ends before this tensor")
    check_size(tensor.name, tensor.datatype, tensor.shape, "bytes in raw_input_contents", len(raw[number]))
    return from_bytes(tensor.datatype, tensor.shape, raw[number])


def _from_contents(tensor: Message) -> NDArray[Any]:
    field, dtype = _NUMBERS[tensor.datatype], DTYPES[tensor.datatype]
    numbers = np.array(getattr(tensor.contents, field), dtype)
    check_size(tensor.name, tensor.datatype, tensor.shape, f"bytes in {field}", numbers.nbytes)
    return numbers.reshape(tensor.shape)


def _parameters(where: str, given: Mapping[str, Message], kind: type[Parameters]) -> Parameters:
    """The parameters of a request or tensor, as the JSON header describes them."""
    chosen = {name: value.WhichOneof("parameter_choice") for name, value in given.items()}
    values = {name: getattr(given[name], choice) for name, choice in chosen.items() if choice}
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise TensorError(f"{where}: its parameters cannot be read: {error}") from None


def _say_where(tensor: Message, place: Place, size: int) -> None:
    tensor.parameters["shared_memory_region"].string_param = place.region
    tensor.parameters["shared_memory_byte_size"].int64_param = size
    if place.offset:
        tensor.parameters["shared_memory_offset"].int64_param = place.offset
