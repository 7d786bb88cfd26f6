"""Tables that hold a spectrum a row: the first row is the axis, leading columns describe the sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lineshape.readers._dialect import Dialect
from lineshape.readers._mend import Measured, to_spectrum
from lineshape.readers._source import Source
from lineshape.readers._table import header_entries
from lineshape.readers._words import laser_named, modality_named, unit_named
from lineshape.spectrum import Spectrum

FEWEST = 16  # a header row of fewer rising numbers is more likely a row of data
_SEPARATORS = (Dialect("\t"), Dialect(";"), Dialect(","))
_LOOKED_AT = 200  # lines in which the axis row must come


def is_row_table(source: Source) -> bool:
    """True if a row of strictly rising or falling numbers stands above rows of as many cells."""
    return (
        source.is_text
        and not source.text.startswith("# modality:")
        and _found(source.text.split("\n", _LOOKED_AT + 1)) is not None
    )


def read_rows(source: Source) -> list[Spectrum]:
    """Every row as a spectrum; the cells before the numbers become its metadata."""
    lines = source.text.split("\n")
    found = _found(lines)
    if found is None:
        raise source.refused("no row that could be an axis", "put the axis into the first row")
    dialect, at, lead = found
    head = dialect.cells(lines[at])
    common = header_entries(lines[:at])
    axis = np.array([float(cell) for cell in head[lead:]])
    unit = unit_named(common.get("AxisUnit[1]", ""))
    source.check_count(sum(1 for line in lines[at + 1 :] if line.strip()))
    spectra = []
    for number, line in enumerate(lines[at + 1 :], start=at + 2):
        if line.strip():
            y = _numbers(dialect, line, lead, len(head), source, number)
            described = {"column": f"row {number - at - 1}"} | dict(
                zip(head[:lead], dialect.cells(line)[:lead], strict=True)
            )
            spectra.append(
                Measured(
                    axis,
                    y,
                    metadata=common | _named(described),
                    unit=unit,
                    named=True,
                    modality=modality_named(common.get("DATA TYPE", "")),
                    laser_nm=laser_named(common),
                )
            )
    return [to_spectrum(measured, source) for measured in spectra]


def _found(lines: Sequence[str]) -> tuple[Dialect, int, int] | None:
    """The dialect, the index of the axis row and the number of leading cells."""
    for at, line in enumerate(lines[:_LOOKED_AT]):
        for dialect in _SEPARATORS:
            lead = _lead(dialect.cells(line)) if line.count(dialect.separator or "") >= FEWEST - 1 else None
            if lead is not None and _fits(dialect, lines[at + 1 : at + 20], lead, len(dialect.cells(line))):
                return dialect, at, lead
    return None


def _lead(cells: list[str]) -> int | None:
    """How many cells stand before the axis; None if the row is no axis."""
    numeric = [_is_number(cell) for cell in cells]
    lead = len(cells) - (numeric[::-1].index(False) if False in numeric else len(cells))
    values = np.array([float(cell) for cell in cells[lead:]])
    if len(values) < FEWEST or any(unit_named(cell) for cell in cells[:lead]):
        return None
    steps = np.diff(values)
    numbered = values[0] in (0, 1) and (steps == 1).all()  # samples counted from 0 or 1
    return lead if ((steps > 0).all() or (steps < 0).all()) and not numbered else None


def _fits(dialect: Dialect, below: Sequence[str], lead: int, width: int) -> bool:
    """True if the rows below are as wide, and their first column is not itself a rising axis."""
    rows = [dialect.cells(line) for line in below if line.strip()]
    if not rows or any(len(row) != width or not all(map(_is_number, row[lead:])) for row in rows):
        return False
    first = np.array([float(row[0]) for row in rows]) if lead == 0 else np.zeros(1)
    return len(rows) < 3 or not ((np.diff(first) > 0).all() or (np.diff(first) < 0).all()) or lead > 0


def _numbers(dialect: Dialect, line: str, lead: int, width: int, source: Source, number: int) -> NDArray[np.float64]:
    cells = dialect.cells(line)
    if len(cells) != width or not all(map(_is_number, cells[lead:])):
        raise source.refused(f"not the {width - lead} numbers of the axis", "mend or remove that row", number)
    return np.array([float(cell) for cell in cells[lead:]])


def _named(described: dict[str, str]) -> dict[str, str]:
    return {key or "position": value for key, value in described.items() if value}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
