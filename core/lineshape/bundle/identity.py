"""What an installed bundle is called, and when a word is such a name and no path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_NUMBER = r"(?:0|[1-9][0-9]*)"
_WORD = re.compile(rf"([a-z0-9](?:[a-z0-9-]{{0,62}}[a-z0-9])?)(?:@({_NUMBER}\.{_NUMBER}\.{_NUMBER}))?")


class Identity(NamedTuple):
    """What an installed bundle is called: NAME@VERSION, or NAME for its highest version."""

    name: str
    version: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name

    @classmethod
    def read(cls, word: str) -> Identity | None:
        """The identity that a word is; None if it is none."""
        found = _WORD.fullmatch(word)
        return cls(*found.groups()) if found else None

    @property
    def order(self) -> tuple[str, list[int]]:
        """By name, then by version: 0.10.0 comes after 0.9.0."""
        return self.name, [int(number) for number in (self.version or "").split(".")]


def named(path: Path | str) -> Identity | None:
    """The installed bundle that `path` asks for: no file or folder is there, and the word is NAME or NAME@VERSION."""
    return None if Path(path).exists() else Identity.read(str(path))
