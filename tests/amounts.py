"""Small spectra with an analyte, and a short fit that is told it."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from lineshape.bundle import AxisSpec
from lineshape_training import recipe
from lineshape_training.recipe import Recipe
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable

DESIGN = Design("nir", classes=1, subjects=60, replicates=2, analytes=("sugar",), points=100, noise=0.1)
TABLE = replace(simulate(DESIGN).table, label=None)

SMALL = {"width": 64, "blocks": 2, "components": 12}


def told(table: SpectraTable, steps: int = 200) -> Recipe:
    """A short fit told the analytes of a table."""
    plan = recipe.load("tablets-mlp-diffusion")
    fit = msgspec.structs.replace(plan.fit, steps=steps, evaluate_every=steps, batch=32, folds=2)
    data = msgspec.structs.replace(plan.data, analytes=tuple(table.analytes))
    axes = {"spectrum": AxisSpec.of(table.axis)}
    return msgspec.structs.replace(plan, name="told", data=data, axes=axes, fit=fit, model=plan.model | SMALL)
