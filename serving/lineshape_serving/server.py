"""A data plane with its faces, as the settings ask for: what runs inside BentoML, or inside any other ASGI server."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from lineshape_serving.access import Gate, read_keys
from lineshape_serving.choices import Choices
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.http.app import application
from lineshape_serving.http.local import local_only
from lineshape_serving.logs import log
from lineshape_serving.settings import Settings
from lineshape_serving.shared_memory import Regions
from lineshape_serving.sources import Sources

if TYPE_CHECKING:
    from lineshape_serving.grpc import Endpoint


class Server:
    """Everything that answers; its bundles are loaded and have passed their golden tests.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    LineshapeError
        If a bundle or the file of keys is refused.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.gate = Gate(read_keys(Path(settings.keys)) if settings.keys else None)
        self.regions = Regions(settings.limits) if settings.shared_memory else None
        choices = Choices(Path(settings.choices) if settings.choices else None)
        self.plane = DataPlane((), settings.running, Sources(settings.bundles), choices)
        self.plane.start()
        faces = application(self.plane, self.gate, settings.limits, self.regions, settings.access_log)
        self.application = local_only(faces) if self.gate.open else faces
        self._grpc: Endpoint | None = None
        gc.collect()
        gc.freeze()  # what is here stays: without looking through it a full collection takes 1 ms in the place of 20

    async def listen(self) -> None:
        """Open the faces that HTTP does not bring along, and say what is served."""
        if self._settings.grpc_port is not None:
            from lineshape_serving.grpc import start

            self._grpc = await start(self.plane, self.gate, self._settings, self.regions)
        for served in self.plane.index(ready=True):
            digest = self.plane.find(served.name, served.version).model.digest
            log("serving", model=served.name, version=served.version, digest=digest)

    def begin_to_end(self) -> None:
        """From now on not ready; what comes all the same is still answered."""
        self.plane.draining = True
        log("draining", seconds=self._settings.drain)

    async def close(self) -> None:
        """Answer what is in progress, and no more."""
        self.plane.draining = True
        if self._grpc:
            await self._grpc.stop(self._settings.grace)
        await self.plane.drained()
        log("ended")
