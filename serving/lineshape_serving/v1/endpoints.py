"""The addresses below /v1, over the data plane."""

from __future__ import annotations

from asyncio import gather
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import msgspec
from anyio import to_thread
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lineshape.bundle import Task
from lineshape.errors import UnknownModel, UsageError
from lineshape.spectrum import Spectrum
from lineshape_edge.model import Model
from lineshape_serving.access import Caller, Scope
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.http.leaving import unless_left
from lineshape_serving.http.replies import packed
from lineshape_serving.v1 import bodies, formats, messages
from lineshape_serving.v1.negotiation import choose
from lineshape_serving.v1.verbs import VERBS, Answer, Job, Verb

Admit: TypeAlias = Callable[[Request, Scope], Caller]
ReadBody: TypeAlias = Callable[[Request], Awaitable[memoryview]]
Planner: TypeAlias = Callable[[Model], Job]
Reader: TypeAlias = Callable[[str], list[Spectrum]]


def routes(plane: DataPlane, admit: Admit, read_body: ReadBody) -> list[Route]:
    """The routes of /v1.

    Parameters
    ----------
    plane : DataPlane
        Runs the models; every spectrum goes through its `infer`.
    admit : callable
        (request, scope) to `Caller`; raises AccessError or ForbiddenError.
    read_body : callable
        Awaited with the request; gives the whole body, unpacked, within the server's limits.
    """
    people = _People(plane, admit, read_body)
    one = "/v1/models/{model}"
    return [
        Route("/v1/models", people.models, methods=["GET"]),
        Route(one, people.model, methods=["GET"]),
        *(Route(f"{one}/{task}", partial(people.ask, verb), methods=["POST"]) for task, verb in VERBS.items()),
    ]


def names(plane: DataPlane) -> tuple[str, ...]:
    """The models that /v1 answers for: all but those that want noise of the client's own."""
    return tuple(name for name in plane.names if plane.find(name).form != "noise")


class _People:
    """HTTP in, inference through the data plane, HTTP out; what takes long runs in threads."""

    def __init__(self, plane: DataPlane, admit: Admit, read_body: ReadBody) -> None:
        self.plane, self.admit, self.read_body = plane, admit, read_body

    async def models(self, request: Request) -> Response:
        self.admit(request, "infer")
        return _json(messages.Models([self._card(name) for name in names(self.plane)]))

    async def model(self, request: Request) -> Response:
        self.admit(request, "infer")
        return _json(self._card(self._known(request.path_params["model"])))

    async def ask(self, verb: Verb, request: Request) -> Response:
        """One verb: everything that can be refused unread is, then the body, the charge and the inference."""
        caller = self.admit(request, "infer")
        name, _ = self._asked(request, verb.task)
        writers = formats.offered(latents=verb.task == "encode")
        media_type = choose(request.headers.get("Accept"), list(writers))
        self.plane.check_room(name)
        plan = await self._planner(verb, request)
        model, job = await self._planned(verb.task, request, plan)
        caller.charge(job.spectra)
        version = model.manifest.version
        asked = gather(*(self.plane.infer(name, version, batch) for batch in job.plan.batches))
        answers = await unless_left(request, asked)
        content = await to_thread.run_sync(_told, job, [answer.outputs for answer in answers], writers[media_type])
        return packed(request, Response(content, headers=_headers(model), media_type=media_type))

    async def _planned(self, task: Task, request: Request, plan: Planner) -> tuple[Model, Job]:
        """The job, of the model that is to run it: made again where another has taken its place meanwhile."""
        while True:
            name, model = self._asked(request, task)
            job = await to_thread.run_sync(plan, model)
            if self.plane.find(name).model is model:
                return model, job

    async def _planner(self, verb: Verb, request: Request) -> Planner:
        """What makes a job of the request's body, for a thread."""
        content_type = bodies.accepted(request.headers.get("Content-Type"), files=verb.options is not None)
        if verb.options is None:
            _no_query(request)
            asked = bodies.decode(await self.read_body(request), verb.request)
            return lambda model: verb.plan(model, asked)
        options = _options(request, verb.options)
        read = await self._reader(content_type, verb, options, request)
        return lambda model: verb.plan(model, read(model.manifest.axes["source"].modality), options)

    async def _reader(self, content_type: str, verb: Verb, options: messages.Options, request: Request) -> Reader:
        """What makes spectra of the body, given the modality that a model expects."""
        body = await self.read_body(request)
        if content_type == bodies.JSON:
            return lambda source: bodies.spectra_of_json(bodies.decode(body, verb.request).spectra, options, source)  # type: ignore[attr-defined]
        if content_type == bodies.FORM:
            files = await bodies.files_of_form(request.headers["Content-Type"], body)
        else:
            files = [bodies.File(bytes(body), content_type, bodies.label_of(options.filename))]
        return lambda source: bodies.spectra_of_files(files, options, source)

    def _asked(self, request: Request, task: Task) -> tuple[str, Model]:
        name = self._known(request.path_params["model"])
        model = self.plane.find(name).model
        if model.manifest.task != task:
            told = f"model {name!r} does not {task}; post to /v1/models/{name}/{model.manifest.task}"
            raise UnknownModel(told)
        return name, model

    def _known(self, name: str) -> str:
        if self.plane.find(name).form == "noise":
            raise UnknownModel(f"model {name!r} takes noise of your own; ask for it below /v2")
        return name

    def _card(self, name: str) -> messages.ModelCard:
        model = self.plane.find(name).model
        facts = model.manifest
        return messages.ModelCard(facts.name, facts.version, model.digest, name, facts.family, facts.task, facts.axes,
                                  facts.classes, facts.analytes, facts.interval)  # fmt: skip


def _told(job: Job, outputs: list[formats.Arrays], write: Callable[[Answer], bytes]) -> bytes:
    return write(job.tell(job.plan.result(outputs)))


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


def _headers(model: Model) -> dict[str, str]:
    """The origin also where a format has no place for it."""
    return {"Lineshape-Bundle": model.manifest.name, "Lineshape-Version": model.manifest.version,
            "Lineshape-Digest": model.digest, "Vary": "Accept"}  # fmt: skip


def _json(content: Struct) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
