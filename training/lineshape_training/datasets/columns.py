"""Files of many spectra as named columns: npz, CSV and Parquet.

In an npz the arrays have names of their own. In a CSV or Parquet table one row is one spectrum: columns whose names are
numbers hold intensities, and their names are the axis; the others keep their names. Where a CSV separates cells by
semicolons or tabs, its numbers may have decimal commas.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.errors import MissingExtra, ReadError
from lineshape.npz import read_npz

Columns: TypeAlias = Mapping[str, NDArray[Any]]

SPECTRA, AXIS = "spectra", "axis"
MOST_BYTES = 1 << 33  # of an npz, unpacked
MISSING = ("", "NA")  # among numbers; R writes the second
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


def read_columns(path: Path | str) -> dict[str, NDArray[Any]]:
    """Every column of a file; for a CSV or Parquet table also `spectra` [n, L] and `axis` [L].

    Raises
    ------
    ReadError
        If the file is none of these, or damaged; the message names the line or the column.
    MissingExtra
        For Parquet without pyarrow.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from None
    return dict(_reader(content)(content, str(path)))


def _reader(content: bytes) -> Callable[[bytes, str], Columns]:
    if content.startswith(b"PK"):
        return lambda content, name: read_npz(content, name, MOST_BYTES)
    return _read_parquet if content.startswith(b"PAR1") else _read_csv


def _read_csv(content: bytes, name: str) -> Columns:
    if b"\0" in content[:4096]:
        raise ReadError(f"{name}: no table of spectra; give npz, CSV or Parquet with one spectrum in a row")
    lines = _lines(_decoded(content), name)
    if len(lines) < 2:
        raise ReadError(
            f"{name}: a table has a line of column names and a line for each spectrum; this has {len(lines)}"
        )
    (_, head), *rows = lines
    if twice := [column for column in head if column and head.count(column) > 1]:
        raise ReadError(f"{name}, line 1: two columns are named {twice[0]!r}; rename one")
    for number, row in rows:
        if len(row) != len(head):
            raise ReadError(f"{name}, line {number}: {len(row)} cells under {len(head)} column names")
    cells = zip(*(row for _, row in rows), strict=True)
    return _gathered(dict(zip(head, map(_column, cells), strict=True)), name)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # every name stays one of its own, whatever the table of characters was


def _lines(text: str, name: str) -> list[tuple[int, list[str]]]:
    """The stripped cells of every line that has any, with its number in the file."""
    delimiter = max(",;\t", key=text.lstrip("\r\n").partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise ReadError(f"{name}, line {reader.line_num}: {error}; save it as CSV again") from None
    if delimiter != ",":
        lines = [(number, list(map(_with_point, row))) for number, row in lines]
    return [(number, row) for number, row in lines if any(row)]


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _column(cells: tuple[str, ...]) -> NDArray[Any]:
    """Numbers where all cells are numbers or missing, else text."""
    try:
        return np.array([np.nan if cell in MISSING else _number(cell) for cell in cells])
    except ValueError:
        return np.array(cells)


def _read_parquet(content: bytes, name: str) -> Columns:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtra(f"{name}: reading Parquet", "parquet") from None
    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(content))
        columns = {column: np.asarray(table[column]) for column in table.column_names}
    except Exception as error:  # damaged bytes come to light in many ways, some only when a column is looked at
        raise ReadError(f"{name}: a damaged Parquet file ({error}); save it again") from None
    return _gathered(columns, name)


def _gathered(columns: Columns, name: str) -> Columns:
    """The columns named by numbers as one array of spectra with its axis."""
    positions = {column: float(column) for column in columns if _is_number(column)}
    if text := [column for column in positions if columns[column].dtype.kind not in "fiu"]:
        raise ReadError(f"{name}: column {text[0]} holds something that is not a number")
    others = {column: _text(values) for column, values in columns.items() if column not in positions}
    if not positions:
        return others
    return others | {SPECTRA: np.stack([columns[column] for column in positions], axis=1),
                     AXIS: np.array(list(positions.values()))}  # fmt: skip


def _text(values: NDArray[Any]) -> NDArray[Any]:
    """What Parquet holds as objects, as text; empty where there is nothing."""
    return np.array(["" if one is None else str(one) for one in values]) if values.dtype.kind == "O" else values


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(_number(text)))
    except ValueError:
        return False


def _number(text: str) -> float:
    if "_" in text:  # Python reads 1_2 as twelve; here it is a name
        raise ValueError(text)
    return float(text)
