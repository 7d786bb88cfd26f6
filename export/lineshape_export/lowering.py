"""A graph in lower precision, measured against the full one before it may be sealed beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lineshape import noise
from lineshape.bundle import Form, Tolerance
from lineshape.errors import DataError, FidelityError, UsageError
from lineshape_edge.session import Session
from lineshape_export.fidelity import ROWS, Fidelity, allowed, fidelity
from lineshape_export.golden import Arrays, Measured, inputs_of
from lineshape_export.precision import LOWER
from lineshape_training.contract import Contract
from lineshape_training.loading import load_table
from lineshape_training.run import Run, group_hash
from lineshape_training.spectra import PairTable, SpectraTable

BATCH = 32  # rows that a graph is calibrated with at a time
SEED = 21  # not that of the golden cases


class Lowered(NamedTuple):
    """A graph that has passed the gate."""

    onnx: bytes
    fidelity: Fidelity
    allowed: dict[str, Tolerance]


def lowered(form: Form, model: bytes, trials: Sequence[Arrays]) -> Lowered:
    """The graph in lower precision.

    Parameters
    ----------
    form : "fp16" or "int8"
    model : bytes
        The graph in full precision.
    trials : sequence of inputs
        From `trials_for`.

    Raises
    ------
    FidelityError
        If it costs more than the gate allows; with every figure that is beyond its limit.
    """
    found = measured(form, model, trials)
    if faults := found.fidelity.faults:
        raise FidelityError(f"{form}: refused, for {'; '.join(faults)}; export without --precision {form}")
    return found


def measured(form: Form, model: bytes, trials: Sequence[Arrays]) -> Lowered:
    """The graph in lower precision and what it costs, whatever that is."""
    lower = LOWER[form](model, trials)
    full, low = (_outputs(Session(graph), trials) for graph in (model, lower))
    return Lowered(lower, fidelity(full, low), allowed(full, low))


def trials_for(contract: Contract, run: Run, data: str | None) -> list[Arrays]:
    """Inputs to calibrate on and to measure with, in batches: spectra of the fit, or what a sampler is drawn with.

    Raises
    ------
    UsageError
        If the task takes spectra, and none are given.
    DataError
        If the fit knew none of them.
    """
    takes_spectra = any(spec.role == "source" for spec in contract.inputs)
    if takes_spectra and data is None:
        raise UsageError(f"recipe {run.recipe.name}: lower precision is calibrated on spectra of the fit; give --data")
    known = _of_the_fit(run, data) if data is not None and takes_spectra else None
    rows = noise.seeds(SEED, ROWS)
    return [inputs_of(contract, run.spec.conditions, rows[i : i + BATCH], known) for i in range(0, ROWS, BATCH)]


def _of_the_fit(run: Run, data: str) -> Measured:
    table = load_table(data, run.recipe, run.spec.seed)
    fitted = np.isin([group_hash(name) for name in table.group.tolist()], run.spec.group_sha256)
    if not fitted.any():
        raise DataError(f"{data}: holds no spectrum of a group that {run.folder} was fitted to")
    sources = table.source if isinstance(table, PairTable) else table
    assert isinstance(sources, SpectraTable)
    return sources.values[fitted], sources.mask[fitted]


def _outputs(session: Session, trials: Sequence[Arrays]) -> Arrays:
    found = [session.run(inputs) for inputs in trials]
    return {name: np.concatenate([outputs[name] for outputs in found]) for name in session.outputs}
