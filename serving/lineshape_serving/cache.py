"""Answers that were given before: every graph is a pure function of its inputs, so they may be given again.

Off unless it is given room. It helps who asks for the same samples or the same measured spectrum again and again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, TypeAlias

from numpy.typing import NDArray

Arrays: TypeAlias = dict[str, NDArray[Any]]


class Cache:
    """The latest answers, as many as fit.

    Parameters
    ----------
    room : int
        Bytes of outputs.
    """

    def __init__(self, room: int) -> None:
        self._room, self._held = room, 0
        self._answers: OrderedDict[bytes, Arrays] = OrderedDict()

    @staticmethod
    def key(model: str, inputs: Mapping[str, NDArray[Any]]) -> bytes:
        """What tells requests apart: the model (its digest and form), and every byte of every input."""
        hashed = hashlib.blake2b(model.encode(), digest_size=32)
        for name in sorted(inputs):
            array = inputs[name]
            hashed.update(f"|{name}|{array.dtype.str}|{array.shape}|".encode())
            hashed.update(array.data)
        return hashed.digest()

    def get(self, key: bytes) -> Arrays | None:
        """An answer, now the latest; None if it is not there."""
        if (found := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
        return found

    def put(self, key: bytes, outputs: Arrays) -> None:
        """Keep an answer, and forget the oldest for it; one that would not fit alone is not kept."""
        size = _bytes(outputs)
        if size > self._room or key in self._answers:
            return
        # a copy: a view of its rows would keep the whole batch that it travelled in
        self._answers[key] = {name: array.copy() for name, array in outputs.items()}
        self._held += size
        while self._held > self._room:
            self._held -= _bytes(self._answers.popitem(last=False)[1])


def _bytes(outputs: Arrays) -> int:
    return sum(array.nbytes for array in outputs.values())
