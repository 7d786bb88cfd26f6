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
from lineshape_training.conditions import Conditions
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
    """What a graph in lower precision is calibrated on, and what it is measured with.

    Parameters
    ----------
    calibration, batches : list of inputs
        Samplers are measured with other seeds than those of their calibration; of spectra, which are few, every other
        one is left out of it: the very ones whose outputs stand for lower precision in the MMD and the classifier.
    """

    calibration: list[Arrays]
    batches: list[Arrays]

    @property
    def rows(self) -> int:
        """Of the inputs that it is measured with."""
        return sum(len(next(iter(inputs.values()))) for inputs in self.batches)


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
    found = {form: measured(form, model, trials, outputs, manifest.tolerances) for form in forms}
    refused = {form: one.fidelity.faults for form, one in found.items() if one.fidelity.faults}
    if refused:
        told = "; ".join(f"{form}: {', '.join(faults)}" for form, faults in refused.items())
        raise FidelityError(f"lower precision is refused; {told}; export again without {' and '.join(refused)}")
    return found


def measured(form: Form, model: bytes, trials: Trials, outputs: Sequence[TensorSpec],
             least: Mapping[str, Tolerance]) -> Lowered:  # fmt: skip
    """The graph in lower precision and what it costs, whatever that is; `least` are the full graph's tolerances."""
    lower = LOWER[form](model, trials.calibration)
    full, low = (_outputs(Session(graph), trials.batches) for graph in (model, lower))
    return Lowered(lower, fidelity(full, low, outputs), allowed(full, low, least))


def trials_for(contract: Contract, conditions: Conditions, known: Measured | None = None) -> Trials:
    """Spectra of the fit, each once, or what a sampler is drawn with."""
    rows = noise.seeds(SEED, min(ROWS, len(known[0])) if known else ROWS)
    others = rows[1::2] if known else noise.seeds(SEED + 1, ROWS)
    calibration, batches = (
        [inputs_of(contract, conditions, each[i : i + BATCH], known) for i in range(0, len(each), BATCH)]
        for each in (others, rows)
    )
    return Trials(calibration, batches)


def spectra_for(contract: Contract, run: Run, data: str | None, wanted: bool) -> Measured | None:
    """The spectra of the fit, where lower precision is wanted of a task that takes spectra.

    Raises
    ------
    UsageError
        If none are given where they are needed, or some where nothing is asked of them.
    DataError
        If they are not those of the fit, or too few.
    """
    needed = wanted and any(spec.role == "source" for spec in contract.inputs)
    if data is not None and not needed:
        raise UsageError("--data is for lower precision (--precision) of a task that takes spectra; leave it out")
    if not needed:
        return None
    if data is None:
        raise UsageError(f"recipe {run.recipe.name}: lower precision is calibrated on spectra of the fit; give --data")
    return _of_the_fit(run, data)


def told_of(trials: Trials, data: str | None) -> dict[str, str | int]:
    """For the provenance: on how many rows lower precision was measured, and of which data."""
    of = {"data": Path(data).name, "data_sha256": fingerprint(data)} if data is not None else {}
    return {"rows": trials.rows, **of}


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
