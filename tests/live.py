"""An ASGI application behind a real uvicorn, in a thread of this process."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import uvicorn

from lineshape_serving.http.bounded import BoundedProtocol


class Live(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config):
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.listening.set()

    @property
    def port(self):
        return self.servers[0].sockets[0].getsockname()[1]


@contextmanager
def live(app):
    """The port of the application, as `lineshape serve` would listen."""
    server = Live(uvicorn.Config(app, port=0, http=BoundedProtocol, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.listening.wait(10)
        yield server.port
    finally:
        server.should_exit = True
        thread.join(10)
