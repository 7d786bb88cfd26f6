"""A gRPC server of ours in a thread, over a data plane of the test's own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lineshape_serving.access import Gate
from lineshape_serving.grpc import Endpoint, start
from lineshape_serving.settings import Settings

SECONDS = 30  # that no step of a test takes


@dataclass
class RunningGrpc:
    """The server, its data plane, and the loop that both belong to."""

    plane: Any
    endpoint: Endpoint
    loop: asyncio.AbstractEventLoop

    @property
    def url(self):
        return f"127.0.0.1:{self.endpoint.port}"

    def do(self, coroutine):
        """Run a coroutine in the server's own loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(SECONDS)


@contextmanager
def served_by_grpc(plane, gate=None, regions=None, new_loop=asyncio.new_event_loop, port=0, **settings):
    loop = new_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        starting = start(plane, gate or Gate(), Settings(("none",), grpc_port=port, **settings), regions)
        running = RunningGrpc(plane, asyncio.run_coroutine_threadsafe(starting, loop).result(SECONDS), loop)
        try:
            yield running
        finally:
            running.do(running.endpoint.stop(0))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()
