"""The model card of a bundle: Markdown with YAML front matter, as on the Hugging Face hub."""

from __future__ import annotations

from lineshape.bundle import AxisSpec, Manifest
from lineshape_training.run import Fitted, RunSpec

_USES = {
    "sample": "Draws new spectra for augmentation and method development.",
    "transfer": "Estimates the spectrum of the same material in another modality, with an interval and a familiarity.",
}
_LIMITS = {
    "sample": "Samples are simulated: no measurements, and no evidence that a real spectrum of that kind exists.",
    "transfer": "The mapping is one-to-many: an estimate is no measurement. Do not use one with low familiarity; the "
                "interval holds for materials like those of the fit.",
}  # fmt: skip
_SCORES = {
    "spectrogen": "1 - mean Pearson correlation with the measured target",
    "vae": "evidence bound by point",
}


def model_card(manifest: Manifest, spec: RunSpec, fitted: Fitted) -> str:
    """The card's text."""
    axes = "\n".join(f"- {role}: {_axis(axis)}" for role, axis in manifest.axes.items())
    scores = [f"{values[_index(spec, fitted)]:.4f}" for values in fitted.scores.values()]
    return f"""---
library_name: lineshape
license: other
tags: [spectroscopy, {manifest.task}, {manifest.family}, onnx]
---

# {manifest.name} {manifest.version}

{spec.recipe.about}.

**Intended use.** {_USES[manifest.task]}

**Limits.** {_LIMITS[manifest.task]}

## Data

{spec.spectra} spectra of {spec.groups} independent groups; `{spec.data}`, sha256 `{spec.data_sha256}`.

## Model

Family `{manifest.family}`, {fitted.parameters:,} parameters, {fitted.steps} steps, seed {spec.seed}, fitted in
{fitted.seconds:.0f} s on {fitted.hardware}.

{axes}

## Measured

{_SCORES[manifest.family]}, on groups held out of each of {len(scores)} folds (smaller is better): {", ".join(scores)}.
The number of steps was chosen on the same folds, so this is a little flattering.
"""


def _axis(axis: AxisSpec) -> str:
    return f"{axis.modality}, {axis.first:g} to {axis.last:g} {axis.unit}, {axis.n} points"


def _index(spec: RunSpec, fitted: Fitted) -> int:
    return fitted.steps // spec.recipe.fit.evaluate_every - 1
