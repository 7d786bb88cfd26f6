"""The BentoML service: life cycle, metrics and packaging around the data plane, which it mounts as it is.

BentoML imports this module by name, so the bundles to serve stand in the environment (see `Settings`). A model enters
the data plane only after its golden test, and the socket answers only when all have entered.
"""

from __future__ import annotations

import os

import bentoml
from starlette.types import Receive, Scope, Send

from lineshape_edge import Model
from lineshape_serving.asgi import application
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.settings import Settings

plane = DataPlane()
_application = application(plane)


async def protocol(scope: Scope, receive: Receive, send: Send) -> None:
    """The protocol's application, answering every path that BentoML itself does not.

    A function hides the application's routes from BentoML, which would answer unknown paths below /v2 in plain text.
    """
    await _application(scope, receive, send)


@bentoml.service(
    name="lineshape",
    workers=1,  # one process and its threads: several would split batches, limits and hot swaps
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(protocol, path="/")
class LineshapeService:
    """Spectra over the Open Inference Protocol v2, at /v2."""

    def __init__(self) -> None:
        settings = Settings.from_environment(os.environ)
        for bundle in settings.bundles:
            plane.add(Model.open(bundle, settings.threads, settings.device))
