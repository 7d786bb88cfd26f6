"""What each lever is worth on minerals that were held out: the recipe as it is, and with one lever off at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from jaxtyping import Float64

from lineshape_training.recipe import Recipe
from lineshape_training.results import Interval, bootstrapped
from lineshape_training.spectra import PairTable
from lineshape_training.transfer import cells
from lineshape_training.transfer.metrics import correlation
from lineshape_training.transfer.protocols import FOLDS, Protocol

Plan: TypeAlias = tuple[Recipe, PairTable]
Lever: TypeAlias = Callable[[Recipe, PairTable], Plan]  # turns it off

PROTOCOL: Protocol = "mineral"
WHOLE = "all levers"


class Line(msgspec.Struct, frozen=True):
    """A recipe with one lever off.

    Parameters
    ----------
    pearson_mean : Interval
        Without the lever.
    gain : Interval
        Of the lever: mean correlation with it less that without it, pair by pair.
    fit_seconds : float
        Of a fit without it, on one thread.
    """

    pearson_mean: Interval
    gain: Interval
    fit_seconds: float


def numbers(recipe: Recipe, table: PairTable, **changed: Any) -> Plan:  # noqa: ANN401
    """The recipe with other numbers of its model."""
    return msgspec.structs.replace(recipe, model={**recipe.model, **changed}), table


LEVERS: Mapping[str, Lever] = {
    "augmentation of the source": partial(numbers, shift=0, scale=0.0),
}


def ablation(recipe: Recipe, table: PairTable, levers: Mapping[str, Lever], repeats: int, work: Path, jobs: int = 1,
             progress: Callable[[int], object] = lambda cells: None, seed: int = 0,
             number: int = FOLDS) -> dict[str, Line]:  # fmt: skip
    """Fit the recipe, and the recipe without each lever, on the same folds; see `cells.answers`.

    Returns
    -------
    dict of str to Line
        `WHOLE` first, with a gain of 0, then by lever.
    """
    plans = {WHOLE: (recipe, table), **{name: off(recipe, table) for name, off in levers.items()}}
    found = {
        name: _measured(*plan, repeats, work, jobs, progress, seed, number) for name, plan in plans.items()
    }  # fmt: skip
    whole = found[WHOLE][0]
    return {
        name: Line(_mean(values, table), _mean(whole - values, table), round(seconds, 1))
        for name, (values, seconds) in found.items()
    }


def as_text(found: Mapping[str, Line]) -> str:
    """A line for each lever."""
    wide = max(map(len, found))
    return "\n".join(
        f"{name:<{wide}}  {_said(line.pearson_mean, '.3f')}  gain {_said(line.gain, '+.3f')}  {line.fit_seconds:.0f} s"
        for name, line in found.items()
    )


def _measured(recipe: Recipe, table: PairTable, repeats: int, work: Path, jobs: int, progress: Callable[[int], object],
              seed: int, number: int) -> tuple[Float64[np.ndarray, " n"], float]:  # fmt: skip
    """Correlation of each pair, mean over repeats, and seconds of a fit."""
    truth, mask = cells.truth(recipe, table), table.target.mask
    found = [
        cells.answers(recipe, table, PROTOCOL, repeat, work, jobs, progress, seed, number) for repeat in range(repeats)
    ]
    values: Float64[np.ndarray, " n"] = np.mean([correlation(one.spectrum, truth, mask) for one in found], axis=0)
    return values, float(np.mean([one.seconds for one in found]))


def _mean(values: Float64[np.ndarray, " n"], table: PairTable) -> Interval:
    return bootstrapped(values, table.group, lambda drawn: float(drawn.mean()))


def _said(found: Interval, form: str) -> str:
    return f"{found.value:{form}} ({found.low:{form}} to {found.high:{form}})"
