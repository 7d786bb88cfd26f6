"""What a server's refusal, or its silence, is among our errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from lineshape.errors import (
    AccessError,
    DataError,
    ForbiddenError,
    LineshapeError,
    OverloadError,
    QuotaError,
    TensorError,
    UnknownModel,
)
from lineshape_serving.client.exchange import Reply

SHOWN = 300  # characters of a body that is no JSON


class Refusal(msgspec.Struct, frozen=True):
    """The body of an error."""

    error: str


_KINDS: dict[int, type[LineshapeError]] = {
    400: TensorError, 401: AccessError, 403: ForbiddenError, 404: UnknownModel, 422: DataError,
}  # fmt: skip
_BUSY: dict[int, Callable[[str, float], OverloadError]] = {429: QuotaError, 503: OverloadError}


def refusal(reply: Reply) -> LineshapeError:
    """The error of an answer that is none, with the server's own message."""
    message = _message(reply)
    if reply.status in _BUSY:
        return _BUSY[reply.status](message, retry_after(reply) or 0.0)
    if reply.status in _KINDS:
        return _KINDS[reply.status](message)
    return LineshapeError(f"the server answered {reply.status}: {message}")


def retry_after(reply: Reply) -> float | None:
    """The seconds after which the server wants to be asked again, where it says so."""
    told = reply.header("Retry-After")
    if told.isascii() and told.isdecimal():
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # nothing said, or no date; TypeError: a date without its zone
        return None


@contextmanager
def not_the_protocol(what: str) -> Iterator[None]:
    """Say in words that an answer cannot be read."""
    try:
        yield
    except (msgspec.MsgspecError, ValueError, KeyError, IndexError, TypeError) as error:
        raise LineshapeError(f"the {what} is not of the Open Inference Protocol v2 ({error}); is the URL that of its "
                             "server?") from None  # fmt: skip


def _message(reply: Reply) -> str:
    try:
        return msgspec.json.decode(reply.body, type=Refusal).error
    except (msgspec.MsgspecError, ValueError):  # of a gateway in between
        return reply.body[:SHOWN].decode(errors="replace").strip() or f"status {reply.status}, and no word why"
