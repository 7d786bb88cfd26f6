"""Answers and refusals, as every endpoint gives them."""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from lineshape.errors import AccessError, ForbiddenError, LineshapeError, OverloadError

LARGE = 1 << 18  # bytes that take too long for the event loop: 3 ms to be written as numbers, 5 to be packed
JSON, BYTES = "application/json", "application/octet-stream"
WORTH_PACKING = 1024  # bytes
T = TypeVar("T")
LEVEL = 1  # of zlib; higher ones cost more time than they save


async def off_the_loop(size: int, work: Callable[..., T], *given: Any) -> T:  # noqa: ANN401 - whatever the work takes
    """The work's result; in a thread where its size says that it takes long."""
    return work(*given) if size < LARGE else await asyncio.to_thread(work, *given)


def json_reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401
    """Anything that msgspec writes, as JSON."""
    return Response(msgspec.json.encode(content), status, headers, JSON)


def refusal(error: LineshapeError) -> Response:
    """An error of ours, with its status and what the client shall do next."""
    headers = {}
    if isinstance(error, OverloadError):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if isinstance(error, AccessError) and not isinstance(error, ForbiddenError):
        headers["WWW-Authenticate"] = "Bearer"
    return json_reply({"error": str(error)}, error.http_status, headers)


async def packed(request: Request, response: Response) -> Response:
    """The response compressed, where that helps and the client takes it.

    Numbers as bytes hardly shrink and cost 10 ms a megabyte: they are packed only for who accepts nothing else, as
    Triton's client does when it is told to.
    """
    accepted = request.headers.get("accept-encoding", "").replace(" ", "").lower()
    coding = _coding(accepted, response.media_type == BYTES)
    if coding is None or len(response.body) < WORTH_PACKING or "content-encoding" in response.headers:
        return response
    response.body = await off_the_loop(len(response.body), _pack, bytes(response.body), coding)
    response.headers["Content-Encoding"] = coding
    response.headers["Content-Length"] = str(len(response.body))
    response.headers.add_vary_header("Accept-Encoding")
    return response


def _pack(body: bytes, coding: str) -> bytes:
    packer = zlib.compressobj(LEVEL, wbits=31 if coding == "gzip" else 15)
    return packer.compress(body) + packer.flush()


def _coding(accepted: str, only: bool) -> str | None:
    if accepted in ("gzip", "deflate"):
        return accepted
    return "gzip" if not only and "gzip" in accepted.split(",") else None


async def refused(request: Request, error: Exception) -> Response:
    """Starlette's handler of our errors."""
    assert isinstance(error, LineshapeError)  # noqa: S101 - Starlette asks by class, the type checker cannot know
    return refusal(error)


async def refused_by_http(request: Request, error: Exception) -> Response:
    """Starlette's handler of its own refusals."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    return json_reply({"error": error.detail}, error.status_code, error.headers)


async def gone(request: Request, error: Exception) -> Response:
    """For the count; nobody reads it."""
    assert isinstance(error, ClientDisconnect)  # noqa: S101 - as above
    return json_reply({"error": "the client left before its body had come"}, 400)


async def broken(request: Request, error: Exception) -> Response:
    """What nobody foresaw; the log has the rest."""
    return json_reply({"error": "the server failed; its log says why"}, 500)
