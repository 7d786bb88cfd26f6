"""The data plane: which models are loaded, what they are, and one way to run them. It knows no transport.

Every bundle shows as one model for each form of its graph: NAME, and for samplers NAME-noise. Its version on the wire
is the bundle's own. All of it belongs to one event loop; what takes long runs in threads.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as installed_version
from time import perf_counter_ns
from typing import Any, TypeAlias

from numpy.typing import NDArray

from lineshape.bundle import check_verdict
from lineshape.errors import LineshapeError, OverloadError, TensorError, UsageError
from lineshape_edge import Model
from lineshape_edge.tasks import refuse_unfamiliar
from lineshape_serving.cache import Cache
from lineshape_serving.choices import Choices
from lineshape_serving.describe import IndexEntry, ModelConfig, ModelMetadata, ServerMetadata
from lineshape_serving.lane import Lane, Ran
from lineshape_serving.logs import log
from lineshape_serving.metrics import Metrics
from lineshape_serving.registry import Registry, Served, order
from lineshape_serving.settings import Running
from lineshape_serving.sources import Offer, Sources
from lineshape_serving.statistics import ModelStatistics, Statistics
from lineshape_serving.traces import record

Arrays: TypeAlias = dict[str, NDArray[Any]]

FAMILIARITY = "familiarity"  # the output that `min_familiarity` is held against
EXTENSIONS = ("binary_tensor_data", "model_configuration", "statistics", "model_repository")


@dataclass(frozen=True, eq=False)
class Answer:
    """The outputs of a model, and which model it was."""

    model: str
    version: str
    outputs: Arrays


class DataPlane:
    """The loaded models, and the way through them.

    Parameters
    ----------
    models : iterable of Model
        Models that passed their golden test, as `Model.open` gives them.
    running : Running
        Threads, batches, queues, and the cache.
    sources : Sources, optional
        Where `load` may take bundles from; nowhere without.
    choices : Choices, optional
        Where what was loaded and unloaded is kept; nowhere without.

    Raises
    ------
    UsageError
        If two of them want one name and version.
    FailedValidation
        If a model failed validation and nobody answers for it in its provenance.
    """

    def __init__(self, models: Iterable[Model] = (), running: Running | None = None,
                 sources: Sources | None = None, choices: Choices | None = None) -> None:  # fmt: skip
        self.running = running or Running()
        self.metrics = Metrics()
        self.draining = False
        self._sources, self._choices = sources or Sources(()), choices or Choices()
        self._registry = Registry()
        self._cache = Cache(self.running.cache << 20) if self.running.cache else None
        # ONNX Runtime releases the interpreter lock, so a core each is what threads can use
        self._threads = ThreadPoolExecutor(os.cpu_count(), "lineshape-infer")
        self._changing = asyncio.Lock()
        self._departing: set[asyncio.Future[None]] = set()
        for model in models:
            self.add(model)

    # ---- what is here

    @property
    def names(self) -> tuple[str, ...]:
        """Every name on the wire."""
        return self._registry.names

    def live(self) -> bool:
        """Whether the process answers at all."""
        return True

    def ready(self) -> bool:
        """Whether there is a model to ask, and no end in sight."""
        return bool(self.names) and not self.draining

    def server(self) -> ServerMetadata:
        """What this server is and speaks."""
        return ServerMetadata("lineshape", installed_version("lineshape"), EXTENSIONS)

    def find(self, name: str, version: str | None = None) -> Served:
        """The model of a name; of the default version, where none is asked for.

        Raises
        ------
        UnknownModel
            If it is not loaded, or not in that version.
        """
        return self._registry.find(name, version)

    def versions(self, name: str) -> tuple[str, ...]:
        """The loaded versions of a name, its default first."""
        return self._registry.versions(name)

    def metadata(self, name: str, version: str | None = None) -> ModelMetadata:
        """What a model is: tensors, axes, preprocessing, digest."""
        return self.find(name, version).metadata

    def config(self, name: str, version: str | None = None) -> ModelConfig:
        """How a model runs."""
        return self.find(name, version).config(self.running.device, self.running.runners)

    def statistics(self, name: str | None = None, version: str | None = None) -> tuple[ModelStatistics, ...]:
        """What happened to the requests of a model, or of all of them."""
        asked = self._all() if name is None else [self.find(name, each) for each in self._asked(name, version)]
        return tuple(served.statistics.told(served.name, served.version) for served in asked)

    def index(self, ready: bool = False) -> tuple[IndexEntry, ...]:
        """Every model that is loaded, and unless only the ready ones are asked for, those that could be."""
        loaded = {(served.name, served.version): IndexEntry(served.name, served.version, "READY", "")
                  for served in self._all()}  # fmt: skip
        others = [] if ready else [
            IndexEntry(name, offer.version, "UNAVAILABLE", "not loaded")
            for offer in self._sources.offers for name in offer.forms if (name, offer.version) not in loaded
        ]  # fmt: skip
        return (*loaded.values(), *others)

    # ---- inference

    async def infer(self, name: str, version: str | None, inputs: Mapping[str, NDArray[Any]],
                    outputs: Sequence[str] = (), min_familiarity: float | None = None,
                    timeout: float | None = None, served: Served | None = None) -> Answer:  # fmt: skip
        """Run a model over one batch.

        Parameters
        ----------
        name, version : str
            The default version if None.
        inputs : mapping of tensor name to array [n, ...]
        outputs : sequence of str
            Those wanted, in that order; all of them if empty.
        min_familiarity : float, optional
            Of a transfer: refuse the batch if one of its spectra is less familiar.
        timeout : float, optional
            Seconds after which nobody wants the answer any more.
        served : Served, optional
            The very model that `find` gave, also if it has left meanwhile; its name and version are then not looked up.

        Raises
        ------
        UnknownModel
            If the model is not loaded.
        TensorError
            If a tensor is not what the model takes or gives; it is named, with the element where there is one.
        DataError
            If a spectrum is not familiar enough; the rows are named.
        OverloadError
            If too many wait already, or the time was not enough.
        """
        served, began = served or self.find(name, version), perf_counter_ns()
        with _failures_counted(served, began):
            wanted = _wanted(served, outputs, min_familiarity)
            served.model.check(inputs, served.form)
            found = await self._answered(served, dict(inputs), timeout, began)
            if min_familiarity is not None:
                refuse_unfamiliar(found[FAMILIARITY][:, 0], min_familiarity)
        return Answer(served.name, served.version, {output: found[output] for output in wanted})

    def check_room(self, name: str, version: str | None = None) -> None:
        """Refuse a request whose body is still to come, if it would only wait in vain; raises like `infer`."""
        served = self.find(name, version)
        with _failures_counted(served, perf_counter_ns()):
            served.lane.check_room()

    async def _answered(self, served: Served, inputs: Arrays, timeout: float | None, began: int) -> Arrays:
        """From the cache where there is one that knows, else from the model."""
        spectra = len(next(iter(inputs.values())))
        if self._cache is None:
            return await self._computed(served, inputs, spectra, timeout)
        key = self._cache.key(f"{served.model.digest}/{served.form}", inputs)
        if (found := self._cache.get(key)) is not None:
            served.statistics.remembered(spectra, perf_counter_ns() - began)
            return found
        served.statistics.missed(perf_counter_ns() - began)
        found = await self._computed(served, inputs, spectra, timeout)
        self._cache.put(key, found)
        return found

    async def _computed(self, served: Served, inputs: Arrays, spectra: int, timeout: float | None) -> Arrays:
        try:
            async with asyncio.timeout(timeout):
                ran = await served.lane.ask(inputs)
        except TimeoutError:
            raise OverloadError(f"model {served.name!r}: no answer within the {timeout:g} s of the request") from None
        _count(served, ran, spectra)
        return ran.outputs

    # ---- models that come and go

    def add(self, model: Model) -> None:
        """Serve one more model that passed its golden test; of several versions of a name the highest is the default.

        Raises
        ------
        UsageError
            If its name is taken in that version.
        """
        check_verdict(model.bundle)
        self._check_names(model)
        for name in model.manifest.wire_names:
            if model.manifest.version in self.versions(name):
                raise UsageError(f"two bundles want the name {name!r} in version {model.manifest.version}; "
                                 "serve one of them, or export it under another")  # fmt: skip
        enter = self._served(model)
        lower = [served for served in enter if any(order(served.version) < order(version)
                                                   for version in self.versions(served.name))]  # fmt: skip
        self._registry.replace([], enter, default=[served for served in enter if served not in lower])

    def _check_names(self, model: Model) -> None:
        """A name on the wire is of one bundle: that called A-noise is not the noise form of A."""
        for served in self._all():
            if served.name in model.manifest.wire_names and served.model.manifest.name != model.manifest.name:
                raise UsageError(f"two bundles want the name {served.name!r}: {model.manifest.name} and "
                                 f"{served.model.manifest.name}; export one of them under another")  # fmt: skip

    def start(self) -> None:
        """Load what the sources begin with, and then what operators chose since; raises what refuses a bundle."""
        chosen = self._choices.read()
        for offer in self._sources.first():
            if chosen.get(offer.name, offer.digest) is not None:
                self.add(self._open(offer))
        for name, digest in chosen.items():
            if digest is not None:
                self._begin_with(self._sources.choose(name, digest=digest))

    def _begin_with(self, offer: Offer) -> None:
        for served in self._make_default(self._loaded(offer) or self._open(offer)):
            self.metrics.forget(served.metrics)

    async def load(self, name: str, version: str | None = None, digest: str | None = None) -> None:
        """Make a bundle the default of its names, warmed up by its golden test; the former default then leaves.

        No request fails: those that came before are answered by the former model, those after by the new one.

        Parameters
        ----------
        name : str
            Any name on the wire of the bundle; all its forms are loaded.
        version, digest : str, optional
            Which one, of those that the sources hold; the newest if neither is given.

        Raises
        ------
        UnknownModel
            If the sources hold no such bundle.
        BundleError
            If it is refused; what is loaded stays.
        """
        async with self._changing:
            await asyncio.to_thread(self._sources.look)
            offer = self._sources.choose(name, version, digest)
            there = self._loaded(offer)
            model = there if there is not None else await asyncio.to_thread(self._open, offer)
            leave = self._make_default(model)
            self._choices.keep(offer.name, offer.digest)
            log("loaded", model=offer.name, version=offer.version, digest=offer.digest, left=_versions(leave))
            await self._depart(leave)

    def _loaded(self, offer: Offer) -> Model | None:
        return next((served.model for served in self._all() if served.model.digest == offer.digest), None)

    def _make_default(self, model: Model) -> list[Served]:
        """Put a model in the place of the default of its names; what leaves."""
        self._check_names(model)
        current = [served for served in self._all() if served.model.manifest.name == model.manifest.name]
        there = [served for served in current if served.model is model]
        enter = there or self._served(model)
        leave = [served for served in current if served not in there
                 and served.version in (model.manifest.version, self.versions(served.name)[0])]  # fmt: skip
        self._registry.replace(leave, [] if there else enter, default=enter)
        return leave

    async def unload(self, name: str, version: str | None = None) -> None:
        """Take a bundle out, all versions of it unless one is named; what it has begun, it ends.

        Raises
        ------
        UnknownModel
            If it is not loaded.
        """
        async with self._changing:
            bundles = {self.find(name, each).model.digest for each in self._asked(name, version)}
            leave = [served for served in self._all() if served.model.digest in bundles]
            self._registry.replace(leave, [], default=[])
            for gone in {served.model.manifest.name for served in leave} - {served.name for served in self._all()}:
                self._choices.keep(gone, None)
            log("unloaded", model=leave[0].model.manifest.name, left=_versions(leave))
            await self._depart(leave)

    async def drained(self) -> None:
        """Wait until nothing waits or runs."""
        await _idle(self._all())

    async def _depart(self, leaving: Sequence[Served]) -> None:
        """Wait until they have ended what they began, then forget them; also if nobody waits for it any more."""
        task = asyncio.ensure_future(self._forget(leaving))
        self._departing.add(task)
        task.add_done_callback(self._departing.discard)
        await asyncio.shield(task)

    async def _forget(self, leaving: Sequence[Served]) -> None:
        await _idle(leaving)
        for served in leaving:
            self.metrics.forget(served.metrics)

    def _all(self) -> list[Served]:
        return list(self._registry)

    def _asked(self, name: str, version: str | None) -> Sequence[str | None]:
        return (version,) if version is not None else self.versions(name) or (None,)

    def _open(self, offer: Offer) -> Model:
        model = Model.open(offer.word, self.running.threads, self.running.device)
        check_verdict(model.bundle)
        if model.digest != offer.digest:
            raise UsageError(f"{offer.word}: changed while it was looked at; load it again")
        return model

    def _served(self, model: Model) -> list[Served]:
        """One model for each form, with its own lane."""
        return [self._one(model, name) for name in model.manifest.wire_names]

    def _one(self, model: Model, name: str) -> Served:
        form, limits, running = model.manifest.wire_names[name], model.manifest.limits, self.running
        metrics = self.metrics.of(name, model, self._threads)
        run = partial(model.compute, form=form)
        lane = Lane(run, self._threads, running.runners, min(running.batch, limits.max_batch), running.queue,
                    running.patience, metrics.watch)  # fmt: skip
        metrics.waiting = lambda: lane.waiting
        return Served(name, form, model, lane, Statistics(), metrics)


async def _idle(models: Sequence[Served]) -> None:
    while not all(served.lane.idle for served in models):
        await asyncio.sleep(0.005)


def _versions(leaving: Sequence[Served]) -> list[str]:
    return sorted({served.version for served in leaving})


def _wanted(served: Served, outputs: Sequence[str], min_familiarity: float | None) -> tuple[str, ...]:
    given = [spec.name for spec in served.graph.outputs]
    if unknown := set(outputs) - set(given):
        raise TensorError(
            f"output {min(unknown)!r}: model {served.name!r} has no such output; it gives {', '.join(given)}"
        )
    if min_familiarity is not None and FAMILIARITY not in given:
        raise TensorError(f"min_familiarity: model {served.name!r} gives no {FAMILIARITY}; it is asked of transfers")
    return tuple(outputs) or tuple(given)


@contextmanager
def _failures_counted(served: Served, began: int) -> Iterator[None]:
    try:
        yield
    except LineshapeError:
        served.statistics.failed(perf_counter_ns() - began)
        raise


def _count(served: Served, ran: Ran, spectra: int) -> None:
    now = perf_counter_ns()
    served.statistics.ran(ran, spectra, now)
    served.metrics.stage("queue", ran.started - ran.arrived)
    served.metrics.stage("compute", ran.ended - ran.started)
    if ran.leads:
        served.metrics.batch(ran.batch)
    record(served, ran, spectra)
