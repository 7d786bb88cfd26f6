"""Files as people and instruments write them become spectra.

The table below is the table of contents: for each format, how its content is recognised and who reads it. The
first that recognises a file reads it; a new format is one module and one row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from lineshape.axis import Unit
from lineshape.errors import ReadError
from lineshape.readers._jcamp import is_jcamp, read_jcamp
from lineshape.readers._numpy import is_npy, is_npz, read_npy, read_npz
from lineshape.readers._opus import is_opus, read_opus
from lineshape.readers._rows import is_row_table, read_rows
from lineshape.readers._rruff import is_rruff, read_rruff
from lineshape.readers._source import Source
from lineshape.readers._text import is_own_table, read_table
from lineshape.readers._vendor import CLOSED
from lineshape.readers._wdf import is_wdf, read_wdf
from lineshape.spectrum import Spectrum

__all__ = ["FORMATS", "MAX_BYTES", "Format", "parse_spectra", "read_spectra", "read_spectrum"]

MAX_BYTES = 64 << 20  # a file larger than this is refused before it is read


@dataclass(frozen=True)
class Format:
    """One row of the table: the name of a format, its sniffer and its reader."""

    name: str
    recognises: Callable[[Source], bool]
    read: Callable[[Source], list[Spectrum]]


FORMATS: tuple[Format, ...] = (
    Format("CSV of our own writer", is_own_table, read_table),
    Format("NumPy array", is_npy, read_npy),
    Format("NumPy archive", is_npz, read_npz),
    Format("Renishaw WDF", is_wdf, read_wdf),
    Format("Bruker OPUS", is_opus, read_opus),
    *(Format(closed.name, closed.recognises, closed.refuse) for closed in CLOSED),
    Format("RRUFF text", is_rruff, read_rruff),
    Format("JCAMP-DX", is_jcamp, read_jcamp),
    Format("text table, a spectrum a row", is_row_table, read_rows),
    Format("text table", lambda source: True, read_table),
)


def read_spectrum(path: Path | str, modality: str | None = None, *, column: str | None = None) -> Spectrum:
    """Read the spectrum of a file.

    Parameters
    ----------
    path : Path or str
    modality : str, optional
        ``raman``, ``ir``, ``xrd`` and so on; needed where the file does not say, and preferred where it does.
    column : str, optional
        Which intensity column to take, where the file holds several.

    Returns
    -------
    Spectrum
        Intensities in float64; what was mended stands in its `notes`.

    Raises
    ------
    ReadError
        If the file is missing, too large, of no known format, damaged, or holds several spectra and `column` names
        none of them.
    """
    spectra = read_spectra(path, modality)
    if column is not None:
        names = [s.metadata.get("column", "") for s in spectra]
        if column not in names:
            raise ReadError(f"{Path(path).name}: no column {column!r}; there is {_listed(names)}")
        return spectra[names.index(column)]
    if len(spectra) > 1:
        names = [s.metadata.get("column", "") for s in spectra]
        raise ReadError(f"{Path(path).name}: the file holds {len(spectra)} spectra ({_listed(names)}); "
                        "name one as column, or use read_spectra")  # fmt: skip
    return spectra[0]


def read_spectra(path: Path | str, modality: str | None = None) -> list[Spectrum]:
    """Read every spectrum of a file; see `read_spectrum`."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReadError(f"{path}: {error.strerror or error}; check the path") from error
    return parse_spectra(content, path.name, modality)


def parse_spectra(content: bytes, name: str, modality: str | None = None, unit: Unit | None = None,
                  most: int | None = None) -> list[Spectrum]:  # fmt: skip
    """Read every spectrum of a file that is already in memory, such as an upload.

    Parameters
    ----------
    content : bytes
        The whole file.
    name : str
        Its name; the ending decides only where the content does not.
    modality : str, optional
        As in `read_spectrum`.
    unit : str, optional
        Of the axis; as `modality`, needed where the file does not say, and preferred where it does.
    most : int, optional
        Spectra that are taken of a file; one with more is refused before they are made.

    Returns
    -------
    list of Spectrum
        One or more.

    Raises
    ------
    ReadError
        As in `read_spectrum`, and if there are more spectra than `most`.
    MissingExtra
        If the format needs the packages of the extra 'instruments'.
    """
    source = Source(content, name, modality, unit, most)
    if len(content) > MAX_BYTES:
        raise source.refused(f"larger than {MAX_BYTES >> 20} MiB", "split it")
    if not content.strip(b"\x00 \t\r\n\xef\xbb\xbf"):
        raise source.refused("the file is empty", "export it again")
    reader = next(row for row in FORMATS if row.recognises(source))
    return _told_apart(reader.read(source))


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:12] if name) + (", ..." if len(names) > 12 else "") or "one, unnamed"


def _told_apart(spectra: list[Spectrum]) -> list[Spectrum]:
    """Columns of one name are numbered, so that each can be asked for."""
    names = [spectrum.metadata.get("column", "") for spectrum in spectra]
    bearers, numbers = Counter(names), defaultdict[str, Iterator[int]](lambda: count(1))
    return [
        replace(spectrum, metadata={**spectrum.metadata, "column": f"{name} ({next(numbers[name])})"})
        if name and bearers[name] > 1
        else spectrum
        for name, spectrum in zip(names, spectra, strict=True)
    ]
