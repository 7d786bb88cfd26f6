"""The search for a recipe's numbers: repeatable, better than chance, and quiet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from fits import short

from lineshape.errors import FitError, RecipeError
from lineshape_training import fitter, fitting, loading
from lineshape_training.recipe import Range, Recipe, SearchSpec
from lineshape_training.run import Run, Trial, tuned
from lineshape_training.search import proposed

SPEC = SearchSpec(12, 1, {"rate": Range(1e-4, 1.0, log=True), "width": Range(2, 64, log=True, whole=True)}, startup=4)


def trials_of(spec: SearchSpec, seed: int, count: int) -> tuple[Trial, ...]:
    """A search for the minimum of a bowl: rate .01, width 16."""
    trials: tuple[Trial, ...] = ()
    for _ in range(count):
        numbers = proposed(spec, trials, seed)
        trials = (*trials, Trial(numbers, bowl(**numbers), 0.0))
    return trials


def bowl(rate: float, width: float) -> float:
    return float((np.log10(rate) + 2) ** 2 + np.log2(width / 16) ** 2)


def test_a_proposal_depends_on_the_seed_and_the_trials_before_it_alone() -> None:
    trials = trials_of(SPEC, 0, 6)
    for count in (0, 3, 6):  # in any order: nothing is left over from a call
        again = proposed(SPEC, trials[:count], 0)
        assert again == (trials[count].numbers if count < 6 else proposed(SPEC, trials, 0))
        np.random.default_rng().random()
    assert proposed(SPEC, trials[:3], 1) != trials[3].numbers
    assert proposed(SPEC, trials[:5], 0) != trials[4].numbers


def test_numbers_stay_in_their_range_and_whole_ones_are_whole() -> None:
    for trial in trials_of(SPEC, 3, 8):
        assert 1e-4 <= trial.numbers["rate"] <= 1
        assert isinstance(trial.numbers["width"], int)
        assert 2 <= trial.numbers["width"] <= 64


def test_it_finds_the_minimum_sooner_than_random_numbers_do() -> None:
    random = SearchSpec(SPEC.trials, 1, SPEC.parameters, startup=SPEC.trials)
    found, chance = (
        [min(bowl(**trial.numbers) for trial in trials_of(spec, seed, SPEC.trials)) for seed in range(4)]
        for spec in (SPEC, random)
    )
    # Twelve random points come within about .7 of the bowl's minimum at the median; a factor of 3 is far from chance
    # over 4 seeds, and far from what a Gaussian process does on a parabola.
    assert np.median(found) < np.median(chance) / 3


def test_numbers_that_diverged_are_not_proposed_again() -> None:
    trials = trials_of(SPEC, 0, 5)
    refused = proposed(SPEC, trials, 0)
    after = proposed(SPEC, (*trials, Trial(refused, None, 0.0)), 0)
    assert abs(np.log10(after["rate"] / refused["rate"])) + abs(np.log2(after["width"] / refused["width"])) > 0.1
    hopeless = tuple(Trial(proposed(SPEC, (), seed), None, 0.0) for seed in range(5))
    assert proposed(SPEC, hopeless, 0).keys() == SPEC.parameters.keys()


def searching(trials: int = 3, **parameters: Range) -> Recipe:
    """A short fit after shorter ones."""
    return msgspec.structs.replace(short("raman-vae", steps=4), search=SearchSpec(trials, 2, parameters, startup=2))


FOUND: dict[str, Range] = {"beta": Range(0.1, 1.0), "learning_rate": Range(1e-4, 1e-2, log=True),
                           "latent": Range(2, 8, whole=True)}  # fmt: skip


def fit(plan: Recipe, out: Path, **how: Any) -> Run:
    return fitting.fit(plan, loading.load_table("embedded", plan), out, data="embedded", data_sha256="embedded", **how)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A fit with a search, never killed."""
    return fit(searching(**FOUND), tmp_path_factory.mktemp("search") / "run")


