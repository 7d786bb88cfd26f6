"""The parts that every operation is put together from: contents, parameters, headers and refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

Json: TypeAlias = dict[str, Any]

JSON, BYTES = "application/json", "application/octet-stream"
COMPONENTS = "#/components/schemas/"
SECURITY = "key"
BINARY: Json = {"type": "string", "format": "binary"}
REQUEST_ID: Json = {"X-Request-Id": {"description": "That of the request, or a new one.", "schema": {"type": "string"}}}

REFUSALS: dict[int, str] = {
    400: "What was asked cannot be understood, or not of this model; the message names the part.",
    401: "No key where one is needed, or one that nobody knows.",
    403: "A key without the right that this needs.",
    404: "No such model or version is loaded, or it does something else.",
    406: "None of the media types that there are is accepted.",
    408: "The request took too long to come.",
    413: "The body is larger than the server takes.",
    415: "A media type or a content coding that the server does not take.",
    422: "Spectra that cannot be used as they are.",
    429: "More spectra than the key may ask for.",
    431: "The head of the request is too large.",
    500: "The server failed.",
    501: "The format needs a package that the server does not have.",
    503: "More work than the server takes at present.",
}
_RETRY: Json = {"Retry-After": {"description": "Seconds after which it is worth asking again.",
                                "schema": {"type": "integer", "minimum": 0}, "required": True}}  # fmt: skip
_HEADERS: dict[int, Json] = {
    401: {"WWW-Authenticate": {"description": "How to send a key.", "schema": {"const": "Bearer"}, "required": True}},
    429: _RETRY,
    503: _RETRY,
}
ALWAYS = (400, 408, 431, 500)  # by the server itself, whatever is asked
BODY = (413, 415)


def ref(kind: type[Struct]) -> Json:
    """The schema of a message type, by reference."""
    return {"$ref": COMPONENTS + kind.__name__}


def content(schema: Json, media_type: str = JSON) -> Json:
    """The content of one media type."""
    return {media_type: {"schema": schema}}


def reply(description: str, contents: Json, headers: Json | None = None) -> Json:
    """An answer that is none of the refusals."""
    return {"description": description, "headers": {**REQUEST_ID, **(headers or {})}, "content": contents}


def refusal(status: int) -> Json:
    """A refusal, as a component says it."""
    return {"description": REFUSALS[status], "headers": {**REQUEST_ID, **_HEADERS.get(status, {})},
            "content": content({"$ref": COMPONENTS + "Refusal"})}  # fmt: skip


def choice(name: str, values: Sequence[str], description: str) -> Json:
    """A part of the path, one of those that there are."""
    return {"name": name, "in": "path", "required": True, "description": description,
            "schema": {"type": "string", "enum": list(values)}}  # fmt: skip


def operation(identity: str, summary: str, done: Json, refusals: Iterable[int], *, tag: str, guarded: bool,
              rest: Mapping[str, Any] | None = None) -> Json:  # fmt: skip
    """One operation.

    Parameters
    ----------
    identity : str
        Its operationId.
    summary : str
    done : dict
        Its answer with status 200.
    refusals : iterable of int
        Beside those that any request may meet.
    tag : str
    guarded : bool
        Whether it needs a key, on a server that has keys.
    rest : mapping, optional
        Parameters and body.
    """
    met = {*refusals, *ALWAYS, *((401, 403) if guarded else ())}
    responses = {"200": done} | {str(s): {"$ref": f"#/components/responses/{s}"} for s in sorted(met)}
    security: list[Json] = [{SECURITY: []}] if guarded else []
    return {"operationId": identity, "summary": summary, "tags": [tag], "security": security, **(rest or {}),
            "responses": responses}  # fmt: skip
