"""What each lever is worth on minerals that were held out: the recipe as it is, and with one lever off at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from jaxtyping import Float64

from lineshape.results import Interval, bootstrapped
from lineshape_training.families import family_of
from lineshape_training.recipe import Recipe
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


def unaided(recipe: Recipe, table: PairTable) -> Plan:
    """The recipe on the pairs alone."""
    return recipe, table if table.references is None else dataclasses.replace(table, references=None)


LEVERS: Mapping[str, Lever] = {
    "references of known composition": unaided,
    "memory of the materials": partial(numbers, shares=(1.0,)),
    "decoder beside the memory": partial(numbers, shares=(0.0,)),
    "lines of the target's shape, no flow from the source": partial(numbers, decoder="flow"),
    "errors of the lines": partial(numbers, peaks=0.0),
    "augmentation of the source": partial(numbers, shift=0, scale=0.0, noise=0.0),
    "broadened answers": partial(numbers, broadening=0.0),
}


def ablation(recipe: Recipe, table: PairTable, levers: Mapping[str, Lever], repeats: int, work: Path, jobs: int = 1,
             progress: Callable[[int], object] = lambda cells: None, seed: int = 0,
             number: int = FOLDS) -> dict[str, Line]:  # fmt: skip
    """Fit the recipe, and the recipe without each lever, on the same folds; see `cells.answers`.

    Returns
    -------
    dict of str to Line
        `WHOLE` first, with a gain of 0, then each lever that this recipe pulls.
    """
    whole = recipe, table
    without = {name: off(*whole) for name, off in levers.items()}
    plans = {WHOLE: whole, **{name: plan for name, plan in without.items() if _differs(plan, whole)}}
    found = {
        name: _measured(*plan, repeats, work, jobs, progress, seed, number) for name, plan in plans.items()
    }  # fmt: skip
    best = found[WHOLE][0]
    return {
        name: Line(_mean(values, table), _mean(best - values, table), round(seconds, 1))
        for name, (values, seconds) in found.items()
    }


def as_text(found: Mapping[str, Line]) -> str:
    """A line for each lever."""
    wide = max(map(len, found))
    return "\n".join(
        f"{name:<{wide}}  {_said(line.pearson_mean, '.3f')}  gain {_said(line.gain, '+.3f')}  {line.fit_seconds:.0f} s"
        for name, line in found.items()
    )


def _differs(one: Plan, other: Plan) -> bool:
    """Whether they are fitted differently."""
    numbers = [family_of(recipe.family).config(recipe) for recipe, _ in (one, other)]
    return numbers[0] != numbers[1] or one[1] is not other[1]


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
