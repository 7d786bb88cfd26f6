"""What validation said of a bundle's model, and whether anybody answered for a model that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from lineshape.bundle.contract import UNREADABLE
from lineshape.errors import FailedValidation, UnsupportedBundle

if TYPE_CHECKING:
    from lineshape.bundle.sealed import Bundle

PROVENANCE = "provenance.json"


class Verdict(msgspec.Struct, frozen=True):
    """The head of a validation.

    Parameters
    ----------
    verdict : "pass", "fail" or None
        None where only a study was made.
    reasons : tuple of str
    """

    verdict: Literal["pass", "fail"] | None = None
    reasons: tuple[str, ...] = ()


class _Provenance(msgspec.Struct, frozen=True):
    validation: Verdict | None = None
    despite: str | None = None


def verdict_of(bundle: Bundle) -> Verdict | None:
    """What the provenance says of validation; None if it was never asked.

    Raises
    ------
    UnsupportedBundle
        If the provenance cannot be read.
    """
    return _provenance(bundle).validation


def check_verdict(bundle: Bundle) -> None:
    """Refuse a model that failed validation, unless words in its provenance answer for it.

    Raises
    ------
    FailedValidation
        With the first reason.
    """
    found = _provenance(bundle)
    refuse(found.validation, found.despite, f"bundle {bundle.manifest.name}")


def refuse(verdict: Verdict | None, despite: str | None, what: str) -> None:
    """Raise FailedValidation for a verdict 'fail' that nobody answers for."""
    if verdict is None or verdict.verdict != "fail" or (despite and despite.strip()):
        return
    reason = verdict.reasons[0] if verdict.reasons else "no reason given"
    raise FailedValidation(f"{what} failed validation ({reason}); to use it all the same, export it with "
                           "--despite 'why', which its provenance keeps")  # fmt: skip


def _provenance(bundle: Bundle) -> _Provenance:
    if PROVENANCE not in bundle.manifest.files:
        return _Provenance()
    try:
        return msgspec.json.decode(bundle.read(PROVENANCE), type=_Provenance)
    except UNREADABLE as error:
        raise UnsupportedBundle(f"{PROVENANCE}: {error}") from None
