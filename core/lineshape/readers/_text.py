"""Text tables: CSV, TSV and white space, an axis column and one intensity column or more."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from lineshape.axis import USUAL_UNIT, Unit
from lineshape.readers._mend import Measured, to_spectrum
from lineshape.readers._source import Source
from lineshape.readers._table import Table, find_table
from lineshape.readers._words import modality_named, modality_of_absorption, unit_named
from lineshape.spectrum import Spectrum

_UNIT_ALONE = re.compile(
    r"^\W*(nm|um|µm|μm|thz|ev|1\s*/\s*cm|cm\W*[-⁻−]?[1¹]|angstrom|deg 2theta|m/z)\W*$", re.IGNORECASE
)
_AXIS = re.compile(r"^\W*(x\b|axis|wave|raman[\s_]*shift|shift|frequency|energy|2\W*theta|two\W*theta|2\W*θ|angle|"
                   r"d[\s_-]*spacing|m\s*/\s*z|mass\b)|" + _UNIT_ALONE.pattern, re.IGNORECASE)  # fmt: skip
_COUNTER = re.compile(r"^\W*(pixels?|index|points?|no|row)\W*$", re.IGNORECASE)
_SIGMA = re.compile(r"^\W*(sigma|error|esd|std|uncertainty)\b", re.IGNORECASE)
_UNIT_IN_KEY = re.compile(r"^(range|spectro) \(")  # LabSpec: "Range (nm)", "Spectro (cm-1)"
# Labels under which headers state the unit of the axis.
_UNIT_KEYS = ("unit", "xunits", "xunit", "xaxis mode", "axisunit[1]", "x units", "x axis")


@dataclass(frozen=True)
class _Group:
    """Columns that share an axis: candidates for the axis, then intensities."""

    axes: tuple[int, ...]
    intensities: tuple[int, ...]


def is_own_table(source: Source) -> bool:
    """True if the header begins as our writer has it, with the modality of the axis."""
    return source.content.startswith(b"# modality: ")


def read_table(source: Source) -> list[Spectrum]:
    """Every intensity column of a text table as a spectrum."""
    table = find_table(source)
    groups = list(_groups(table, source))
    columns = sum(len(group.intensities) for group in groups)
    if not columns:
        raise source.refused("only one column of numbers", "a spectrum needs an axis and intensities")
    source.check_count(columns)
    table = replace(table, notes=table.notes + _left_out(table, source))
    return [
        to_spectrum(_measured(table, axis, column, source, several=columns > 1), source)
        for group, axis in [(group, _chosen_axis(table, group, source)) for group in groups]
        for column in group.intensities
    ]


def _groups(table: Table, source: Source) -> Iterator[_Group]:
    """Each run of axis columns with the intensity columns after it; without names the first column is the axis."""
    if is_own_table(source):  # the first column is the axis, whatever the others are called
        yield _Group((0,), tuple(range(1, len(table.names))))
        return
    columns = [i for i, name in enumerate(table.names) if not _COUNTER.match(name)] if _has_axis(table) else None
    if columns is None:
        yield _Group((0,), tuple(_measurements(table, range(1, len(table.names)), source)))
        return
    starts = [i for n, i in enumerate(columns) if _is_axis(table.names[i])
              and (n == 0 or not _is_axis(table.names[columns[n - 1]]))]  # fmt: skip
    for start, end in zip(starts, [*starts[1:], len(table.names)], strict=True):
        inside = columns[bisect_left(columns, start) : bisect_left(columns, end)]
        axes = [i for i in inside if _is_axis(table.names[i])]
        others = [i for i in inside if not _is_axis(table.names[i])]
        yield _Group(tuple(axes), tuple(_measurements(table, others, source)))


def _has_axis(table: Table) -> bool:
    return any(_is_axis(name) for name in table.names)


def _is_axis(name: str) -> bool:
    """True for a word of an axis, or for any word with a unit of an axis in brackets behind it."""
    bracketed = re.search(r"[\[(]([^\])]+)[\])]\s*$", name)
    return bool(_AXIS.match(name)) or (bracketed is not None and _UNIT_ALONE.match(bracketed[1]) is not None)


def _measurements(table: Table, columns: Sequence[int], source: Source) -> list[int]:
    """These columns without the uncertainties among them."""
    columns = [i for i in columns if not _SIGMA.match(table.names[i])]
    return columns[:1] if source.suffix == ".xye" else columns


def _measured(table: Table, axis: int, column: int, source: Source, several: bool) -> Measured:
    name = table.names[column]
    metadata = {key: value for key, value in table.metadata.items() if key.lower() not in _STATEMENTS}
    if several:
        metadata["column"] = name or f"column {column + 1}"
    unit = _unit(table, axis, source)
    modality = table.metadata.get("modality") or modality_named(table.names[axis]) or _modality_of_header(table)
    return Measured(
        x=table.values[:, axis], y=table.values[:, column], lines=table.lines, unit=unit,
        modality=modality or modality_of_absorption(unit, name), laser_nm=_number(table, "laser_nm", source),
        xray_angstrom=_number(table, "xray_angstrom", source), metadata=metadata,
        notes=table.notes,
        named=_is_axis(table.names[axis]) or len(table.names) == 2,
    )  # fmt: skip


def _chosen_axis(table: Table, group: _Group, source: Source) -> int:
    """Of several axis columns the one of the modality: Raman shift for Raman, wavelength for what is usual in nm."""
    modality = source.modality or next((m for i in group.axes if (m := modality_named(table.names[i]))), None)
    by_name = [i for i in group.axes if modality and modality_named(table.names[i]) == modality]
    by_unit = [i for i in group.axes if modality and unit_named(table.names[i]) == USUAL_UNIT.get(modality)]
    return (by_name or by_unit or list(group.axes))[0]


def _unit(table: Table, axis: int, source: Source) -> Unit | None:
    stated = {key.lower(): value for key, value in table.metadata.items()}
    if stated.get("unit") in get_args(Unit):
        return next(unit for unit in get_args(Unit) if unit == stated["unit"])
    named = unit_named(table.names[axis]) if _is_axis(table.names[axis]) else None
    in_key = (unit_named(key) for key in stated if _UNIT_IN_KEY.match(key))
    return (
        named
        or next(in_key, None)
        or next((unit for key in _UNIT_KEYS if key in stated and (unit := unit_named(stated[key]))), None)
    )


def _modality_of_header(table: Table) -> str | None:
    stated = {key.lower(): value for key, value in table.metadata.items()}
    return next((m for key in ("data type", "technique") if (m := modality_named(stated.get(key, "")))), None)


_STATEMENTS = ("modality", "unit", "laser_nm", "xray_angstrom")


def _number(table: Table, key: str, source: Source) -> float | None:
    try:
        return float(table.metadata[key]) if key in table.metadata else None
    except ValueError as error:
        raise source.refused(f"{key} is {table.metadata[key]!r}", "write a number in the header") from error


def _left_out(table: Table, source: Source) -> tuple[str, ...]:
    sigma = any(_SIGMA.match(name) for name in table.names) or (source.suffix == ".xye" and len(table.names) > 2)
    return ("Left out a column of uncertainties.",) if sigma else ()
