"""What operators chose while a server ran: kept, so that a worker which takes the place of a dead one serves the same.

A start by hand begins anew: `lineshape serve` forgets the choices of the run before.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from lineshape.files import write_atomically


class Choices:
    """The digest that was loaded under a bundle's name, or None for one that was unloaded; by name.

    Parameters
    ----------
    path : Path, optional
        Where they are kept; nowhere without.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def read(self) -> dict[str, str | None]:
        """All of them; none where nobody has chosen, or what was kept is damaged."""
        with suppress(OSError, msgspec.MsgspecError):
            if self._path is not None:
                return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str | None])
        return {}

    def keep(self, name: str, digest: str | None) -> None:
        """One more."""
        if self._path is not None:
            write_atomically(self._path, msgspec.json.encode({**self.read(), name: digest}))
