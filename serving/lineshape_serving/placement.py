"""Tensors that lie in shared memory, or shall: how a request's words for them become arrays, for every adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from lineshape.errors import TensorError, UsageError
from lineshape_serving.shared_memory import Place, Regions, offered
from lineshape_serving.tensors import Arrays, check_size, from_bytes


@dataclass(frozen=True)
class Laid:
    """A tensor that lies in a region."""

    place: Place
    datatype: str
    shape: list[int]


class Placing(Protocol):
    """What says whether an output shall lie in a region; `where` names the output."""

    def place(self, where: str) -> Place | None: ...  # noqa: D102


def fetch(regions: Regions | None, laid: Mapping[str, Laid]) -> Arrays:
    """The inputs of one request that lie in regions, copied.

    Raises
    ------
    TensorError
        If one is not there, or its size is not its shape's, or they are larger than a request may be.
    """
    for name, tensor in laid.items():
        check_size(name, tensor.datatype, tensor.shape, "shared_memory_byte_size", tensor.place.size)
    size = sum(tensor.place.size for tensor in laid.values())
    if regions is not None and size > regions.limit:
        raise TensorError(f"the inputs in shared memory have {size} bytes, more than the {regions.limit} that a "
                          "request may; send smaller batches")  # fmt: skip
    return {name: _fetch(regions, name, tensor) for name, tensor in laid.items()}


def places(regions: Regions | None, outputs: Mapping[str, Placing]) -> dict[str, Place]:
    """The outputs of a request that shall lie in regions; refused before anything is computed, if there is no room.

    Raises
    ------
    TensorError
        Naming the output.
    """
    found = {name: place for name, form in outputs.items() if (place := form.place(f"output {name!r}")) is not None}
    for name, place in found.items():
        with _naming(f"output {name!r}"):
            offered(regions).check(place)
    return found


def deliver(regions: Regions | None, name: str, array: NDArray[Any], place: Place) -> None:
    """Lay an output down where the request wants it; the rest of the place stays as it is.

    Raises
    ------
    TensorError
        If it does not fit.
    """
    if array.nbytes > place.size:
        raise TensorError(f"output {name!r}: its {array.nbytes} bytes do not fit into the {place.size} that are set "
                          f"aside for it in shared memory region {place.region!r}")  # fmt: skip
    with _naming(f"output {name!r}"):
        offered(regions).write(place.region, place.offset, array)


def _fetch(regions: Regions | None, name: str, tensor: Laid) -> NDArray[Any]:
    with _naming(f"input {name!r}"):
        raw = offered(regions).read(tensor.place.region, tensor.place.offset, tensor.place.size)
    return from_bytes(tensor.datatype, tensor.shape, raw)


@contextmanager
def _naming(tensor: str) -> Iterator[None]:
    """Say which tensor it was."""
    try:
        yield
    except UsageError as error:
        raise TensorError(f"{tensor}: {error}") from None
