"""What stands before every call: its id, room for it, its refusal, its count, its line in the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import grpc

from lineshape.errors import OverloadError
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.grpc.refusals import refusal
from lineshape_serving.logs import identify, log
from lineshape_serving.traces import continued

ID, TRACE = "x-request-id", "traceparent"
_OURS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)  # codes that are failures of the server


class Front:
    """Calls on their way in and out.

    Parameters
    ----------
    plane : DataPlane
        Its metrics count the answers.
    concurrency : int
        Calls in progress at a time; a stream is one.
    access_log : bool
        Whether every call gets a line.
    """

    def __init__(self, plane: DataPlane, concurrency: int, access_log: bool) -> None:
        self._plane, self._most, self._access_log = plane, concurrency, access_log
        self._busy = 0

    @asynccontextmanager
    async def call(self, context: grpc.aio.ServicerContext, method: str, always: bool) -> AsyncIterator[None]:
        """One call; an error within ends it with the refusal that it asks for.

        Parameters
        ----------
        context : grpc.aio.ServicerContext
        method : str
        always : bool
            Whether it is answered also when there is too much to do, as probes are.
        """
        began, code = perf_counter(), grpc.StatusCode.OK
        identity = identify(metadata(context, ID))
        context.set_trailing_metadata(((ID, identity),))
        self._busy += 1
        try:
            self._check_room(always)
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
            self._busy -= 1
            self._count(method, code, began)

    def _check_room(self, always: bool) -> None:
        if self._busy > self._most and not always:
            raise OverloadError(f"{self._most} calls are in progress, and no more may be")

    def _count(self, method: str, code: grpc.StatusCode, began: float) -> None:
        self._plane.metrics.requests.labels("grpc", code.name).inc()
        if self._access_log or code in _OURS:
            log("request", protocol="grpc", method=method, status=code.name,
                milliseconds=round(1e3 * (perf_counter() - began), 3))  # fmt: skip


def metadata(context: grpc.aio.ServicerContext, name: str) -> str | None:
    """What the client sent under a name."""
    given = dict(context.invocation_metadata() or ()).get(name)
    return given if isinstance(given, str) else None
