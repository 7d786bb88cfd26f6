"""The same dossier as one HTML page, to be read offline and printed."""

from __future__ import annotations

from collections.abc import Iterable

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
from lineshape_training.page import Markup, document, html, table

STYLE = """
p.banner { border: 2px solid currentColor; padding: .6rem .9rem; font-weight: bold }
p.blank { border: 1px dashed currentColor; padding: .5rem .8rem 2.5rem }
pre { overflow-x: auto }
@media print { body { max-width: none; margin: 0 } p.blank, tr { break-inside: avoid } h2, h3 { break-after: avoid }
               td.n { white-space: normal } pre { white-space: pre-wrap } }
"""


def webpage(page: Page) -> str:
    """The whole page."""
    sections = (_section(number, section) for number, section in enumerate(page.sections, 1))
    return document(
        clean(page.title), "\n".join([f"<h1>{_text(page.title)}</h1>", _blocks(page.head), *sections]), STYLE
    )


def _section(number: int, section: Section) -> str:
    asked = f'<p class="quiet">Asked about in: {_text("; ".join(section.answers))}.</p>' if section.answers else ""
    return f"<h2>{number}. {_text(section.title)}</h2>\n{asked}\n{_blocks(section.blocks)}"


def _blocks(blocks: Iterable[Block]) -> str:
    return "\n".join(map(_block, blocks))


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{_text(text)}</p>"
        case Banner(text):
            return f'<p class="banner">{_text(text)}</p>'
        case Heading(text):
            return f"<h3>{_text(text)}</h3>"
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>"
        case Table(head, rows):
            return table(head, [list(map(_cell, row)) for row in rows])
        case Command(line):
            return f"<pre><code>{_text(line)}</code></pre>"
        case Blank(asks, number):
            return f'<p class="blank">[TO FILL IN {number}: {_text(asks)}]</p>'


def _cell(text: str) -> str:
    """Prose may break between its words; what has none, a digest say, wherever the page's style allows."""
    return _text(text) if " " in text else clean(text)


def _text(text: str) -> Markup:
    return html(clean(text))
