"""System shared memory: tensors that a client on the same Linux machine lays down in memory instead of sending them.

A client registers a region, a stretch of a POSIX shared memory object, and then names it, with an offset and a size, in
the place of a tensor's bytes. A region is read and written with `pread` and `pwrite` and never mapped: its owner may
shorten the object at any time, and touching a mapped page that is gone kills the whole process, whereas a short read is
an error like any other. What is read is a copy, so nothing that was validated can change afterwards.

Reference: Triton Inference Server, "Shared-Memory Extension".
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct
from numpy.typing import NDArray

from lineshape.errors import UsageError

if TYPE_CHECKING:
    from lineshape_serving.settings import Limits

FOLDER = "/dev/shm"  # noqa: S108 - where Linux keeps POSIX shared memory
_KEY = re.compile(r"/?([A-Za-z0-9._-]{1,250})", re.ASCII)
_SEMAPHORE = "sem."  # what glibc calls named semaphores, which lie in the same folder
_ANYONE = stat.S_IROTH | stat.S_IWOTH


class RegionStatus(Struct, frozen=True):
    """A registered region, in the words of the extension."""

    name: str
    key: str
    offset: int
    byte_size: int


class Registration(Struct, forbid_unknown_fields=True):
    """What a client says to register a region over HTTP."""

    key: str
    byte_size: Annotated[int, Meta(ge=1, lt=2**62)]
    offset: Annotated[int, Meta(ge=0, lt=2**62)] = 0


@dataclass(frozen=True)
class Place:
    """A stretch of a region: `offset` counts from the region's start, both in bytes."""

    region: str
    offset: int
    size: int


class _Region:
    """An open region; its file closes when the last one who reads or writes it is through."""

    def __init__(self, status: RegionStatus) -> None:
        self.status, self.file = status, _open(status.key)
        weakref.finalize(self, os.close, self.file)
        self.check(Place(status.name, 0, status.byte_size))

    def check(self, place: Place) -> int:
        """Refuse a place outside; the offset in the object otherwise."""
        if place.offset + place.size > self.status.byte_size:
            raise UsageError(f"shared memory region {place.region!r} has {self.status.byte_size} bytes; asked for are "
                             f"{place.size} at offset {place.offset}")  # fmt: skip
        start, there = self.status.offset + place.offset, os.fstat(self.file).st_size
        if start + place.size > there:
            raise UsageError(f"shared memory region {place.region!r}: {self.status.key} has {there} bytes, too few "
                             f"for {place.size} at its offset {start}")  # fmt: skip
        return start


class Regions:
    """The regions that clients have registered; safe to ask from any number of threads.

    Parameters
    ----------
    limits : Limits
        How many there may be, and how large a request may be, wherever its tensors lie.

    Raises
    ------
    UsageError
        On a system other than Linux.
    """

    def __init__(self, limits: Limits) -> None:
        if sys.platform != "linux":
            raise UsageError("system shared memory is offered on Linux only; start the server without it")
        self.limit, self._most = limits.body << 20, limits.regions
        self._regions: dict[str, _Region] = {}
        self._changing = threading.Lock()

    def register(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Open a region.

        Parameters
        ----------
        name : str
            What requests will call it.
        key : str
            The name of a shared memory object, as `shm_open` takes it: /NAME.
        offset, byte_size : int
            The stretch of the object that is the region, in bytes.

        Raises
        ------
        UsageError
            If the name is taken, there is no such object, it is not one that this server may use, or it is too small.
        """
        _check_stretch(name, offset, byte_size)
        with self._changing:
            if name in self._regions:
                raise UsageError(f"shared memory region {name!r} is registered already; unregister it first")
            if len(self._regions) >= self._most:
                raise UsageError(f"{self._most} shared memory regions are registered, and no more may be")
            self._regions[name] = _Region(RegionStatus(name, key, offset, byte_size))

    def unregister(self, name: str | None = None) -> None:
        """Forget a region, or all of them; that it was not there is no error, as with Triton."""
        with self._changing:
            if name is None:
                self._regions.clear()
            else:
                self._regions.pop(name, None)

    def status(self, name: str | None = None) -> tuple[RegionStatus, ...]:
        """One region, or all of them.

        Raises
        ------
        UsageError
            If there is no region of that name.
        """
        if name is not None:
            return (self._find(name).status,)
        return tuple(region.status for region in list(self._regions.values()))

    def read(self, name: str, offset: int, size: int) -> bytes:
        """A copy of what stands in a region now.

        Raises
        ------
        UsageError
            If there is no such region, or it ends before; also if its owner has shortened it meanwhile.
        """
        region, place = self._find(name), Place(name, offset, size)
        content = os.pread(region.file, size, region.check(place))
        if len(content) < size:  # shortened since
            raise UsageError(f"shared memory region {name!r} ends {size - len(content)} bytes before this tensor does")
        return content

    def write(self, name: str, offset: int, array: NDArray[Any]) -> None:
        """Lay a contiguous array down in a region.

        Raises
        ------
        UsageError
            As `read`.
        """
        region, place = self._find(name), Place(name, offset, array.nbytes)
        if os.pwrite(region.file, array.data, region.check(place)) < array.nbytes:
            raise UsageError(f"shared memory region {name!r}: the machine has no memory left for it")

    def check(self, place: Place) -> None:
        """Refuse a place that is not there."""
        self._find(place.region).check(place)

    def _find(self, name: str) -> _Region:
        if (region := self._regions.get(name)) is None:
            there = ", ".join(map(repr, list(self._regions))) or "none"
            raise UsageError(f"no shared memory region {name!r}; registered are {there}")
        return region


def offered(regions: Regions | None) -> Regions:
    """The regions of a server that has them.

    Raises
    ------
    UsageError
        If it was started without.
    """
    if regions is None:
        raise UsageError("this server was started without system shared memory; send tensors as bytes")
    return regions


def register_from_json(regions: Regions, name: str, body: bytes | memoryview) -> None:
    """Open a region as the body of an HTTP request asks.

    Raises
    ------
    UsageError
        As `Regions.register`, and if the body cannot be read.
    """
    try:
        asked = msgspec.json.decode(body, type=Registration)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"shared memory region {name!r}: the registration cannot be read: {error}") from None
    regions.register(name, asked.key, asked.offset, asked.byte_size)


def _check_stretch(name: str, offset: int, byte_size: int) -> None:
    if not name:
        raise UsageError("a shared memory region needs a name")
    if offset < 0 or byte_size < 1 or offset + byte_size >= 2**62:
        raise UsageError(
            f"shared memory region {name!r}: {byte_size} bytes at offset {offset} are no stretch of memory"
        )


def _open(key: str) -> int:
    """Open a shared memory object, and nothing else: no other folder, no link, no device, nobody else's."""
    named = _KEY.fullmatch(key)
    if named is None or named[1].startswith(_SEMAPHORE):
        raise UsageError(f"shared memory key {key[:64]!r}: give /NAME, of letters, digits and . _ -")
    try:
        # without O_NONBLOCK a named pipe would hold us up
        file = os.open(f"{FOLDER}/{named[1]}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise UsageError(f"shared memory key {key!r}: {why}") from None
    try:
        _check_owner(key, os.fstat(file))
    except UsageError:
        os.close(file)
        raise
    return file


def _check_owner(key: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"shared memory key {key!r}: not a shared memory object")
    # a server that runs as root could open what its owner shows to nobody
    if found.st_uid != os.geteuid() and found.st_mode & _ANYONE != _ANYONE:
        raise UsageError(f"shared memory key {key!r}: belongs to another user; create it as the server's user, or let "
                         "everyone read and write it")  # fmt: skip
