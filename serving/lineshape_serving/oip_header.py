"""The JSON header of an infer body, as the Open Inference Protocol v2 and Triton's extensions draw it."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from lineshape.errors import TensorError
from lineshape_serving.shared_memory import Place
from lineshape_serving.tensors import DIMENSIONS, LONGEST

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)  # ValueError: bytes that are not UTF-8


Bytes: TypeAlias = Annotated[int, Meta(ge=0, lt=2**62)]


class SharedMemoryParameters(Struct):
    """What the shared-memory extension says of a tensor: where it lies, or shall lie."""

    shared_memory_region: str | None = None
    shared_memory_byte_size: Bytes | None = None
    shared_memory_offset: Bytes = 0

    def place(self, where: str) -> Place | None:
        """The place, if there is one; `where` names the tensor."""
        if self.shared_memory_region is None:
            return None
        if self.shared_memory_byte_size is None:
            raise TensorError(f"{where}: shared memory needs the parameter shared_memory_byte_size too")
        return Place(self.shared_memory_region, self.shared_memory_offset, self.shared_memory_byte_size)


class InputParameters(SharedMemoryParameters):
    """What the extensions say of an input."""

    binary_data_size: Bytes | UnsetType = UNSET


class Input(Struct, forbid_unknown_fields=True):
    """One tensor of a request: its numbers, or the size of its bytes."""

    name: str
    datatype: str
    shape: Annotated[list[Annotated[int, Meta(ge=1, le=LONGEST)]], Meta(min_length=1, max_length=DIMENSIONS)]
    data: Raw | UnsetType = UNSET
    parameters: InputParameters | None = None


class OutputParameters(SharedMemoryParameters):
    """How an output shall come back."""

    binary_data: bool | UnsetType = UNSET
    classification: Any = None

    def place(self, where: str) -> Place | None:
        """The place, if there is one; what Triton's classification extension adds is refused: ours are no classes."""
        if self.classification is not None:
            raise TensorError(f"{where}: classification is not offered; ask for the numbers")
        return SharedMemoryParameters.place(self, where)


class Output(Struct, forbid_unknown_fields=True):
    """One output that is asked for."""

    name: str
    parameters: OutputParameters | None = None


class RequestParameters(Struct):
    """What holds for the whole request.

    Parameters
    ----------
    binary_data_output : bool
        Whether outputs of which nothing is said travel as bytes.
    min_familiarity : float, optional
        Of a transfer: how familiar its sources have to be.
    timeout : int
        Microseconds that the request may take, as Triton counts them; 0 is none.
    """

    binary_data_output: bool = False
    min_familiarity: Annotated[float, Meta(ge=0, le=1)] | None = None
    timeout: Annotated[int, Meta(ge=0, lt=2**62)] = 0

    @property
    def seconds(self) -> float | None:
        """The timeout, in seconds."""
        return self.timeout / 1e6 or None


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
