"""What a reader is handed: the bytes of a file, its name, and what the caller says of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

from lineshape.axis import Unit
from lineshape.errors import ReadError

# Line feeds, tabs and the like are text; NUL is counted apart because some exports pad their header with it.
_CONTROL = bytes(set(range(1, 32)) - set(b"\t\n\r\f\x1a"))
# A list of lines or of cells takes some fifty times the memory of the text.
MOST_LINES, LONGEST_LINE = 1 << 20, 1 << 22
_UTF16_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True)
class Source:
    """The bytes of one file, where they came from, and what the caller says they are.

    `modality` and `unit` go before what the file says; `most` is the number of spectra that the caller takes.
    """

    content: bytes
    name: str
    modality: str | None = None
    unit: Unit | None = None
    most: int | None = None

    @property
    def suffix(self) -> str:
        """The lower-case file ending with its dot."""
        return PurePath(self.name).suffix.lower()

    @cached_property
    def is_text(self) -> bool:
        """True if the bytes read as text in UTF-8, UTF-16 or Latin-1."""
        if self._utf16 is not None:
            return True
        sample = self.content[:65536]
        control = len(sample) - len(sample.translate(None, _CONTROL))
        return control <= len(sample) / 200 and sample.count(0) <= len(sample) / 20

    @cached_property
    def text(self) -> str:
        """The content as text, without byte order mark and padding NULs, lines ended by a line feed.

        Raises
        ------
        ReadError
            If the content is not text, or has more lines or longer ones than spectra have.
        """
        if not self.is_text:
            raise self.refused("this is a binary file of no known format", "export it as text (CSV) or JCAMP-DX")
        text = _lines_of(self._decoded())
        if text.count("\n") > MOST_LINES or max(map(len, text.split("\n"))) > LONGEST_LINE:
            raise self.refused(f"more than {MOST_LINES} lines, or than {LONGEST_LINE} characters in one", "split it")
        return text

    def _decoded(self) -> str:
        if self._utf16 is not None:
            return self.content.decode(self._utf16, errors="replace").removeprefix("\ufeff")
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return self.content.decode("latin-1")

    @cached_property
    def _utf16(self) -> str | None:
        """The UTF-16 variant that the bytes are in: by their mark, or by every other byte being NUL."""
        sample = self.content[:4096]
        if sample[:2] in _UTF16_MARKS:
            return _UTF16_MARKS[sample[:2]]
        if len(sample) < 8 or len(sample.translate(None, _CONTROL)) < len(sample):
            return None
        zeros = sample[1::2].count(0), sample[::2].count(0)
        half = len(sample) // 2
        return "utf-16-le" if zeros[0] > 0.9 * half else "utf-16-be" if zeros[1] > 0.9 * half else None

    def check_count(self, spectra: int) -> None:
        """Refuse more spectra than the caller takes, before any of them is made."""
        if self.most is not None and spectra > self.most:
            raise self.refused(f"the file holds {spectra} spectra, more than {self.most}", "split it")

    def refused(self, what: str, advice: str, line: int | None = None) -> ReadError:
        """The error that names this file, the line, what is wrong and what to do."""
        where = self.name if line is None else f"{self.name}, line {line}"
        return ReadError(f"{where}: {what}; {advice}")


def _lines_of(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").replace("\x1a", "")
