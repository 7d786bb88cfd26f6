"""grpc.health.v1 over the data plane: the server as '' and each model under its name."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, TypeAlias

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lineshape.errors import UnknownModel
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.grpc.front import Front, send

Message: TypeAlias = Any  # a generated protobuf class, which has no types
_Status: TypeAlias = Any  # an enumeration of protobuf

LOOK_SECONDS = 0.25  # how soon a watcher hears of a change
_CHECK = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Asks the data plane each time, so that there is no second account of what is ready.

    Parameters
    ----------
    plane : DataPlane
    front : Front
    services : tuple of str
        Names that stand for the server, beside ''.
    """

    def __init__(self, plane: DataPlane, front: Front, services: tuple[str, ...] = ()) -> None:
        self._plane, self._front, self._services = plane, front, ("", *services)
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Tell all that nothing is served any more, and let watchers go."""
        self._closing.set()

    async def Check(self, _: object, context: grpc.aio.ServicerContext) -> Message:
        """The status now."""
        async with self._front.call(context, "Check", "probes"):
            request = await self._front.receive(context)
            status = self._status(request.service)
            if status == _CHECK.SERVICE_UNKNOWN:
                raise UnknownModel(f"no model {request.service[:64]!r} here")
            return _CHECK(status=status)

    async def Watch(self, _: object, context: grpc.aio.ServicerContext) -> None:
        """The status now, and whenever it changes."""
        async with self._front.call(context, "Watch", "watchers"):
            request, told = await self._front.receive(context), None
            while not self._closing.is_set():
                told = await self._tell(request, context, told)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), LOOK_SECONDS)
            await self._tell(request, context, told)

    async def _tell(self, request: Message, context: grpc.aio.ServicerContext, told: _Status | None) -> _Status:
        if (status := self._status(request.service)) != told:
            await send(context, _CHECK(status=status))
        return status

    def _status(self, service: str) -> _Status:
        if service not in self._services:
            try:
                self._plane.find(service)
            except UnknownModel:
                return _CHECK.SERVICE_UNKNOWN
        ready = self._plane.ready() and not self._closing.is_set()
        return _CHECK.SERVING if ready else _CHECK.NOT_SERVING
