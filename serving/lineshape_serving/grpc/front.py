"""What stands before every call: its id, room for it, its message, its refusal, its count, its line in the log."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Literal, TypeAlias

import grpc

from lineshape.errors import OverloadError, UsageError
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.grpc.refusals import refusal
from lineshape_serving.logs import identify, log
from lineshape_serving.settings import Limits
from lineshape_serving.traces import continued

Kind: TypeAlias = Literal["calls", "probes", "watchers"]
Message: TypeAlias = Any  # a generated protobuf class, which has no types

PROBES, WATCHERS = 64, 256  # at a time; they need no key, so they have a room of their own
ID, TRACE = "x-request-id", "traceparent"
_OURS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)  # codes that are failures of the server


class Front:
    """Calls on their way in and out.

    Parameters
    ----------
    plane : DataPlane
        Its metrics count the answers.
    limits : Limits
        Calls in progress at a time, where a stream is one, and the seconds within which a message must have come.
    access_log : bool
        Whether every call gets a line.
    """

    def __init__(self, plane: DataPlane, limits: Limits, access_log: bool) -> None:
        self._plane, self._seconds, self._access_log = plane, limits.body_seconds, access_log
        self._most: dict[Kind, int] = {"calls": limits.concurrency, "probes": PROBES, "watchers": WATCHERS}
        self._busy: Counter[Kind] = Counter()

    @asynccontextmanager
    async def call(self, context: grpc.aio.ServicerContext, method: str, kind: Kind) -> AsyncIterator[None]:
        """One call; an error within ends it with the refusal that it asks for.

        Parameters
        ----------
        context : grpc.aio.ServicerContext
        method : str
        kind : "calls", "probes" or "watchers"
            Each has its room: probes are answered also when there is too much to do.
        """
        began, code = perf_counter(), grpc.StatusCode.OK
        identity = identify(metadata(context, ID))
        context.set_trailing_metadata(((ID, identity),))
        self._busy[kind] += 1
        try:
            self._check_room(kind)
            with continued(metadata(context, TRACE)):
                yield
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:
            told = refusal(error)
            code = told.code
            await context.abort(code, told.details, ((ID, identity), *told.metadata))
        finally:
            self._busy[kind] -= 1
            self._count(method, code, began)

    async def receive(self, context: grpc.aio.ServicerContext) -> Message:
        """The one message of a call, which comes no sooner than it is asked for.

        Raises
        ------
        UsageError
            If it does not come, or not in time.
        DecodeError
            If it cannot be read.
        """
        try:
            async with asyncio.timeout(self._seconds):
                message = await context.read()
        except TimeoutError:
            raise UsageError(f"the request's message did not come within {self._seconds:g} s") from None
        if message is grpc.aio.EOF:
            raise UsageError("the call ended without its message")
        return message

    def _check_room(self, kind: Kind) -> None:
        if self._busy[kind] > self._most[kind]:
            raise OverloadError(f"{self._most[kind]} {kind} are in progress, and no more may be")

    def _count(self, method: str, code: grpc.StatusCode, began: float) -> None:
        self._plane.metrics.requests.labels("grpc", code.name).inc()
        if self._access_log or code in _OURS:
            log("request", protocol="grpc", method=method, status=code.name,
                milliseconds=round(1e3 * (perf_counter() - began), 3))  # fmt: skip


class Unread(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Leaves the message of every call to the call: a client that is refused has not filled the memory with it.

    gRPC reads the message of a call that has one before it asks anybody, but that of a stream only when told to; on the
    wire they are the same.
    """

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:  # noqa: ANN401 - grpc's own
        """A call's handler, as one that takes a stream."""
        handler = await continuation(details)
        if handler is None or handler.request_streaming:
            return handler
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                handler.unary_stream, handler.request_deserializer, handler.response_serializer
            )
        return grpc.stream_unary_rpc_method_handler(
            handler.unary_unary, handler.request_deserializer, handler.response_serializer
        )


async def send(context: grpc.aio.ServicerContext, message: Message) -> None:
    """Write a message of a stream; for a client that has gone meanwhile, the call ends as if it had been cancelled."""
    try:
        await context.write(message)
    except grpc.aio.InternalError:
        raise asyncio.CancelledError from None


def metadata(context: grpc.aio.ServicerContext, name: str) -> str | None:
    """What the client sent under a name."""
    given = dict(context.invocation_metadata() or ()).get(name)
    return given if isinstance(given, str) else None
