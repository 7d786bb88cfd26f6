"""The addresses below /v1, over the data plane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter_ns
from typing import TypeAlias

import msgspec
from anyio import to_thread
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lineshape.errors import LineshapeError, UnknownModel
from lineshape_edge.model import Model
from lineshape_serving.access import Caller, Scope
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.http.leaving import unless_left
from lineshape_serving.http.replies import packed
from lineshape_serving.registry import Served
from lineshape_serving.v1 import formats, messages
from lineshape_serving.v1.asking import planner
from lineshape_serving.v1.verbs import VERBS, Answer, Job, Verb

Admit: TypeAlias = Callable[[Request, Scope], Caller]
ReadBody: TypeAlias = Callable[[Request], Awaitable[memoryview]]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

LONGEST = 1000  # characters of a refusal; what was sent may be repeated in it


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
        Route(one, _briefly(people.model), methods=["GET"]),
        *(Route(f"{one}/{task}", _briefly(partial(people.ask, verb)), methods=["POST"])
          for task, verb in VERBS.items()),
    ]  # fmt: skip


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
        return _json(self._card(self._known(request).name))

    async def ask(self, verb: Verb, request: Request) -> Response:
        """One verb: everything that can be refused unread is, then the body, the charge and the inference."""
        caller = self.admit(request, "infer")
        self.plane.check_room(self._asked(verb, request).name)
        media_type, write = formats.chosen(request.headers.get("Accept"), latents=verb.task == "encode")
        plan = planner(verb, request)
        body = await self.read_body(request)
        served = self._asked(verb, request)  # another may have taken its place while the body came
        with _timed(served, "total"):
            with _timed(served, "decode"):
                job = await to_thread.run_sync(plan, body, served.model)
            caller.charge(job.spectra)
            outputs = await unless_left(request, self._run(served, job))
            with _timed(served, "encode"):
                content = await to_thread.run_sync(_told, job, outputs, write)
                return await packed(request, Response(content, headers=_headers(served.model), media_type=media_type))

    async def _run(self, served: Served, job: Job) -> list[formats.Arrays]:
        """The outputs of each batch, by the very model that they were planned for, also if it has left since.

        One batch after the other: all at once they would be refused because of their own number.
        """
        return [(await self.plane.infer(served.name, served.version, batch, served=served)).outputs
                for batch in job.plan.batches]  # fmt: skip

    def _asked(self, verb: Verb, request: Request) -> Served:
        served = self._known(request)
        if served.model.manifest.task != verb.task:
            raise UnknownModel(f"model {served.name!r} does not {verb.task}; "
                               f"post to /v1/models/{served.name}/{served.model.manifest.task}")  # fmt: skip
        return served

    def _known(self, request: Request) -> Served:
        served = self.plane.find(request.path_params["model"])
        if served.form == "noise":
            raise UnknownModel(f"model {served.name!r} takes noise of your own; ask for it below /v2")
        return served

    def _card(self, name: str) -> messages.ModelCard:
        model = self.plane.find(name).model
        facts = model.manifest
        return messages.ModelCard(facts.name, facts.version, model.digest, name, facts.family, facts.task, facts.axes,
                                  facts.classes, facts.analytes, facts.interval)  # fmt: skip


def _briefly(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with refusals cut short."""

    async def brief(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LineshapeError as error:
            if len(told := str(error)) > LONGEST:
                error.args = (f"{told[:LONGEST]} ...",)
            raise

    return brief


@contextmanager
def _timed(served: Served, stage: str) -> Iterator[None]:
    """Count how long a stage took, if it ended well."""
    began = perf_counter_ns()
    yield
    served.metrics.stage(stage, perf_counter_ns() - began)


def _told(job: Job, outputs: list[formats.Arrays], write: Callable[[Answer], bytes]) -> bytes:
    return write(job.tell(job.plan.result(outputs)))


def _headers(model: Model) -> dict[str, str]:
    """The origin also where a format has no place for it."""
    return {"Lineshape-Bundle": model.manifest.name, "Lineshape-Version": model.manifest.version,
            "Lineshape-Digest": model.digest, "Vary": "Accept"}  # fmt: skip


def _json(content: Struct) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
