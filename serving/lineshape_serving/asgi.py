"""The Open Inference Protocol v2 over HTTP: thin adapters between Starlette and the data plane."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from lineshape.errors import LineshapeError
from lineshape_serving import oip
from lineshape_serving.dataplane import DataPlane

BODY_LIMIT = 64 * 2**20  # bytes of a request: 4,096 spectra of 2,000 points with their masks
_ALIGNMENT = 8  # bytes: what the widest datatype wants


def application(plane: DataPlane) -> Starlette:
    """The ASGI application over a data plane.

    Parameters
    ----------
    plane : DataPlane
        It may gain models while the application runs.
    """
    adapter = _Adapter(plane)
    model = "/v2/models/{model}"
    version = model + "/versions/{version}"
    app = Starlette(
        routes=[
            Route("/v2", adapter.server),
            Route("/v2/health/live", adapter.live),
            Route("/v2/health/ready", adapter.ready),
            *(Route(path, adapter.metadata) for path in (model, version)),
            *(Route(f"{path}/ready", adapter.model_ready) for path in (model, version)),
            *(Route(f"{path}/infer", adapter.infer, methods=["POST"]) for path in (model, version)),
        ],
        exception_handlers={
            LineshapeError: _refused,
            HTTPException: _refused_by_http,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
    )
    app.router.redirect_slashes = False
    return app


class _Adapter:
    """HTTP in, one call of the data plane, HTTP out."""

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane
        # ONNX Runtime releases the interpreter lock, so a core each is what threads can use
        self.workers = ThreadPoolExecutor(os.cpu_count(), "lineshape-infer")

    async def server(self, request: Request) -> Response:
        return _json(self.plane.server())

    async def live(self, request: Request) -> Response:
        return _health("live", self.plane.live())

    async def ready(self, request: Request) -> Response:
        return _health("ready", self.plane.ready())

    async def metadata(self, request: Request) -> Response:
        return _json(self.plane.metadata(*_named(request)))

    async def model_ready(self, request: Request) -> Response:
        served = self.plane.find(*_named(request))
        return _json({"name": served.name, "ready": True})

    async def infer(self, request: Request) -> Response:
        name, version = _named(request)
        self.plane.find(name, version)  # refused before its body is read
        header_length = oip.parse_header_length(request.headers.get(oip.HEADER_LENGTH))
        body = await _body(request, header_length or 0)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.workers, _infer, self.plane, name, version, body, header_length)


def _infer(plane: DataPlane, name: str, version: str | None, body: memoryview, header_length: int | None) -> Response:
    asked = oip.decode_request(body, header_length)
    answer = plane.infer(name, version, asked.inputs, asked.outputs, asked.min_familiarity)
    content, json_bytes = oip.encode_response(answer.model, answer.version, answer.outputs, asked)
    if json_bytes is None:
        return Response(content, media_type="application/json")
    return Response(content, headers={oip.HEADER_LENGTH: str(json_bytes)}, media_type="application/octet-stream")


async def _body(request: Request, json_bytes: int) -> memoryview:
    """The body, joined once, its binary part where arrays want to lie."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise HTTPException(415, "Content-Encoding: this server takes bodies as they are, not compressed")
    _check_size(int(length) if (length := request.headers.get("Content-Length", "0")).isdecimal() else 0)
    pad = -json_bytes % _ALIGNMENT
    chunks, size = [bytes(pad)], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        _check_size(size)
    return memoryview(b"".join(chunks))[pad:]


def _check_size(size: int) -> None:
    if size > BODY_LIMIT:
        raise HTTPException(413, f"the body is larger than {BODY_LIMIT} bytes; send smaller batches")


def _named(request: Request) -> tuple[str, str | None]:
    return request.path_params["model"], request.path_params.get("version")


def _health(name: str, holds: bool) -> Response:
    return _json({name: holds}, 200 if holds else 503)


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401
    return Response(msgspec.json.encode(content), status, headers, "application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, LineshapeError)  # noqa: S101 - Starlette asks by class, the type checker cannot know
    return _json({"error": str(error)}, error.http_status)


async def _refused_by_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    return _json({"error": error.detail}, error.status_code, error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    return _json({"error": "the client left before its body had come"}, 400)  # for the count; nobody reads it


async def _broken(request: Request, error: Exception) -> Response:
    return _json({"error": "the server failed; its log says why"}, 500)
