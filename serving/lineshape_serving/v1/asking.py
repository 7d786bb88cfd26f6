"""What a request of /v1 asks for: its query and its body become a job of the model that is to run it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request

from lineshape.errors import UsageError
from lineshape.spectrum import Spectrum
from lineshape_edge.model import Model
from lineshape_serving.v1 import bodies, messages
from lineshape_serving.v1.verbs import Job, Verb

Planner: TypeAlias = Callable[[memoryview, Model], Job]

MOST_WORDS = 1 << 18  # bytes of a request without spectra


def planner(verb: Verb, request: Request) -> Planner:
    """What makes a job of a body, for a thread: it reads the body, and may take as long as that takes.

    Parameters
    ----------
    verb : Verb
    request : Request
        Its head alone is looked at.

    Raises
    ------
    HTTPException
        415 if its media type is none that is taken.
    UsageError
        If its query is not that of the verb.
    """
    content_type = bodies.accepted(request.headers.get("Content-Type"), files=verb.options is not None)
    if verb.options is None:
        _no_query(request)
        return lambda body, model: verb.plan(model, bodies.decode(_short(body), verb.request))
    options = _options(request, verb.options)

    def plan(body: memoryview, model: Model) -> Job:
        source = model.manifest.axes["source"].modality
        if content_type == bodies.JSON:
            return verb.plan(model, _numbers(body, verb, options, source), options)
        if content_type == bodies.FORM:
            files = bodies.files_of_form(request.headers["Content-Type"], body)
        else:
            files = [bodies.File(bytes(body), content_type, bodies.label_of(options.filename))]
        return verb.plan(model, bodies.spectra_of_files(files, options, source), options)

    return plan


def _numbers(body: memoryview, verb: Verb, options: messages.Options, source: str) -> list[Spectrum]:
    return bodies.spectra_of_json(bodies.decode(body, verb.request).spectra, options, source)  # type: ignore[attr-defined]


def _short(body: memoryview) -> memoryview:
    """Decoding holds the interpreter's lock, also in a thread."""
    if len(body) > MOST_WORDS:
        raise HTTPException(413, f"the request is larger than {MOST_WORDS >> 10} KiB; it needs a few words only")
    return body


def _options(request: Request, kind: type[messages.Options]) -> messages.Options:
    """The query; raises UsageError where it is not of this kind."""
    given = request.query_params.multi_items()
    if len({name for name, _ in given}) < len(given):
        raise UsageError("the query names an option twice")
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"the query: {error}; there is {', '.join(kind.__struct_fields__)}") from None


def _no_query(request: Request) -> None:
    if request.query_params:
        raise UsageError("the query: samples take none; say everything in the JSON body")
