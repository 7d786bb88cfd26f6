"""From two columns as a file gave them to a Spectrum: mended with a note, or refused with one error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import USUAL_UNIT, SpectralAxis, Unit
from lineshape.errors import AxisError
from lineshape.readers._source import Source
from lineshape.readers._words import laser_named
from lineshape.spectrum import Spectrum

REPEATS = 0.1  # where more points than this repeat an earlier one, the column is no axis
DISORDER = 0.1  # where more steps than this run against the others, an unnamed column is no axis
FARTHEST = 1e9  # no axis of any modality reaches beyond this


@dataclass(frozen=True)
class Measured:
    """Two columns of numbers and what their file says about them.

    `x` and `y` are float64 [n], possibly with NaN where a cell was blank; `lines` int [n] is the line of each
    row in the file, where rows have lines; `named` is True where the file itself names the first as the axis.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    modality: str | None = None
    unit: Unit | None = None
    laser_nm: float | None = None
    xray_angstrom: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lines: NDArray[np.int64] | None = None
    named: bool = False

    def rows(self, index: NDArray[np.intp] | NDArray[np.bool_], note: str) -> Measured:
        """These rows only, with a note on what became of the others."""
        lines = None if self.lines is None else self.lines[index]
        return replace(self, x=self.x[index], y=self.y[index], lines=lines, notes=(*self.notes, note))

    def line(self, row: int) -> int | None:
        """The line of a row in the file."""
        return None if self.lines is None else int(self.lines[row])


def to_spectrum(measured: Measured, source: Source) -> Spectrum:
    """Mend what can be mended and note it; refuse the rest.

    Raises
    ------
    ReadError
        If the modality is neither stated nor given, if a number inside is not finite, or if the first column
        is not an axis.
    """
    modality = source.modality or measured.modality
    if modality is None:
        raise source.refused("the file does not say what was measured", "pass modality, such as modality='raman'")
    measured = _stated(_ordered(_without_zeros(_finite(measured, source)), source), source)
    return _built(measured, modality, source)


def _finite(measured: Measured, source: Source) -> Measured:
    """Drop rows without numbers at both ends; refuse them inside."""
    good = np.isfinite(measured.x) & np.isfinite(measured.y)
    if not good.any():
        raise source.refused("no row holds two numbers", "a spectrum needs an axis and intensities")
    first, last = int(np.argmax(good)), len(good) - int(np.argmax(good[::-1]))
    if not good[first:last].all():
        row = first + int(np.argmin(good[first:last]))
        raise source.refused(f"{_bad_value(measured, row)} stands among the numbers",
                             "mend or remove that row", measured.line(row))  # fmt: skip
    dropped = len(good) - (last - first)
    if not dropped:
        return measured
    return measured.rows(np.arange(first, last), f"Dropped {_rows(dropped)} without numbers at the ends.")


def _without_zeros(measured: Measured) -> Measured:
    """Drop the rows of 0, 0 that some exports are padded with."""
    zero = (measured.x == 0) & (measured.y == 0)
    padding = len(zero) if zero.all() else int(np.argmin(zero[::-1]))
    kept = len(zero) - padding
    # one such row is padding only if an axis that rose to a positive value falls back to it
    falls_back = kept >= 2 and measured.x[kept - 1] > max(measured.x[kept - 2], 0)
    if kept < 2 or not padding or (padding == 1 and not falls_back):
        return measured
    return measured.rows(np.arange(kept), f"Dropped {_rows(padding)} of 0, 0 at the end.")


