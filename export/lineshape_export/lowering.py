"""A graph in lower precision, measured against the full one before it may be sealed beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lineshape import noise
from lineshape.bundle import Form, Manifest, TensorSpec, Tolerance
from lineshape.errors import DataError, FidelityError, UsageError
from lineshape_edge.session import Session
from lineshape_export.fidelity import ROWS, Fidelity, allowed, fidelity
from lineshape_export.golden import Arrays, Measured, inputs_of
from lineshape_export.precision import LOWER
from lineshape_training.contract import Contract
from lineshape_training.loading import fingerprint, load_table
from lineshape_training.run import Run, group_hash
from lineshape_training.spectra import PairTable, SpectraTable

FEWEST = 40  # spectra that say something of a distribution
BATCH = 32  # rows that a graph is calibrated with at a time
SEED = 21  # not that of the golden cases


class Lowered(NamedTuple):
    """A graph in lower precision, what it costs, and how far it may deviate from the golden cases."""

    onnx: bytes
    fidelity: Fidelity
    allowed: dict[str, Tolerance]


class Trials(NamedTuple):
    """What a graph in lower precision is calibrated on and measured with.

    Parameters
    ----------
    batches : list of inputs
    about : dict
        For the provenance: how many rows, and of which data.
    """

    batches: list[Arrays]
    about: dict[str, str | int]


def lowered(forms: Iterable[Form], model: bytes, trials: Trials, manifest: Manifest) -> dict[Form, Lowered]:
    """The graphs in lower precision.

    Parameters
    ----------
    forms : iterable of "fp16" or "int8"
    model : bytes
        The graph in full precision.
    trials : Trials
    manifest : Manifest
        Of the full graph.

    Raises
    ------
    FidelityError
        If one costs more than the gate allows; with every figure of each that is beyond its limit.
    """
    outputs = manifest.graphs["model"].outputs
    found = {form: measured(form, model, trials.batches, outputs, manifest.tolerances) for form in forms}
    refused = {form: one.fidelity.faults for form, one in found.items() if one.fidelity.faults}
    if refused:
        told = "; ".join(f"{form}: {', '.join(faults)}" for form, faults in refused.items())
        raise FidelityError(f"lower precision is refused; {told}; export again without {' and '.join(refused)}")
    return found


def measured(form: Form, model: bytes, batches: Sequence[Arrays], outputs: Sequence[TensorSpec],
             least: Mapping[str, Tolerance]) -> Lowered:  # fmt: skip
    """The graph in lower precision and what it costs, whatever that is; `least` are the full graph's tolerances."""
    lower = LOWER[form](model, batches)
    full, low = (_outputs(Session(graph), batches) for graph in (model, lower))
    return Lowered(lower, fidelity(full, low, outputs), allowed(full, low, least))


def trials_for(contract: Contract, run: Run, data: str | None, wanted: bool = True) -> Trials:
    """Spectra of the fit, each once, or what a sampler is drawn with.

    Raises
    ------
    UsageError
        If the task takes spectra and none are given, or data are given that nothing is asked of.
    DataError
        If the fit knew too few of them.
    """
    takes_spectra = any(spec.role == "source" for spec in contract.inputs)
    if data is not None and not (wanted and takes_spectra):
        raise UsageError("--data is for lower precision (--precision) of a task that takes spectra; leave it out")
    if not wanted:
        return Trials([], {})
    if takes_spectra and data is None:
        raise UsageError(f"recipe {run.recipe.name}: lower precision is calibrated on spectra of the fit; give --data")
    known = _of_the_fit(run, data) if data is not None else None
    rows = noise.seeds(SEED, min(ROWS, len(known[0])) if known else ROWS)
    batches = [inputs_of(contract, run.spec.conditions, rows[i : i + BATCH], known) for i in range(0, len(rows), BATCH)]
    of = {"data": Path(data).name, "data_sha256": fingerprint(data)} if data is not None else {}
    return Trials(batches, {"rows": len(rows), **of})


def _of_the_fit(run: Run, data: str) -> Measured:
    table = load_table(data, run.recipe, run.spec.seed)
    hashes = np.array([group_hash(name) for name in table.group.tolist()])
    fitted = np.isin(hashes, run.spec.group_sha256)
    found, groups = int(fitted.sum()), len(np.unique(hashes[fitted]))
    if (found, groups) != (run.spec.spectra, len(run.spec.group_sha256)):
        raise DataError(f"{data}: holds {found} spectra of {groups} groups that {run.folder} was fitted to, which are "
                        f"{run.spec.spectra} of {len(run.spec.group_sha256)}; give the data of the fit")  # fmt: skip
    if found < FEWEST:
        raise DataError(f"{data}: {found} spectra are too few to measure lower precision on; it takes {FEWEST}")
    sources = table.source if isinstance(table, PairTable) else table
    assert isinstance(sources, SpectraTable)
    return sources.values[fitted], sources.mask[fitted]


def _outputs(session: Session, batches: Sequence[Arrays]) -> Arrays:
    found = [session.run(inputs) for inputs in batches]
    return {name: np.concatenate([outputs[name] for outputs in found]) for name in session.outputs}
