"""The operations below /v2/systemsharedmemory, on a server that offers it."""

from __future__ import annotations

from collections.abc import Iterator

from lineshape_serving.openapi import parts
from lineshape_serving.openapi.parts import Json
from lineshape_serving.shared_memory import RegionStatus, Registration

TAG = "System shared memory"
KINDS = (RegionStatus, Registration)

_BELOW = "/v2/systemsharedmemory"
_REGION: Json = {"name": "region", "in": "path", "required": True, "description": "What the client calls the region.",
                 "schema": {"type": "string", "minLength": 1}}  # fmt: skip


def paths() -> Iterator[tuple[str, str, Json]]:
    """Path, method and operation of each."""
    listed = parts.reply("The regions.", parts.content({"type": "array", "items": parts.ref(RegionStatus)}))
    done = parts.reply("Done.", parts.content({"type": "object", "maxProperties": 0}))
    for path, what, parameters in ((_BELOW, "all", []), (f"{_BELOW}/region/{{region}}", "one", [_REGION])):
        yield f"{path}/status", "get", _one(f"regions-{what}", "Which regions there are.", listed, parameters)
        summary = "Forget regions; that there is none is no error."
        yield f"{path}/unregister", "post", _one(f"unregister-{what}", summary, done, parameters)
    body = {"requestBody": {"required": True, "content": parts.content(parts.ref(Registration))}}
    summary = "Open a region of a POSIX shared memory object."
    register = _one("register", summary, done, [_REGION], parts.BODY)
    yield f"{_BELOW}/region/{{region}}/register", "post", register | body


def _one(identity: str, summary: str, done: Json, parameters: list[Json], refusals: tuple[int, ...] = ()) -> Json:
    rest = {"parameters": parameters} if parameters else {}
    return parts.operation(identity, summary, done, (*refusals, 503), tag=TAG, guarded=True, rest=rest)
