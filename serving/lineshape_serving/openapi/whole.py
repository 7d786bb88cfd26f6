"""The whole document: every path of the server, true for the models that are loaded now."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import version as installed_version

import msgspec

from lineshape_serving.dataplane import DataPlane
from lineshape_serving.openapi import memory, parts, people, protocol
from lineshape_serving.openapi.parts import Json
from lineshape_serving.v1.messages import Refusal

_TITLE, _TAG = "Lineshape", "Server"
_ABOUT = ("Generative models of spectra: below /v1 for people, with files and axes of any kind; below /v2 for "
          "programs, by the Open Inference Protocol v2 with binary tensors.")  # fmt: skip


def document(plane: DataPlane, keys: bool, shared_memory: bool) -> Json:
    """The document.

    Parameters
    ----------
    plane : DataPlane
        Its models are enumerated, with their tensors and ranges.
    keys : bool
        Whether the server asks for keys.
    shared_memory : bool
        Whether it offers system shared memory.
    """
    shared = memory.paths() if shared_memory else ()
    operations = [*people.paths(plane), *protocol.paths(plane, shared_memory), *shared, *_own()]
    paths: defaultdict[str, Json] = defaultdict(dict)
    for path, method, operation in operations:
        paths[path][method] = operation if keys else _open(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": installed_version("lineshape"), "description": _ABOUT},
        "paths": dict(paths),
        "components": _components(keys),
    }


def _own() -> list[tuple[str, str, Json]]:
    """What tells of the server itself."""
    metrics = parts.reply("In Prometheus' text format.", parts.content({"type": "string"}, "text/plain"))
    told = parts.reply("OpenAPI 3.1.", parts.content({"type": "object", "required": ["openapi", "info", "paths"]}))
    watch = parts.operation("metrics", "What there is to watch.", metrics, (), tag=_TAG, guarded=True)
    itself = parts.operation("openapi", "This document.", told, (503,), tag=_TAG, guarded=True)
    return [("/metrics", "get", watch), ("/openapi.json", "get", itself)]


def _open(operation: Json) -> Json:
    """The operation on a server without keys, which never asks for one."""
    responses = {status: told for status, told in operation["responses"].items() if status not in ("401", "403", "429")}
    return {key: value for key, value in operation.items() if key != "security"} | {"responses": responses}


def _components(keys: bool) -> Json:
    kinds = (Refusal, *people.KINDS, *protocol.KINDS, *memory.KINDS)
    _, schemas = msgspec.json.schema_components(kinds, ref_template=parts.COMPONENTS + "{name}")
    components: Json = {
        "schemas": schemas,
        "responses": {str(status): parts.refusal(status) for status in parts.REFUSALS},
    }
    if keys:
        scheme = {"type": "http", "scheme": "bearer", "description": "A key that `lineshape keys add` made."}
        components["securitySchemes"] = {parts.SECURITY: scheme}
    return components
