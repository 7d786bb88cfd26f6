"""Methods: each is fitted on its fold alone, and a recipe counts by what stands in it, not by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from studies import DESIGN, QUICK, row

from lineshape.errors import RecipeError, UsageError
from lineshape_training import recipe
from lineshape_training.recipe import Recipe
from lineshape_training.resampling import ClassicalAugmentation
from lineshape_training.simulation import simulate
from lineshape_training.spectra import SpectraTable
from lineshape_training.study import Study, StudySpec, cells
from lineshape_training.study.arms import GENERATED
from lineshape_training.study.methods import named

SHIPPED = "raman-vae"


@pytest.fixture(scope="module")
def table() -> SpectraTable:
    return simulate(DESIGN).table


@pytest.fixture(scope="module")
def own() -> Recipe:
    """A user's recipe of a few steps, which took over the name of a shipped one."""
    plan = recipe.load(SHIPPED)
    fit = msgspec.structs.replace(plan.fit, steps=4, evaluate_every=2, batch=8, folds=2)
    return msgspec.structs.replace(plan, fit=fit)


class Spy(ClassicalAugmentation):
    """Remembers what it was fitted on."""

    fits: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []  # noqa: RUF012 - one for all instances

    def fit(self, X: Any, y: Any, groups: Any = None) -> Spy:
        self.fits.append((X, y, groups))
        return super().fit(X, y, groups)


def test_a_generator_is_fitted_on_the_fitting_groups_of_its_fold_and_on_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cells.AUGMENTATIONS, "spy", lambda seed: Spy(random_state=seed))
    monkeypatch.setattr(Spy, "fits", [])
    two = simulate(replace(DESIGN, instruments=2)).table
    spec = StudySpec(probes=QUICK, methods=("spy",), protocols=("group", "imbalance", "curve", "instrument"), folds=2)
    study = Study(two, spec, tmp_path)
    study.run()
    splits = [cell.split for cell in study.cells if cell.method == "spy"]
    assert len(splits) == len(Spy.fits) == 2 * 6
    for split, (X, y, groups) in zip(splits, Spy.fits, strict=True):
        assert not set(groups) & set(study.problem.group[split.held])
        for seen, column in ((X, study.problem.X), (y, study.problem.y), (groups, study.problem.group)):
            np.testing.assert_array_equal(seen, column[split.fitting])


def test_a_recipe_is_a_method_and_one_that_cannot_sample_is_refused(
    table: SpectraTable, own: Recipe, tmp_path: Path
) -> None:
    spec = StudySpec(("mine", "raman-to-ir"), folds=2, probes=QUICK, recipes={"mine": own})
    outcome = Study(table, spec, tmp_path).run()
    for arm in GENERATED:
        assert np.isfinite(row(outcome, "by group", "mine", arm.name).gains["balanced accuracy"].p)
    assert "of a family for transfer" in outcome.refused["by group, raman-to-ir"]
    assert all(cell.path.exists() for cell in Study(table, spec, tmp_path).cells)


def cells_of(table: SpectraTable, plan: Recipe | None, work: Path) -> list[cells.Cell]:
    """The cells of the method `SHIPPED`, whatever that stands for."""
    study = Study(table, StudySpec((SHIPPED,), folds=2, recipes={SHIPPED: plan} if plan else {}), work)
    return [cell for cell in study.cells if cell.method == SHIPPED]


def test_a_recipe_of_the_study_stands_before_a_shipped_one_of_its_name(
    table: SpectraTable, own: Recipe, tmp_path: Path
) -> None:
    assert [cell.recipe for cell in cells_of(table, own, tmp_path)] == [own, own]
    assert [cell.recipe for cell in cells_of(table, None, tmp_path)] == [recipe.load(SHIPPED)] * 2


def test_a_cell_is_known_by_what_stands_in_its_recipe(
    table: SpectraTable, own: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paths(plan: Recipe | None) -> list[Path]:
        return [cell.path for cell in cells_of(table, plan, tmp_path)]

    shipped = paths(None)
    assert paths(recipe.load(SHIPPED)) == shipped
    assert not set(paths(own)) & set(shipped)
    monkeypatch.setattr(recipe, "load", lambda name: own)  # a later version ships other numbers under the same name
    assert paths(None) == paths(own)


# What a user asks for ------------------------------------------------------------------------------------------------


def test_methods_are_named_as_a_user_asks_for_them(own: Recipe, tmp_path: Path) -> None:
    mine = msgspec.structs.replace(own, name="mine")
    (tmp_path / "file.toml").write_text(recipe.text(mine))
    asked = ["none", "smote", SHIPPED, str(tmp_path / "file.toml")]
    expected = {"none": None, "smote": None, SHIPPED: recipe.load(SHIPPED), "mine": mine}
    assert named(asked) == named(asked, mine) == expected
    assert named(["smote"], own) == {"smote": None, SHIPPED: own}


def test_two_methods_of_one_name_are_refused(table: SpectraTable, own: Recipe, tmp_path: Path) -> None:
    taken = msgspec.structs.replace(own, name="smote")
    for asked, plan in (([SHIPPED], own), (["smote"], taken)):
        with pytest.raises(UsageError, match=f"two different methods .* '{plan.name}'; rename"):
            named(asked, plan)
    with pytest.raises(UsageError, match="'smote' is a method of its own; rename the recipe"):
        Study(table, StudySpec(("smote",), recipes={"smote": taken}), tmp_path)


def test_a_recipe_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"missing\.toml: cannot be read"):
        named([str(tmp_path / "missing.toml")])
