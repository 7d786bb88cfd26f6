"""A stream of requests: several under way at a time, answered in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from lineshape.errors import OverloadError

Request = TypeVar("Request")
Response = TypeVar("Response")

AHEAD = 16  # requests of one stream under way; the next is read when the first is answered


class Streams:
    """The open streams of a server."""

    def __init__(self) -> None:
        self._readers: set[asyncio.Task[None]] = set()
        self._closing = False

    def close(self) -> None:
        """Read no more requests; those under way are still answered."""
        self._closing = True
        for reader in self._readers:
            reader.cancel()

    async def answer(self, requests: AsyncIterator[Request], answer: Callable[[Request], Coroutine[Any, Any, Response]],
                     write: Callable[[Response], Awaitable[None]]) -> None:  # fmt: skip
        """Answer requests until there are no more; whoever cancels this cancels those under way.

        Parameters
        ----------
        requests : asynchronous iterator
        answer : coroutine function
            Of one request; it does not fail.
        write : coroutine function
            Of one answer, in the order of the requests.

        Raises
        ------
        OverloadError
            If the server goes away before the requests end.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._answer(tasks, requests, answer, write)
        except ExceptionGroup as failed:  # only reading can fail
            raise failed.exceptions[0] from None
        if self._closing:
            raise OverloadError("the server is going away; open the stream anew")

    async def _answer(self, tasks: asyncio.TaskGroup, requests: AsyncIterator[Request],
                      answer: Callable[[Request], Coroutine[Any, Any, Response]],
                      write: Callable[[Response], Awaitable[None]]) -> None:  # fmt: skip
        room, under_way = asyncio.Semaphore(AHEAD), asyncio.Queue[asyncio.Task[Response] | None]()
        reading = _read(requests, lambda request: tasks.create_task(answer(request)), room, under_way)
        reader = tasks.create_task(reading)
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        while (task := await under_way.get()) is not None:
            await write(await task)
            room.release()


async def _read(requests: AsyncIterator[Request], begin: Callable[[Request], asyncio.Task[Response]],
                room: asyncio.Semaphore, under_way: asyncio.Queue[asyncio.Task[Response] | None]) -> None:  # fmt: skip
    try:
        async for request in requests:
            await room.acquire()
            under_way.put_nowait(begin(request))
    finally:  # waits for nothing: when the stream is cancelled nobody takes answers any more
        under_way.put_nowait(None)
