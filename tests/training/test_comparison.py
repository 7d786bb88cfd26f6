"""The families side by side: no group on both sides, nothing computed twice, and what refuses is shown refusing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from fits import often

from lineshape.errors import DataError, UsageError
from lineshape_training import loading, recipe
from lineshape_training.comparison import Comparison, Line, as_text, recipes_of
from lineshape_training.comparison.cells import REAL, synthetic


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, tuple[Line, ...]]:
    """One unconditional family and one that knows classes, for a few steps, on the embedded minerals."""
    plans = [often(name) for name in ("raman-vae", "raman-cvae")]
    table = loading.load_table("embedded", plans[0])
    few = table.rows(np.flatnonzero(np.isin(table.label, np.unique(table.label)[:5])))
    few = loading.replace(few, group=np.char.add(few.group, np.arange(len(few)).astype(str)))  # specimens, not minerals
    comparison = Comparison(few, plans, 2, 2, 0, tmp_path_factory.mktemp("families"))
    return comparison, comparison.run()


def test_no_group_is_fitted_on_and_judged_by(compared: tuple[Comparison, tuple[Line, ...]]) -> None:
    for cells in compared[0].cells.values():
        for cell in cells:
            assert not set(cell.train.group) & set(cell.test.group)


def test_every_method_stands_in_the_table_with_its_floor(compared: tuple[Comparison, tuple[Line, ...]]) -> None:
    lines = {line.method: line for line in compared[1]}
    assert list(lines) == [REAL, "classical", "smote", "spectral-smote", "raman-vae", "raman-cvae"]
    floor = lines[REAL].metrics
    for line in lines.values():
        assert line.folds == 2
        if not line.refused:
            assert floor.keys() - {"class agreement"} <= line.metrics.keys() | {"near copies"}
    assert lines["raman-cvae"].parameters > 1000
    assert lines["raman-cvae"].minutes > 0
    assert all(line.method in as_text(compared[1]) for line in compared[1])


def test_only_what_draws_classes_trains_a_classifier(compared: tuple[Comparison, tuple[Line, ...]]) -> None:
    trained = {line.method: line.tstr is not None for line in compared[1]}
    assert trained == {REAL: True, "classical": True, "smote": True, "spectral-smote": True, "raman-vae": False,
                       "raman-cvae": True}  # fmt: skip
    real = next(line for line in compared[1] if line.method == REAL)
    assert real.tstr is not None
    assert real.tstr.low <= real.tstr.value <= real.tstr.high <= 1


def test_spectra_come_in_the_order_in_which_classes_are_asked_for(
    compared: tuple[Comparison, tuple[Line, ...]],
) -> None:
    for method in ("classical", "raman-cvae"):
        cell = compared[0].cells[method][0]
        names = np.unique(cell.train.labels)[:2].tolist()
        draw = synthetic(cell)[0]
        there, back = draw({names[0]: 3, names[1]: 3}), draw({names[1]: 3, names[0]: 3})
        np.testing.assert_allclose(there[:3], back[3:], atol=1e-5)  # other batches sum in another order


def test_what_is_there_is_not_computed_again(compared: tuple[Comparison, tuple[Line, ...]]) -> None:
    comparison, lines = compared
    before = {cell.path: os.stat(cell.path).st_mtime_ns for cells in comparison.cells.values() for cell in cells}
    assert comparison.run() == lines
    assert {path: os.stat(path).st_mtime_ns for path in before} == before


def test_classes_without_enough_groups_leave_nothing_to_compare(tmp_path: Path) -> None:
    plan = recipe.load("raman-vae")
    table = loading.load_table("embedded", plan)  # one group a mineral
    with pytest.raises(DataError, match="classes have 3 independent groups; a comparison needs two"):
        Comparison(table, [plan], 3, 3, 0, tmp_path)


def test_recipes_are_named_by_their_data() -> None:
    assert {plan.family for plan in recipes_of("saliva")} >= {"vae", "cvae"}
    assert [plan.name for plan in recipes_of("saliva", ["vae"])] == ["saliva-vae"]
    with pytest.raises(UsageError, match="no recipes saliva-nothing"):
        recipes_of("saliva", ["nothing"])
