"""Renishaw WiRE files (.wdf): a chain of blocks, of which the header, the axis and the data are read.

Each block begins with its name (4 bytes), a number (uint32) and its length (uint64). The header block WDF1 holds
at 60 the points a spectrum, at 72 the spectra measured, at 156 the laser as a wavenumber and at 240 the title;
XLST holds type, unit and float32 positions; DATA holds float32 intensities, spectrum after spectrum.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import Unit
from lineshape.errors import ReadError
from lineshape.readers._mend import Measured, to_spectrum
from lineshape.readers._source import Source
from lineshape.spectrum import Spectrum

_HEAD = struct.Struct("<4sIQ")
_HEADER_BYTES = 512
# The numbers by which WiRE names the unit of the axis; 0 is none, and 1 is a Raman shift.
_UNITS: dict[int, tuple[Unit | None, str | None]] = {
    0: (None, None),
    1: ("cm-1", "raman"),
    2: ("cm-1", None),
    3: ("nm", None),
    4: ("eV", None),
    5: ("um", None),
}
MOST_BLOCKS = 10_000


def is_wdf(source: Source) -> bool:
    """True for the magic of a WiRE file."""
    return source.content.startswith(b"WDF1")


def read_wdf(source: Source) -> list[Spectrum]:
    """Every spectrum measured; an interrupted series yields those that are there."""
    blocks = _blocks(source)
    content = source.content
    if len(content) < _HEADER_BYTES or not {b"XLST", b"DATA"} <= blocks.keys():
        raise _damaged(source, "it has no axis or no data")
    (points,) = struct.unpack_from("<I", content, 60)
    capacity, count = struct.unpack_from("<QQ", content, 64)
    (laser,) = struct.unpack_from("<f", content, 156)
    code = _axis_unit(source, blocks[b"XLST"])
    unit, modality = _UNITS[code]
    x = _floats(source, blocks[b"XLST"] + 24, points)
    if not 0 < count <= len(content):
        raise _damaged(source, "it holds no finished spectrum")
    source.check_count(count)
    y = _floats(source, blocks[b"DATA"] + 16, points * count).reshape(count, points)
    notes = (f"The series was interrupted: {count} of {capacity} spectra are there.",) if count < capacity else ()
    title = content[240:400].split(b"\x00")[0].decode("utf-8", errors="replace")
    metadata = {"title": title} if title else {}
    return [
        to_spectrum(Measured(x, row, modality, unit, _wavelength(laser), metadata=metadata | _column(n, count),
                             notes=notes, named=True), source)
        for n, row in enumerate(y)
    ]  # fmt: skip


def _axis_unit(source: Source, at: int) -> int:
    if at + 24 > len(source.content):
        raise _damaged(source, "it is cut off")
    code = int(struct.unpack_from("<I", source.content, at + 20)[0])
    if code not in _UNITS:
        raise source.refused(
            f"the axis is in unit {code} of WiRE, which is no spectral one", "in WiRE save it over cm-1 or nm"
        )
    return code


def _blocks(source: Source) -> dict[bytes, int]:
    """Where the first block of each name begins."""
    return dict(reversed(_chain(source.content)))


def _chain(content: bytes) -> list[tuple[bytes, int]]:
    found: list[tuple[bytes, int]] = []
    at = 0
    while at + _HEAD.size <= len(content) and len(found) < MOST_BLOCKS:
        name, _, size = _HEAD.unpack_from(content, at)
        found.append((name, at))
        if size < _HEAD.size:
            break
        at += size
    return found


def _floats(source: Source, at: int, n: int) -> NDArray[np.float64]:
    if at + 4 * n > len(source.content) or n < 2:
        raise _damaged(source, "it is cut off")
    with np.errstate(invalid="ignore"):  # a signalling NaN of damaged bytes; refused later as not finite
        return np.frombuffer(source.content, "<f4", n, at).astype(np.float64)


def _wavelength(wavenumber: float) -> float | None:
    return 1e7 / wavenumber if 1e3 < wavenumber < 1e5 else None


def _column(n: int, count: int) -> dict[str, str]:
    return {"column": f"spectrum {n}"} if count > 1 else {}


def _damaged(source: Source, what: str) -> ReadError:
    return source.refused(f"a WiRE file, but {what}", "in WiRE save it again")
