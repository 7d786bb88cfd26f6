"""One look for every HTML page that is written here: style in light and dark, tables, and the shell of a page.

Pages open without a network: nothing in them points outside, and their content security policy forbids it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape

COLOURS: dict[str, tuple[str, str]] = {
    "ink": ("#22262b", "#d9dee4"),
    "paper": ("#fbfbfa", "#16191d"),
    "line": ("#d8d8d4", "#363c44"),
    "quiet": ("#5f656c", "#9aa3ad"),
    "real": ("#2f6690", "#7fb2dd"),
    "synthetic": ("#c0561a", "#f0925a"),
    "train": ("#7a4f9e", "#c09ae0"),
    "method0": ("#c0561a", "#f0925a"),
    "method1": ("#2e7d5b", "#6fc7a0"),
    "method2": ("#7a4f9e", "#c09ae0"),
    "method3": ("#8a6d00", "#d9bd4a"),
    "method4": ("#a8336a", "#ee8ab8"),
    "method5": ("#3f6f8f", "#8fc3df"),
}
"""Each colour on a light page and on a dark one; none is the only sign of anything."""

LIGHT, DARK = ("; ".join(f"--{name}: {pair[side]}" for name, pair in COLOURS.items()) for side in (0, 1))

STYLE = (
    f"""
:root {{ color-scheme: light dark; {LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root:not(.printing) {{ {DARK} }} }}
"""
    + """
body { font: 15px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
       margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
div.table { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap } p.quiet { color: var(--quiet) }
a { color: inherit } img { width: 100%; height: auto } code { overflow-wrap: anywhere; font-size: .85em }
"""
)

LONG = 60  # characters; a longer cell may break


class Markup(str):
    """HTML of our own making; every other text is escaped."""


def html(text: str) -> Markup:
    """Text as HTML: markup stays, all else is escaped."""
    return text if isinstance(text, Markup) else Markup(escape(text))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A table that scrolls inside its own box where it is too wide."""
    names = "".join(f"<th>{html(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return Markup(f'<div class="table"><table><thead><tr>{names}</tr></thead>\n<tbody>{body}</tbody></table></div>')


def _cell(text: str) -> str:
    """Short text in one piece; a digest may break."""
    if isinstance(text, Markup):
        return f"<td>{text}</td>"
    return f'<td class="n">{html(text)}</td>' if len(text) < LONG else f"<td><code>{html(text)}</code></td>"


def document(title: str, body: str, style: str = "", scripts: Sequence[str] = ()) -> str:
    """A whole page.

    Parameters
    ----------
    title : str
    body : str
        HTML.
    style : str
        Beside the common one.
    scripts : sequence of str
        Run in this order after the body was read. No other script runs: the page's policy knows these by their hash.
    """
    scripts = [script.replace("\r\n", "\n") for script in scripts]
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in scripts) or "'none'"
    policy = f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {allowed}"
    run = "\n".join(f"<script>{script}</script>" for script in scripts)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html(title)}</title><style>{STYLE}{style}</style></head>
<body>
{body}
{run}
</body></html>
"""


def _hash(script: str) -> str:
    return base64.b64encode(sha256(script.encode()).digest()).decode()
