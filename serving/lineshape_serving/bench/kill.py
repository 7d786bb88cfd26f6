"""A worker that dies under load: how long nobody is answered, what is lost, and whether an answer is wrong."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import numpy as np

from lineshape.bundle import check_close
from lineshape.errors import ParityError
from lineshape.results import Interval
from lineshape_serving.bench import servers
from lineshape_serving.bench.figures import Effort, mean
from lineshape_serving.bench.load import LOST, Closed, Heard, run
from lineshape_serving.bench.processes import Process
from lineshape_serving.bench.subject import Subject
from lineshape_serving.bench.wire import Reply, infer_request

CLIENTS = 4
PAUSE = 0.5  # seconds of load before each kill, and after the next answer
LONGEST = 30.0  # seconds that anybody waits


class Kill(msgspec.Struct):
    """SIGKILL to the process that answers.

    Parameters
    ----------
    times, clients : int
    back : Interval
        Seconds from the signal to the next answer.
    slowest : float
        The longest of them.
    requests, lost, wrong : int
        `lost` had been sent and were never answered; `wrong` are answers outside the bundle's tolerance.
    in_flight : int
        Requests that were in flight at one of the kills.
    refused : mapping of status to int
        Answers that are no 200.
    """

    times: int
    clients: int
    back: Interval
    slowest: float
    requests: int
    lost: int
    in_flight: int
    wrong: int
    refused: dict[str, int]


def measure(spectra: Subject, folder: Path, effort: Effort) -> Kill:
    """Again and again."""
    with servers.bentoml(spectra.path, folder) as server:
        heard, kills = run(_killed(server.ready(), spectra, effort.times))
    back = np.array([_back(heard, kill) for kill in kills])
    table, counts = heard.table(), heard.counts()
    in_flight = sum(int(np.sum((table[:, 0] <= kill) & (table[:, 1] > kill))) for kill in kills)
    return Kill(
        effort.times, CLIENTS, mean(back), round(float(back.max()), 4), len(table), counts.pop(str(LOST), 0), in_flight,
        sum(not _right(spectra, reply) for reply in heard.different.values()),
        {status: count for status, count in counts.items() if status != "200"},
    )  # fmt: skip


async def _killed(server: Process, spectra: Subject, times: int) -> tuple[Heard, list[float]]:
    kills = []
    async with Closed(server.http, infer_request(spectra, 1), CLIENTS, keep=True) as load:
        for _ in range(times):
            await asyncio.sleep(PAUSE)
            server.worker.kill()
            kills.append(time.perf_counter())
            async with asyncio.timeout(LONGEST):
                while not np.isfinite(_back(load.heard, kills[-1])):
                    await asyncio.sleep(0.01)
        await asyncio.sleep(PAUSE)
    return load.heard, kills


def _back(heard: Heard, kill: float) -> float:
    """Seconds until an answer to a request that was sent after the kill; without an end where there is none yet."""
    ends = [ended for began, ended, status in heard.asked if began > kill and status == 200]
    return min(ends, default=float("inf")) - kill


def _right(spectra: Subject, reply: Reply) -> bool:
    expected = spectra.model.run(spectra.inputs(1))
    try:
        check_close("model", spectra.model.manifest.allowed("model"), expected, reply.outputs(expected), "after a kill")
    except ParityError:
        return False
    return True