def _ordered(measured: Measured, source: Source) -> Measured:
    """Sort an axis that runs back and average points measured twice."""
    _check_range(measured, source)
    steps = np.sign(np.diff(measured.x))
    if not len(steps) or (steps > 0).all() or (steps < 0).all():
        return measured
    falling = steps.sum() < 0
    against = np.mean(steps == (1 if falling else -1))
    if against > DISORDER and not measured.named:
        row = int(np.argmax(steps == (1 if falling else -1))) + 1
        raise source.refused(
            "the first column neither rises nor falls, so it is no axis",
            "put the axis first, or name its column (such as 'wavenumber [cm-1]')",
            measured.line(row),
        )
    if against:
        note = f"Sorted an axis that ran back at {_points(int((steps == (1 if falling else -1)).sum()))}."
        order = np.argsort(-measured.x if falling else measured.x, kind="stable")
        measured = measured.rows(order, note)
    return _averaged(measured, source)


def _check_range(measured: Measured, source: Source) -> None:
    far = np.abs(measured.x) > FARTHEST
    if far.any():
        row = int(np.argmax(far))
        raise source.refused(f"{measured.x[row]:g} is no position on an axis", "put the axis first", measured.line(row))
    if len(measured.x) < 2:
        raise source.refused("only one point", "a spectrum needs at least two", measured.line(0))


def _averaged(measured: Measured, source: Source) -> Measured:
    starts = np.concatenate([[True], np.diff(measured.x) != 0])
    repeated = int((~starts).sum())
    if not repeated:
        return measured
    differing = int((~starts[1:] & (np.diff(measured.y) != 0)).sum())  # a row written twice does no harm
    if differing > max(1, REPEATS * len(starts)) or starts.sum() < 2:
        raise source.refused(f"{repeated} of {len(starts)} axis points repeat another",
                             "several spectra one below the other, or decimal commas between comma separators? "
                             "export one spectrum with semicolons", measured.line(int(np.argmin(starts))))  # fmt: skip
    counts = np.diff(np.concatenate([np.flatnonzero(starts), [len(starts)]]))
    with np.errstate(over="ignore"):  # an overflowing sum is refused below as not finite
        means = np.add.reduceat(measured.y, np.flatnonzero(starts)) / counts
    note = f"Averaged the intensities of {_points(repeated)} measured twice."
    return replace(measured.rows(starts, note), y=means)


def _stated(measured: Measured, source: Source) -> Measured:
    """Note what was assumed because the file did not state it."""
    notes = list(measured.notes)
    if source.modality and measured.modality and source.modality != measured.modality:
        notes.append(f"The file says {measured.modality}; read as {source.modality}, as asked.")
    modality = source.modality or measured.modality or ""
    if source.unit and measured.unit and source.unit != measured.unit:
        notes.append(f"The file says {measured.unit}; read as {source.unit}, as asked.")
    unit = source.unit or measured.unit
    if unit is None and modality in USUAL_UNIT:
        unit = USUAL_UNIT[modality]
        notes.append(f"The file states no unit; took {unit}, the usual one of {modality}.")
    return replace(measured, unit=unit, notes=tuple(notes))


def _built(measured: Measured, modality: str, source: Source) -> Spectrum:
    laser = measured.laser_nm
    if laser is None and modality in ("raman", "fluorescence"):
        laser = laser_named(measured.metadata)
    try:
        axis = SpectralAxis.of(
            measured.x, modality, measured.unit, laser_nm=laser, xray_angstrom=measured.xray_angstrom
        )
    except AxisError as error:
        raise source.refused(str(error), "pass another modality or name the unit in the header") from error
    if not np.isfinite(measured.y).all():
        raise source.refused("the intensities overflow", "scale them down")
    metadata = {key: _on_one_line(value) for key, value in measured.metadata.items()}
    return Spectrum(measured.y, axis, metadata, measured.notes)


def _on_one_line(text: str) -> str:
    joined = " ".join(text.split())
    return text if joined == text else joined  # spectra of one file share what it says of all of them


def _bad_value(measured: Measured, row: int) -> str:
    pair = [value for value in (measured.x[row], measured.y[row]) if not np.isfinite(value)]
    return "a blank or a NaN" if np.isnan(pair[0]) else "an infinite number"


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n} rows"


def _points(n: int) -> str:
    return "1 point" if n == 1 else f"{n} points"
