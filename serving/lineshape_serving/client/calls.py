"""What the client asks a server, step by step, whoever sends it.

What a server says of a model is kept. Since the model may be another by the next call, an answer must be of the version
that was described, and what is refused is looked at again with a fresh description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshape.errors import DataError, LineshapeError, TensorError, UnsupportedBundle, UsageError
from lineshape.spectrum import Spectrum
from lineshape_edge import plans
from lineshape_edge.plans import Arrays, Plan, Transferred
from lineshape_serving.client.exchange import Compute, Request, Steps
from lineshape_serving.client.infer import infer_answer, infer_request, model_path
from lineshape_serving.client.model import Listed, ServedModel, Told, parameters_of
from lineshape_serving.client.refusals import not_the_protocol
from lineshape_serving.client.retries import Patience, Persistence
from lineshape_serving.client.spectra import Spectra

T = TypeVar("T")

CHANGES = 3  # of a model that one call follows
BODY = 16 << 20  # bytes of a request: far below what servers and the gateways before them refuse


class ChangedError(LineshapeError):
    """An answer of another version of the model than the one that was asked."""


STALE = (ChangedError, UsageError, TensorError, DataError, UnsupportedBundle)  # may be due to an old description


class Calls:
    """The calls of one client, over what it knows of the models; any number of threads may make them.

    Parameters
    ----------
    patience : Patience
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._known: dict[str, ServedModel] = {}

    def models(self) -> Steps[tuple[str, ...]]:
        """The names of all models that are ready."""
        asked = Request("POST", "/v2/repository/index", b'{"ready":true}', {"Content-Type": "application/json"})
        reply = yield from Persistence(self._patience).send(asked)
        with not_the_protocol("index of models"):
            listed = msgspec.json.decode(reply.body, type=list[Listed])
        return tuple(sorted({one.name for one in listed}))

    def model(self, name: str) -> Steps[ServedModel]:
        """What a model is at present."""
        return (yield from self._described(name, Persistence(self._patience)))

    def sample(self, name: str, n: int, seed: int, first: int, label: str | None, analyte: Mapping[str, float] | None,
               noise_scale: float | None, extrapolate: bool) -> Steps[Spectra]:  # fmt: skip
        """Draw spectra."""
        return self._spectra(
            name, lambda model: plans.sample(model, n, seed, first, label, analyte, extrapolate, noise_scale)
        )

    def transfer(self, name: str, spectra: Sequence[Spectrum]) -> Steps[list[Transferred]]:
        """Transfer measured spectra."""
        return self._planned(name, lambda model: plans.transfer(model, spectra))

    def reconstruct(self, name: str, spectra: Sequence[Spectrum]) -> Steps[Spectra]:
        """Rebuild measured spectra."""
        return self._spectra(name, lambda model: plans.reconstruct(model, spectra))

    def encode(self, name: str, spectra: Sequence[Spectrum]) -> Steps[NDArray[np.float32]]:
        """The latents of measured spectra."""
        return self._planned(name, lambda model: plans.encode(model, spectra))

    def interpolate(self, name: str, first: Spectrum, second: Spectrum, weights: ArrayLike) -> Steps[Spectra]:
        """Spectra between two measured ones."""
        return self._spectra(name, lambda model: plans.interpolate(model, first, second, weights))

    def _spectra(self, name: str, plan_of: Callable[[ServedModel], Plan[NDArray[np.float32]]]) -> Steps[Spectra]:
        """The spectra that a plan gives, on the model's axis."""
        return self._planned(name, lambda model: _on_axis(plan_of(model), model))

    def _planned(self, name: str, plan_of: Callable[[ServedModel], Plan[T]]) -> Steps[T]:
        """The result of a plan over a model."""
        through = Persistence(self._patience)
        known = self._known.get(name) or (yield from self._described(name, through))
        for _ in range(CHANGES):
            try:
                plan: Plan[T] = yield Compute(partial(plan_of, known))
                return (yield from _answered(known, plan, through))
            except STALE:
                found = yield from self._described(name, through)
                if found == known:
                    raise
                known = found
        raise ChangedError(f"model {name!r} changed {CHANGES} times within one call; ask again")

    def _described(self, name: str, through: Persistence) -> Steps[ServedModel]:
        reply = yield from through.send(Request("GET", model_path(name)))
        with not_the_protocol(f"description of model {name}"):
            told = msgspec.json.decode(reply.body, type=Told)
        parameters = told.parameters
        if isinstance(parameters, msgspec.UnsetType):
            config = yield from through.send(Request("GET", f"{model_path(name)}/config"))
            parameters = parameters_of(config.body, name)
        self._known[name] = told.served(parameters)
        return self._known[name]


def _on_axis(plan: Plan[NDArray[np.float32]], model: ServedModel) -> Plan[Spectra]:
    axis = model.axis("spectrum")
    return Plan(plan.inputs, plan.rows, lambda outputs: Spectra(axis, plan.read(outputs)))


def _answered(model: ServedModel, plan: Plan[T], through: Persistence) -> Steps[T]:
    answers: list[Arrays] = []
    for batch in _sized(plan).batches:
        reply = yield from through.send(infer_request(model.name, batch))
        answer = infer_answer(reply, len(next(iter(batch.values()))))
        if answer.version != model.version:
            raise ChangedError(f"model {model.name!r} answered as version {answer.version}, but is described as "
                               f"{model.version}; ask again")  # fmt: skip
        answers.append(answer.outputs)
    with not_the_protocol(f"answer of model {model.name}"):
        return plan.result(answers)


def _sized(plan: Plan[T]) -> Plan[T]:
    """A plan whose batches stay below `BODY`."""
    row = sum(array[:1].nbytes for array in plan.inputs.values())
    return replace(plan, rows=max(1, min(plan.rows, BODY // row))) if row else plan
