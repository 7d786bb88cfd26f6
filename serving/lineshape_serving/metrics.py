"""What Prometheus reads: requests and their stages, queues and batches, and what came in and went out.

One registry a data plane. Labels are names of loaded models and of our own stages, never words of a request, so their
number is bounded; a model that goes takes its series along.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lineshape_edge import Model

Arrays: TypeAlias = dict[str, NDArray[Any]]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SPECTRA = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
MODEL = ("model", "version")
THIN = 8  # every so many points a step is taken: the median is that of all of them, at a fraction of their price
FAINTEST = 1e-9

# What is kept of each spectrum, and between which bounds it is counted.
DISTRIBUTIONS: dict[str, tuple[str, tuple[float, ...]]] = {
    "familiarity": ("of transferred spectra; 0 unlike anything in the fit",
                    (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)),
    "input_coverage": ("share of the model's grid that was measured", (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)),
    "input_log10_intensity": ("decimal logarithm of the largest magnitude that was measured",
                              (-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7)),
    "input_roughness": ("median step from point to point over the range of intensities: noise, or a lost signal",
                        (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2)),
}  # fmt: skip


class Distribution:
    """Values of spectra, counted between bounds; filled a batch at a time, from any thread."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = np.array(bounds)
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._sum = 0.0
        self._lock = Lock()

    def add(self, values: ArrayLike) -> None:
        """Count the values of a batch."""
        flat = np.asarray(values, np.float64).ravel()
        counts = np.bincount(np.searchsorted(self._bounds, flat), minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum += float(flat.sum())

    def told(self) -> tuple[list[tuple[str, float]], float]:
        """Cumulative counts by upper bound, and the sum, as Prometheus wants them."""
        with self._lock:
            cumulative, total = np.cumsum(self._counts).tolist(), self._sum
        return list(zip([*(f"{bound:g}" for bound in self._bounds), "+Inf"], cumulative, strict=True)), total


class ModelMetrics:
    """The series of one model; `Metrics.of` makes them.

    What came in and went out is put aside, and counted when there is enough of it or Prometheus asks: spectrum by
    spectrum it would take as long as the request.
    """

    ENOUGH = 64  # spectra

    def __init__(self, metrics: Metrics, labels: tuple[str, str], facts: tuple[str, ...], threads: Executor) -> None:
        self.labels, self.facts, self._threads = labels, facts, threads
        self.waiting: Callable[[], int] = lambda: 0
        self._stages = {stage: metrics.stages.labels(*labels, stage) for stage in metrics.STAGES}
        self._batches = metrics.batches.labels(*labels)
        self._distributions = {name: Distribution(bounds) for name, (_, bounds) in DISTRIBUTIONS.items()}
        self._seen: deque[tuple[Arrays, Arrays]] = deque()
        self._spectra = 0

    def stage(self, name: str, ns: int) -> None:
        """How long one stage of a request took."""
        self._stages[name].observe(ns / 1e9)

    def batch(self, spectra: int) -> None:
        """A run, and how many spectra travelled in it."""
        self._batches.observe(spectra)

    def watch(self, inputs: Arrays, outputs: Arrays) -> None:
        """Put a batch aside."""
        if "mask" not in inputs:
            return
        self._seen.append((inputs, outputs))
        self._spectra += len(inputs["mask"])
        if self._spectra >= self.ENOUGH:
            self._spectra = 0
            self._threads.submit(self._count)

    def distributions(self) -> dict[str, Distribution]:
        """What is known of the spectra so far."""
        self._count()
        return self._distributions

    def _count(self) -> None:
        seen = []
        with suppress(IndexError):
            while True:
                seen.append(self._seen.popleft())
        for inputs, outputs in seen and [_stacked(seen)]:
            for name, values in drift(inputs["source"], inputs["mask"]).items():
                self._distributions[name].add(values)
            if "familiarity" in outputs:
                self._distributions["familiarity"].add(outputs["familiarity"])


def _stacked(seen: list[tuple[Arrays, Arrays]]) -> tuple[Arrays, Arrays]:
    """Batches as one."""
    first = seen[0]
    return tuple(  # type: ignore[return-value]
        {name: np.concatenate([batch[side][name] for batch in seen]) for name in first[side]} for side in (0, 1)
    )


def drift(source: NDArray[np.float32], mask: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """What tells that an instrument, its settings or its samples have changed.

    Parameters
    ----------
    source, mask : float32 [n, L]

    Returns
    -------
    dict of str to float [n]
        See `DISTRIBUTIONS`.
    """
    measured = mask > 0
    anything = measured.any(axis=1)
    highest, lowest = (reduce(source, axis=1, where=measured, initial=-sign * np.inf).astype(np.float64)
                       for reduce, sign in ((np.max, 1), (np.min, -1)))  # fmt: skip
    both = measured[:, :-1:THIN] & measured[:, 1::THIN]
    steps = np.abs(source[:, 1::THIN] - source[:, :-1:THIN])
    both |= ~both.any(axis=1, keepdims=True)  # of a spectrum without a single step there is nothing to be left out
    middle = np.median(steps, axis=1) if both.all() else np.nanmedian(np.where(both, steps, np.nan), axis=1)
    highest, lowest = (np.where(anything, end, 0) for end in (highest, lowest))
    return {
        "input_coverage": mask.mean(axis=1, dtype=np.float64),
        "input_log10_intensity": np.log10(np.maximum(np.maximum(np.abs(highest), np.abs(lowest)), FAINTEST)),
        "input_roughness": middle / np.maximum(highest - lowest, FAINTEST),
    }


class Metrics(Collector):
    """All series of a data plane."""

    STAGES = ("decode", "queue", "compute", "encode", "total")

    def __init__(self) -> None:
        self.registry = there = CollectorRegistry()
        self.stages = Histogram("lineshape_stage_seconds", "Stages of a request.", (*MODEL, "stage"), registry=there,
                                buckets=SECONDS)  # fmt: skip
        self.batches = Histogram("lineshape_batch_spectra", "Spectra of a run.", MODEL, registry=there, buckets=SPECTRA)
        self.requests = Counter("lineshape_requests", "Requests by protocol and status.", ("protocol", "code"),
                                registry=there)  # fmt: skip
        self._models: list[ModelMetrics] = []
        self.registry.register(self)

    def of(self, name: str, model: Model, threads: Executor) -> ModelMetrics:
        """Series for a model that is about to be served under a name; what takes long is counted in `threads`."""
        manifest = model.manifest
        facts = (model.digest, manifest.task, manifest.family, manifest.wire_names[name])
        made = ModelMetrics(self, (name, manifest.version), facts, threads)
        self._models.append(made)
        return made

    def forget(self, gone: ModelMetrics) -> None:
        """Drop the series of a model that went; those of a namesake in its place go on."""
        self._models.remove(gone)
        if any(model.labels == gone.labels for model in self._models):
            return
        self.batches.remove(*gone.labels)
        for stage in self.STAGES:
            self.stages.remove(*gone.labels, stage)

    def collect(self) -> Iterator[Metric]:
        """What is read when Prometheus asks, and what is counted by batches."""
        models = list({model.labels: model for model in self._models}.values())
        waiting = GaugeMetricFamily("lineshape_queue_spectra", "Spectra that wait.", labels=MODEL)
        for model in models:
            waiting.add_metric(model.labels, model.waiting())
        yield waiting
        yield _info(models)
        for name, (help_, _) in DISTRIBUTIONS.items():
            family = HistogramMetricFamily(f"lineshape_{name}", f"{help_[0].upper()}{help_[1:]}.", labels=MODEL)
            for model in models:
                family.add_metric(model.labels, *model.distributions()[name].told())
            yield family

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)


def _info(models: list[ModelMetrics]) -> Metric:
    info = GaugeMetricFamily("lineshape_model_info", "Loaded models; always 1.",
                             labels=(*MODEL, "digest", "task", "family", "form"))  # fmt: skip
    for model in models:
        info.add_metric((*model.labels, *model.facts), 1)
    return info
