"""Spectra on one axis become a file that our own readers read back exactly.

A CSV carries ``# key: value`` lines, then a row of column names with the unit of the axis, then numbers in their
shortest exact form. An npz carries the same as arrays, a JCAMP-DX file as labelled records (see `lineshape.jcamp`).
Files appear whole or not at all.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.errors import UsageError
from lineshape.files import write_atomically
from lineshape.jcamp import jcamp
from lineshape.spectrum import Spectrum

__all__ = ["axis_label", "encode_table", "entries_of", "write_spectrum", "write_table"]

Columns: TypeAlias = Mapping[str, NDArray[np.floating[Any]]]

# What a header says of the axis; metadata under these names would contradict it.
STATEMENTS = ("modality", "unit", "laser_nm", "xray_angstrom")
_AXIS_NAMES = {
    "nm": "wavelength", "um": "wavelength", "THz": "frequency", "eV": "energy", "deg 2theta": "2theta",
    "angstrom": "d spacing", "m/z": "mass", "cm-1": "wavenumber",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def write_spectrum(path: Path | str, spectrum: Spectrum) -> None:
    """Write one spectrum as `write_table` does, with its notes as the entry 'notes'."""
    notes = {"notes": " ".join(spectrum.notes)} if spectrum.notes else {}
    write_table(path, spectrum.axis, {"intensity": spectrum.intensities}, {**spectrum.metadata, **notes})


def write_table(
    path: Path | str, axis: SpectralAxis, columns: Columns, metadata: Mapping[str, str] | None = None
) -> None:
    """Write columns on one axis, atomically; the ending decides the format.

    Parameters
    ----------
    path : Path or str
        ``.csv``, ``.npz`` or ``.jdx``. An existing file is replaced when the new one is complete.
    axis : SpectralAxis [n]
    columns : mapping of name to float64 [n]
        Spectra, or a spectrum with its ``lower`` and ``upper`` interval, in this order.
    metadata : mapping of str to str, optional
        Written as text with white space folded; empty values and what the axis states itself are left out.

    Raises
    ------
    UsageError
        If the ending is another, a column does not fit the axis or is not finite, a name cannot be written, or
        the file system refuses.
    """
    path = Path(path)
    write_atomically(path, encode_table(path.name, axis, columns, metadata))


def encode_table(name: str, axis: SpectralAxis, columns: Columns, metadata: Mapping[str, str] | None = None) -> bytes:
    """What `write_table` would write to a file of this name, for a body that never becomes a file; raises like it."""
    form = _FORMATS.get(PurePath(name).suffix.lower())
    if form is None:
        raise UsageError(f"{name}: spectra are written as {' or '.join(_FORMATS)}; choose one of these endings")
    _check(axis, columns, name)
    return form(axis, columns, entries_of(axis, metadata or {}, name))


def _check(axis: SpectralAxis, columns: Columns, file: str) -> None:
    if not columns:
        raise UsageError(f"{file}: no column to write; give at least one")
    for name, values in columns.items():
        if not name.strip() or name != " ".join(name.split()) or _CONTROL.search(name):
            raise UsageError(f"{file}: {name!r} is no name for a column; use one line of text")
        if np.shape(values) != (len(axis),):
            raise UsageError(f"{file}: column {name!r} has shape {np.shape(values)} on an axis of {len(axis)} points")
        if not np.isfinite(values).all():
            raise UsageError(f"{file}: column {name!r} holds a value that is not a finite number")


def entries_of(axis: SpectralAxis, metadata: Mapping[str, str], file: str) -> dict[str, str]:
    """What the header of a file says: the axis first, then the metadata, its white space folded.

    Raises
    ------
    UsageError
        If an entry's name cannot be written; `file` is named.
    """
    beams = {"laser_nm": axis.laser_nm, "xray_angstrom": axis.xray_angstrom}
    stated = {"modality": axis.modality, "unit": axis.unit} | {
        k: repr(float(v)) for k, v in beams.items() if v is not None
    }
    for key, value in metadata.items():
        folded = " ".join(_CONTROL.sub(" ", str(value)).split())
        if not key.strip() or key != " ".join(key.split()) or ":" in key or _CONTROL.search(key):
            raise UsageError(f"{file}: {key!r} is no name for an entry; use one line of text without a colon")
        if folded and key.lower() not in STATEMENTS:
            stated[key] = folded
    return stated


def axis_label(axis: SpectralAxis) -> str:
    """The name of an axis and its unit, as a column is called: ``Raman shift [cm-1]``."""
    name = "Raman shift" if axis.modality == "raman" and axis.unit == "cm-1" else _AXIS_NAMES[axis.unit]
    return f"{name} [{axis.unit}]"


def _csv(axis: SpectralAxis, columns: Columns, entries: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    text.writelines(f"# {key}: {value}\n" for key, value in entries.items())
    csv.writer(text, lineterminator="\n").writerow([axis_label(axis), *columns])
    numbers = [np.asarray(values).astype(str).tolist() for values in (axis.values, *columns.values())]
    text.writelines(",".join(row) + "\n" for row in zip(*numbers, strict=True))
    return text.getvalue().encode("utf-8", errors="replace")


def _npz(axis: SpectralAxis, columns: Columns, entries: Mapping[str, str]) -> bytes:
    words = {key: value for key, value in entries.items() if key not in STATEMENTS}
    beams = {"laser_nm": axis.laser_nm, "xray_angstrom": axis.xray_angstrom}
    arrays = {
        "axis": axis.values, "spectra": np.stack([np.asarray(v, np.float64) for v in columns.values()]),
        "columns": np.array(list(columns)), "modality": np.array(axis.modality), "unit": np.array(axis.unit),
        "metadata_keys": np.array(list(words), dtype=np.str_),
        "metadata_values": np.array(list(words.values()), dtype=np.str_),
    } | {key: np.array(value) for key, value in beams.items() if value is not None}  # fmt: skip
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


_FORMATS: dict[str, Callable[[SpectralAxis, Columns, Mapping[str, str]], bytes]] = {
    ".csv": _csv, ".npz": _npz, ".jdx": jcamp,
}  # fmt: skip
