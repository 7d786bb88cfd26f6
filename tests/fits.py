"""Real fits, cut short: what the tests of several rooms start from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import numpy as np
import torch

from lineshape.axis import SpectralAxis
from lineshape.bundle import AxisSpec
from lineshape.cli import main
from lineshape_training import fitting, loading, recipe
from lineshape_training.family import Table
from lineshape_training.run import Run
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable

NARROW = {
    "width": 32,
    "blocks": 2,
    "channels": 16,
    "convolutions": 16,
    "codes": 64,
}  # a checkpoint of the shipped ones is 12 MB


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
    """A fit with many checkpoints, on one thread, that goes on where it was killed; of small spectra if it can be."""
    torch.set_num_threads(1)
    plan = often(name)
    if plan.data.source:
        table: Table = loading.load_table("embedded", plan)
    else:
        table = two_classes()
        plan = on(plan, table)
    fitting.fit(plan, table, out, data="x", data_sha256="x", resume=True)


def fit_as_one_of_two(rank: int, port: int, words: list[str]) -> None:
    """The command in one of two processes, told what torchrun tells them."""
    told = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2,
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "tests"}  # fmt: skip
    os.environ.update({name: str(value) for name, value in told.items()})
    sys.argv = ["lineshape", *words]
    main()


def often(name: str, steps: int = 12) -> recipe.Recipe:
    """A short fit of a narrow network with many checkpoints; a search is cut to three trials."""
    plan = short(name, steps)
    plan = msgspec.structs.replace(
        plan, model=plan.model | {key: min(most, plan.model[key]) for key, most in NARROW.items() if key in plan.model}
    )
    plan = msgspec.structs.replace(plan, fit=msgspec.structs.replace(plan.fit, evaluate_every=2))
    if plan.search:
        plan = msgspec.structs.replace(plan, search=msgspec.structs.replace(plan.search, trials=3, steps=2, startup=2))
    return plan


def two_classes(groups: int = 6, points: int = 64) -> SpectraTable:
    """A line on the left or on the right, in five spectra of each group."""
    rng = np.random.default_rng(0)
    label = np.repeat(["left", "right"], 5 * groups)
    centre = np.where(label == "left", 0.3, 0.7)[:, None] + 0.01 * rng.standard_normal((len(label), 1))
    values = np.exp(-(((np.linspace(0, 1, points) - centre) / 0.05) ** 2)) + 0.01 * rng.random((len(label), points))
    axis = SpectralAxis.regular("raman", 200, 200 + points - 1, points, "cm-1")
    group = np.repeat(np.arange(2 * groups).astype(str), 5)
    values = values.astype(np.float32)
    return SpectraTable(values, np.ones_like(values), axis, group, group, label)


def on(plan: recipe.Recipe, table: SpectraTable) -> recipe.Recipe:
    """A recipe on the grid of a table."""
    return msgspec.structs.replace(plan, axes={"spectrum": AxisSpec.of(table.axis)})
