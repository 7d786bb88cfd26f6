"""Quality against evaluations: a row for every way, nothing made twice, and verdicts that follow from the figures."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from fits import short

from lineshape.bundle import AxisSpec
from lineshape.errors import UsageError
from lineshape.results import Interval
from lineshape_training.recipe import Recipe
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable
from lineshape_training.steps import (
    FITTED,
    WAYS,
    Lesson,
    Line,
    Range,
    Steps,
    StepsBench,
    Way,
    as_text,
    curves,
    verdicts,
)
from lineshape_training.steps.cells import Answer
from lineshape_training.steps.figures import AUC, FIGURES, HALVINGS, MMD, floor, halvings
from lineshape_training.steps.table import REAL, line_of
from lineshape_training.steps.ways import AT_ONCE, QUICK, REFERENCE, STUDENT, TAUGHT_BY
from lineshape_training.validation.evidence import Evidence, Side

LESSON = Lesson(pairs=64, steps=5)
FEW = tuple(way for way in WAYS if way.evaluations == 1)  # one of each network


def tiny() -> tuple[SpectraTable, list[Recipe]]:
    """Forty subjects of two classes, and recipes of a few steps on narrow networks."""
    table = simulate(Design("raman", classes=2, subjects=40, replicates=1, points=160)).table
    plans = [short(f"saliva-{name}", 4) for name in FITTED]
    axes = {"spectrum": AxisSpec.of(table.axis)}
    return table, [msgspec.structs.replace(plan, axes=axes, model=plan.model | {"width": 16}) for plan in plans]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> StepsBench:
    return StepsBench(*tiny(), 2, 2, tmp_path_factory.mktemp("steps"), lesson=LESSON, ways=FEW)


@pytest.fixture(scope="module")
def found(bench: StepsBench) -> Steps:
    return bench.run()


def test_every_way_has_a_row_with_every_figure(found: Steps) -> None:
    assert [line.method for line in found.lines] == [REAL, *(way.name for way in FEW)]
    for line in found.lines:
        assert line.refused == ""
        assert set(line.figures) == set(FIGURES)
        assert all(one.least <= one.mean <= one.largest for one in line.figures.values())
        assert line.intervals[AUC].low <= line.figures[AUC].mean <= line.intervals[AUC].high
        assert (line.alone > 0) == (line.together > 0) == (line.minutes > 0) == (line.way is not None)
        assert line.method in as_text(found)


def test_a_student_costs_its_teachers_minutes_too(found: Steps) -> None:
    minutes = {line.way.network: line.minutes for line in found.lines if line.way}
    assert minutes[STUDENT] > minutes["flow"]


def test_every_seed_fits_and_judges_by_other_groups(bench: StepsBench) -> None:
    for cells in bench.cells.values():
        assert [cell.network.seed for cell in cells] == [0, 1]
        assert not set(cells[0].test.group) & set(cells[1].test.group)
        for cell in cells:
            assert not set(cell.network.train.group) & set(cell.test.group)


def test_what_is_there_is_not_made_again(bench: StepsBench, found: Steps) -> None:
    def written() -> dict[Path, int]:
        return {path: os.stat(path).st_mtime_ns for path in bench.work.rglob("*") if path.is_file()}

    before = written()
    assert bench.run() == found
    assert written() == before
    one = bench.cells[FEW[0]][0].path
    one.unlink()  # this cell alone is computed again, from the fit that is there
    bench.run()
    assert {path for path, at in written().items() if before.get(path) != at} == {one}


def test_the_picture_is_drawn_with_what_is_there(found: Steps, tmp_path: Path) -> None:
    some = msgspec.structs.replace(found, lines=tuple(line for line in found.lines if line.way != TAUGHT_BY))
    assert curves(some, tmp_path / "steps.png").read_bytes().startswith(b"\x89PNG")


def test_seeds_beyond_the_folds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 seeds need as many folds"):
        StepsBench(*tiny(), 3, 2, tmp_path)


def test_halves_hold_every_unseen_group_once() -> None:
    real = Side.of(tiny()[0])
    halved = list(halvings(real))
    assert len(halved) == HALVINGS
    for one, other in halved:
        assert sorted([*one.group, *other.group]) == sorted(real.group)
        assert not set(one.group) & set(other.group)


def test_the_floor_of_spectra_that_do_not_differ_is_chance() -> None:
    values = np.random.default_rng(0).random((200, 30)).astype(np.float32)
    both = [Side.synthetic(part, np.array(["a", "b"] * 50)) for part in (values[:100], values[100:])]
    train = Side(both[1].values, np.char.add("train", both[1].group), both[1].label)
    table = tiny()[0]
    figures, intervals = floor(Evidence(both[0], both[0], train, type(table.axis).regular("raman", 1, 30, 30, "cm-1")))
    assert intervals[MMD].low < 0 < intervals[MMD].high
    assert abs(figures[AUC] - 0.5) < 0.1  # the mean of 20 halvings, each with a standard error of .06
    assert abs(figures["high-frequency power"] - 1) < 0.05


def made(way: Way | None, auc: float, mmd: float, minutes: float = 5.0) -> Line:
    """A row by its figures; the floor's MMD reaches .002 above its mean."""
    figures = {AUC: Range(auc, auc, auc), MMD: Range(mmd, mmd, mmd)}
    intervals = {AUC: Interval(auc, auc - 0.1, auc + 0.1), MMD: Interval(mmd, mmd - 0.002, mmd + 0.002)}
    return Line(REAL if way is None else way.name, way, figures, intervals, minutes=minutes)


def test_verdicts_follow_from_the_figures() -> None:
    good = [made(None, 0.5, 0.0), made(TAUGHT_BY, 0.6, 0.001), made(AT_ONCE, 0.64, 0.0019), made(REFERENCE, 0.6, 0.001),
            made(QUICK, 0.61, 0.002)]  # fmt: skip
    assert [verdict.holds for verdict in verdicts(good)] == [True] * 5
    bad = [made(None, 0.5, 0.0), made(TAUGHT_BY, 0.6, 0.001), made(AT_ONCE, 0.66, 0.0021, 21.0),
           made(REFERENCE, 0.6, 0.001), made(QUICK, 0.63, 0.0031)]  # fmt: skip
    assert [verdict.holds for verdict in verdicts(bad)] == [False] * 5


def test_a_refused_row_decides_nothing() -> None:
    refused = line_of(AT_ONCE, [Answer(refused="the loss diverged"), Answer()])
    assert refused.refused == "1 of 2 seeds: the loss diverged"
    assert verdicts([made(None, 0.5, 0.0), made(TAUGHT_BY, 0.6, 0.001), refused]) == ()


def test_a_row_is_the_mean_of_its_seeds_with_their_range() -> None:
    answers = [Answer({AUC: auc, MMD: 0.0}, {AUC: Interval(auc, auc - 0.1, auc + 0.2)}, 2.0, 1.0, 10, 3.0)
               for auc in (0.5, 0.6, 0.7)]  # fmt: skip
    line = line_of(AT_ONCE, answers)
    assert [getattr(line.figures[AUC], end) for end in ("mean", "least", "largest")] == pytest.approx([0.6, 0.5, 0.7])
    interval = line.intervals[AUC]
    assert [interval.value, interval.low, interval.high] == pytest.approx([0.6, 0.5, 0.8])
