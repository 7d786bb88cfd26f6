"""The model card of a bundle: Markdown with YAML front matter, as on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineshape.bundle import AxisSpec, Form, Manifest
from lineshape_export.fidelity import Fidelity
from lineshape_training.families import family_of
from lineshape_training.run import Run

USES = {
    "sample": "Draws new spectra for augmentation and method development.",
    "transfer": "Estimates the spectrum of the same material in another modality, with an interval and a familiarity.",
    "reconstruct": "Gives back what the model understands of a spectrum; the rest is unlike the spectra of the fit.",
    "encode": "Gives the few numbers that the model keeps of a spectrum: for maps, neighbours and outliers.",
    "interpolate": "Gives spectra between two measured ones, along the line between their latents.",
}
LIMITS = {
    "sample": "Samples are simulated: no measurements, and no evidence that a real spectrum of that kind exists.",
    "transfer": "The mapping is one-to-many: an estimate is no measurement. Do not use one with low familiarity; the "
                "interval holds for materials like those of the fit.",
    "reconstruct": "A reconstruction is no measurement, and no cleaner one: a line the model does not know is lost.",
    "encode": "Latents of two models, or of two fits of one recipe, cannot be compared with each other.",
    "interpolate": "A spectrum between two others is simulated: no mixture of the two specimens, and no evidence "
                   "that a real one exists.",
}  # fmt: skip


def model_card(manifest: Manifest, run: Run, precision: Mapping[Form, Fidelity]) -> str:
    """The card's text; `precision` is what each graph in lower precision costs."""
    spec, fitted = run.spec, run.fitted
    axes = "\n".join(f"- {role}: {_axis(axis)}" for role, axis in manifest.axes.items())
    return f"""---
library_name: lineshape
license: other
tags: [spectroscopy, {manifest.task}, {manifest.family}, onnx]
---

# {manifest.name} {manifest.version}

{spec.recipe.about}.

**Intended use.** {USES[manifest.task]}

**Limits.** {LIMITS[manifest.task]}

## Data

{spec.spectra} spectra of {spec.groups} independent groups; `{spec.data}`, sha256
`{spec.data_sha256}`.{_carried(manifest)}

## Model

Family `{manifest.family}`, {fitted.parameters:,} parameters, {fitted.steps} steps, seed {spec.seed}, fitted in
{fitted.seconds:.0f} s on {fitted.hardware}.{_walked(manifest)}

{axes}{_told(manifest)}

## Measured

{_scored(run)}{_lower(precision)}

{_validated(run.judged)}
"""


def _carried(manifest: Manifest) -> str:
    """That measurements leave with the bundle, where they do."""
    kept = family_of(manifest.family).keeps
    weights = f"\nWhoever has this bundle can read from its weights the {kept}." if kept else ""
    if manifest.library is None:
        return weights
    return (f" The source spectra of the fit\nare in this bundle (`{manifest.library}`), with the names of their "
            f"materials and specimens.{weights}")  # fmt: skip


def _validated(found: dict[str, Any] | None) -> str:
    """What validation said, in a line; the whole of it stands in the provenance."""
    if found is None or "verdict" not in found:
        return "Validation by unseen groups: not made."
    reasons = "".join(f"\n- {reason}" for reason in found["reasons"])
    return f"Validation by unseen groups: **{found['verdict']}** (`provenance.json` has every figure).{reasons}"


def _walked(manifest: Manifest) -> str:
    """How a spectrum is drawn."""
    sampler = manifest.sampler
    if sampler is None:
        return ""
    guided = f", guidance {sampler.guidance:g}" if sampler.guidance != 1 else ""
    passes = "one evaluation" if sampler.evaluations == 1 else f"{sampler.evaluations} evaluations"
    return f" A spectrum takes {passes} of the network ({sampler.algorithm}{guided})."


def _scored(run: Run) -> str:
    """What was measured on held-out groups; of a student, how it came to be."""
    distilled = run.spec.distilled
    if distilled:
        pairs = f" on {distilled.pairs:,} pairs of noise and spectrum that it drew" if distilled.pairs else ""
        return (
            f"Distilled by {distilled.method}{pairs} from a network with weights sha256\n`{distilled.teacher_sha256}`; "
            "accepted because its figures are within the stated margins of its teacher's."
        )
    scores = ", ".join(f"{score:.4f}" for score in run.fitted.held_out)
    chosen = "\nThe number of steps was chosen on the same folds, so this is a little flattering."
    return (f"On groups held out, by fold: {family_of(run.spec.recipe.family).scored_by} {scores}."
            f"{chosen if run.spec.recipe.fit.chosen else ''}")  # fmt: skip


def _lower(precision: Mapping[Form, Fidelity]) -> str:
    """A paragraph for each graph in lower precision."""
    return "".join(f"\n\n{_cost(form, found)}" for form, found in precision.items())


def _cost(form: Form, found: Fidelity) -> str:
    return (
        f"In {form}, on inputs that were also run in full precision: {found.moved:.1%} of {found.peaks:,} peaks are\n"
        f"not within one grid point, RMSE {found.rmse:.2%} of the range; a classifier tells the two apart with AUC\n"
        f"{found.auc:.2f}, where it tells full precision from itself with {found.auc_floor:.2f}."
    )


def _told(manifest: Manifest) -> str:
    """The classes and analytes that a sampler is told."""
    classes = f"\n- classes: {', '.join(manifest.classes)}" if manifest.classes else ""
    analytes = [f"\n- analyte {a.name}: {a.low:g} to {a.high:g} in the fit" for a in manifest.analytes]
    return classes + "".join(analytes)


def _axis(axis: AxisSpec) -> str:
    return f"{axis.modality}, {axis.first:g} to {axis.last:g} {axis.unit}, {axis.n} points"
