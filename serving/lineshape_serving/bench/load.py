"""Load: clients that wait for their answers, or requests that come whether they are answered or not."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import uvloop
from numpy.typing import NDArray

from lineshape_serving.bench.wire import Connection, Reply, connect

T = TypeVar("T")

LOST = 0  # the status of a request that was never answered
RETRY_SECONDS = 0.01


@dataclass
class Heard:
    """What became of the requests of a load.

    Parameters
    ----------
    asked : list of (meant, ended, status)
        Seconds of `time.perf_counter`: when a request was to be sent, and when its answer had come.
    late : list of float
        Seconds from when a request was to be sent until it was: the client's own fault.
    different : mapping of body to Reply
        Answers of status 200 that differ from one another; where they are kept.
    seconds : float
        That the load took.
    cpu : float
        Share of a core that the client took.
    """

    asked: list[tuple[float, float, int]] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    different: dict[bytes, Reply] = field(default_factory=dict)
    seconds: float = 0.0
    cpu: float = 0.0

    def table(self) -> NDArray[np.float64]:
        """Rows of (meant, ended, status), in the order in which they ended."""
        return np.array(self.asked, np.float64).reshape(-1, 3)

    def ended(self, status: int = 200) -> NDArray[np.float64]:
        """When those of a status ended."""
        table = self.table()
        return np.asarray(table[table[:, 2] == status, 1])

    def milliseconds(self, *statuses: int) -> NDArray[np.float64]:
        """How long those of these statuses took, from when they were to be sent."""
        table = self.table()
        chosen = table[np.isin(table[:, 2], statuses)]
        return 1000 * (chosen[:, 1] - chosen[:, 0])

    def counts(self) -> dict[str, int]:
        """Requests by status."""
        return {str(status): count for status, count in sorted(Counter(row[2] for row in self.asked).items())}


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a load in this thread."""
    return uvloop.run(work)


@contextmanager
def on_one_core() -> Iterator[None]:
    """This thread on the last core alone, so that a load takes no more than that; servers start before."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _measured(heard: Heard) -> Iterator[None]:
    start, cpu = time.perf_counter(), time.process_time()
    yield
    heard.seconds = time.perf_counter() - start
    heard.cpu = (time.process_time() - cpu) / heard.seconds


class Closed:
    """Clients that each ask again as soon as they were answered, and connect again if they were cut off.

    Parameters
    ----------
    where : str
        HOST:PORT.
    request : bytes
    clients : int
    keep : bool
        Whether the bodies of the answers are kept, each different one once.
    """

    def __init__(self, where: str, request: bytes, clients: int, keep: bool = False) -> None:
        self.heard = Heard()
        self._where, self._request, self._clients, self._keep = where, request, clients, keep
        self._going = True

    async def __aenter__(self) -> Closed:
        self._measuring = _measured(self.heard)
        self._measuring.__enter__()
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(self._clients)]
        return self

    async def __aexit__(self, *why: object) -> None:
        self._going = False
        await asyncio.gather(*self._tasks)
        self._measuring.__exit__(None, None, None)

    async def _ask(self) -> None:
        connection = Connection()
        while self._going:
            if not connection.open:
                connection = await _connected(self._where)
            began = time.perf_counter()
            try:
                reply = await connection.ask(self._request)
            except ConnectionError:
                self.heard.asked.append((began, time.perf_counter(), LOST))
                continue
            self.heard.asked.append((began, time.perf_counter(), reply.status))
            if self._keep and reply.status == 200:
                self.heard.different.setdefault(reply.body, reply)
        connection.close()


async def _connected(where: str) -> Connection:
    """A connection, once somebody listens: one that could not be made is no request yet."""
    while True:
        try:
            return await connect(where)
        except OSError:
            await asyncio.sleep(RETRY_SECONDS)


async def closed(where: str, request: bytes, clients: int, seconds: float) -> Heard:
    """A closed load of that many seconds."""
    async with Closed(where, request, clients) as load:
        await asyncio.sleep(seconds)
    return load.heard


async def opened(where: str, request: bytes, rate: float, seconds: float) -> Heard:
    """Requests at a constant rate (a second), whatever becomes of those before.

    Connections are used again; a request that finds none free opens one more.
    """
    heard, idle = Heard(), deque[Connection]()
    with _measured(heard):
        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(round(rate * seconds)):
                meant = start + number / rate
                await asyncio.sleep(max(0.0, meant - time.perf_counter()))
                tasks.create_task(_once(where, request, meant, heard, idle))
    for connection in idle:
        connection.close()
    return heard


async def _free(where: str, idle: deque[Connection]) -> Connection:
    """The one that was used last: a server hangs up on those that were idle for long."""
    while idle:
        if (connection := idle.pop()).open:
            return connection
    return await connect(where)


async def _once(where: str, request: bytes, meant: float, heard: Heard, idle: deque[Connection]) -> None:
    try:
        connection = await _free(where, idle)
        answer = connection.ask(request)
        heard.late.append(time.perf_counter() - meant)
        status = (await answer).status
        idle.append(connection)
    except OSError:
        status = LOST
    heard.asked.append((meant, time.perf_counter(), status))
