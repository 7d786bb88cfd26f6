"""The operations below /v2: the Open Inference Protocol v2 with the extensions that the server has."""

from __future__ import annotations

from collections.abc import Iterator

from lineshape_serving.dataplane import DataPlane
from lineshape_serving.describe import IndexEntry, ModelConfig, ModelMetadata, ServerMetadata
from lineshape_serving.http.protocol import IndexRequest, LoadRequest, UnloadRequest
from lineshape_serving.oip import HEADER_LENGTH
from lineshape_serving.openapi import parts, tensors
from lineshape_serving.openapi.parts import BYTES, Json
from lineshape_serving.registry import Served
from lineshape_serving.statistics import ModelStatistics

TAG = "Open Inference Protocol v2"
KINDS = (
    ServerMetadata,
    ModelMetadata,
    ModelConfig,
    ModelStatistics,
    IndexEntry,
    IndexRequest,
    LoadRequest,
    UnloadRequest,
)

_BINARY: Json = {**parts.BINARY, "description": (
    f"The JSON, as long as {HEADER_LENGTH} says, in which tensors have the parameter binary_data_size in the place of "
    "data; after it their bytes.")}  # fmt: skip
_LENGTH: Json = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}


def paths(plane: DataPlane, shared: bool) -> Iterator[tuple[str, str, Json]]:
    """Path, method and operation of each; `shared` says whether tensors may lie in shared memory."""
    yield from _server()
    yield from _models(plane)
    for served in map(plane.find, plane.names):
        path, identity = f"/v2/models/{served.name}", f"infer-{served.name}"
        yield f"{path}/infer", "post", _infer(served, shared, identity, [])
        version = parts.choice("version", plane.versions(served.name), "A loaded version.")
        yield f"{path}/versions/{{version}}/infer", "post", _infer(served, shared, f"{identity}-version", [version])
    yield from _repository(plane)


def _server() -> Iterator[tuple[str, str, Json]]:
    yield "/v2", "get", _get("server", "What this server is.", parts.ref(ServerMetadata))
    for name, summary in (("live", "Whether the server answers."), ("ready", "Whether there is a model to ask.")):
        schema = {"type": "object", "required": [name], "properties": {name: {"type": "boolean"}}}
        known = parts.operation(name, summary, parts.reply("Yes.", parts.content(schema)), (), tag=TAG, guarded=False)
        if name == "ready":
            known["responses"]["503"] = parts.reply("No.", parts.content(schema))
        yield f"/v2/health/{name}", "get", known


def _models(plane: DataPlane) -> Iterator[tuple[str, str, Json]]:
    statistics = {"type": "object", "required": ["model_stats"],
                  "properties": {"model_stats": {"type": "array", "items": parts.ref(ModelStatistics)}}}  # fmt: skip
    ready = {"type": "object", "required": ["name", "ready"],
             "properties": {"name": {"type": "string"}, "ready": {"const": True}}}  # fmt: skip
    yield "/v2/models/stats", "get", _get("stats", "What happened to the requests of all models.", statistics)
    for path, suffix, parameters in _both(plane):
        for word, summary, schema in (
            ("", "What a model is.", parts.ref(ModelMetadata)),
            ("/ready", "Whether a model can be asked.", ready),
            ("/config", "How a model runs.", parts.ref(ModelConfig)),
            ("/stats", "What happened to the requests of a model.", statistics),
        ):
            identity = f"model{word.replace('/', '-')}{suffix}"
            yield f"{path}{word}", "get", _get(identity, summary, schema, parameters)


def _both(plane: DataPlane) -> Iterator[tuple[str, str, list[Json]]]:
    model = parts.choice("model", plane.names, "A loaded model.")
    versions = sorted({version for name in plane.names for version in plane.versions(name)})
    yield "/v2/models/{model}", "", [model]
    version = parts.choice("version", versions, "One of its loaded versions.")
    yield "/v2/models/{model}/versions/{version}", "-version", [model, version]


def _get(identity: str, summary: str, schema: Json, parameters: list[Json] | None = None) -> Json:
    done = parts.reply(summary, parts.content(schema))
    refusals = (404, 503) if parameters else (503,)
    rest = {"parameters": parameters} if parameters else {}
    return parts.operation(identity, summary, done, refusals, tag=TAG, guarded=True, rest=rest)


def _infer(served: Served, shared: bool, identity: str, parameters: list[Json]) -> Json:
    length = {"name": HEADER_LENGTH, "in": "header", "schema": _LENGTH,
              "description": "How many bytes of the body are JSON; all of them unless told."}  # fmt: skip
    body = parts.content(tensors.infer_request(served, shared)) | parts.content(_BINARY, BYTES)
    contents = parts.content(tensors.infer_response(served)) | parts.content(parts.BINARY, BYTES)
    told = {HEADER_LENGTH: {"description": "How many bytes of the body are JSON, if some are not.", "schema": _LENGTH}}
    done = parts.reply("The outputs: as JSON, or as JSON and the bytes of those wanted as such.", contents, told)
    unfamiliar = (422,) if any(spec.role == "familiarity" for spec in served.graph.outputs) else ()
    refusals = (404, *parts.BODY, *unfamiliar, 429, 503)
    rest = {"parameters": [*parameters, length], "requestBody": {"required": True, "content": body}}
    return parts.operation(identity, f"Run {served.name}.", done, refusals, tag=TAG, guarded=True, rest=rest)


def _repository(plane: DataPlane) -> Iterator[tuple[str, str, Json]]:
    listed = parts.reply("Every model.", parts.content({"type": "array", "items": parts.ref(IndexEntry)}))
    yield "/v2/repository/index", "post", _command("index", "Which models there are.", listed, IndexRequest, ())
    names = sorted({entry.name for entry in plane.index()})
    model = parts.choice("model", names, "A model that the server was started with.")
    nothing = parts.reply("It is done.", parts.content({"type": "object", "maxProperties": 0}))
    for word, summary, kind in (
        ("load", "Make a bundle the default of its names.", LoadRequest),
        ("unload", "Take a bundle out.", UnloadRequest),
    ):
        command = _command(word, f"{summary} Needs the right 'admin'.", nothing, kind, (404,))
        yield f"/v2/repository/models/{{model}}/{word}", "post", command | {"parameters": [model]}


def _command(identity: str, summary: str, done: Json, kind: type, refusals: tuple[int, ...]) -> Json:
    rest = {"requestBody": {"required": False, "content": parts.content(parts.ref(kind))}}
    return parts.operation(identity, summary, done, (*refusals, *parts.BODY, 503), tag=TAG, guarded=True, rest=rest)
