"""How the spectra were generated: family, recipe, preprocessing, sampler, seeds, versions, machine."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineshape_training.dossier.blocks import Blank, Block, Heading, Paragraph, Section, Table
from lineshape_training.dossier.documents import eu, fda
from lineshape_training.dossier.facts import Facts
from lineshape_training.dossier.figures import NONE, exact, flattened, measured

TASKS = {
    "sample": "Draws new spectra from noise. Sample i of seed s is the same spectrum on every machine, to rounding.",
    "transfer": "Estimates the spectrum of a specimen in another modality from a measured one; no noise is drawn.",
}


def generation(facts: Facts) -> Section:
    """Every number that decided the fit, and what it found."""
    asked = (fda("section VIII (Data Collection: how synthetic data were generated; Data Cleaning/Processing) and "
                 "section IX (Model Development)"),
             eu("Article 10(2)(c), Annex IV points 2(a) to 2(d)"))  # fmt: skip
    recipe = tuple(flattened(msgspec.to_builtins(facts.spec.recipe)))
    versions = tuple((name, number) for name, number in facts.fitted.versions.items())
    blocks: tuple[Block, ...] = (
        Table(("what", "value"), tuple(_method(facts))),
        Heading("Preprocessing, in order"),
        *_preprocessing(facts),
        Heading("Recipe, every number"),
        Table(("setting", "value"), recipe),
        Heading("Software of the fit"),
        Table(("package", "version"), versions),
        Paragraph(f"A run does not record the code's revision: the validation was made at revision "
                  f"{facts.about.get('revision', NONE)}, this dossier at {facts.written['revision']}."),
        Blank("when and by whom the fit was run, and at which revision of the code"),
    )  # fmt: skip
    return Section("How the data were generated", asked, blocks)


def _method(facts: Facts) -> Iterator[tuple[str, str]]:
    spec, fitted, family = facts.spec, facts.fitted, facts.family
    yield "recipe", f"{spec.recipe.name}: {spec.recipe.about}"
    yield "family", family.name
    yield "task", f"{family.task}. {TASKS.get(family.task, '')}"
    yield "pre-trained network", "none: weights start from the seed"
    yield "parameters", exact(fitted.parameters)
    yield "steps", f"{fitted.steps}, chosen on groups held out within the fit"
    yield "seed of the fit", f"{spec.seed} (first weights, folds, batches, latents)"
    if family.task == "sample":
        yield "seeded noise", "Philox 4x32-10 and Box-Muller in float32, from (seed, sample index)"
    for name, value in flattened(msgspec.to_builtins(family.sampler_of(spec.recipe))):
        yield f"sampler {name}".strip(), value
    if family.interval is not None:
        yield "interval", f"lower and upper promise to hold {family.interval:.0%} of the points"
    yield "hardware", fitted.hardware
    yield "seconds", measured(fitted.seconds)


def _preprocessing(facts: Facts) -> Iterator[Block]:
    """Both halves; the axis comes last in the first one."""
    recipe, rows = facts.spec.recipe, []
    for role, axis in recipe.axes.items():
        for half, steps in (("axis", recipe.axis_half), ("intensity", recipe.intensity_half)):
            for step in msgspec.to_builtins(steps.get(role, ())):
                numbers = ", ".join(f"{name} = {value}" for name, value in flattened(step) if name != "step")
                rows.append((role, half, step["step"], numbers or NONE))
            if half == "axis":
                grid = f"{axis.first} to {axis.last} {axis.unit}, {axis.n} points"
                rows.append((role, half, "resample to the grid", f"{axis.modality}, {grid}"))
    yield Table(("spectra", "half", "step", "numbers"), tuple(rows))
    yield Paragraph(f"Left out of the fit: spectra measured on less than {recipe.data.measured:.0%} of the grid, and "
                    "constant ones.")  # fmt: skip
    yield Blank("how the spectra were cleaned, corrected or selected before they came into the file")