def test_the_best_trial_s_numbers_are_fitted(whole: Run) -> None:
    best = min(whole.fitted.trials, key=lambda trial: trial.score or 0.0)
    assert len(whole.fitted.trials) == 3
    assert {name: whole.recipe.model[name] for name in ("beta", "latent")} == {
        name: best.numbers[name] for name in ("beta", "latent")
    }
    assert whole.network().config.latent == best.numbers["latent"]
    assert whole.recipe.fit.learning_rate == best.numbers["learning_rate"]
    assert whole.recipe.search is None
    assert not list(whole.folder.glob("trial-*")), "what a trial fitted is of no use"


@pytest.mark.parametrize("networks", [0, 1, 2, 4])
def test_a_killed_search_goes_on_to_the_same_numbers_and_weights(
    whole: Run, networks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance, made = fitter.Fitter.advance, [0]

    def killed(self: fitter.Fitter, tensors: Any) -> Any:
        made[0] += 1
        if made[0] > 2 * networks + 1:  # in the middle of a trial (or, at last, of a fold)
            raise KeyboardInterrupt
        return advance(self, tensors)

    plan = searching(**FOUND)
    monkeypatch.setattr(fitter.Fitter, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(plan, tmp_path / "run")
    monkeypatch.undo()
    run = fit(plan, tmp_path / "run", resume=True)
    assert [trial.numbers for trial in run.fitted.trials] == [trial.numbers for trial in whole.fitted.trials]
    assert run.weights_sha256 == whole.weights_sha256


def test_a_trial_that_diverges_is_passed_over_and_a_search_of_nothing_else_refused(tmp_path: Path) -> None:
    wild = fit(searching(6, learning_rate=Range(1e-40, 1e25, log=True)), tmp_path / "wild")
    assert {trial.score is None for trial in wild.fitted.trials} == {True, False}
    assert wild.recipe.fit.learning_rate < 1e10
    with pytest.raises(FitError, match="all 3 trials diverged; search smaller numbers"):
        fit(searching(learning_rate=Range(1e29, 1e30)), tmp_path / "hopeless")


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"latent": Range(0, 8, whole=True)}, r"latent.*\[search.parameters\] latent reaches 0"),
        ({"latent": Range(2, 8)}, r"\[search.parameters\] latent reaches 2"),  # not whole
        ({"beta": Range(-1, 1)}, r"\[search.parameters\] beta reaches -1"),
    ],
)
def test_bounds_that_the_family_refuses_are_named_before_anything_is_fitted(
    parameters: dict[str, Range], why: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=why):
        fit(searching(**parameters), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_number_that_the_recipe_does_not_have_is_named() -> None:
    tables = msgspec.to_builtins(searching(**FOUND))
    tables["search"]["parameters"]["bta"] = {"low": 0.1, "high": 1.0}
    with pytest.raises(msgspec.ValidationError, match="'bta', which is no number of"):
        msgspec.convert(tables, Recipe)


def test_the_best_of_the_trials_that_ended_is_taken() -> None:
    trials = tuple(Trial({"beta": beta}, score, 0.0) for beta, score in ((0.1, None), (0.2, -1.0), (0.3, 0.0)))
    assert tuned(searching(beta=FOUND["beta"]), trials).model["beta"] == 0.2


def test_the_optimiser_is_quiet_and_loaded_only_for_a_search() -> None:
    """In a process of its own: warnings are errors, and whatever is written is seen."""
    program = """
import sys
from lineshape_training.recipe import Range, SearchSpec
from lineshape_training.run import Trial
from lineshape_training import search
assert "optuna._gp" not in sys.modules and "optuna.samplers._gp.sampler" not in sys.modules
spec = SearchSpec(4, 1, {"x": Range(0, 1)}, startup=2)
search.proposed(spec, (Trial({"x": .2}, 1., 0.), Trial({"x": .6}, 2., 0.), Trial({"x": .9}, None, 0.)), 0)
import optuna
assert optuna.logging.get_verbosity() == optuna.logging.INFO  # as it was
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
