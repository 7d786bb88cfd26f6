"""One writer at a time, among all processes of a machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineshape.errors import UsageError

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        while True:
            try:
                return msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except PermissionError:  # another holds it
                time.sleep(0.05)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file `path`, which stays; the system lets go of it when a process ends, however it ends.

    Raises
    ------
    UsageError
        If the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise UsageError(f"{path.parent}: cannot be written to as a folder: {error.strerror or error}") from None
    with file:
        file.seek(0)  # Windows locks the byte at the position
        _take(file.fileno())
        yield
