"""The points of one JCAMP-DX table, checked against what the block declares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lineshape.readers._asdf import AsdfError, DataLine, decode
from lineshape.readers._source import Source

if TYPE_CHECKING:
    from lineshape.readers._jcamp import Block

Points = tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]

FIRST_Y = 0.01  # FIRSTY is often rounded in print; a larger share of the range than this is noted
_DECIMAL_COMMA = re.compile(r"^\s*[-+]?\d+,\d+\s*$")


def points(block: Block, source: Source, most: int) -> Points:
    """Abscissas and ordinates of a block in its units, and notes on what its header got wrong.

    Raises
    ------
    ReadError
        If a line does not decode, if a Y-check or the abscissa of a line does not fit, if NPOINTS points
        are not there, or if there are more than `most`.
    """
    if not re.search(r"\+\+", block.form):
        return _pairs(block, source)
    return _equidistant(block, source, most)


def _equidistant(block: Block, source: Source, most: int) -> Points:
    """``(X++(Y..Y))``: an evenly spaced axis from FIRSTX to LASTX."""
    declared = _number(block, "NPOINTS", source)
    values: list[float] = []
    starts: list[tuple[int, float, int]] = []  # line, its abscissa, the point that it stands for
    notes: tuple[str, ...] = ()
    difference = False
    for number, text in enumerate(block.data, start=block.line + 1):
        if not text.strip():
            continue
        line = _decoded(text, number, source, most + 1 - len(values))  # a Y-check is no point
        if difference and len(values) == declared and len(line.y) == 1 and not _fits(values, line):
            notes = (f"Line {number}, a last Y-check, does not fit: {line.y[0]:g} for {values[-1]:g}.",)
            continue
        fresh = _checked(values, line, number, source) if difference else line.y
        starts.append((number, line.x, len(values) - (len(fresh) < len(line.y))))
        values.extend(fresh)
        difference = line.ends_in_difference
    y = np.array(values) * _factor(block, "YFACTOR", source)
    _check_count(block, len(y), source)
    x = _axis(block, len(y), starts, source)
    _check_abscissas(block, x, starts, source)
    return x, y, notes + _first_y(block, y, source)


def _decoded(text: str, number: int, source: Source, most: int) -> DataLine:
    try:
        return decode(text, most)
    except AsdfError as error:
        raise source.refused(
            f"{error} in {text.strip()[:40]!r}", "the file is damaged; export it again", number
        ) from error


def _checked(values: list[float], line: DataLine, number: int, source: Source) -> list[float]:
    """The ordinates of a line after one in DIF form, without the Y-check that it begins with."""
    if not _fits(values, line):
        raise source.refused(f"the Y-check is {line.y[0]:g} where the line before ends at {values[-1]:g}",
                             "the file is damaged; export it again", number)  # fmt: skip
    return line.y[1:]


def _fits(values: list[float], line: DataLine) -> bool:
    return not line.y or abs(line.y[0] - values[-1]) < 0.5  # ordinates in DIF form are whole numbers


def _axis(block: Block, n: int, starts: list[tuple[int, float, int]], source: Source) -> NDArray[np.float64]:
    first, last, step = (_number(block, label, source) for label in ("FIRSTX", "LASTX", "DELTAX"))
    if first is None:
        first = starts[0][1] * _factor(block, "XFACTOR", source)
    if last is None and step is not None:
        last = first + step * (n - 1)
    if last is None:
        raise source.refused("neither LASTX nor DELTAX is given", "the axis is unknown; export it again", block.line)
    return np.linspace(first, last, n)


def _check_abscissas(
    block: Block, x: NDArray[np.float64], starts: list[tuple[int, float, int]], source: Source
) -> None:
    """Each line begins with its abscissa, printed with a few digits: within a step of where it should be."""
    factor = _factor(block, "XFACTOR", source)
    step = abs(x[-1] - x[0]) / max(1, len(x) - 1)
    for number, stated, point in starts:
        expected = x[min(point, len(x) - 1)]
        # printed abscissas are rounded to 5 or 6 digits or to an integer
        if abs(stated * factor - expected) > step + max(abs(factor), 1e-4 * abs(expected)):
            raise source.refused(f"the line begins at {stated * factor:g} where {expected:g} is due",
                                 "a line is missing or damaged; export the file again", number)  # fmt: skip


def _pairs(block: Block, source: Source) -> Points:
    """``(XY..XY)``: pairs, several on a line, separated by commas, semicolons or white space."""
    comma = any(_DECIMAL_COMMA.match(block.records.get(label, "")) for label in ("FIRSTX", "LASTX", "FIRSTY", "MAXY"))
    numbers: list[float] = []
    for n, text in enumerate(block.data, start=1):
        numbers.extend(_affn(text, comma, block.line + n, source))
    if len(numbers) % 2:
        raise source.refused(
            "an odd number of values in pairs of X and Y", "the file is cut off; export it again", block.line
        )
    table = np.array(numbers, dtype=np.float64).reshape(-1, 2)
    _check_count(block, len(table), source)
    x = table[:, 0] * _factor(block, "XFACTOR", source)
    y = table[:, 1] * _factor(block, "YFACTOR", source)
    return x, y, _first_y(block, y, source) + _ends(block, x, source)


def _affn(text: str, comma: bool, number: int, source: Source) -> list[float]:
    separated = re.sub(r"(?<=\d),(?=\d)", ".", text) if comma else text
    values = re.split(r"[\s,;]+", separated.strip(" \t,;"))
    try:
        return [float(value) for value in values if value]
    except ValueError as error:
        raise source.refused(f"{text.strip()[:40]!r} is not pairs of numbers", "the file is damaged; export it again",
                             number) from error  # fmt: skip


def _check_count(block: Block, n: int, source: Source) -> None:
    declared = _number(block, "NPOINTS", source)
    if not n:
        raise source.refused("the table is empty", "export the file again", block.line)
    if declared is not None and declared != n:
        raise source.refused(f"NPOINTS says {declared:g} points, the table holds {n}",
                             "the file is cut off or damaged; export it again", block.line)  # fmt: skip


def _first_y(block: Block, y: NDArray[np.float64], source: Source) -> tuple[str, ...]:
    stated = _number(block, "FIRSTY", source)
    with np.errstate(over="ignore"):
        off = stated is not None and abs(stated - y[0]) > FIRST_Y * max(np.ptp(y), abs(y[0]))
    return (f"FIRSTY says {stated:g}, the first point is {y[0]:g}.",) if off else ()


def _ends(block: Block, x: NDArray[np.float64], source: Source) -> tuple[str, ...]:
    """Pairs carry their own abscissas, so a wrong FIRSTX or LASTX costs a note only."""
    stated = (("FIRSTX", x[0]), ("LASTX", x[-1]))
    off = [
        (label, value, point)
        for label, point in stated
        if (value := _number(block, label, source)) is not None and abs(value - point) > 1e-3 * max(1.0, abs(point))
    ]
    return tuple(f"{label} says {value:g}, the points {point:g}." for label, value, point in off)


def _factor(block: Block, label: str, source: Source) -> float:
    factor = _number(block, label, source)
    return 1.0 if factor is None else factor


def _number(block: Block, label: str, source: Source) -> float | None:
    text = block.records.get(label, "").strip()
    if not text:
        return None
    try:
        value = float(text.replace(",", ".") if _DECIMAL_COMMA.match(text) else text.split()[0])
    except ValueError as error:
        raise source.refused(
            f"{label} is {text[:40]!r}", "it should be a number; export the file again", block.line
        ) from error
    if not np.isfinite(value):
        raise source.refused(f"{label} is {text[:40]!r}", "it should be finite; export the file again", block.line)
    return value
