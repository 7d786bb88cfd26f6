"""Reading a request's body: no larger, no slower and no more inflated than the server bears."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request

from lineshape_serving.settings import Limits

_ALIGNMENT = 8  # bytes: what the widest datatype wants
_WINDOWS = {"gzip": 31, "deflate": 15}  # how zlib calls the codings


async def read_body(request: Request, limits: Limits, json_bytes: int = 0) -> memoryview:
    """The body, unpacked, joined once, its binary part where arrays want to lie.

    Parameters
    ----------
    request : Request
    limits : Limits
    json_bytes : int
        How much text comes before the binary part.

    Raises
    ------
    HTTPException
        400 if it cannot be unpacked, 408 if it takes too long, 413 if it is too large, 415 if it is packed otherwise.
    """
    most = limits.body << 20
    announced = request.headers.get("content-length", "0")
    _check_size(int(announced) if announced.isdecimal() and len(announced) < 16 else 0, most)
    unpack = _unpacker(request.headers.get("content-encoding", "identity"), most)
    pad = -json_bytes % _ALIGNMENT
    chunks, size, came = [bytes(pad)], 0, 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for packed in request.stream():
                chunk = unpack(packed)
                chunks.append(chunk)
                size, came = size + len(chunk), came + len(packed)
                _check_size(max(size, came), most)
    except TimeoutError:
        raise HTTPException(408, f"the body took longer than {limits.body_seconds:g} s; send smaller batches") from None
    return memoryview(b"".join(chunks))[pad:]


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise HTTPException(413, f"the body is larger than {most} bytes; send smaller batches")


def _unpacker(coding: str, most: int) -> Callable[[bytes], bytes]:
    """What turns a chunk into the bytes that were packed; it never makes more of a chunk than a body may have."""
    if coding == "identity":
        return bytes
    if coding not in _WINDOWS:
        raise HTTPException(415, f"Content-Encoding {coding!r}: this server takes gzip, deflate and what is not packed",
                            {"Accept-Encoding": "gzip, deflate"})  # fmt: skip
    unpacking = zlib.decompressobj(wbits=_WINDOWS[coding])

    def unpack(chunk: bytes) -> bytes:
        try:
            content = unpacking.decompress(chunk, most + 1)
        except zlib.error as error:
            raise HTTPException(400, f"the body is not {coding}: {error}") from None
        if unpacking.unused_data:
            raise HTTPException(400, f"the body goes on after its {coding} has ended; pack all of it as one")
        if not chunk and not unpacking.eof:  # Starlette ends every body with an empty chunk
            raise HTTPException(400, f"the body ends before its {coding} does")
        return content

    return unpack
