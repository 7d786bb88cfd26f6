"""Spectra on one axis as a JCAMP-DX file, one block for each.

McDonald and Wilks, Applied Spectroscopy 42 (1988) 151 (JCAMP-DX 4.24). An evenly spaced axis is written as
``XYDATA=(X++(Y..Y))``, any other as ``XYPOINTS=(XY..XY)``, both in plain numbers (AFFN) and in their shortest exact
form. What the standard has no label for becomes a private one, as it asks: ``##$bundle=``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis

Floats: TypeAlias = NDArray[np.floating[Any]]

_KINDS = {
    "raman": "RAMAN SPECTRUM", "ir": "INFRARED SPECTRUM", "nir": "NEAR INFRARED SPECTRUM", "uv-vis": "UV-VIS SPECTRUM",
    "xrd": "X-RAY DIFFRACTION", "fluorescence": "FLUORESCENCE SPECTRUM", "thz": "THZ SPECTRUM",
    "maldi": "MALDI MASS SPECTRUM",
}  # fmt: skip
_UNITS = {
    "cm-1": "1/CM", "nm": "NANOMETERS", "um": "MICROMETERS", "THz": "THZ", "eV": "EV", "deg 2theta": "DEG 2THETA",
    "angstrom": "ANGSTROM", "m/z": "M/Z",
}  # fmt: skip
_ON_A_LINE = 8  # ordinates; the standard asks for lines of at most 80 characters where numbers are short
_RESERVED = re.compile(r"\$\$|[=\n]")  # a comment, the end of a label, the end of a record


def jcamp(axis: SpectralAxis, columns: Mapping[str, Floats], entries: Mapping[str, str]) -> bytes:
    """The file; several columns become the blocks of a link block.

    Parameters
    ----------
    axis : SpectralAxis [n]
    columns : mapping of title to float [n]
    entries : mapping of str to str
        Written into every block, because a program that takes one block leaves the others.
    """
    blocks = [line for title, values in columns.items() for line in _block(title, axis, values, entries)]
    linked = [] if len(columns) == 1 else _linked(len(columns), entries)
    text = "\n".join([*linked, *blocks, *(["##END="] if linked else []), ""])
    return text.encode("utf-8", errors="replace")


def _linked(blocks: int, entries: Mapping[str, str]) -> list[str]:
    return [f"##TITLE={_plain(entries.get('bundle', 'spectra'))}", "##JCAMP-DX=4.24", "##DATA TYPE=LINK",
            f"##BLOCKS={blocks}"]  # fmt: skip


def _block(title: str, axis: SpectralAxis, values: Floats, entries: Mapping[str, str]) -> Iterator[str]:
    y = np.asarray(values)
    records = {
        "TITLE": _plain(title), "JCAMP-DX": "4.24", "DATA TYPE": _KINDS.get(axis.modality, axis.modality),
        "ORIGIN": "lineshape", "OWNER": "", **{f"${_plain(key)}": _plain(value) for key, value in entries.items()},
        "XUNITS": _UNITS[axis.unit], "YUNITS": "ARBITRARY UNITS", "XFACTOR": 1, "YFACTOR": 1, "FIRSTX": axis.first,
        "LASTX": axis.last, "NPOINTS": len(axis), "FIRSTY": y[0],
    }  # fmt: skip
    yield from (f"##{label}={value!s}" for label, value in records.items())
    yield from _evenly(axis, y) if _even(axis) else _pairs(axis, y)
    yield "##END="


def _even(axis: SpectralAxis) -> bool:
    """Whether its ends and its number of points are all of it, to the last bit."""
    return np.array_equal(np.linspace(axis.first, axis.last, len(axis)), axis.values)


def _evenly(axis: SpectralAxis, y: Floats) -> Iterator[str]:
    numbers = y.astype(str).tolist()
    yield "##XYDATA=(X++(Y..Y))"
    for start in range(0, len(numbers), _ON_A_LINE):
        yield f"{float(axis.values[start])!r} {' '.join(numbers[start : start + _ON_A_LINE])}"


def _pairs(axis: SpectralAxis, y: Floats) -> Iterator[str]:
    yield "##XYPOINTS=(XY..XY)"
    numbers = (column.astype(str).tolist() for column in (axis.values, y))
    yield from (f"{x}, {value}" for x, value in zip(*numbers, strict=True))


def _plain(text: str) -> str:
    """One line without what the format takes for a comment or for a label's end."""
    return _RESERVED.sub(" ", text).strip() or "untitled"
