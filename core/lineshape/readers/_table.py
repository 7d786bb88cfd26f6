"""The table of numbers inside a text file: where it begins, what stands above it, what its columns are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from lineshape.readers._dialect import Dialect, sniff
from lineshape.readers._source import Source

Row = tuple[int, list[float]]

MOST_NUMBERS = 1 << 22  # of a file; as Python's they take some forty bytes each
MOST_HEADER = 1 << 17  # characters; every spectrum of the file carries them
_COMMENT = ("#", "%", "//", "!")
_ENTRY = re.compile(r"^[\s#%!/]*([^:=\t;,]{1,80}?)\s*[:=\t;,]+\s*(.*?)[\s;,]*$")
_OWN = re.compile(r"^# ([^:]{1,200}): (.+)$")  # as our writer has it: the value may hold any separator
_UNITS_ROW = re.compile(r"^[\s#]*[\[(][^\])]*[\])]")


@dataclass(frozen=True)
class Table:
    """Numbers with their lines in the file, the names of the columns, and the header.

    `values` is float64 [rows, columns], NaN where a cell was blank; `lines` int [rows]; `names` has one entry a
    column, empty where the file names none.
    """

    values: NDArray[np.float64]
    lines: NDArray[np.int64]
    names: tuple[str, ...]
    metadata: dict[str, str]
    notes: tuple[str, ...] = ()


def find_table(source: Source) -> Table:
    """The longest run of rows of numbers in a text file.

    Raises
    ------
    ReadError
        If there is none, if it is interrupted by a line that is not numbers, or if its rows differ in length.
    """
    lines = source.text.split("\n")
    dialect = sniff(lines)
    runs = list(_runs(lines, dialect, source))
    if not runs:
        raise source.refused(
            "no row of two or more numbers", "a text spectrum needs an axis column and an intensity column"
        )
    body = max(runs, key=len)
    _refuse_interruption(runs, body, lines, source)
    body, notes = _even(body, lines, source)
    first = body[0][0]
    values = np.array([numbers for _, numbers in body], dtype=np.float64)
    header = lines[: first - 1]
    names = _names(header, values.shape[1], dialect)
    entries = header_entries(_above_names(header) if any(names) else header)
    table = Table(values, np.array([line for line, _ in body], dtype=np.int64), names, entries, notes)
    return _without_blank_columns(table)


def _runs(lines: Sequence[str], dialect: Dialect, source: Source) -> Iterator[list[Row]]:
    """Unbroken runs of numeric rows; blank lines and comments break none."""
    run: list[Row] = []
    left = MOST_NUMBERS
    for number, line in enumerate(lines, start=1):
        row = dialect.numbers(line)
        if row is not None:
            left -= len(row)
            if left < 0:
                raise source.refused(f"more than {MOST_NUMBERS} numbers", "split it", number)
            run.append((number, row))
        elif run and line.strip() and not line.lstrip().startswith(_COMMENT):
            yield run
            run = []
    if run:
        yield run


def _refuse_interruption(runs: list[list[Row]], body: list[Row], lines: Sequence[str], source: Source) -> None:
    """Rows as wide as the table, but parted from it by a line that is not numbers, would be lost."""
    width, at = len(body[0][1]), runs.index(body)
    parted = [n for n, run in enumerate(runs) if n != at and len(run[0][1]) == width and _belongs(run, n < at, body)]
    if not parted:
        return
    line = runs[at - 1][-1][0] + 1 if parted[0] < at else body[-1][0] + 1
    while line < len(lines) and not lines[line - 1].strip():
        line += 1
    what = f"{lines[line - 1].strip()[:40]!r} stands among the rows of numbers"
    raise source.refused(what, _advice(lines[line - 1]), line)


def _belongs(run: list[Row], before: bool, body: list[Row]) -> bool:
    """Two numbers in a long header are no row of the table; anything after it is."""
    return not before or len(run) > 1 or body[0][0] - run[-1][0] == 2


def _advice(line: str) -> str:
    if re.search(r"\d,\d", line) and re.search(r"\d\.\d", line):
        return "decimal commas and decimal points are mixed; use one of them throughout"
    if re.search(r"\d[.,]\d", line) and not re.search(r"[A-Za-z]{2}", line):
        return "is its decimal mark another one than in the rest of the file?"
    return "mend or remove that line, or export one spectrum"


def _even(body: list[Row], lines: Sequence[str], source: Source) -> tuple[list[Row], tuple[str, ...]]:
    """The rows, all of one width; a last row that was cut off is dropped with a note."""
    last = body[-1]
    width = len(body[0][1])
    notes: tuple[str, ...] = ()
    if len(body) > 1 and len(last[1]) < width:
        body, notes = body[:-1], (f"Dropped line {last[0]}, which was cut off.",)
    elif _is_cut_off(lines[last[0] :]):
        notes = ("Dropped the last line, which was cut off.",)
    uneven = next((row for row in body if len(row[1]) != width), None)
    if uneven is not None:
        raise source.refused(f"{len(uneven[1])} columns where the first row has {width}",
                             "mend that row, or export with one separator", uneven[0])  # fmt: skip
    return body, notes


def _is_cut_off(rest: Sequence[str]) -> bool:
    rest = [line for line in rest if line.strip()]
    return len(rest) == 1 and re.fullmatch(r"\s*[-+]?[\d.,]+\s*[,;\t]?\s*", rest[0]) is not None


def _names(header: Sequence[str], width: int, dialect: Dialect) -> tuple[str, ...]:
    """The names of the columns: the row just above the numbers, joined with a row of units below it."""
    rows = [line for line in header if line.strip(" \t#")][-2:]
    units = [""] * width
    if len(rows) == 2 and _UNITS_ROW.match(rows[1]) and (found := _cells(rows[1], width, dialect)):
        units = found
        rows = rows[:1]
    names = _cells(rows[-1], width, dialect) if rows and not _OWN.match(rows[-1]) else None
    if names is None:
        return ("",) * width
    return tuple(f"{name} {unit}".strip() for name, unit in zip(names, units, strict=True))


def _above_names(header: Sequence[str]) -> Sequence[str]:
    """The header without the row of names, which would read as an entry."""
    rows = [n for n, line in enumerate(header) if line.strip(" \t#")]
    with_units = len(rows) > 1 and _UNITS_ROW.match(header[rows[-1]])
    return header[: rows[-2] if with_units else rows[-1]]


def _cells(line: str, width: int, dialect: Dialect) -> list[str] | None:
    """The cells of a header row if they fit the columns; lines such as 'Date: today' do not."""
    text = re.sub(r"^[\s]*(#|%|//|!)\s*(ColumnLabels:)?\s*", "", line)
    cells = dialect.cells(text)
    cells = [cell for cell in cells if cell] if "\t\t" in line else cells
    while len(cells) > width and not cells[-1]:
        cells.pop()
    cells += [""] * (width - len(cells) if len(cells) == width - 1 else 0)
    fits = len(cells) == width and bool(cells[0]) and any(cells[1:]) and not re.search(r"[:=]$", cells[0])
    return cells if fits else None


def header_entries(header: Sequence[str]) -> dict[str, str]:
    """The lines above the table that read as 'key: value', with '=', a tab, a semicolon or a comma for ':' too."""
    sizes = accumulate(len(line) for line in header[:1000])
    read = [line for line, size in zip(header, sizes, strict=False) if size <= MOST_HEADER]
    entries = (match for line in read if (match := _OWN.match(line) or _ENTRY.match(line)))
    return {key: " ".join(value.split()) for key, value in (match.groups() for match in entries) if value}


def _without_blank_columns(table: Table) -> Table:
    blank = np.isnan(table.values)
    kept = np.array([not column.all() for column in blank.T])
    names = tuple(name for name, keep in zip(table.names, kept, strict=True) if keep)
    return Table(table.values[:, kept], table.lines, names, table.metadata, table.notes)
