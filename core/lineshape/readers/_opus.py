"""Bruker OPUS files, through brukeropus: each result block as a spectrum, interferograms left out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lineshape.axis import Unit
from lineshape.errors import LineshapeError, MissingExtra
from lineshape.readers._mend import Measured, to_spectrum
from lineshape.readers._source import Source
from lineshape.spectrum import Spectrum

_MAGIC = b"\x0a\x0a\xfe\xfe"
_UNITS: dict[str, Unit] = {"WN": "cm-1", "MI": "um"}  # the codes that OPUS calls DXU
# Result blocks; backgrounds, single channels, phases and interferograms are no spectra of a sample.
_RESULTS = {"a": "ir", "t": "ir", "r": "ir", "km": "ir", "logr": "ir", "atr": "ir", "ra": "raman", "e": "ir"}


def is_opus(source: Source) -> bool:
    """True for the magic of an OPUS file."""
    return source.content.startswith(_MAGIC)


def read_opus(source: Source) -> list[Spectrum]:
    """The result blocks of a file: absorbance, transmittance, reflectance, Raman.

    Raises
    ------
    MissingExtra
        Where brukeropus is not installed.
    """
    try:
        import brukeropus
    except ImportError as error:
        raise MissingExtra("reading Bruker OPUS files", "instruments") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload.0"  # brukeropus reads from a path only
        path.write_bytes(source.content)
        try:
            return _results(brukeropus.read_opus(str(path)), source)
        except LineshapeError:
            raise
        except Exception as error:  # what a foreign parser raises on damaged bytes is open
            raise source.refused(f"a damaged OPUS file ({type(error).__name__})", "in OPUS save it again") from error


def _results(
    file: Any,  # noqa: ANN401 (brukeropus has no types)
    source: Source,
) -> list[Spectrum]:
    keys = [key for key in file.data_keys if key.partition("_")[0] in _RESULTS]
    if not keys:
        raise source.refused(f"no result block among {', '.join(file.data_keys) or 'none'}",
                             "in OPUS save the absorbance or Raman spectrum with the file")  # fmt: skip
    return [to_spectrum(_measured(getattr(file, key), key, len(keys), source), source) for key in keys]


def _measured(
    block: Any,  # noqa: ANN401 (brukeropus has no types)
    key: str,
    count: int,
    source: Source,
) -> Measured:
    unit = _UNITS.get(str(block.dxu))
    if unit is None:
        raise source.refused(f"the axis is in {block.dxu!r}", "in OPUS change the axis to wavenumbers")
    metadata = {"intensity": str(block.label)} | ({"column": str(block.label)} if count > 1 else {})
    x, y = np.asarray(block.x, np.float64), np.asarray(block.y, np.float64)
    if y.ndim != 1:
        raise source.refused(f"a series of {len(y)} spectra", "in OPUS extract single spectra")
    return Measured(x, y, _RESULTS[key.partition("_")[0]], unit, metadata=metadata, named=True)
