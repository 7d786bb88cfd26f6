"""What dynamic batching is worth: one service with it and one without, under the same closed load."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import urllib3
from numpy.typing import NDArray

from lineshape.results import Interval
from lineshape_serving.bench import servers
from lineshape_serving.bench.figures import Effort, in_turns, mean, mean_ratio, quantile
from lineshape_serving.bench.load import Heard, closed, on_one_core, run
from lineshape_serving.bench.subject import Subject
from lineshape_serving.bench.wire import infer_request

CLIENTS = 16
ROUNDS = 10
WARM_SECONDS = 0.5
ON, OFF = "on", "off"


class Loaded(msgspec.Struct):
    """Spectra a second, milliseconds of a request, and what share of a core the clients took."""

    throughput: Interval
    p50: Interval
    p99: Interval
    client_cpu: float


class Batching(msgspec.Struct):
    """Both services, and the gain beside that of the model itself.

    Parameters
    ----------
    clients : int
    served : mapping of "on" or "off" to Loaded
    sizes : mapping of batch to int
        The runs of each size, with batching on.
    in_process : mapping of batch to float
        Milliseconds of a run, the median, without a server.
    gain_in_process : float
        Of spectra a second at these sizes over one by one.
    gain : Interval
        Of the service's spectra a second.
    of_in_process : Interval
        The service's gain as a share of the model's.
    p99_over_p50 : float
        With batching on.
    """

    clients: int
    served: dict[str, Loaded]
    sizes: dict[str, int]
    in_process: dict[str, float]
    gain_in_process: float
    gain: Interval
    of_in_process: Interval
    p99_over_p50: float


def measure(heavy: Subject, folder: Path, effort: Effort) -> Batching:
    """On and off by turns."""
    rounds = min(ROUNDS, effort.rounds)
    with ExitStack() as opened:
        on = opened.enter_context(servers.bentoml(heavy.path, folder, "--batch", 64))
        off = opened.enter_context(servers.bentoml(heavy.path, folder, "--batch", 1))
        where = {ON: on.ready().http, OFF: off.ready().http}
        with on_one_core():
            heard = _in_turns(where, infer_request(heavy, 1), rounds, effort.seconds / 2 / rounds)
        sizes = _sizes(where[ON], heavy)
    alone = _in_process(heavy, sizes, effort)
    gain = _gain(alone, sizes)
    speeds = {name: np.array([len(each.ended()) / each.seconds for each in list_]) for name, list_ in heard.items()}
    served = {name: _told(speeds[name], each) for name, each in heard.items()}
    return Batching(
        CLIENTS, served, _named(sizes), {str(size): round(ms, 3) for size, ms in alone.items()}, round(gain, 3),
        mean_ratio(speeds[ON], speeds[OFF]), mean_ratio(speeds[ON], speeds[OFF] * gain),
        round(served[ON].p99.value / served[ON].p50.value, 2),
    )  # fmt: skip


def _in_turns(where: dict[str, str], request: bytes, rounds: int, seconds: float) -> dict[str, list[Heard]]:
    heard: dict[str, list[Heard]] = {name: [] for name in where}
    for _ in range(rounds):
        for name, place in where.items():
            run(closed(place, request, CLIENTS, min(WARM_SECONDS, seconds)))
            heard[name].append(run(closed(place, request, CLIENTS, seconds)))
    return heard


def _told(speeds: NDArray[np.float64], heard: list[Heard]) -> Loaded:
    taken = [each.milliseconds(200) for each in heard]
    shortest = min(map(len, taken))  # rounds of one length, so that they can be drawn
    table = np.stack([each[:shortest] for each in taken])
    return Loaded(mean(speeds), quantile(table, 0.5), quantile(table, 0.99),
                  round(float(np.mean([each.cpu for each in heard])), 3))  # fmt: skip


def _sizes(where: str, heavy: Subject) -> dict[int, int]:
    """The runs of each size, as the protocol's statistics tell them."""
    with urllib3.PoolManager() as pool:
        (told,) = pool.request("GET", f"http://{where}/v2/models/{heavy.name}/stats").json()["model_stats"]
    return {batch["batch_size"]: batch["compute_infer"]["count"] for batch in told["batch_stats"]}


def _in_process(heavy: Subject, sizes: dict[int, int], effort: Effort) -> dict[int, float]:
    """Milliseconds of a run of one spectrum, and of each size that occurred."""
    calls = {str(size): partial(heavy.model.run, heavy.inputs(size)) for size in sorted({1, *sizes})}
    taken = in_turns(calls, max(3, effort.rounds // 4), max(3, effort.calls // 5))
    return {int(name): float(np.median(each)) for name, each in taken.items()}


def _gain(alone: dict[int, float], sizes: dict[int, int]) -> float:
    spectra = sum(size * runs for size, runs in sizes.items())
    return spectra * alone[1] / sum(alone[size] * runs for size, runs in sizes.items())


def _named(sizes: dict[int, int]) -> dict[str, int]:
    return {str(size): runs for size, runs in sorted(sizes.items())}
