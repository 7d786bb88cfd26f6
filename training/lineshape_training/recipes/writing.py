"""Tables as TOML text, in the shape in which people write recipes: one line for a list, a header for a table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml(tables: Mapping[str, Any]) -> str:
    """TOML of nested tables of texts, numbers, truth values and lists; None is left out, for TOML has none."""
    return "\n".join(_lines(tables, "")) + "\n"


def _lines(tables: Mapping[str, Any], path: str) -> Iterator[str]:
    """Plain values first: in TOML they would otherwise belong to the table before them."""
    below = {name: value for name, value in tables.items() if isinstance(value, Mapping)}
    plain = {name: value for name, value in tables.items() if value is not None and name not in below}
    if path and (plain or not below):
        yield f"\n[{path}]"
    yield from (f"{_key(name)} = {_value(value)}" for name, value in plain.items())
    for name, value in below.items():
        yield from _lines(value, f"{path}.{_key(name)}" if path else _key(name))


def _value(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(name)} = {_value(one)}' for name, one in value.items() if one is not None)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, which also asks for one of DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
