"""The data plane: the loaded models, what they are, and one way to run them. It knows no transport."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from time import perf_counter_ns
from typing import Any, TypeAlias

import msgspec
from numpy.typing import NDArray

from lineshape.errors import LineshapeError, OverloadError, TensorError
from lineshape_edge import Model
from lineshape_edge.tasks import refuse_unfamiliar
from lineshape_serving.cache import Cache
from lineshape_serving.choices import Choices
from lineshape_serving.describe import ModelConfig, ModelMetadata, ServerMetadata
from lineshape_serving.lane import Ran
from lineshape_serving.models import Models
from lineshape_serving.registry import Served
from lineshape_serving.settings import Running
from lineshape_serving.sources import Sources
from lineshape_serving.statistics import ModelStatistics
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


class DataPlane(Models):
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
        super().__init__(running or Running(), sources or Sources(()), choices or Choices())
        self.draining = False
        self._cache = Cache(self.running.cache << 20) if self.running.cache else None
        for model in models:
            self.add(model)

    def live(self) -> bool:
        """Whether the process answers at all."""
        return True

    def ready(self) -> bool:
        """Whether there is a model to ask, and no end in sight."""
        return bool(self.names) and not self.draining

    def server(self) -> ServerMetadata:
        """What this server is and speaks."""
        return ServerMetadata("lineshape", installed_version("lineshape"), EXTENSIONS)

    def metadata(self, name: str, version: str | None = None) -> ModelMetadata:
        """What a model is: tensors, axes, preprocessing, digest; and every loaded version, the default first."""
        return msgspec.structs.replace(self.find(name, version).metadata, versions=self.versions(name))

    def config(self, name: str, version: str | None = None) -> ModelConfig:
        """How a model runs."""
        return self.find(name, version).config(self.running.device, self.running.runners)

    def statistics(self, name: str | None = None, version: str | None = None) -> tuple[ModelStatistics, ...]:
        """What happened to the requests of a model, or of all of them."""
        asked = self._all() if name is None else [self.find(name, each) for each in self._asked(name, version)]
        return tuple(served.statistics.told(served.name, served.version) for served in asked)

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
