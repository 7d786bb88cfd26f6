"""The Open Inference Protocol v2 over HTTP: thin adapters between Starlette and the data plane."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from lineshape.errors import UsageError
from lineshape_serving import oip
from lineshape_serving.access import Caller
from lineshape_serving.dataplane import Answer, DataPlane
from lineshape_serving.http.body import read_body
from lineshape_serving.http.leaving import unless_left
from lineshape_serving.http.replies import BYTES, JSON, json_reply, off_the_loop, packed
from lineshape_serving.settings import Limits
from lineshape_serving.shared_memory import Regions

T = TypeVar("T")


class IndexRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a repository index is asked for."""

    ready: bool = False


class LoadParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Which bundle, of those that the server was started with."""

    version: str | None = None
    digest: str | None = None


class LoadRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What `load` is told."""

    parameters: LoadParameters = LoadParameters()


class UnloadParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Which version; nothing depends on a model here, so that word of the protocol changes nothing."""

    version: str | None = None
    unload_dependents: bool = False


class UnloadRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What `unload` is told."""

    parameters: UnloadParameters = UnloadParameters()


class Protocol:
    """HTTP in, one call of the data plane, HTTP out.

    Parameters
    ----------
    plane : DataPlane
    limits : Limits
    regions : Regions, optional
        Shared memory, where the server offers it.
    """

    def __init__(self, plane: DataPlane, limits: Limits, regions: Regions | None) -> None:
        self._plane, self._limits, self._regions = plane, limits, regions

    async def server(self, request: Request) -> Response:
        """What this server is."""
        told = self._plane.server()
        if self._regions is not None:
            told = msgspec.structs.replace(told, extensions=(*told.extensions, "system_shared_memory"))
        return json_reply(told)

    async def live(self, request: Request) -> Response:
        """Whether the process answers."""
        return _health("live", self._plane.live())

    async def ready(self, request: Request) -> Response:
        """Whether there is a model to ask."""
        return _health("ready", self._plane.ready())

    async def metadata(self, request: Request) -> Response:
        """What a model is."""
        return await packed(request, json_reply(self._plane.metadata(*named(request))))

    async def model_ready(self, request: Request) -> Response:
        """Whether a model can be asked: a model is loaded once it has passed its golden test."""
        served = self._plane.find(*named(request))
        return json_reply({"name": served.name, "ready": True})

    async def config(self, request: Request) -> Response:
        """How a model runs."""
        return json_reply(self._plane.config(*named(request)))

    async def statistics(self, request: Request) -> Response:
        """What happened to the requests of a model, or of all."""
        name, version = named(request)
        return await packed(request, json_reply({"model_stats": self._plane.statistics(name, version)}))

    async def index(self, request: Request) -> Response:
        """Which models there are."""
        asked = await self._told(request, IndexRequest)
        return json_reply(self._plane.index(asked.ready))

    async def load(self, request: Request) -> Response:
        """Make a bundle the default of its names."""
        asked = (await self._told(request, LoadRequest)).parameters
        await self._plane.load(request.path_params["model"], asked.version, asked.digest)
        return json_reply({})

    async def unload(self, request: Request) -> Response:
        """Take a bundle out."""
        asked = (await self._told(request, UnloadRequest)).parameters
        await self._plane.unload(request.path_params["model"], asked.version)
        return json_reply({})

    async def infer(self, request: Request) -> Response:
        """Run a model."""
        name, version = named(request)
        served = self._plane.find(name, version)
        self._plane.check_room(name, version)  # refused before its body is read
        header_length = oip.parse_header_length(request.headers.get(oip.HEADER_LENGTH))
        body = await read_body(request, self._limits, header_length or 0)
        began = perf_counter_ns()
        asked = await off_the_loop(len(body), oip.decode_request, body, header_length, self._regions)
        served.metrics.stage("decode", perf_counter_ns() - began)
        _caller(request).charge(asked.spectra)
        work = self._plane.infer(name, version, asked.inputs, asked.outputs, asked.min_familiarity, asked.timeout)
        answer = await (work if served.lane.idle else unless_left(request, work))
        ended = perf_counter_ns()
        numbers = sum(array.nbytes for name, array in answer.outputs.items()
                      if not asked.binary.get(name, asked.binary_rest))  # fmt: skip
        response = await packed(request, await off_the_loop(numbers, self._response, answer, asked))
        served.metrics.stage("encode", perf_counter_ns() - ended)
        served.metrics.stage("total", perf_counter_ns() - began)
        return response

    def _response(self, answer: Answer, asked: oip.InferRequest) -> Response:
        content, json_bytes = oip.encode_response(answer.model, answer.version, answer.outputs, asked, self._regions)
        if json_bytes is None:
            return Response(content, media_type=JSON)
        return Response(content, headers={oip.HEADER_LENGTH: str(json_bytes)}, media_type=BYTES)

    async def _told(self, request: Request, kind: type[T]) -> T:
        """The JSON body of a command; none is as good as an empty one."""
        body = await read_body(request, self._limits)
        try:
            return msgspec.json.decode(body or b"{}", type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise UsageError(f"the request's JSON cannot be read: {error}") from None


def named(request: Request) -> tuple[str, str | None]:
    """The model that a path names, and the version if it does."""
    return request.path_params.get("model"), request.path_params.get("version")  # type: ignore[return-value]


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


def _health(name: str, holds: bool) -> Response:
    return json_reply({name: holds}, 200 if holds else 503)
