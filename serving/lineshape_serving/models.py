"""The loaded models, and how they come and go while others are asked.

Every bundle shows as one model for each form of its graph: NAME, and for samplers NAME-noise. Its version on the wire
is the bundle's own. All of it belongs to one event loop; what takes long runs in threads.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from lineshape.bundle import check_verdict
from lineshape.errors import UsageError
from lineshape_edge import Model
from lineshape_serving.choices import Choices
from lineshape_serving.describe import IndexEntry
from lineshape_serving.lane import Lane
from lineshape_serving.logs import log
from lineshape_serving.metrics import Metrics
from lineshape_serving.registry import Registry, Served, order
from lineshape_serving.settings import Running
from lineshape_serving.sources import Offer, Sources
from lineshape_serving.statistics import Statistics


class Models:
    """The loaded models.

    Parameters
    ----------
    running : Running
        Threads, batches and queues.
    sources : Sources
        Where `load` may take bundles from.
    choices : Choices
        Where what was loaded and unloaded is kept.
    """

    def __init__(self, running: Running, sources: Sources, choices: Choices) -> None:
        self.running, self.metrics = running, Metrics()
        self._sources, self._choices = sources, choices
        self._registry = Registry()
        # ONNX Runtime releases the interpreter lock, so a core each is what threads can use
        self._threads = ThreadPoolExecutor(os.cpu_count(), "lineshape-infer")
        self._changing = asyncio.Lock()
        self._departing: set[asyncio.Future[None]] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name on the wire."""
        return self._registry.names

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

    def index(self, ready: bool = False) -> tuple[IndexEntry, ...]:
        """Every model that is loaded, and unless only the ready ones are asked for, those that could be."""
        loaded = {(served.name, served.version): IndexEntry(served.name, served.version, "READY", "")
                  for served in self._all()}  # fmt: skip
        others = [] if ready else [
            IndexEntry(name, offer.version, "UNAVAILABLE", "not loaded")
            for offer in self._sources.offers for name in offer.forms if (name, offer.version) not in loaded
        ]  # fmt: skip
        return (*loaded.values(), *others)

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
