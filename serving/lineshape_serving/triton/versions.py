"""Which of Triton's numbered versions is which release of a bundle: `versions.json` in a model's folder.

Triton knows whole numbers only and serves the highest. So numbers are given out in the order of the releases, once, and
what was given out is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from lineshape.bundle import Bundle
from lineshape.errors import UsageError

TABLE = "versions.json"


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a number stands for."""

    bundle: str
    version: str
    digest: str


Table: TypeAlias = dict[int, Release]


def read_table(folder: Path) -> Table:
    """The table of a model's folder; empty where there is none yet.

    Raises
    ------
    UsageError
        If it cannot be read, or the folder was made by something else.
    """
    path = folder / TABLE
    if not path.exists():
        if folder.exists():
            raise UsageError(f"{folder}: already there, without {TABLE}: not made by `lineshape triton`; move it away")
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=Table)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); restore it, or write a new repository") from None


def encode_table(table: Mapping[int, Release]) -> bytes:
    """The file."""
    return msgspec.json.format(msgspec.json.encode(dict(sorted(table.items()))), indent=2) + b"\n"


def number_of(table: Table, name: str, bundle: Bundle) -> int:
    """The number of a release: that which it has, or the next.

    Parameters
    ----------
    table : Table
    name : str
        The model's name on the wire.
    bundle : Bundle

    Raises
    ------
    UsageError
        If the release was made before one that is recorded, or again with other content, or the name is another's.
    """
    told = release_of(bundle)
    if known := [number for number, release in table.items() if release == told]:
        return known[0]
    for release in table.values():
        _refuse(release, told, name)
    return max(table, default=0) + 1


def release_of(bundle: Bundle) -> Release:
    """What is recorded of a bundle."""
    return Release(bundle.manifest.name, bundle.manifest.version, bundle.digest)


def _refuse(known: Release, told: Release, name: str) -> None:
    if known.bundle != told.bundle:
        raise UsageError(f"the model {name} of this repository belongs to bundle {known.bundle}, not to {told.bundle}; "
                         "export one of them under another name")  # fmt: skip
    if _ordered(told.version) < _ordered(known.version):
        raise UsageError(f"{name} {told.version} is older than {known.version}, which the repository holds, and Triton "
                         "serves the highest number: seal a newer version")  # fmt: skip
    if told.version == known.version:
        found = f"{known.digest[:12]}, not {told.digest[:12]}"
        raise UsageError(f"{name} {told.version} is in the repository already with another content ({found}); "
                         "seal what changed as a new version")  # fmt: skip


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
