"""Writing files so that a reader sees all of one or none of it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from lineshape.errors import UsageError


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside the file, force it to disk, then rename; folders on the way are made.

    Raises
    ------
    UsageError
        If the file system refuses.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror or error}; check the folder") from error
