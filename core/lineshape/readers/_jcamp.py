"""JCAMP-DX files: labelled records, blocks inside blocks, and the tables of data.

McDonald and Wilks, Applied Spectroscopy 42 (1988) 151 (JCAMP-DX 4.24); Lampen and others, Applied Spectroscopy
53 (1999) 1 (JCAMP-DX 5).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from lineshape.readers import _jcamp_data
from lineshape.readers._asdf import MOST_POINTS
from lineshape.readers._mend import Measured, to_spectrum
from lineshape.readers._source import Source
from lineshape.readers._words import modality_named, unit_named
from lineshape.spectrum import Spectrum

_RECORD = re.compile(r"^\s*##([^=]*)=(.*)$")
_TABLES = ("XYDATA", "XYPOINTS", "PEAKTABLE", "PEAKASSIGNMENTS", "DATATABLE", "RADATA")
_STRUCTURE = {"JCAMPDX", "NPOINTS", "XFACTOR", "YFACTOR", "FIRSTX", "LASTX", "DELTAX", "FIRSTY", "MAXY", "MINY",
              "MAXX", "MINX", "XUNITS", "BLOCKS", "BLOCKID", "DATACLASS"}  # fmt: skip


@dataclass
class Block:
    """The records of one block by their folded labels, their further lines, its table, and where that begins."""

    records: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    table: str | None = None
    form: str = ""
    line: int = 0
    further: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    data: list[str] = field(default_factory=list)
    ended: bool = False


def is_jcamp(source: Source) -> bool:
    """True if the first record is a title, or a JCAMP-DX version stands among the first records."""
    if not source.is_text:
        return False
    head = source.text[:4000].upper()
    return bool(re.match(r"\s*(\$\$[^\n]*\n\s*)*##\s*TITLE\s*=", head) or re.search(r"##\s*JCAMP-?\s?DX\s*=", head))


def read_jcamp(source: Source) -> list[Spectrum]:
    """Every block with a table of data as a spectrum."""
    blocks = [block for block in _blocks(source) if block.table is not None]
    if not blocks:
        raise source.refused("a JCAMP-DX file without a table of data", "export it with XYDATA or XYPOINTS")
    source.check_count(len(blocks))
    spectra, left = [], MOST_POINTS
    for block in blocks:
        spectra.append(_spectrum(block, source, left))
        left -= len(spectra[-1])
    if len(spectra) == 1:
        return spectra
    return [replace(s, metadata={**s.metadata, "column": s.metadata.get("TITLE", "block")}) for s in spectra]


def _blocks(source: Source) -> Iterator[Block]:
    """The blocks in the order of the file; a block inside another begins with its own TITLE."""
    block = Block()
    label = ""
    for number, raw in enumerate(source.text.split("\n"), start=1):
        line = raw.partition("$$")[0].rstrip()
        record = _RECORD.match(line)
        if record is None:
            _continue(block, label, line)
            continue
        label, value = _folded(record[1]), record[2].strip()
        if label == "TITLE" and block.records:
            yield _joined(block)
            block = Block()
        if label == "END":
            block.ended = True
        elif label in _TABLES and block.table is None:
            block.table, block.form, block.line = label, re.sub(r"\s", "", value).upper(), number
        elif not block.ended:
            block.records.setdefault(label, value)
            block.names.setdefault(label, record[1].strip())
    yield _joined(block)


def _joined(block: Block) -> Block:
    """The block with its records whole: joined at once, since a record may have any number of lines."""
    for label, lines in block.further.items():
        block.records[label] = " ".join([block.records[label], *lines])
    return block


def _continue(block: Block, label: str, line: str) -> None:
    """A line without a label belongs to the record before it."""
    if block.ended:
        return
    if block.table is not None and label == block.table:
        block.data.append(line)
    elif label in block.records and line.strip():
        block.further[label].append(line.strip())


def _folded(label: str) -> str:
    """Labels compare without case, spaces, hyphens, slashes and underscores."""
    return re.sub(r"[\s\-/_]", "", label).upper()


def _spectrum(block: Block, source: Source, most: int) -> Spectrum:
    """The spectrum of a block; its points come from `_jcamp_data`."""
    if block.table in ("PEAKTABLE", "PEAKASSIGNMENTS"):
        raise source.refused("a table of peaks, not a spectrum", "export the measured points (XYDATA)", block.line)
    if block.table in ("DATATABLE", "RADATA"):
        raise source.refused(f"{block.table} (NTUPLES or interferogram) is not read", "export each spectrum as XYDATA",
                             block.line)  # fmt: skip
    units = block.records.get("XUNITS", "")
    unit = unit_named(units)
    if units and unit is None:
        raise source.refused(f"the axis is in {units!r}, which is none of Lineshape's units",
                             "export it in cm-1, nm, um, THz, eV, deg 2theta, angstrom or m/z", block.line)  # fmt: skip
    x, y, notes = _jcamp_data.points(block, source, most)
    if not block.ended:
        notes = (*notes, "The block has no END record.")
    modality = modality_named(block.records.get("DATATYPE", ""))
    metadata = {block.names[label]: value for label, value in block.records.items()
                if value and label not in _STRUCTURE and not label.startswith("$")}  # fmt: skip
    return to_spectrum(Measured(x, y, modality, unit, metadata=metadata, notes=notes, named=True), source)
