"""RRUFF text: '##KEY=value' lines above comma or tab pairs, or pairs alone under a RRUFF file name.

Raman and diffraction files carry a header, infrared files none; the file name tells the modality, the laser, the
RRUFF id and whether the scan is raw or processed (rruff.info, "About the data").
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath

from lineshape.axis import CU_K_ALPHA
from lineshape.readers._mend import Measured, to_spectrum
from lineshape.readers._source import Source
from lineshape.readers._table import find_table
from lineshape.spectrum import Spectrum

_FILE_NAME = re.compile(r"^(?P<mineral>[^_]+)__(?P<id>R\d{6})(-\d+)?__(?P<rest>.+)$")
_ENTRY = re.compile(r"^##([^=]+)=(.*)$")
_LASERS = re.compile(r"(?:^|__|_)(514|532|780|785)(?:_|$)")


def is_rruff(source: Source) -> bool:
    """True for the header of RRUFF, or numbers under a RRUFF file name."""
    if not source.is_text:
        return False
    head = source.text[:4000].upper()
    return ("##RRUFFID=" in head and "##JCAMP" not in head) or bool(_FILE_NAME.match(PurePath(source.name).name))


def read_rruff(source: Source) -> list[Spectrum]:
    """The one spectrum of a RRUFF file."""
    stem = PurePath(source.name).stem
    metadata = _file_name(stem) | _header(source.text)
    body = "\n".join("" if line.startswith("##") else line for line in source.text.split("\n"))
    table = find_table(replace(source, content=body.encode()))
    if table.values.shape[1] != 2:
        raise source.refused(f"{table.values.shape[1]} columns", "a RRUFF file holds pairs", int(table.lines[0]))
    modality = source.modality or _modality(stem, metadata)
    laser = _LASERS.search(stem.partition("__Raman")[2]) if modality == "raman" else None
    wavelength, assumed = _xray(metadata) if modality == "xrd" else (None, ())
    measured = Measured(
        x=table.values[:, 0], y=table.values[:, 1], lines=table.lines, modality=modality, metadata=metadata,
        unit="deg 2theta" if modality == "xrd" else "cm-1", laser_nm=float(laser[1]) if laser else None,
        xray_angstrom=wavelength, notes=table.notes + assumed, named=True,
    )  # fmt: skip
    return [to_spectrum(measured, source)]


def _header(text: str) -> dict[str, str]:
    entries = (match for line in text.split("\n") if (match := _ENTRY.match(line)))
    return {match[1].strip(): match[2].strip() for match in entries if match[2].strip()}


def _file_name(stem: str) -> dict[str, str]:
    found = _FILE_NAME.match(stem)
    if found is None:
        return {}
    state = re.search(r"Data_(RAW|Processed)", found["rest"])
    known = {"NAMES": found["mineral"], "RRUFFID": found["id"]}
    return known | ({"processing": state[1]} if state else {})


def _modality(stem: str, metadata: dict[str, str]) -> str | None:
    if "X-RAY WAVELENGTH" in metadata or "__Powder__" in stem or "XY_Processed" in stem or "XY_RAW" in stem:
        return "xrd"
    if "__Infrared__" in stem:
        return "ir"
    return "raman" if "__Raman__" in stem or "Raman_Data" in stem else None


def _xray(metadata: dict[str, str]) -> tuple[float, tuple[str, ...]]:
    stated = re.search(r"\d\.\d+", metadata.get("X-RAY WAVELENGTH", ""))
    if stated:
        return float(stated.group()), ()
    return CU_K_ALPHA, (f"The file states no X-ray wavelength; took {CU_K_ALPHA} angstrom, copper K-alpha.",)
