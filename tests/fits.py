"""Real fits, cut short: what the tests of several rooms start from."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lineshape_training import fitting, loading, recipe
from lineshape_training.run import Run


def short(name: str, steps: int = 20) -> recipe.Recipe:
    """A shipped recipe, cut to a few steps."""
    plan = recipe.load(name)
    fit = msgspec.structs.replace(plan.fit, steps=steps, evaluate_every=steps // 2, batch=8, folds=2, holdouts=2)
    return msgspec.structs.replace(plan, fit=fit)


def fit_short(name: str, out: Path) -> Run:
    """A short fit on the embedded minerals."""
    plan = short(name)
    return fitting.fit(plan, loading.load_table("embedded", plan), out, data="embedded", data_sha256="embedded")
