"""Errors as gRPC says them: a status code, one message, and when to come back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from lineshape.errors import LineshapeError
from lineshape_serving.logs import log_failure

LONGEST = 1000  # characters of a message: it travels as a header, and a client may put what it likes into a name
BROKEN = "the server failed; its log says why"

# As Triton does where it has the case. 422 is INVALID_ARGUMENT, not FAILED_PRECONDITION: that one tells a client to
# repair the state of the server and ask the same again, and here only other spectra will do.
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


@dataclass(frozen=True)
class Refusal:
    """What a client hears instead of an answer."""

    code: grpc.StatusCode
    details: str
    metadata: tuple[tuple[str, str], ...] = ()


def refusal(error: Exception) -> Refusal:
    """An error in gRPC's terms; one that nobody foresaw is logged, and told nobody."""
    if isinstance(error, DecodeError):
        return Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"a message of the request cannot be read: {error}"[:LONGEST])
    if not isinstance(error, LineshapeError):
        log_failure("a gRPC request failed", error)
        return Refusal(grpc.StatusCode.INTERNAL, BROKEN)
    wait = getattr(error, "retry_after", None)
    metadata = () if wait is None else (("retry-after", str(max(1, math.ceil(wait)))),)
    return Refusal(_CODES.get(error.http_status, grpc.StatusCode.INTERNAL), str(error)[:LONGEST], metadata)
