"""The protocol's service: each call is one of the data plane's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from time import perf_counter_ns
from typing import Any, TypeAlias

import grpc
import msgspec
from google.protobuf import json_format  # type: ignore[import-untyped]
from tritonclient.grpc import service_pb2 as wire
from tritonclient.grpc import service_pb2_grpc

from lineshape.errors import UnknownModel, UsageError
from lineshape_serving.access import Caller, Gate, Scope
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.grpc import messages
from lineshape_serving.grpc.front import Front, metadata, send
from lineshape_serving.grpc.refusals import refusal
from lineshape_serving.grpc.streams import Streams
from lineshape_serving.oip import InferRequest
from lineshape_serving.shared_memory import Regions, offered

Message: TypeAlias = Any  # a generated protobuf class, which has no types
Context: TypeAlias = grpc.aio.ServicerContext
Answers: TypeAlias = Callable[[Any, object, Context], Awaitable[Message]]
Method: TypeAlias = Callable[[Any, Message, Any], Awaitable[Message]]

LARGE = 1 << 20  # bytes of a request that take too long to read for the event loop: 10 ms as numbers
_LOAD = ("version", "digest")  # parameters of RepositoryModelLoad


def _for(scope: Scope | None) -> Callable[[Method], Answers]:
    """A call that needs a key with this right, or none."""

    def wrap(method: Method) -> Answers:
        @wraps(method)
        async def call(self: Servicer, _: object, context: Context) -> Message:
            async with self.front.call(context, method.__name__, "calls" if scope else "probes"):
                caller = self.admit(context, scope) if scope else None
                return await method(self, await self.front.receive(context), caller)

        return call

    return wrap


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """inference.GRPCInferenceService.

    Parameters
    ----------
    plane : DataPlane
    gate : Gate
        Asked for every call but those about health.
    front : Front
    regions : Regions, optional
        Shared memory, where it is offered.
    """

    def __init__(self, plane: DataPlane, gate: Gate, front: Front, regions: Regions | None = None) -> None:
        self._plane, self._gate, self.front, self._regions = plane, gate, front, regions
        self.streams = Streams()

    def admit(self, context: Context, scope: Scope) -> Caller:
        """Whoever calls."""
        return self._gate.admit(metadata(context, "authorization"), scope)

    @_for(None)
    async def ServerLive(self, request: Message, caller: None) -> Message:
        """Whether the process answers at all."""
        return wire.ServerLiveResponse(live=self._plane.live())

    @_for(None)
    async def ServerReady(self, request: Message, caller: None) -> Message:
        """Whether there is a model to ask."""
        return wire.ServerReadyResponse(ready=self._plane.ready())

    @_for(None)
    async def ModelReady(self, request: Message, caller: None) -> Message:
        """Whether a model answers; one that nobody knows does not."""
        try:
            self._plane.find(request.name, request.version or None)
        except UnknownModel:
            return wire.ModelReadyResponse(ready=False)
        return wire.ModelReadyResponse(ready=self._plane.ready())

    @_for("infer")
    async def ServerMetadata(self, request: Message, caller: Caller) -> Message:
        """What this server is and speaks."""
        told = _said(self._plane.server(), wire.ServerMetadataResponse)
        told.extensions.extend(["system_shared_memory"] if self._regions is not None else [])
        return told

    @_for("infer")
    async def ModelMetadata(self, request: Message, caller: Caller) -> Message:
        """A model's tensors."""
        told = self._plane.metadata(request.name, request.version or None)
        return _said(told, wire.ModelMetadataResponse)

    @_for("infer")
    async def ModelConfig(self, request: Message, caller: Caller) -> Message:
        """How a model runs."""
        config = self._plane.config(request.name, request.version or None)
        return wire.ModelConfigResponse(config=_said(config, wire.ModelConfigResponse().config.__class__))

    @_for("infer")
    async def ModelStatistics(self, request: Message, caller: Caller) -> Message:
        """What happened so far, to one model or all."""
        told = self._plane.statistics(request.name or None, request.version or None)
        return wire.ModelStatisticsResponse(model_stats=[_said(each, wire.ModelStatistics) for each in told])

    @_for("infer")
    async def RepositoryIndex(self, request: Message, caller: Caller) -> Message:
        """All models."""
        index = self._plane.index(request.ready)
        return wire.RepositoryIndexResponse(
            models=[_said(each, wire.RepositoryIndexResponse.ModelIndex) for each in index]
        )

    @_for("admin")
    async def RepositoryModelLoad(self, request: Message, caller: Caller) -> Message:
        """Load a model, or another version of it."""
        if unknown := set(request.parameters) - set(_LOAD):
            raise UsageError(f"loading takes no parameter {min(unknown)!r}; it takes {' and '.join(_LOAD)}")
        version, digest = (request.parameters[name].string_param or None for name in _LOAD)
        await self._plane.load(request.model_name, version, digest)
        return wire.RepositoryModelLoadResponse()

    @_for("admin")
    async def RepositoryModelUnload(self, request: Message, caller: Caller) -> Message:
        """Unload a model, or one version of it."""
        await self._plane.unload(request.model_name, request.parameters["version"].string_param or None)
        return wire.RepositoryModelUnloadResponse()

    @_for("infer")
    async def ModelInfer(self, request: Message, caller: Caller) -> Message:
        """Run a model over one batch."""
        return await self._infer(caller, request)

    async def ModelStreamInfer(self, requests: Any, context: Context) -> None:  # noqa: ANN401 - grpc's own iterator
        """Run models over one batch after another; one that is refused does not end the stream."""
        async with self.front.call(context, "ModelStreamInfer", "calls"):
            caller = self.admit(context, "infer")
            await self.streams.answer(requests, partial(self._infer_or_say, caller), partial(send, context))

    @_for("infer")
    async def SystemSharedMemoryStatus(self, request: Message, caller: Caller) -> Message:
        """The regions of shared memory that are registered."""
        found = offered(self._regions).status(request.name or None)
        kind = wire.SystemSharedMemoryStatusResponse.RegionStatus
        return wire.SystemSharedMemoryStatusResponse(regions={each.name: _said(each, kind) for each in found})

    @_for("infer")
    async def SystemSharedMemoryRegister(self, request: Message, caller: Caller) -> Message:
        """Open a region."""
        offered(self._regions).register(request.name, request.key, request.offset, request.byte_size)
        return wire.SystemSharedMemoryRegisterResponse()

    @_for("infer")
    async def SystemSharedMemoryUnregister(self, request: Message, caller: Caller) -> Message:
        """Forget a region, or all."""
        offered(self._regions).unregister(request.name or None)
        return wire.SystemSharedMemoryUnregisterResponse()

    async def _infer(self, caller: Caller, request: Message) -> Message:
        name, version = request.model_name, request.model_version or None
        metrics = self._plane.find(name, version).metrics
        self._plane.check_room(name, version)  # under overload, before any work
        began = perf_counter_ns()
        asked = await _off_the_loop(request, self._regions)
        metrics.stage("decode", perf_counter_ns() - began)
        caller.charge(asked.spectra)
        answer = await self._plane.infer(name, version, asked.inputs, asked.outputs, asked.min_familiarity,
                                         asked.timeout)  # fmt: skip
        ended = perf_counter_ns()
        response = messages.encode(answer, asked, self._regions)
        metrics.stage("encode", perf_counter_ns() - ended)
        metrics.stage("total", perf_counter_ns() - began)
        return response

    async def _infer_or_say(self, caller: Caller, request: Message) -> Message:
        """An answer within a stream: a result, or why there is none, with the id that tells which request it was."""
        try:
            return wire.ModelStreamInferResponse(infer_response=await self._infer(caller, request))
        except Exception as error:
            said = wire.ModelInferResponse(id=request.id)
            return wire.ModelStreamInferResponse(error_message=refusal(error).details, infer_response=said)


async def _off_the_loop(request: Message, regions: Regions | None) -> InferRequest:
    """The request decoded; a large one in a thread."""
    if request.ByteSize() < LARGE:
        return messages.decode(request, regions)
    return await asyncio.to_thread(messages.decode, request, regions)


def _refused(what: str) -> Answers:
    async def call(self: Servicer, _: object, context: Context) -> Message:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, what)

    return call


_CUDA = "CUDA shared memory is not offered; send tensors as bytes or in system shared memory"
for _name, _what in {
    "CudaSharedMemoryStatus": _CUDA,
    "CudaSharedMemoryRegister": _CUDA,
    "CudaSharedMemoryUnregister": _CUDA,
    "TraceSetting": "trace settings stand in the server's configuration and do not change over the wire",
    "LogSettings": "log settings stand in the server's configuration and do not change over the wire",
}.items():
    setattr(Servicer, _name, _refused(_what))


def _said(struct: msgspec.Struct, kind: Callable[[], Message]) -> Message:
    """A description of the data plane as a message of the same fields; what the message has no field for stays out."""
    return json_format.ParseDict(msgspec.to_builtins(struct), kind(), ignore_unknown_fields=True)
