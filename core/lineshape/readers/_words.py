"""The words by which files name a unit, a modality or a laser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar

from lineshape.axis import Unit

Named = TypeVar("Named", bound=str)

# In this order: the first that is found wins, so that "Raman shift (nm)" would be nm and a bare "Raman shift" cm-1.
_UNITS: Final[tuple[tuple[str, Unit], ...]] = (
    (r"cm\s*\^?\s*\{?\(?\s*[-−]\s*[1¹]|cm⁻¹|/\s*cm\b|\bicm\b|wavenumbers?\b|\bshift\b|raman[\s_]*shift", "cm-1"),
    (r"2[\s_-]*theta|two[\s_-]*theta|2\s*[θΘ]|\bdeg(rees)?\b.*theta", "deg 2theta"),
    (r"\bthz\b|tera\s*hertz", "THz"),
    (r"\bm\s*/\s*z\b", "m/z"),
    (r"(?<![a-z])(um|µm|μm)(?![a-z])|micro-?met(er|re)s?|\bmicrons?\b", "um"),
    (r"\bangstroms?\b|å|\bd[\s_-]*spacing", "angstrom"),
    (r"(?<![a-z])nm(?![a-z])|nano-?met(er|re)s?|wave-?lengths?\b", "nm"),
    (r"(?<![a-z])ev(?![a-z])|electron\s*volts?", "eV"),
)  # fmt: skip
_EXPLICIT = re.compile(r"[\[(]([^\])]+)[\])]")

_MODALITIES: Final[tuple[tuple[str, str], ...]] = (
    (r"raman", "raman"),
    (r"near[\s-]*infra-?red|\bnir\b", "nir"),
    (r"infra-?red|\bft-?ir\b|\bir\b|\batr\b", "ir"),
    (r"x-?ray\s*(powder\s*)?diffraction|powder\s*diffraction|\bxrd\b|2[\s_-]*theta|two[\s_-]*theta|2\s*[θΘ]", "xrd"),
    (r"uv\s*[-/]?\s*vis|ultra-?violet", "uv-vis"),
    (r"fluorescence|photoluminescence", "fluorescence"),
    (r"tera\s*hertz|\bthz\b", "thz"),
    (r"maldi", "maldi"),
)
_ABSORPTION = re.compile(r"absorb|transmi|reflect|%\s*[tr]\b", re.IGNORECASE)
_LASER_KEY = re.compile(r"laser|excitation|^wl$", re.IGNORECASE)
_NOT_WAVELENGTH = re.compile(r"power|current|level|pol\b|pol\.|%|filter", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


def unit_named(text: str) -> Unit | None:
    """The unit that a column name or a label states: first in brackets, then anywhere."""
    bracketed = [unit for inside in _EXPLICIT.findall(text) if (unit := _first(_UNITS, inside))]
    return bracketed[0] if bracketed else _first(_UNITS, text)


def modality_named(text: str) -> str | None:
    """The modality that a label, a column name or a file name states."""
    return _first(_MODALITIES, text)


def modality_of_absorption(unit: Unit | None, intensity: str) -> str | None:
    """Infrared, where a column of absorbance, transmittance or reflectance stands over wavenumbers."""
    return "ir" if unit == "cm-1" and _ABSORPTION.search(intensity) else None


def laser_named(metadata: Mapping[str, str]) -> float | None:
    """The excitation wavelength in nm that the metadata state, where one between 150 and 2000 nm is found."""
    for key, value in metadata.items():
        number = _NUMBER.search(value)
        if number and _LASER_KEY.search(key) and not _NOT_WAVELENGTH.search(key):
            wavelength = float(number.group().replace(",", "."))
            if 150 < wavelength < 2000:
                return wavelength
    return None


def _first(table: tuple[tuple[str, Named], ...], text: str) -> Named | None:
    return next((word for pattern, word in table if re.search(pattern, text, re.IGNORECASE)), None)
