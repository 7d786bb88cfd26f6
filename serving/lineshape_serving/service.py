"""The BentoML service: life cycle, packaging and the server process around our faces, which it mounts as they are.

BentoML imports this module by name, so what to serve stands in the environment (see `Settings`), or, in a bento, beside
it. The socket answers only when all models have passed their golden tests.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from lineshape_serving.http.bounded import BoundedProtocol, bound
from lineshape_serving.logs import log_failure, log_to_standard_error
from lineshape_serving.settings import Settings
from lineshape_serving.traces import trace_to_collector
from lineshape_serving.unburdened import unburden

if TYPE_CHECKING:
    from lineshape_serving.server import Server

bound()
unburden(traced=trace_to_collector(os.environ))  # before BentoML builds what stands before every request
PR_SET_PDEATHSIG = 1  # of prctl(2)
_servers: list[Server] = []  # the one of this process, once it is up


class FacesFirst:
    """Every path but BentoML's own probes; its router knows no newline in a path, and its pages are not ours."""

    OWN = ("/livez", "/readyz", "/healthz")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        ours = scope["type"] == "http" and scope["path"] not in self.OWN
        await (_servers[0].application if ours else self._app)(scope, receive, send)


def _server(settings: Settings) -> Server:
    """Imported here: BentoML has Prometheus count in files for several workers, which is slow and forgets nothing."""
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    from lineshape_serving.server import Server

    return Server(settings)


def _end_with_the_supervisor() -> None:
    """A worker whose supervisor was killed would hold the port, and nobody would look after it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def _failures_logged() -> Iterator[None]:
    """BentoML is told to be quiet, and so would be about why it does not start."""
    try:
        yield
    except Exception as error:
        log_failure("cannot start", error, reason=str(error))
        raise


@bentoml.service(
    name="lineshape",
    workers=1,  # one process and its threads: several would split batches, limits and hot swaps
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},  # ours do not grow with the paths that clients think up
)
class LineshapeService:
    """Spectra over the Open Inference Protocol v2 at /v2, and for people at /v1."""

    def __init__(self) -> None:
        _end_with_the_supervisor()
        log_to_standard_error()
        with _failures_logged():
            self._settings = Settings.from_environment(os.environ)
            BoundedProtocol.limits = self._settings.limits
            self._server = _server(self._settings)
        _servers[:] = [self._server]

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def listen(self) -> None:
        """Open gRPC, and on SIGTERM be not ready first and end later."""
        with _failures_logged():
            await self._server.listen()
        loop, end = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
        assert callable(end)  # noqa: S101 - for the type checker: uvicorn's handler

        def drain(number: int, frame: FrameType | None) -> None:
            self._server.begin_to_end()
            loop.call_soon_threadsafe(lambda: loop.call_later(self._settings.drain, end, number, frame))

        signal.signal(signal.SIGTERM, drain)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def close(self) -> None:
        """Answer what is in progress."""
        await self._server.close()

    async def __is_ready__(self) -> bool:
        """What /readyz asks."""
        return self._server.plane.ready()


LineshapeService.add_asgi_middleware(FacesFirst)  # type: ignore[attr-defined] # BentoML makes a Service of the class
