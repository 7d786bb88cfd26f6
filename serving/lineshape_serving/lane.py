"""Dynamic batching: requests that wait for the same model travel together.

A lane has a few runners. A request that finds one free starts at once; while all are busy requests queue, and a runner
that comes free takes as many of them as fit into one batch. So nothing ever waits for company, batches grow with the
load, and there is no clock to tune. Rows of a batch never mix in a graph, so a request's answer does not depend on who
travelled along.

A lane belongs to the event loop that calls it; only the runs themselves are in threads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.errors import OverloadError

Arrays: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Ran:
    """A request's share of a batch, and when what happened, in nanoseconds of `time.perf_counter_ns`."""

    outputs: Arrays
    arrived: int
    started: int
    joined: int
    ended: int
    batch: int  # spectra that travelled together
    leads: bool  # the first of its batch, for whoever counts batches


@dataclass(eq=False)
class _Waiting:
    """A request in the queue."""

    inputs: Arrays
    rows: int
    answer: asyncio.Future[Ran]
    arrived: int = field(default_factory=perf_counter_ns)


class Lane:
    """The queue before one model, and the runners behind it.

    Parameters
    ----------
    run : callable
        Inputs of a batch to its outputs; thread-safe. All requests of a lane have the same tensors.
    threads : Executor
        Where runs happen.
    runners : int
        Runs at a time.
    most : int
        Spectra that travel together; a request with more travels alone.
    depth : int
        Spectra that may wait.
    patience : float
        Seconds that a spectrum may have to wait, by the pace of those before it.
    watch : callable, optional
        Is shown the inputs and outputs of every batch, once its answers are on their way; what it does has to be short.
    """

    def __init__(self, run: Callable[[Arrays], Arrays], threads: Executor, runners: int, most: int, depth: int,
                 patience: float, watch: Callable[[Arrays, Arrays], None] | None = None) -> None:  # fmt: skip
        self._run, self._threads, self._runners, self._most = run, threads, runners, most
        self._depth, self._patience, self._watch = depth, patience, watch
        self._queue: deque[_Waiting] = deque()
        self._running = 0
        self.waiting = 0  # spectra
        self._pace = 0.0  # seconds a spectrum, smoothed

    async def ask(self, inputs: Arrays) -> Ran:
        """The answer to one request, whoever it travels with; a caller that is cancelled leaves the queue.

        Raises
        ------
        OverloadError
            If the queue is full.
        """
        self.check_room()
        asked = _Waiting(inputs, len(next(iter(inputs.values()))), asyncio.get_running_loop().create_future())
        self._queue.append(asked)
        self.waiting += asked.rows
        self._start()
        try:
            return await asked.answer
        except asyncio.CancelledError:
            self._forget(asked)
            raise

    def check_room(self) -> None:
        """Refuse what would wait too long, or behind a full queue; adapters ask before they read a body."""
        wait = self.waiting * self._pace
        if self.waiting >= self._depth or wait > self._patience:
            raise OverloadError(f"{self.waiting} spectra wait already, for about {wait:.1f} s; come back later",
                                retry_after=max(1.0, wait))  # fmt: skip

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self._running and not self._queue

    def _forget(self, asked: _Waiting) -> None:
        if asked in self._queue:
            self._queue.remove(asked)
            self.waiting -= asked.rows

    def _start(self) -> None:
        """Give a batch to each free runner."""
        while self._running < self._runners and self._queue:
            batch = self._next_batch()
            self._running += 1
            self._threads.submit(self._work, batch, asyncio.get_running_loop())

    def _next_batch(self) -> list[_Waiting]:
        batch = [self._queue.popleft()]
        rows = batch[0].rows
        while self._queue and rows + self._queue[0].rows <= self._most:
            batch.append(self._queue.popleft())
            rows += batch[-1].rows
        self.waiting -= rows
        return batch

    def _work(self, batch: Sequence[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        """One run, in a thread."""
        started = perf_counter_ns()
        try:
            inputs = _joined([asked.inputs for asked in batch])
            joined = perf_counter_ns()
            outputs = self._run(inputs)
            ended = perf_counter_ns()
            answers = _split(outputs, [asked.rows for asked in batch])
        except Exception as error:
            loop.call_soon_threadsafe(self._fail, batch, error)
            return
        rows = sum(asked.rows for asked in batch)
        ran = [Ran(answer, asked.arrived, started, joined, ended, rows, asked is batch[0])
               for answer, asked in zip(answers, batch, strict=True)]  # fmt: skip
        loop.call_soon_threadsafe(self._finish, batch, ran, inputs, outputs)

    def _finish(self, batch: Sequence[_Waiting], ran: Sequence[Ran], inputs: Arrays, outputs: Arrays) -> None:
        self._free()
        for asked, answer in zip(batch, ran, strict=True):
            if not asked.answer.done():  # or its caller has left while it ran
                asked.answer.set_result(answer)
        first = ran[0]
        self._pace += 0.1 * ((first.ended - first.started) / 1e9 / first.batch / self._runners - self._pace)
        if self._watch:
            self._watch(inputs, outputs)

    def _fail(self, batch: Sequence[_Waiting], error: Exception) -> None:
        self._free()
        for asked in batch:
            if not asked.answer.done():
                asked.answer.set_exception(error)

    def _free(self) -> None:
        self._running -= 1
        self._start()


def _joined(requests: Sequence[Arrays]) -> Arrays:
    if len(requests) == 1:
        return requests[0]
    return {name: np.concatenate([inputs[name] for inputs in requests]) for name in requests[0]}


def _split(outputs: Arrays, rows: Sequence[int]) -> list[Arrays]:
    """Views of each request's rows."""
    if len(rows) == 1:
        return [outputs]
    ends = np.cumsum(rows).tolist()
    return [{name: array[end - n : end] for name, array in outputs.items()} for n, end in zip(rows, ends, strict=True)]
