"""What uvicorn leaves open: how large a request's head may be, how slowly it may come, and how slowly answers go."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lineshape_serving.settings import Limits

HEAD = 32 << 10  # bytes: names, values and path
_REFUSALS = {
    400: "this is no HTTP request",
    408: "the head of the request took too long",
    431: f"the head of the request is larger than {HEAD} bytes",
    503: "too many connections are open; come back later",
}


class _TooLarge(Exception):
    """Ends the parsing of a head."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    limits = Limits()

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own business
        super().__init__(*given, **named)
        self._alarm: asyncio.TimerHandle | None = None
        self._head = self._kept = 0
        self._in_head, self._begun = True, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, if there is room; a head must follow soon."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503)
        else:
            self._set_alarm(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._unset_alarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse it; a head that goes on and on is cut off."""
        self._head += len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._head > HEAD and not self.transport.is_closing():
            self._refuse(431)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head = self._kept = 0
        self._in_head = self._begun = True
        self._set_alarm(self.limits.head_seconds)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count what is kept of the head."""
        self._kept += len(name) + len(value)
        if self._kept > HEAD:
            raise _TooLarge
        super().on_header(name, value)

    def on_url(self, url: bytes) -> None:
        """The path counts, too."""
        self._kept += len(url)
        super().on_url(url)

    def on_headers_complete(self) -> None:
        """The head has come in time."""
        self._in_head = False
        self._unset_alarm()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """The client does not read its answer; it shall go on soon."""
        self._set_alarm(self.limits.body_seconds)
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads."""
        self._unset_alarm()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn says of a head that it cannot parse, in our form."""
        self._refuse(431 if self._kept > HEAD else 400)

    def _refuse(self, status: int) -> None:
        body = b'{"error":"%s"}' % _REFUSALS[status].encode()
        self.transport.write(
            b"HTTP/1.1 %d \r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n%s\r\n%s"
            % (status, len(body), b"retry-after: 1\r\n" if status == 503 else b"", body)
        )
        self.transport.close()

    def _set_alarm(self, seconds: float) -> None:
        self._unset_alarm()
        self._alarm = self.loop.call_later(seconds, self._ring)

    def _unset_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        if self._in_head and self._begun:
            self._refuse(408)
        else:
            self.transport.abort()


def bound(limits: Limits) -> None:
    """Make uvicorn use it, in this process."""
    BoundedProtocol.limits = limits
    HTTP_PROTOCOLS["auto"] = f"{__name__}:{BoundedProtocol.__name__}"
