"""Where the document is to be had."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lineshape_serving.dataplane import DataPlane
from lineshape_serving.openapi.whole import document
from lineshape_serving.v1.endpoints import Admit


def route(plane: DataPlane, admit: Admit, keys: bool, shared_memory: bool) -> Route:
    """GET /openapi.json: the document for the models that are loaded when it is asked for.

    Parameters
    ----------
    plane : DataPlane
    admit : callable
        As in `lineshape_serving.v1.endpoints`.
    keys, shared_memory : bool
        Whether the server asks for keys, and whether it offers system shared memory.
    """

    async def openapi(request: Request) -> Response:
        admit(request, "infer")
        return Response(msgspec.json.encode(document(plane, keys, shared_memory)), media_type="application/json")

    return Route("/openapi.json", openapi, methods=["GET"])
