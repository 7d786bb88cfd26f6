"""What happened to the requests of one model: the counts that the protocol's statistics extension shows.

Written by the event loop alone, so there is nothing to lock.
"""

from __future__ import annotations

import time
from collections import defaultdict

from msgspec import Struct

from lineshape_serving.lane import Ran


class Duration(Struct):
    """How often something happened, and how long it took altogether."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        """Once more."""
        self.count += 1
        self.ns += ns


class InferenceStatistics(Struct):
    """Stages of a request, in the protocol's words: joining is its compute_input, handing out its compute_output."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class BatchStatistics(Struct):
    """The runs of one batch size."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatistics(Struct):
    """The protocol's statistics of a model."""

    name: str
    version: str
    last_inference: int  # milliseconds since 1970
    inference_count: int  # spectra
    execution_count: int  # runs
    inference_stats: InferenceStatistics
    batch_stats: tuple[BatchStatistics, ...]


class Statistics:
    """Counts of one model."""

    def __init__(self) -> None:
        self._last = self._spectra = self._runs = 0
        self._stages = InferenceStatistics(*(Duration() for _ in InferenceStatistics.__struct_fields__))
        self._batches: defaultdict[int, BatchStatistics] = defaultdict(
            lambda: BatchStatistics(0, Duration(), Duration(), Duration())
        )

    def ran(self, ran: Ran, spectra: int, now: int) -> None:
        """A request was answered by a run."""
        stages = (ran.joined - ran.started, ran.ended - ran.joined, now - ran.ended)
        self._answered(spectra, now - ran.arrived)
        self._stages.queue.add(ran.started - ran.arrived)
        _add(self._stages, stages)
        if ran.leads:
            self._runs += 1
            batch = self._batches[ran.batch]
            batch.batch_size = ran.batch
            _add(batch, stages)

    def remembered(self, spectra: int, ns: int) -> None:
        """A request was answered by the cache."""
        self._answered(spectra, ns)
        self._stages.cache_hit.add(ns)

    def missed(self, ns: int) -> None:
        """The cache had no answer."""
        self._stages.cache_miss.add(ns)

    def failed(self, ns: int) -> None:
        """A request was refused or failed."""
        self._stages.fail.add(ns)

    def told(self, name: str, version: str) -> ModelStatistics:
        """All of it, under the model's name."""
        batches = tuple(self._batches[size] for size in sorted(self._batches))
        return ModelStatistics(name, version, self._last, self._spectra, self._runs, self._stages, batches)

    def _answered(self, spectra: int, ns: int) -> None:
        self._last = time.time_ns() // 1_000_000
        self._spectra += spectra
        self._stages.success.add(ns)


def _add(to: InferenceStatistics | BatchStatistics, stages: tuple[int, int, int]) -> None:
    for duration, ns in zip((to.compute_input, to.compute_infer, to.compute_output), stages, strict=True):
        duration.add(ns)
