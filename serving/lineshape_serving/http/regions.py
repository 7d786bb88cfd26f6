"""System shared memory over HTTP: regions that a client on this machine registers, and requests name afterwards."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from lineshape_serving.http.body import read_body
from lineshape_serving.http.replies import json_reply
from lineshape_serving.settings import Limits
from lineshape_serving.shared_memory import Regions, register_from_json


class SharedMemory:
    """The paths below /v2/systemsharedmemory.

    Parameters
    ----------
    regions : Regions
    limits : Limits
    """

    def __init__(self, regions: Regions, limits: Limits) -> None:
        self._regions, self._limits = regions, limits

    async def status(self, request: Request) -> Response:
        """The registered regions, or one of them."""
        return json_reply(self._regions.status(request.path_params.get("region")))

    async def register(self, request: Request) -> Response:
        """Open a region."""
        register_from_json(self._regions, request.path_params["region"], await read_body(request, self._limits))
        return json_reply({})

    async def unregister(self, request: Request) -> Response:
        """Close one region, or all."""
        self._regions.unregister(request.path_params.get("region"))
        return json_reply({})
