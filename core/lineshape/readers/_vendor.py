"""Formats that are known by sight and not read: each is refused with its name and the export to use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lineshape.readers._source import Source
from lineshape.spectrum import Spectrum

_SPC_VERSIONS = frozenset(b"KLM\xcf")


@dataclass(frozen=True)
class Closed:
    """A vendor's format: its name, how it is known, and how to export from the vendor's software."""

    name: str
    recognises: Callable[[Source], bool]
    advice: str

    def refuse(self, source: Source) -> list[Spectrum]:
        """Raise the error that names the format and the export."""
        raise source.refused(f"this looks like {self.name}, which is not read", self.advice)


def _starts(*magic: bytes) -> Callable[[Source], bool]:
    return lambda source: source.content.startswith(magic)


def _holds(*words: bytes) -> Callable[[Source], bool]:
    return lambda source: any(word in source.content[:4096] for word in words)


def _zip_of(*words: bytes) -> Callable[[Source], bool]:
    return lambda source: source.content.startswith(b"PK") and any(word in source.content for word in words)


def _is_spc(source: Source) -> bool:
    return (
        not source.is_text
        and len(source.content) >= 256
        and source.content[1] in _SPC_VERSIONS
        and source.suffix == ".spc"
    )


CLOSED: tuple[Closed, ...] = (
    Closed("HORIBA LabSpec 6 (.l6s)", _starts(b"LabSpec6"), "in LabSpec use File > Save as > Text (.txt)"),
    Closed("HORIBA LabSpec XML", _holds(b"<LSX_Data"), "in LabSpec use File > Save as > Text (.txt)"),
    Closed("Thermo OMNIC (.spa)", _starts(b"Spectral Data File"), "in OMNIC save as JCAMP-DX (.dx) or CSV"),
    Closed("Galactic SPC", _is_spc, "export as JCAMP-DX or as text (CSV)"),
    Closed("PerkinElmer (.sp)", _starts(b"PEPE"), "in Spectrum save as ASCII (.asc) or CSV"),
    Closed("Andor SIF", _starts(b"Andor Technology"), "in Solis export as ASCII (.asc)"),
    Closed("Avantes AvaSoft binary", lambda s: s.suffix in (".trm", ".roh", ".drk", ".ref", ".abs", ".raw8", ".trt8")
           and not s.is_text, "in AvaSoft use File > Convert > To ASCII"),
    Closed("TriVista (.tvf)", _holds(b"TriVista-File"), "export as ASCII"),
    Closed("PANalytical XRDML", _holds(b"<xrdMeasurements"), "export as text of two columns (.xy or .csv)"),
    Closed("Bruker RAW diffraction", _starts(b"RAW1.0", b"RAW2", b"RAW4", b"RAW "), "in DIFFRAC.EVA export as .xy"),
    Closed("Bruker BRML diffraction data", _zip_of(b"MeasurementContainer.xml"), "in DIFFRAC.EVA export as .xy"),
    Closed("Rigaku RASX diffraction data", _zip_of(b"Data0/Profile"), "in SmartLab Studio export as text (.txt)"),
    Closed("Renishaw depth series or stream (.wxd)", _starts(b"#WXD"), "in WiRE save as .wdf or as text (.txt)"),
    Closed("an Excel workbook", _zip_of(b"xl/workbook.xml"), "save the sheet as CSV"),
    Closed("an old Excel workbook or another Office file", _starts(b"\xd0\xcf\x11\xe0"), "save the sheet as CSV"),
    Closed("a MATLAB file", _starts(b"MATLAB 5.0"), "save axis and intensities as text"),
    Closed("an HDF5 file", _starts(b"\x89HDF"), "save axis and intensities as text or npz"),
    Closed("a picture or a PDF", _starts(b"\x89PNG", b"\xff\xd8\xff", b"%PDF", b"II*\x00", b"GIF8"), "export numbers"),
    Closed("a zip archive", _starts(b"PK\x03\x04"), "unpack it first"),
    Closed("an XML file", _starts(b"<?xml", b"\xef\xbb\xbf<?xml"), "export as text (CSV) or JCAMP-DX"),
)  # fmt: skip
