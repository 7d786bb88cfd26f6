"""What each metric costs: wall seconds and peak memory, each in a process of its own. Needs Linux."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from jaxtyping import Float32

Metric: TypeAlias = Callable[[Any, Any], object]  # of synthetic and real spectra

LINES = 12  # of a made spectrum
NOISE = 0.02  # of a line's height


class Cost(msgspec.Struct, frozen=True):
    """One metric's wall seconds, and its peak memory above that of a process which only holds the spectra."""

    name: str
    seconds: float
    peak_mib: float


def measure_cost(metrics: Sequence[tuple[str, Metric]], n: int = 5000, points: int = 1024) -> list[Cost]:
    """Run every metric once on `n` synthetic and `n` real spectra of `points` points, float32.

    Parameters
    ----------
    metrics : sequence of (name, callable)
        Each callable takes synthetic and real spectra, and can be found by a fresh process: a function of a module, or
        a `functools.partial` of one.
    n, points : int

    Returns
    -------
    list of Cost
        In the order of `metrics`. The number of threads is what the environment (`OMP_NUM_THREADS`) gives.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as fresh:
        return [fresh.submit(_measured, name, metric, n, points).result() for name, metric in metrics]


def _measured(name: str, metric: Metric, n: int, points: int) -> Cost:
    synthetic, real = _spectra(n, points, seed=0), _spectra(n, points, seed=1)
    before = _peak_kib()
    start = time.perf_counter()
    metric(synthetic, real)
    return Cost(name, time.perf_counter() - start, (_peak_kib() - before) / 1024)


def _spectra(n: int, points: int, seed: int) -> Float32[np.ndarray, "n L"]:
    """Gaussian lines of random heights on a noisy ground."""
    rng = np.random.default_rng(seed)
    centres = np.linspace(0, points, LINES + 2)[1:-1, None]
    lines = np.exp(-0.5 * ((np.arange(points) - centres) / (points / 100)) ** 2).astype(np.float32)
    spectra = rng.standard_normal((n, points), dtype=np.float32)
    spectra *= np.float32(NOISE)
    spectra += rng.random((n, LINES), dtype=np.float32) @ lines
    return spectra


def _peak_kib() -> int:
    """The process' largest resident set so far.

    `getrusage` would count a large parent's memory in, for its figure outlives the start of a new program.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
