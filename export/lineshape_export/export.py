"""From a run to a sealed bundle."""

from __future__ import annotations

import io
from importlib.metadata import version as installed
from pathlib import Path

import msgspec
import numpy as np

from lineshape.bundle import (
    AnalyteSpec,
    Form,
    GraphSpec,
    Limits,
    Manifest,
    NoiseSpec,
    Task,
    Tolerance,
    Verdict,
    refuse,
    seal,
)
from lineshape.bundle.contract import GOLDEN
from lineshape.bundle.verdict import PROVENANCE
from lineshape.errors import UsageError
from lineshape.library import LIBRARY
from lineshape_export.card import model_card
from lineshape_export.golden import Case, golden_cases
from lineshape_export.graphs import MAX_BATCH, to_onnx, to_torchscript
from lineshape_export.parity import BATCHES, check_parity, tolerances
from lineshape_training.conditions import Conditions
from lineshape_training.contract import Contract, Seeded
from lineshape_training.families import family_of
from lineshape_training.recipe import Recipe
from lineshape_training.results import revision
from lineshape_training.run import Run

MOST_EVALUATIONS = 32  # what the contract allows
INTENSITIES = (-1e9, 1e9)  # far beyond any detector; squares of these still fit float32
FILES: dict[Form, str] = {"model": "model.onnx", "noise": "model.noise.onnx"}


def export_run(run: Run, out: Path, name: str | None = None, version: str = "0.1.0", despite: str | None = None,
               task: Task | None = None) -> str:  # fmt: skip
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

    Returns
    -------
    str
        The bundle's digest.

    Raises
    ------
    FailedValidation
        If the run's validation says 'fail', and `despite` does not say why it is exported all the same.
    ParityError
        If a graph answers differently from PyTorch; it names the output and the deviation.
    UsageError
        If `out` is there already, the family has no such task, or a spectrum takes too many evaluations.
    """
    if run.judged is not None:
        refuse(msgspec.convert(run.judged, Verdict), despite, f"run {run.folder}")
    if out.exists():
        raise UsageError(f"{out}: already there, and a sealed bundle is not replaced; choose another name")
    if out.suffix not in ("", ".lineshape"):
        raise UsageError(f"{out}: a bundle is a .lineshape file or, without an ending, a folder")
    recipe, conditions = run.recipe, run.spec.conditions
    task = _task(recipe, task)
    _check_walk(run)
    forms = _forms(family_of(recipe.family).contract(run.network(), recipe, task).eval(), task)
    goldens = {form: golden_cases(module, conditions=conditions) for form, module in forms.items()}
    allowed = tolerances([case for cases in goldens.values() for case in cases])
    manifest = _manifest(run, task, forms, allowed, name or _name(recipe, task), version)
    about = {
        "lineshape.name": manifest.name,
        "lineshape.version": version,
        "lineshape.weights_sha256": run.weights_sha256,
    }
    files = {FILES[form]: to_onnx(module, about) for form, module in forms.items()}
    files["model.ts"] = to_torchscript(forms["model"])
    for form, module in forms.items():
        fresh = golden_cases(module, BATCHES, 1, conditions)
        script = files["model.ts"] if form == "model" else None
        check_parity(form, files[FILES[form]], script, [*goldens[form], *fresh], allowed)
    return seal(manifest, {**files, **_records(run, manifest, goldens, despite)}, out)


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


def _forms(contract: Contract, task: Task) -> dict[Form, Contract]:
    if task == "sample":
        return {"model": Seeded(contract).eval(), "noise": contract}
    return {"model": contract}


def _manifest(
    run: Run, task: Task, forms: dict[Form, Contract], allowed: dict[str, Tolerance], name: str, version: str
) -> Manifest:
    recipe, conditions = run.recipe, run.spec.conditions if task == "sample" else Conditions()
    family = family_of(recipe.family)
    roles = _roles(recipe, forms["model"])
    noise = NoiseSpec(forms["noise"].inputs[0].shape[1], forms["noise"].detector) if "noise" in forms else None
    manifest = Manifest(
        name=name,
        version=version,
        family=family.name,
        task=task,
        graphs={form: GraphSpec(FILES[form], module.inputs, module.outputs) for form, module in forms.items()},
        axes={role: recipe.axes[of] for role, of in roles.items()},
        axis_half={role: recipe.axis_half[of] for role, of in roles.items() if of in recipe.axis_half},
        intensity_half={role: recipe.intensity_half[of] for role, of in roles.items() if of in recipe.intensity_half},
        interval=family.interval,
        sampler=family.sampler_of(recipe) if task == "sample" else None,
        noise=noise,
        classes=conditions.classes,
        analytes=tuple(AnalyteSpec(analyte.name, analyte.low, analyte.high) for analyte in conditions.analytes),
        limits=Limits(MAX_BATCH, INTENSITIES),
        tolerances=allowed,
        library=LIBRARY if run.library is not None else None,
    )
    try:
        return msgspec.convert(msgspec.to_builtins(manifest), Manifest)
    except msgspec.ValidationError as error:
        raise UsageError(f"bundle {name} {version}: {error}") from None


def _roles(recipe: Recipe, contract: Contract) -> dict[str, str]:
    """Each axis of the contract, and which of the recipe's it is: one without a source reads what it draws."""
    named = {spec.axis for spec in (*contract.inputs, *contract.outputs) if spec.axis}
    return {role: role if role in recipe.axes else "spectrum" for role in sorted(named)}


def _records(run: Run, manifest: Manifest, goldens: dict[Form, list[Case]], despite: str | None) -> dict[str, bytes]:
    """The files beside the graphs."""
    arrays = {
        f"{form}.{number}.{name}": array
        for form, cases in goldens.items()
        for number, case in enumerate(cases)
        for part in case
        for name, array in part.items()
    }
    golden = io.BytesIO()
    np.savez(golden, **arrays)  # type: ignore[arg-type]
    exporters = {name: installed(name) for name in ("lineshape", "torch", "onnx", "onnxscript", "onnxruntime")}
    provenance = {
        "run": run.spec,
        "fitted": run.fitted,
        "validation": run.judged,
        "despite": despite,
        "exported_with": exporters,
        "revision": revision(),
    }
    return {
        GOLDEN: golden.getvalue(),
        "README.md": model_card(manifest, run).encode(),
        "config.json": _json(run.recipe),
        PROVENANCE: _json(provenance),
        "weights.safetensors": run.weights,
        **({LIBRARY: run.library} if run.library is not None else {}),
    }


def _json(content: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content, order="deterministic"), indent=2) + b"\n"
