"""What stands before every endpoint: a request's id, the count of those in progress, a line in the log."""

from __future__ import annotations

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lineshape.errors import OverloadError
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.http.replies import refusal
from lineshape_serving.logs import identify, log

ID = b"x-request-id"
ALWAYS = ("/v2/health/", "/metrics")  # answered also when there is too much to do


class Front:
    """The application behind it, for a limited number of requests at a time.

    Parameters
    ----------
    app : ASGI application
    plane : DataPlane
        Its metrics count the answers.
    concurrency : int
    access_log : bool
        Whether every request gets a line.
    """

    def __init__(self, app: ASGIApp, plane: DataPlane, concurrency: int, access_log: bool) -> None:
        self._app, self._plane, self._most, self._access_log = app, plane, concurrency, access_log
        self._busy = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        self._busy += 1
        try:
            if self._busy > self._most and not scope["path"].startswith(ALWAYS):
                await refusal(OverloadError(f"{self._most} requests are in progress, and no more may be"))(
                    scope, receive, answer.send
                )
            else:
                await self._app(scope, receive, answer.send)
        finally:
            self._busy -= 1
            self._count(scope, answer)

    def _count(self, scope: Scope, answer: _Answer) -> None:
        self._plane.metrics.requests.labels("http", str(answer.status)).inc()
        if self._access_log or answer.status == 500:
            log("request", protocol="http", method=scope["method"], path=scope["path"], status=answer.status,
                milliseconds=round(1e3 * (perf_counter() - answer.began), 3))  # fmt: skip


class _Answer:
    """One answer on its way out, which carries the id of its request."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == ID), None)
        self._id = identify(given).encode()
        self._send, self.status, self.began = send, 0, perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"].append((ID, self._id))
        await self._send(message)
