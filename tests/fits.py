"""Real fits, cut short: what the tests of several rooms start from."""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch

from lineshape.bundle import AxisSpec
from lineshape_training import fitting, loading, recipe
from lineshape_training.run import Run
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable


def short(name: str, steps: int = 20) -> recipe.Recipe:
    """A shipped recipe, cut to a few steps."""
    plan = recipe.load(name)
    fit = msgspec.structs.replace(plan.fit, steps=steps, evaluate_every=steps // 2, batch=8, folds=2, holdouts=2)
    return msgspec.structs.replace(plan, fit=fit)


def fit_short(name: str, out: Path) -> Run:
    """A short fit on the embedded minerals."""
    plan = short(name)
    return fitting.fit(plan, loading.load_table("embedded", plan), out, data="embedded", data_sha256="embedded")


def simulated() -> SpectraTable:
    """Small spectra of two classes with one analyte."""
    return simulate(Design("raman", subjects=8, replicates=2, analytes=("sugar",), points=160)).table


def fit_told(out: Path) -> Run:
    """A short fit of a conditional VAE, told the class and the analyte."""
    plan, table = short("saliva-cvae"), simulated()
    data = msgspec.structs.replace(plan.data, analytes=("sugar",))
    plan = msgspec.structs.replace(plan, name="told", data=data, axes={"spectrum": AxisSpec.of(table.axis)})
    return fitting.fit(plan, table, out, data="simulated", data_sha256="simulated")


def fit_often(name: str, out: Path) -> None:
    """A fit with many checkpoints, on one thread, that goes on where it was killed."""
    torch.set_num_threads(1)
    plan = often(name)
    table = loading.load_table("embedded", plan)
    fitting.fit(plan, table, out, data="embedded", data_sha256="embedded", resume=True)


def often(name: str, steps: int = 24) -> recipe.Recipe:
    """A short fit with many checkpoints; a search is cut to three trials."""
    plan = short(name, steps)
    plan = msgspec.structs.replace(plan, fit=msgspec.structs.replace(plan.fit, evaluate_every=2))
    if plan.search:
        plan = msgspec.structs.replace(plan, search=msgspec.structs.replace(plan.search, trials=3, steps=2, startup=2))
    return plan
