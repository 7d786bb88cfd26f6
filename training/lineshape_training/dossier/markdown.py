"""A dossier as Markdown (CommonMark with tables). All text is escaped: no name in the data can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

from lineshape_training.dossier.blocks import (
    Banner,
    Blank,
    Block,
    Bullets,
    Command,
    Heading,
    Page,
    Paragraph,
    Section,
    Table,
    clean,
)

# What begins emphasis, code, a link, an image, a heading or a new cell; what makes a bare address a link. An underscore
# inside a word does nothing.
MARKUP = re.compile(r"[\\`*\[\]|~#!@$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)


def escaped(text: str) -> str:
    """Text on one line that shows as it is, in a table's cell too."""
    return MARKUP.sub(r"\\\g<0>", escape(clean(text), quote=False))


def markdown(page: Page) -> str:
    """The whole dossier."""
    parts = [f"# {escaped(page.title)}", *_blocks(page.head)]
    for number, section in enumerate(page.sections, 1):
        parts += [f"## {number}. {escaped(section.title)}", *_answers(section), *_blocks(section.blocks)]
    return "\n\n".join(parts) + "\n"


def _answers(section: Section) -> Iterator[str]:
    if section.answers:
        yield f"*Asked about in: {escaped('; '.join(section.answers))}.*"


def _blocks(blocks: Iterable[Block]) -> Iterator[str]:
    return map(_block, blocks)


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return escaped(text)
        case Banner(text):
            return f"> **{escaped(text)}**"
        case Heading(text):
            return f"### {escaped(text)}"
        case Bullets(items):
            return "\n".join(f"- {escaped(item)}" for item in items)
        case Table(head, rows):
            return "\n".join([_row(head), _row(["---"] * len(head)), *map(_row, (map(escaped, row) for row in rows))])
        case Command(line):
            return f"    {clean(line)}"
        case Blank(asks, number):
            return f"**[TO FILL IN {number}: {escaped(asks)}]**"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
