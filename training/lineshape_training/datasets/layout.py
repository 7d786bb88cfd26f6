"""What the columns of a file mean, and the table that follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis, Unit
from lineshape.errors import AxisError, DataError
from lineshape_training.datasets.columns import AXIS, SPECTRA, Columns, read_columns
from lineshape_training.spectra import Names, SpectraTable

EACH = "each"  # stands for a group column: every spectrum is of another patient, sample, ...
NAMELESS = "row "  # begins the name of a group that has none in the file
JOINT = " / "  # between the columns that together name a group

# Endings of an axis's name that say its unit, as in `axis_cm1`.
_UNITS: dict[str, Unit] = {"cm1": "cm-1", "nm": "nm", "um": "um", "mz": "m/z", "twotheta": "deg 2theta", "thz": "THz"}


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the columns of a file mean.

    Parameters
    ----------
    modality : str
        Also the name of the array of spectra, if it is not `spectra` or `patterns`.
    unit : str, optional
        Of the axis; by default what its name says, or else the modality's usual one.
    group : tuple of str
        The columns that together name the independent unit (patient, biological replicate, mineral); `EACH` if every
        spectrum is one.
    identity : tuple of str
        The columns that name the specimen; by default the group.
    label, instrument : str, optional
        Columns with the class (empty where unknown), and with what measured the spectrum.
    analytes : tuple of str
        Columns with amounts.
    prefix, ends : str and (float, float), optional
        For tables whose columns are numbered from 1 after a prefix: their first and last position on the axis.
    """

    modality: str
    unit: Unit | None = None
    group: tuple[str, ...] = ("group",)
    identity: tuple[str, ...] = ()
    label: str | None = None
    instrument: str | None = None
    analytes: tuple[str, ...] = ()
    prefix: str | None = None
    ends: tuple[float, float] | None = None
    laser_nm: float | None = None
    xray_angstrom: float | None = None


def read_table(path: Path | str, layout: Layout) -> SpectraTable:
    """The spectra of a file.

    Raises
    ------
    ReadError
        If it cannot be read.
    DataError
        If a column is missing or does not fit; the message names it.
    """
    return to_table(read_columns(path), layout, str(path))


def to_table(columns: Columns, layout: Layout, where: str) -> SpectraTable:
    """The table that columns hold under a layout; `where` names the file in errors."""
    values, axis = _spectra(columns, layout, where)
    mask = numbers(columns.get(f"{layout.modality}_mask", np.ones(values.shape)), f"{layout.modality}_mask", where)
    if values.ndim != 2 or values.shape[1] != len(axis) or mask.shape != values.shape:
        raise DataError(f"{where}: {layout.modality} {list(values.shape)}, its mask {list(mask.shape)} and an axis of "
                        f"{len(axis)} points do not belong together; spectra are rows")  # fmt: skip
    values = np.where(mask > 0, values, 0)
    group = _own(_joined(columns, layout.group, len(values), where))
    identity = _joined(columns, layout.identity, len(values), where) if layout.identity else group
    _check_finite(values, axis, identity, where)
    label, instrument = (
        _joined(columns, (name,), len(values), where) if name else None for name in (layout.label, layout.instrument)
    )
    analytes = {name: _amounts(columns, name, len(values), where) for name in layout.analytes}
    try:
        return SpectraTable(values, mask, axis, group, identity, label, instrument, analytes)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def numbers(array: NDArray[Any], name: str, where: str) -> NDArray[np.float32]:
    """An array as float32.

    Raises
    ------
    DataError
        If it holds anything but numbers.
    """
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where}: {name} holds {array.dtype}, not numbers")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is found as such
        return array.astype(np.float32)


def first(columns: Columns, names: list[str], where: str) -> NDArray[Any]:
    """The first of several columns that is there.

    Raises
    ------
    DataError
        If none is; the message lists those that are.
    """
    for name in names:
        if name in columns:
            return columns[name]
    raise DataError(f"{where}: no array named {' or '.join(dict.fromkeys(names))}; it holds {', '.join(columns)}")


