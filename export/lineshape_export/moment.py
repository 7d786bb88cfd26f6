"""The date of an export, for whoever wants one in files that are else the same every time."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from lineshape.errors import UsageError

EPOCH = "SOURCE_DATE_EPOCH"  # seconds since 1970


def exported_at() -> str | None:
    """The moment that `SOURCE_DATE_EPOCH` names, UTC; None where it is not set, for a clock makes no two files alike.

    Raises
    ------
    UsageError
        If it is no number of seconds since 1970.
    """
    epoch = os.environ.get(EPOCH)
    if not epoch:
        return None
    try:
        return datetime.fromtimestamp(_seconds(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{EPOCH}={epoch}: not a number of seconds since 1970") from None


def _seconds(word: str) -> int:
    seconds = int(word)
    if seconds < 0:
        raise ValueError
    return seconds
