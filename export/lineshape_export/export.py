"""From a run to a sealed bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lineshape.bundle import Form, Task, Verdict, refuse, seal
from lineshape.bundle.signature import check_key
from lineshape.errors import UsageError
from lineshape_export.golden import golden_cases
from lineshape_export.graphs import seeded_onnx, to_onnx, to_program, to_pt2, to_torchscript
from lineshape_export.lowering import lowered, spectra_for, told_of, trials_for
from lineshape_export.manifest import FILES, check_identity, manifest_of, with_lower
from lineshape_export.moment import exported_at
from lineshape_export.parity import BATCHES, Written, check_parity, tolerances
from lineshape_export.records import records
from lineshape_training.contract import Contract, Seeded
from lineshape_training.families import family_of
from lineshape_training.recipe import Recipe
from lineshape_training.run import Run

MOST_EVALUATIONS = 32  # what the contract allows


def export_run(run: Run, out: Path, name: str | None = None, version: str = "0.1.0", despite: str | None = None,
               task: Task | None = None, precision: Sequence[Form] = (), data: str | None = None,
               key: bytes | None = None) -> str:  # fmt: skip
    """Export a fitted run, check parity, and seal the bundle.

    Parameters
    ----------
    run : Run
        Ended.
    out : Path
        A new ``*.lineshape`` file, or a new folder.
    name, version : str
        Of the bundle; by default the recipe's name, and the task where it is not the family's first.
    despite : str, optional
        Why a run that failed validation is exported all the same; the bundle's provenance keeps it.
    task : Task, optional
        One of the family's tasks; by default its first.
    precision : sequence of "fp16" or "int8"
        Graphs in lower precision to seal beside the full one.
    data : str, optional
        The spectra of the fit, on which lower precision is calibrated and measured, where the task takes spectra.
    key : bytes, optional
        A private key on the curve P-256, PEM, to sign the bundle with.

    Returns
    -------
    str
        The bundle's digest.

    Raises
    ------
    FailedValidation
        If the run's validation says 'fail', and `despite` does not say why it is exported all the same.
    ParityError
        If a graph answers differently from PyTorch; it names the output, the deviation and the input.
    FidelityError
        If lower precision costs more than the gate allows.
    UsageError
        If `out` is there already, the family has no such task, or a spectrum takes too many evaluations.
    """
    _check(run, out, despite, key)
    recipe, conditions, task = run.recipe, run.spec.conditions, _task(run.recipe, task)
    name = name or _name(recipe, task)
    check_identity(name, version)
    forms = forms_of(run, task)
    known = spectra_for(forms["model"], run, data, bool(precision))
    goldens = {form: golden_cases(module, conditions=conditions) for form, module in forms.items()}
    allowed = tolerances(forms["model"].outputs, [case for cases in goldens.values() for case in cases])
    manifest = manifest_of(run, task, forms, allowed, name, version)
    about = {
        "lineshape.name": name,
        "lineshape.version": version,
        "lineshape.weights_sha256": run.weights_sha256,
    }
    written = write(forms, about)
    for form, module in forms.items():
        fresh = golden_cases(module, BATCHES, 1, conditions)
        check_parity(form, written[form], [*goldens[form], *fresh], allowed)
    trials = trials_for(forms["model"], conditions, known)
    lower = lowered(dict.fromkeys(precision), written["model"].onnx, trials, manifest)
    manifest = with_lower(manifest, {form: one.allowed for form, one in lower.items()})
    files = _graph_files(written, {form: one.onnx for form, one in lower.items()})
    precision_found = {form: one.fidelity for form, one in lower.items()}
    measured_on = told_of(trials, data) if lower else {}
    described = records(run, manifest, goldens, precision_found, measured_on, despite)
    return seal(manifest, {**files, **described}, out, key)


def forms_of(run: Run, task: Task) -> dict[Form, Contract]:
    """What a task is exported as: a sampler is drawn from by seeds, or by noise of one's own."""
    contract = family_of(run.recipe.family).contract(run.network(), run.recipe, task).eval()
    if task == "sample":
        return {"model": Seeded(contract).eval(), "noise": contract}
    return {"model": contract}


def write(forms: Mapping[Form, Contract], about: Mapping[str, str]) -> dict[Form, Written]:
    """Each form as ONNX, and the model in PyTorch's own formats as well."""
    model = forms["model"]
    program, script = to_program(model), to_torchscript(model)
    if not isinstance(model, Seeded):
        return {"model": Written(to_onnx(program, model, about), script, to_pt2(program))}
    noise = to_onnx(to_program(model.sampler), model.sampler, about)
    return {"model": Written(seeded_onnx(model, noise), script, to_pt2(program)), "noise": Written(noise)}


def _graph_files(written: Mapping[Form, Written], lower: Mapping[Form, bytes]) -> dict[str, bytes]:
    graphs = {form: one.onnx for form, one in written.items()} | dict(lower)
    files = {FILES[form]: graph for form, graph in graphs.items()}
    for one in written.values():
        files |= {name: graph for name, graph in (("model.ts", one.script), ("model.pt2", one.program)) if graph}
    return files


def _check(run: Run, out: Path, despite: str | None, key: bytes | None) -> None:
    """What can be refused before any work."""
    if run.judged is not None:
        refuse(msgspec.convert(run.judged, Verdict), despite, f"run {run.folder}")
    if out.exists():
        raise UsageError(f"{out}: already there, and a sealed bundle is not replaced; choose another name")
    if out.suffix not in ("", ".lineshape"):
        raise UsageError(f"{out}: a bundle is a .lineshape file or, without an ending, a folder")
    exported_at()
    if key is not None:
        check_key(key)
    _check_walk(run)


def _check_walk(run: Run) -> None:
    recipe = run.recipe
    sampler = family_of(recipe.family).sampler_of(recipe)
    if run.spec.distilled and run.walk:
        raise UsageError(f"{run.folder}: a student is exported only as it was taught and judged; distil another one")
    if sampler and sampler.evaluations > MOST_EVALUATIONS:
        twice = ", of which guidance takes two for each" if sampler.guidance != 1 else ""
        raise UsageError(
            f"recipe {recipe.name}: a graph unrolls at most {MOST_EVALUATIONS} evaluations of the network; these are "
            f"{sampler.evaluations}{twice}; ask for fewer with --evaluations"
        )


def _task(recipe: Recipe, task: Task | None) -> Task:
    tasks = family_of(recipe.family).tasks
    if task is not None and task not in tasks:
        raise UsageError(f"family {recipe.family} is not for {task!r}; it is for {', '.join(tasks)}")
    return task or tasks[0]


def _name(recipe: Recipe, task: Task) -> str:
    """Bundles of several tasks of one run may be served side by side."""
    return recipe.name if task == family_of(recipe.family).task else f"{recipe.name}-{task}"
