"""NumPy files: npy of [n, 2] or [2, n], npz with an axis and spectra. Never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from lineshape import npz
from lineshape.axis import Unit
from lineshape.readers._mend import Measured, to_spectrum
from lineshape.readers._source import Source
from lineshape.spectrum import Spectrum

_AXIS: dict[str, tuple[str | None, Unit | None]] = {
    "axis": (None, None), "x": (None, None), "axis_cm1": (None, "cm-1"), "wavenumber": (None, "cm-1"),
    "wavenumbers": (None, "cm-1"), "axis_nm": (None, "nm"), "wavelength": (None, "nm"), "axis_um": (None, "um"),
    "axis_mz": (None, "m/z"), "mz": (None, "m/z"), "raman_shift": ("raman", "cm-1"), "axis_thz": (None, "THz"),
    "axis_ev": (None, "eV"), "twotheta": ("xrd", "deg 2theta"), "two_theta": ("xrd", "deg 2theta"),
    "axis_twotheta": ("xrd", "deg 2theta"),
}  # fmt: skip
MOST_BYTES = 1 << 26  # of an archive, unpacked
MOST_NUMBERS = 1 << 23  # that is as many bytes as doubles, whatever they were saved as
MOST_ENTRIES = 1000  # of the metadata, which every spectrum carries
_SPECTRA = ("spectra", "spectrum", "intensities", "intensity", "y")


def is_npy(source: Source) -> bool:
    """True for the magic of npy."""
    return source.content.startswith(b"\x93NUMPY")


def is_npz(source: Source) -> bool:
    """True for a zip archive that is named npz or holds npy files."""
    zipped = source.content.startswith((b"PK\x03\x04", b"PK\x05\x06"))
    return zipped and (source.suffix == ".npz" or b".npy" in source.content[:200])


def read_npy(source: Source) -> list[Spectrum]:
    """The spectrum of an array of two columns or two rows."""
    table = npz.read_npy(source.content, source.name)
    if table.ndim != 2 or 2 not in table.shape:
        raise source.refused(f"an array of shape {table.shape}", "save [n, 2]: an axis column and an intensity column")
    x, y = _numeric(table, source.name, source).T if table.shape[1] == 2 else _numeric(table, source.name, source)
    return [to_spectrum(Measured(x, y, named=True), source)]


def read_npz(source: Source) -> list[Spectrum]:
    """Every spectrum of an archive: an axis (`axis`, `x`, `axis_cm1`, `axis_nm`, ...) and `spectra` [m, n] or [n]."""
    arrays = npz.read_npz(source.content, source.name, MOST_BYTES)
    key = next((key for key in _AXIS if key in arrays), None)
    values = next((arrays[key] for key in _SPECTRA if key in arrays), None)
    if key is None or values is None:
        raise source.refused(f"the archive holds {', '.join(sorted(arrays)) or 'nothing'}",
                             "save the points as 'axis' and the intensities as 'spectra'")  # fmt: skip
    if arrays[key].size + values.size > MOST_NUMBERS:
        raise source.refused(f"the archive holds more than {MOST_NUMBERS} numbers", "save fewer spectra a file")
    x = _numeric(arrays[key], key, source)
    y = np.atleast_2d(_numeric(values, "spectra", source))
    if x.ndim != 1 or y.ndim != 2 or y.shape[1] != len(x) or not len(y):
        raise source.refused(f"spectra of shape {values.shape} on an axis of shape {x.shape}",
                             "save spectra [m, n] on an axis [n]")  # fmt: skip
    source.check_count(len(y))
    metadata = dict(zip(_texts(arrays, "metadata_keys"), _texts(arrays, "metadata_values"), strict=False))
    return [to_spectrum(_measured(x, row, key, metadata | _column(arrays, n, len(y)), arrays, source), source)
            for n, row in enumerate(y)]  # fmt: skip


def _column(arrays: Mapping[str, NDArray[Any]], row: int, rows: int) -> dict[str, str]:
    """What tells a row from the others."""
    columns = arrays.get("columns")
    if rows == 1:
        return {}
    return {"column": str(columns[row]) if columns is not None and columns.shape == (rows,) else f"row {row}"}


def _measured(x: NDArray[np.float64], y: NDArray[np.float64], key: str, metadata: Mapping[str, str],
              arrays: Mapping[str, NDArray[Any]], source: Source) -> Measured:  # fmt: skip
    modality, unit = _AXIS[key]
    stated = _text(arrays, "unit")
    return Measured(
        x, y, _text(arrays, "modality") or modality, next((u for u in get_args(Unit) if u == stated), unit),
        _scalar(arrays, "laser_nm", source), _scalar(arrays, "xray_angstrom", source), metadata, named=True,
    )  # fmt: skip


def _numeric(array: NDArray[Any], name: str, source: Source) -> NDArray[np.float64]:
    if array.dtype.kind not in "fiub":
        raise source.refused(f"{name} holds {array.dtype}", "save numbers")
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused later
        return array.astype(np.float64)


def _text(arrays: Mapping[str, NDArray[Any]], key: str) -> str | None:
    array = arrays.get(key)
    return str(array.item()) if array is not None and array.dtype.kind == "U" and array.size == 1 else None


def _texts(arrays: Mapping[str, NDArray[Any]], key: str) -> list[str]:
    array = arrays.get(key)
    found = array is not None and array.dtype.kind == "U" and array.ndim == 1
    return [str(text) for text in array[:MOST_ENTRIES]] if found and array is not None else []


def _scalar(arrays: Mapping[str, NDArray[Any]], key: str, source: Source) -> float | None:
    array = arrays.get(key)
    if array is None or array.dtype.kind not in "fiu" or array.size != 1:
        return None
    return float(array.item())
