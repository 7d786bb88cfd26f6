"""The ASGI application: which path leads where, and which right it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lineshape.errors import LineshapeError
from lineshape_serving import openapi, v1
from lineshape_serving.access import Caller, Gate, Scope
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.http import replies
from lineshape_serving.http.body import read_body
from lineshape_serving.http.front import Front
from lineshape_serving.http.protocol import Protocol
from lineshape_serving.http.regions import SharedMemory
from lineshape_serving.metrics import CONTENT_TYPE
from lineshape_serving.settings import Limits
from lineshape_serving.shared_memory import Regions

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

MODEL = "/v2/models/{model}"
BOTH = (MODEL, MODEL + "/versions/{version}")


def application(plane: DataPlane, gate: Gate | None = None, limits: Limits | None = None,
                regions: Regions | None = None, access_log: bool = False) -> ASGIApp:  # fmt: skip
    """The application over a data plane.

    Parameters
    ----------
    plane : DataPlane
        It may gain and lose models while the application runs.
    gate : Gate, optional
        Who may ask; everyone without.
    limits : Limits, optional
    regions : Regions, optional
        Shared memory for clients on this machine; none without.
    access_log : bool
        Whether every request gets a line in the log.
    """
    limits = limits or Limits()
    app = Starlette(
        routes=list(_routes(plane, gate or Gate(), limits, regions)),
        exception_handlers={
            LineshapeError: replies.refused,
            HTTPException: replies.refused_by_http,
            ClientDisconnect: replies.gone,
            Exception: replies.broken,
        },
    )
    app.router.redirect_slashes = False
    return Front(app, plane, limits.concurrency, access_log)


def _routes(plane: DataPlane, gate: Gate, limits: Limits, regions: Regions | None) -> Iterator[Route]:
    endpoint = Protocol(plane, limits, regions)

    def route(path: str, handler: Endpoint, scope: Scope | None = "infer", method: str = "GET") -> Route:
        return Route(path, _guarded(gate, scope, handler) if scope else handler, methods=[method])

    for path in BOTH:
        yield route(f"{path}/infer", endpoint.infer, method="POST")
    yield route("/v2", endpoint.server)
    yield route("/v2/health/live", endpoint.live, None)
    yield route("/v2/health/ready", endpoint.ready, None)
    yield route("/v2/models/stats", endpoint.statistics)
    for path in BOTH:
        yield route(path, endpoint.metadata)
        yield route(f"{path}/ready", endpoint.model_ready)
        yield route(f"{path}/config", endpoint.config)
        yield route(f"{path}/stats", endpoint.statistics)
    yield route("/v2/repository/index", endpoint.index, method="POST")
    yield route("/v2/repository/models/{model}/load", endpoint.load, "admin", "POST")
    yield route("/v2/repository/models/{model}/unload", endpoint.unload, "admin", "POST")
    if regions is not None:
        memory, below = SharedMemory(regions, limits), "/v2/systemsharedmemory"
        for path in (below, below + "/region/{region}"):
            yield route(f"{path}/status", memory.status)
            yield route(f"{path}/unregister", memory.unregister, method="POST")
        yield route(below + "/region/{region}/register", memory.register, method="POST")
    yield route("/metrics", _metrics(plane))

    def admit(request: Request, scope: Scope) -> Caller:
        return gate.admit(request.headers.get("authorization"), scope)

    async def read(request: Request) -> memoryview:
        return await read_body(request, limits)

    yield from v1.routes(plane, admit, read)
    yield openapi.route(plane, admit, keys=not gate.open, shared_memory=regions is not None)


def _guarded(gate: Gate, scope: Scope, handler: Endpoint) -> Endpoint:
    """The handler behind the gate; it finds its caller in the request's state."""

    async def guarded(request: Request) -> Response:
        request.state.caller = gate.admit(request.headers.get("authorization"), scope)
        return await handler(request)

    return guarded


def _metrics(plane: DataPlane) -> Endpoint:
    async def metrics(request: Request) -> Response:
        text = await asyncio.to_thread(plane.metrics.text)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    return metrics
