"""More than a service can do: what it still does, how it refuses the rest, and how it is afterwards."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import psutil  # type: ignore[import-untyped]
from numpy.typing import NDArray

from lineshape.results import Interval
from lineshape_serving.bench import servers
from lineshape_serving.bench.figures import Effort, in_turns, mean
from lineshape_serving.bench.load import Heard, closed, on_one_core, opened, run
from lineshape_serving.bench.subject import Subject
from lineshape_serving.bench.wire import connect, infer_request

TIMES = 3.0  # the capacity
CLIENTS = 8
SHORTEST = 20.0  # milliseconds of a request
LARGEST = 2048  # spectra, from which on no more are tried
BEFORE = 40  # requests one by one, whose slowest twentieth says what is slow
REFUSED = (429, 503)
LOOK_SECONDS = 0.25
SETTLED = 0.2  # of the load, after which memory should not grow


class Memory(msgspec.Struct):
    """MiB that the server has: before, at the end, a while after, and what it grew a minute once it had settled."""

    before: float
    end: float
    after: float
    slope: float


class Overload(msgspec.Struct):
    """A load at a multiple of the capacity.

    Parameters
    ----------
    spectra : int
        Of a request.
    in_process : float
        Milliseconds of such a request without a server.
    capacity, capacity_after : Interval
        Requests a second of clients that wait for their answers; before and after.
    rate, seconds : float
        Of the load: requests a second, from when on latencies count, answered or not.
    counts : mapping of status to int
        0 are those that were never answered.
    goodput : Interval
        Requests answered a second, over the seconds of the load.
    of_capacity : float
    answered, refused : mapping of str to float
        Milliseconds of those, from when they were to be sent: p50, p99, largest.
    late : float
        Milliseconds, the 99th percentile, by which the client itself sent too late.
    client_cpu : float
        Share of its core.
    memory : Memory
    single : float
        Milliseconds of a request alone, before the load; the 95th percentile.
    recovery : float
        Seconds from the end of the load until a request alone takes no longer than that.
    """

    spectra: int
    in_process: float
    capacity: Interval
    capacity_after: Interval
    rate: float
    seconds: float
    counts: dict[str, int]
    goodput: Interval
    of_capacity: float
    answered: dict[str, float]
    refused: dict[str, float]
    late: float
    client_cpu: float
    memory: Memory
    single: float
    recovery: float


def measure(heavy: Subject, folder: Path, effort: Effort) -> Overload:
    """Capacity, then the load, then what is left of it."""
    spectra, alone = _request(heavy)
    request = infer_request(heavy, spectra)
    with servers.bentoml(heavy.path, folder) as server, on_one_core():
        where = server.ready().http
        capacity = _capacity(where, request, effort.seconds / 4)
        single = run(_singles(where, request, BEFORE))
        usual = float(np.quantile(single, 0.95))
        rate = TIMES * capacity.value
        heard, seen, recovery = run(_loaded(where, request, rate, effort.seconds, server.worker, usual))
        after = server.worker.memory_info().rss
        again = _capacity(where, request, effort.seconds / 4)
    good = _by_second(heard, effort.seconds)
    return Overload(
        spectra, round(alone, 2), capacity, again, round(rate, 2), effort.seconds, heard.counts(), good,
        round(good.value / capacity.value, 3), _spread(heard.milliseconds(200)), _spread(heard.milliseconds(*REFUSED)),
        round(1000 * float(np.quantile(heard.late, 0.99)), 2), round(heard.cpu, 3), _memory(seen, after),
        round(usual, 1), round(recovery, 2),
    )  # fmt: skip


def _request(heavy: Subject) -> tuple[int, float]:
    """The fewest spectra, in steps of a half more, that take long enough, and how long."""
    spectra, taken = 1, 0.0
    while taken < SHORTEST and spectra < LARGEST:
        spectra += max(1, spectra // 2)
        run_it = partial(heavy.model.run, heavy.inputs(spectra))
        taken = float(np.median(in_turns({"": run_it}, 3, 5)[""]))
    return spectra, taken


def _capacity(where: str, request: bytes, seconds: float) -> Interval:
    run(closed(where, request, CLIENTS, seconds / 5))
    return _by_second(run(closed(where, request, CLIENTS, seconds)), seconds)


def _by_second(heard: Heard, seconds: float) -> Interval:
    """Requests answered a second; for the interval seconds are drawn."""
    start = heard.table()[:, 0].min()
    counts, _ = np.histogram(heard.ended() - start, bins=max(1, round(seconds)), range=(0.0, seconds))
    return mean(counts * len(counts) / seconds)


async def _singles(where: str, request: bytes, times: int) -> list[float]:
    """Milliseconds of requests one by one."""
    connection = await connect(where)
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        await connection.ask(request)
        taken.append(1000 * (time.perf_counter() - start))
    connection.close()
    return taken


async def _loaded(where: str, request: bytes, rate: float, seconds: float, worker: psutil.Process,
                  usual: float) -> tuple[Heard, NDArray[np.float64], float]:  # fmt: skip
    """The load; (seconds, bytes) of memory meanwhile; and the seconds of recovery."""
    seen: list[tuple[float, float]] = []
    watching = asyncio.create_task(_watch(worker, seen))
    loading = asyncio.create_task(opened(where, request, rate, seconds))
    await asyncio.sleep(seconds)
    end = time.perf_counter()
    watching.cancel()
    taken = float("inf")
    while taken > usual:
        taken = (await _singles(where, request, 1))[0]
    return await loading, np.array(seen), time.perf_counter() - end


async def _watch(worker: psutil.Process, seen: list[tuple[float, float]]) -> None:
    start = time.perf_counter()
    while True:
        seen.append((time.perf_counter() - start, worker.memory_info().rss))
        await asyncio.sleep(LOOK_SECONDS)


def _memory(seen: NDArray[np.float64], after: int) -> Memory:
    settled = seen[seen[:, 0] >= SETTLED * seen[-1, 0]]
    slope = np.polyfit(settled[:, 0], settled[:, 1], 1)[0] * 60 if len(settled) > 2 else float("nan")
    return Memory(*(round(float(size) / 2**20, 1) for size in (seen[0, 1], seen[-1, 1], after, slope)))


def _spread(taken: NDArray[np.float64]) -> dict[str, float]:
    if not taken.size:
        return {}
    found = {"p50": np.median(taken), "p99": np.quantile(taken, 0.99), "largest": taken.max()}
    return {name: round(float(value), 2) for name, value in found.items()}