def _spectra(columns: Columns, layout: Layout, where: str) -> tuple[NDArray[np.float32], SpectralAxis]:
    if layout.prefix is not None:
        columns = _numbered(columns, layout.prefix, layout, where)
    values = numbers(first(columns, [layout.modality, SPECTRA, "patterns"], where), layout.modality, where)
    name = axis_name(columns, layout.modality, where)
    unit = layout.unit or unit_of(name)
    if columns[name].dtype.kind not in "fiu":
        raise DataError(f"{where}: {name} holds {columns[name].dtype}, not numbers")
    try:
        return values, SpectralAxis.of(columns[name], layout.modality, unit,
                                       laser_nm=layout.laser_nm, xray_angstrom=layout.xray_angstrom)  # fmt: skip
    except AxisError as error:
        raise AxisError(f"{where}: {name}: {error}") from None


def _check_finite(values: NDArray[np.float32], axis: SpectralAxis, identity: Names, where: str) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, point = wrong[0].tolist()
        raise DataError(f"{where}: spectrum {row} ({identity[row]}) holds a value that is not a finite number "
                        f"({values[row, point]} at {axis.values[point]:g} {axis.unit}; {len(wrong)} such values); "
                        "leave such spectra out, or mask what was not measured")  # fmt: skip


def _numbered(columns: Columns, prefix: str, layout: Layout, where: str) -> Columns:
    """Spectra and axis from the columns that are numbered after a prefix, in the order of their numbers."""
    numbers = {int(end): name for name in columns if (end := name.removeprefix(prefix)).isdecimal() and end != name}
    if not numbers or layout.ends is None:
        raise DataError(f"{where}: {len(numbers)} columns are numbered after {prefix!r}, and their axis runs from and "
                        f"to {layout.ends}; name both")  # fmt: skip
    spectra = np.stack([columns[numbers[number]] for number in sorted(numbers)], axis=1)
    return {SPECTRA: spectra, AXIS: np.linspace(*layout.ends, len(numbers))}


def axis_name(columns: Columns, modality: str, where: str) -> str:
    """The column with the axis: `MODALITY_axis`, or one that begins with `axis` or `twotheta`."""
    names = [f"{modality}_axis", *(name for name in columns if name.startswith((AXIS, "twotheta")))]
    first(columns, names, where)
    return next(name for name in names if name in columns)


def unit_of(axis: str) -> Unit | None:
    """The unit that an axis's name says, if it says one."""
    return next((unit for ending, unit in _UNITS.items() if axis.endswith(ending)), None)


def _joined(columns: Columns, names: tuple[str, ...], n: int, where: str) -> Names:
    """Names of rows, from one column or several."""
    if names == (EACH,):
        return np.arange(n).astype(str)
    parts = [_column(columns, name, n, where) for name in names]
    return np.array([JOINT.join(row) if any(row) else "" for row in zip(*map(_text, parts), strict=True)])


def _column(columns: Columns, name: str, n: int, where: str) -> NDArray[Any]:
    column = first(columns, [name], where)
    if column.shape != (n,):
        raise DataError(f"{where}: {name} has shape {list(column.shape)} for {n} spectra")
    return column


def _text(column: NDArray[Any]) -> list[str]:
    """A column as text: whole numbers without a decimal point, nothing where nothing is known."""
    if column.dtype.kind == "f":
        return ["" if np.isnan(one) else str(one).removesuffix(".0") for one in column.tolist()]
    return [str(one) for one in column.tolist()]


def _own(names: Names) -> Names:
    """Groups, in which a row without a name stands for itself."""
    return np.array([name or f"{NAMELESS}{row}" for row, name in enumerate(names.tolist())])


def _amounts(columns: Columns, name: str, n: int, where: str) -> NDArray[np.float64]:
    column = _column(columns, name, n, where)
    if column.dtype.kind not in "fiu":
        raise DataError(f"{where}: analyte {name} holds {column.dtype}, not numbers")
    return column.astype(np.float64)
