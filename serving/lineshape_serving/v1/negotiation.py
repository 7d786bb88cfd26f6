"""Which media type an answer takes: the choice of the `Accept` header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.exceptions import HTTPException

_RANGE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)/([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def choose(accept: str | None, offered: Sequence[str]) -> str:
    """The offered media type that is wanted most; of equal ones the first.

    Parameters
    ----------
    accept : str, optional
        The header; None and an empty one want anything.
    offered : sequence of str
        Media types, the usual one first.

    Raises
    ------
    HTTPException
        406 if none of them is wanted.
    """
    ranges = [found for part in (accept or "*/*").split(",") if (found := _range(part))]
    best = max(offered, key=lambda media_type: _weight(media_type, ranges))
    if not _weight(best, ranges):
        raise HTTPException(406, f"Accept: there is {', '.join(offered)}, and none of it is accepted")
    return best


def _range(part: str) -> tuple[str, str, float] | None:
    """Type, subtype and weight; None for a part that is no media range, which is passed over."""
    word, *parameters = (piece.strip() for piece in part.split(";"))
    found = _RANGE.fullmatch(word.lower())
    weights = [float(weight[1]) for parameter in parameters if (weight := _WEIGHT.fullmatch(parameter))]
    return (found[1], found[2], weights[0] if weights else 1.0) if found else None


def _weight(media_type: str, ranges: Sequence[tuple[str, str, float]]) -> float:
    """The weight that the closest of the ranges gives."""
    kind, _, rest = media_type.partition("/")
    for wanted in ((kind, rest), (kind, "*"), ("*", "*")):
        weights = [weight for *found, weight in ranges if tuple(found) == wanted]
        if weights:
            return max(weights)
    return 0.0
