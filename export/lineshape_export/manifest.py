"""What a bundle says of itself, from the run that it is made of."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lineshape.bundle import AnalyteSpec, Form, GraphSpec, Limits, Manifest, NoiseSpec, Task, Tolerance
from lineshape.bundle.identity import Identity
from lineshape.errors import UsageError
from lineshape.library import LIBRARY
from lineshape_export.graphs import MAX_BATCH
from lineshape_training.conditions import Conditions
from lineshape_training.contract import Contract
from lineshape_training.families import family_of
from lineshape_training.recipe import Recipe
from lineshape_training.run import Run

INTENSITIES = (-1e9, 1e9)  # far beyond any detector; squares of these still fit float32
FILES: dict[Form, str] = {
    "model": "model.onnx", "noise": "model.noise.onnx", "fp16": "model.fp16.onnx", "int8": "model.int8.onnx",
}  # fmt: skip


def manifest_of(
    run: Run, task: Task, forms: dict[Form, Contract], allowed: dict[str, Tolerance], name: str, version: str
) -> Manifest:
    """The manifest of a bundle, but for its graphs in lower precision and its files."""
    recipe, conditions = run.recipe, run.spec.conditions if task == "sample" else Conditions()
    family = family_of(recipe.family)
    roles = _roles(recipe, forms["model"])
    noise = NoiseSpec(forms["noise"].inputs[0].shape[1], forms["noise"].detector) if "noise" in forms else None
    return Manifest(
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


def check_identity(name: str, version: str) -> None:
    """Refuse what cannot be the name and version of a bundle.

    Raises
    ------
    UsageError
        With what each is made of.
    """
    found = Identity.read(f"{name}@{version}")
    if found is None:
        raise UsageError(f"bundle {name} {version}: a name has small letters, digits and hyphens between them, at most "
                         "64, and a version three numbers, as 1.0.0")  # fmt: skip


def with_lower(manifest: Manifest, allowed: Mapping[Form, dict[str, Tolerance]]) -> Manifest:
    """The manifest with graphs in lower precision, each with its own tolerances."""
    full = manifest.graphs["model"]
    lower = {form: msgspec.structs.replace(full, file=FILES[form], tolerances=own) for form, own in allowed.items()}
    return msgspec.structs.replace(manifest, graphs={**manifest.graphs, **lower})


def _roles(recipe: Recipe, contract: Contract) -> dict[str, str]:
    """Each axis of the contract, and which of the recipe's it is: one without a source reads what it draws."""
    named = {spec.axis for spec in (*contract.inputs, *contract.outputs) if spec.axis}
    return {role: role if role in recipe.axes else "spectrum" for role in sorted(named)}
