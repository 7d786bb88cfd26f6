"""Bundles that come and go under load: whether a request fails for it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import numpy as np

from lineshape.bundle import open_bundle, seal
from lineshape.results import Interval
from lineshape_serving.bench import servers
from lineshape_serving.bench.figures import Effort, mean
from lineshape_serving.bench.load import Closed, Heard, run
from lineshape_serving.bench.subject import Subject
from lineshape_serving.bench.wire import connect, infer_request, post

CLIENTS = 4
VERSIONS = ("1.0.0", "1.1.0")
PAUSE = 0.2  # seconds of load before each swap


class Swap(msgspec.Struct):
    """Swaps of a bundle for its other version.

    Parameters
    ----------
    times, clients : int
    seconds : Interval
        Of a swap, from the request to its answer, when the former version has left.
    requests, failed : int
        Under the load meanwhile.
    by_version : mapping of version to int
        Different answers of each.
    p50, largest : float
        Milliseconds of a request meanwhile.
    """

    times: int
    clients: int
    seconds: Interval
    requests: int
    failed: int
    versions: list[str]
    p50: float
    largest: float


def measure(spectra: Subject, folder: Path, effort: Effort) -> Swap:
    """To and fro between two versions."""
    with servers.bentoml(_shelf(spectra, folder), folder) as server:
        heard, seconds = run(_swapped(server.ready().http, spectra, effort.times))
    taken = heard.milliseconds(200)
    return Swap(
        effort.times, CLIENTS, mean(np.array(seconds)), len(heard.asked), len(heard.asked) - len(taken),
        sorted({version for version in VERSIONS for body in heard.different if f'"{version}"'.encode() in body}),
        round(float(np.median(taken)), 2), round(float(taken.max()), 1),
    )  # fmt: skip


def _shelf(spectra: Subject, folder: Path) -> Path:
    """The bundle in two versions."""
    shelf = folder / "shelf"
    shelf.mkdir()
    bundle = open_bundle(spectra.path)
    files = {name: bundle.read(name) for name in bundle.manifest.files}
    for version in VERSIONS:
        seal(msgspec.structs.replace(bundle.manifest, version=version), files, shelf / f"{version}.lineshape")
    return shelf


async def _swapped(where: str, spectra: Subject, times: int) -> tuple[Heard, list[float]]:
    seconds = []
    async with Closed(where, infer_request(spectra, 1), CLIENTS, keep=True) as load:
        for number in range(times):
            await asyncio.sleep(PAUSE)
            start = time.perf_counter()
            await _load(where, spectra.name, VERSIONS[number % 2])
            seconds.append(time.perf_counter() - start)
        await asyncio.sleep(PAUSE)
    return load.heard, seconds


async def _load(where: str, name: str, version: str) -> None:
    connection = await connect(where)
    asked = msgspec.json.encode({"parameters": {"version": version}})
    reply = await connection.ask(post(f"/v2/repository/models/{name}/load", asked))
    connection.close()
    if reply.status != 200:
        raise RuntimeError(f"the swap was refused: {reply.body.decode()}")
