"""How a text file writes its numbers: the separator between cells and the decimal mark."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

SAMPLE = 400  # lines looked at, spread over the file


@dataclass(frozen=True)
class Dialect:
    """A separator (None for white space) and a decimal mark."""

    separator: str | None
    decimal: str = "."

    def cells(self, line: str) -> list[str]:
        """The cells of a line, stripped; quoted cells keep their separators."""
        if self.separator is None:
            return line.split()
        if '"' in line:
            return [cell.strip() for cell in self._unquoted(line)]
        return [cell.strip() for cell in line.split(self.separator)]

    def numbers(self, line: str) -> list[float] | None:
        """The numbers of a line, NaN for blank cells; None unless it holds two cells or more and all are numbers."""
        cells = self.cells(line)
        if len(cells) < 2 or "_" in line:
            return None
        if self.decimal == ",":
            if "." in line:
                return None
            cells = [cell.replace(",", ".") for cell in cells]
        try:
            numbers = [float(cell) if cell else float("nan") for cell in cells]
        except ValueError:
            return None
        return numbers if any(cells) else None

    def _unquoted(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=self.separator or ","))
        except csv.Error:
            return [line]


# Ties go to the first: a comma between digits is a separator unless only a decimal comma explains the lines.
DIALECTS = (Dialect(";"), Dialect("\t"), Dialect(","), Dialect(None),
            Dialect(";", ","), Dialect("\t", ","), Dialect(None, ","))  # fmt: skip


def sniff(lines: Sequence[str]) -> Dialect:
    """The dialect in which most lines are rows of numbers."""
    stride = max(1, len(lines) // SAMPLE)
    sample = lines[::stride] if stride > 1 else lines
    return max(DIALECTS, key=lambda dialect: sum(dialect.numbers(line) is not None for line in sample))
