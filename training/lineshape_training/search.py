"""Bayesian optimisation of a recipe's numbers, before the fit itself.

A Gaussian process proposes numbers (optuna's sampler), a short fit on the first split is scored on the groups that it
leaves out, and the best trial's numbers go into the fit. Every proposal depends on the seed and the trials before it
alone, so a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from lineshape.errors import FitError, RecipeError
from lineshape_training.family import Family, Rows
from lineshape_training.fitter import Job
from lineshape_training.recipe import Range, Recipe, SearchSpec
from lineshape_training.run import Run, Trial, tuned, with_numbers

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

FIRST = 1000  # number of the first trial's network: no seed is that of a network of the fit


def check_search(recipe: Recipe, family: Family[Any, Any]) -> None:
    """Refuse a search whose bounds the family does not take, before anything is fitted.

    Raises
    ------
    RecipeError
        Naming the parameter and the bound.
    """
    for name, range_ in recipe.search.parameters.items() if recipe.search else ():
        for number in (range_.low, range_.high):
            try:
                family.config(with_numbers(recipe, {name: int(number) if range_.whole else float(number)}))
            except RecipeError as error:
                raise RecipeError(f"{error}, where [search.parameters] {name} reaches {number:g}") from None


def searched(job: Job, run: Run, fitting: Rows, held: Rows) -> tuple[Job, tuple[Trial, ...]]:
    """The job with the numbers that its recipe searches for, and the trials that found them; as it is without any.

    Raises
    ------
    FitError
        If the loss of every trial diverged.
    """
    spec = job.recipe.search
    if spec is None:
        return job, ()
    trials = run.trials
    while len(trials) < spec.trials:
        trials = (*trials, _tried(job, run, len(trials), proposed(spec, trials, job.seed), fitting, held))
        if job.fabric.global_rank == 0:
            run.record(trials)
            shutil.rmtree(run.part(_part(len(trials) - 1)))
    return replace(job, recipe=tuned(job.recipe, trials)), trials


def proposed(spec: SearchSpec, trials: tuple[Trial, ...], seed: int) -> dict[str, float | int]:
    """The numbers to try next.

    Parameters
    ----------
    spec : SearchSpec
    trials : tuple of Trial
        All before, in their order.
    seed : int
    """
    import optuna  # a fit without a search does not wait for it

    distributions = {name: _distribution(range_) for name, range_ in spec.parameters.items()}
    fresh = int(np.random.SeedSequence([seed, FIRST + len(trials)]).generate_state(1)[0])
    sampler = optuna.samplers.GPSampler(seed=fresh, n_startup_trials=spec.startup)
    with _quiet():
        study = optuna.create_study(sampler=sampler)
        study.add_trials(_told(trials, distributions))
        numbers: dict[str, float | int] = study.ask(distributions).params
    return numbers


def _tried(job: Job, run: Run, number: int, numbers: dict[str, float | int], fitting: Rows, held: Rows) -> Trial:
    assert job.recipe.search is not None
    steps, started = job.recipe.search.steps, time.monotonic()
    plan = with_numbers(job.recipe, numbers)
    short = msgspec.structs.replace(plan, fit=msgspec.structs.replace(plan.fit, steps=steps, evaluate_every=steps))
    try:
        score = replace(job, recipe=short).fit(run.part(_part(number)), FIRST + number, fitting, held, steps)[0]
    except FitError:
        score = None
    return Trial(numbers, score, time.monotonic() - started)


def _part(number: int) -> str:
    return f"trial-{number}"


def _distribution(range_: Range) -> BaseDistribution:
    from optuna.distributions import FloatDistribution, IntDistribution

    if range_.whole:
        return IntDistribution(int(range_.low), int(range_.high), range_.log)
    return FloatDistribution(range_.low, range_.high, range_.log)


def _told(trials: tuple[Trial, ...], distributions: dict[str, BaseDistribution]) -> list[FrozenTrial]:
    """Trials for the sampler. Those that diverged count as the worst score: told none, it would propose them again."""
    from optuna.trial import TrialState, create_trial

    worst = max((trial.score for trial in trials if trial.score is not None), default=None)
    values = [worst if trial.score is None else trial.score for trial in trials]
    return [
        create_trial(state=TrialState.FAIL if value is None else TrialState.COMPLETE, value=value,
                     params=trial.numbers, distributions=distributions)
        for trial, value in zip(trials, values, strict=True)
    ]  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """No message on standard error that a study has begun."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
