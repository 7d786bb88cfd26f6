"""What uvicorn leaves open: how large a request's head may be, how slowly it may come, and how slowly answers go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lineshape_serving.settings import Limits

HEAD = 32 << 10  # bytes: names, values and path
_PHRASES = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large",
            503: "Service Unavailable"}  # fmt: skip
NO_HTTP = "this is no HTTP request"
UPGRADE = "this server speaks HTTP/1.1 and upgrades to nothing; send a request with a body without Upgrade"
LATE = "the head of the request took too long"
TOO_LARGE = f"the head of the request is larger than {HEAD} bytes"
TOO_MANY = "too many connections are open; come back later"


class _TooLarge(Exception):
    """Ends the parsing of a head."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection, with an alarm for the head that is due and another for the answer that is not read."""

    limits = Limits()

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own business
        super().__init__(*given, **named)
        self._reading = _Alarm(self.loop)
        self._writing = _Alarm(self.loop)
        self._came = self._kept = 0  # bytes of the head in progress: on the wire, and of names, values and path
        self._in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, if there is room; a head must follow soon."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, TOO_MANY, b"retry-after: 1\r\n")
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._reading.unset()
        self._writing.unset()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse it; a head that goes on and on is cut off, and what is no head only puts off the next one."""
        self._came += len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._came > HEAD:
            self._refuse(431, TOO_LARGE)
        elif not self._answering:
            self._expect_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._came, self._kept, self._in_head = 1, 0, True
        self._expect_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """The path counts, too."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count what is kept of the head."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head has come in time."""
        self._came, self._in_head = 0, False
        self._reading.unset()
        if self.parser.should_upgrade() and any(name in (b"content-length", b"transfer-encoding")
                                                for name, _ in self.headers):  # fmt: skip
            self._refuse(400, UPGRADE)  # its body would be taken for another protocol, and lost
        else:
            super().on_headers_complete()

    def pause_writing(self) -> None:
        """The client does not read its answer; it shall go on soon."""
        self._writing.set(self.limits.body_seconds, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads."""
        self._writing.unset()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn says of a head that it cannot parse, in our form."""
        if self._kept > HEAD:
            self._refuse(431, TOO_LARGE)
        else:
            self._refuse(400, NO_HTTP)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _count(self, size: int) -> None:
        self._kept += size
        if self._kept > HEAD:
            raise _TooLarge

    def _expect_head(self) -> None:
        if not self._reading.is_set and not self.transport.is_closing():
            self._reading.set(self.limits.head_seconds, self._give_up)

    def _give_up(self) -> None:
        if self._in_head and self._came:
            self._refuse(408, LATE)
        else:
            self.transport.abort()

    def _refuse(self, status: int, why: str, more: bytes = b"") -> None:
        """Say why and close; where an answer is on its way, which this must not be mixed with, only close."""
        if self.transport.is_closing():
            return
        if self._answering or self._writing.is_set:
            self.transport.abort()
            return
        body = b'{"error":"%s"}' % why.encode()
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n%s\r\n%s"
            % (status, _PHRASES[status].encode(), len(body), more, body)
        )
        self.transport.close()


class _Alarm:
    """Something that happens unless it is unset in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        return self._handle is not None

    def set(self, seconds: float, then: Callable[[], object]) -> None:
        self.unset()
        self._handle = self._loop.call_later(seconds, then)

    def unset(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def bound() -> None:
    """Make uvicorn use it in this process; before it is configured, as it looks but once."""
    HTTP_PROTOCOLS["auto"] = f"{__name__}:{BoundedProtocol.__name__}"
