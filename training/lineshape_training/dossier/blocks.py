"""What a dossier is made of, before it becomes Markdown or HTML: plain text in blocks, and blanks with numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeAlias


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Banner:
    """A sentence that nobody may overlook."""

    text: str


@dataclass(frozen=True)
class Heading:
    """A title inside a section."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Items, each a sentence or two."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows under a head, all of one width."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Command:
    """One command line."""

    line: str


@dataclass(frozen=True)
class Blank:
    """What only people can say; numbered through the whole dossier."""

    asks: str
    number: int = 0


Block: TypeAlias = Paragraph | Banner | Heading | Bullets | Table | Command | Blank


@dataclass(frozen=True)
class Section:
    """A title, which parts of which documents it answers, and its blocks."""

    title: str
    answers: tuple[str, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A whole dossier: its head stands before the first section."""

    title: str
    head: tuple[Block, ...]
    sections: tuple[Section, ...]

    @property
    def blanks(self) -> Iterator[tuple[int, Section, Blank]]:
        """Each blank with its section and that section's number."""
        for number, section in enumerate(self.sections, 1):
            yield from ((number, section, block) for block in section.blocks if isinstance(block, Blank))


def numbered(sections: Iterable[Section]) -> tuple[Section, ...]:
    """The same sections with their blanks numbered from 1."""
    numbers = count(1)
    return tuple(
        replace(section, blocks=tuple(_numbered(block, numbers) for block in section.blocks)) for section in sections
    )


def _numbered(block: Block, numbers: Iterator[int]) -> Block:
    return replace(block, number=next(numbers)) if isinstance(block, Blank) else block


def clean(text: str) -> str:
    """One line without control, direction and other invisible characters, which could hide or reorder what follows."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
