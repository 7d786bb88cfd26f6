"""The JSON header of an infer body, as the Open Inference Protocol v2 and Triton's binary-tensor extension draw it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from lineshape.errors import TensorError

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)  # ValueError: bytes that are not UTF-8


class InputParameters(Struct):
    """What the binary extension says of an input."""

    binary_data_size: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    shared_memory_region: Raw | UnsetType = UNSET


class Input(Struct, forbid_unknown_fields=True):
    """One tensor of a request: its numbers, or the size of its bytes."""

    name: str
    datatype: str
    shape: Annotated[list[Annotated[int, Meta(ge=1)]], Meta(min_length=1, max_length=8)]
    data: Raw | UnsetType = UNSET
    parameters: InputParameters | None = None


class OutputParameters(Struct):
    """How an output shall come back."""

    binary_data: bool | UnsetType = UNSET
    shared_memory_region: Raw | UnsetType = UNSET
    classification: Raw | UnsetType = UNSET


class Output(Struct, forbid_unknown_fields=True):
    """One output that is asked for."""

    name: str
    parameters: OutputParameters | None = None


class RequestParameters(Struct):
    """What the binary extension says of all outputs; and, of a transfer, how familiar its sources have to be."""

    binary_data_output: bool = False
    min_familiarity: Annotated[float, Meta(ge=0, le=1)] | None = None


class Request(Struct, forbid_unknown_fields=True):
    """The whole header."""

    inputs: Annotated[list[Input], Meta(min_length=1)]
    outputs: list[Output] | None = None
    id: str | None = None
    parameters: RequestParameters | None = None


_DECODER = msgspec.json.Decoder(Request)


def decode(content: memoryview) -> Request:
    """Read the header.

    Raises
    ------
    TensorError
        If it is not JSON, or not of this form; the message names the field.
    """
    try:
        return _DECODER.decode(content)
    except UNREADABLE as error:
        raise TensorError(f"the infer request's JSON cannot be read: {error}") from None
