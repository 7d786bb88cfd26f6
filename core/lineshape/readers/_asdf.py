"""The number forms of JCAMP-DX data lines (ASDF): AFFN, PAC, SQZ, DIF and DUP.

A digit with its sign is folded into one character: SQZ begins a value, DIF a difference from the value before,
DUP repeats. A line that ends in DIF form is followed by a line whose first value repeats the last one, the Y-check.
(McDonald and Wilks, JCAMP-DX: a standard form for exchange of infrared spectra in computer readable form,
Applied Spectroscopy 42 (1988) 151, section 5.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SQZ = {"@": "+0"} | {chr(64 + d): f"+{d}" for d in range(1, 10)} | {chr(96 + d): f"-{d}" for d in range(1, 10)}
DIF = {"%": "+0"} | {chr(73 + d): f"+{d}" for d in range(1, 10)} | {chr(105 + d): f"-{d}" for d in range(1, 10)}
DUP = {chr(82 + d): str(d) for d in range(1, 9)} | {"s": "9"}

# An exponent needs its sign, because 'E' alone begins a SQZ value.
_TOKEN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]\d+)?|[@A-Ia-i%J-Rj-rS-Zs]\d*(?:\.\d+)?|[\s,;]+|.")
MOST_POINTS = 1 << 21  # of a file; a few characters stand for as many values as they like


class AsdfError(ValueError):
    """A data line that is not in a form of JCAMP-DX."""


@dataclass(frozen=True)
class DataLine:
    """One decoded line: its abscissa, its ordinates, and whether it ends in DIF form."""

    x: float
    y: list[float]
    ends_in_difference: bool


def decode(line: str, most: int = MOST_POINTS) -> DataLine:
    """Decode one line of ``(X++(Y..Y))``.

    Parameters
    ----------
    line : str
    most : int
        Ordinates that it may stand for.

    Raises
    ------
    AsdfError
        If the line holds anything but the five forms, a missing value ('?'), a difference without a value, or more
        ordinates than it may.
    """
    tokens = _tokens(line)
    x = next(tokens, None)
    if x is None:
        raise AsdfError("no numbers")
    values: list[float] = []
    step: float | None = None
    for token in tokens:
        kind = token[0]
        if len(values) >= most:
            raise AsdfError("too many points for one file")
        if kind in DUP:
            _repeat(values, step, DUP[kind] + token[1:], most)
        elif kind in DIF:
            if not values:
                raise AsdfError(f"the difference {token!r} follows no value")
            step = float(DIF[kind] + token[1:])
            values.append(values[-1] + step)
        else:
            step = None
            values.append(_value(token))
    return DataLine(_value(x), values, step is not None)


def _tokens(line: str) -> Iterator[str]:
    found = (match[0] for match in _TOKEN.finditer(line))
    return (token for token in found if not token.isspace() and token[0] not in ",;")


def _value(token: str) -> float:
    text = SQZ.get(token[0], token[0]) + token[1:]
    try:
        return float(text)
    except ValueError:
        meaning = "a missing value" if token == "?" else f"{token!r}"  # noqa: S105 (a lexical token)
        raise AsdfError(f"{meaning} where a number should stand") from None


def _repeat(values: list[float], step: float | None, count: str, most: int) -> None:
    """Repeat the last value, or the last difference; the count includes the one already there."""
    times = float(count) - 1
    if not values or len(values) + times > most:
        raise AsdfError(f"cannot repeat {count} times here")
    last = values[-1]
    values.extend(last + (step or 0.0) * n for n in range(1, int(times) + 1))
