"""Cells: none is computed twice or taken for another, and a study that was killed ends in the same table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from digests import digest
from studies import DESIGN

from lineshape_training.simulation import simulate
from lineshape_training.spectra import SpectraTable
from lineshape_training.study import Outcome, Study, StudySpec


@pytest.fixture(scope="module")
def table() -> SpectraTable:
    return simulate(DESIGN).table


SPEC = StudySpec(methods=("smote",), protocols=("spectrum",), folds=2, seed=5)


@pytest.fixture(scope="module")
def alone(table: SpectraTable, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A study by all probes in this process, and its cells."""
    work = tmp_path_factory.mktemp("alone")
    return Study(table, SPEC, work).run(), work


def contents(work: Path) -> dict[str, str]:
    return {path.name: digest(path.read_bytes()) for path in work.glob("*.npz")}


def test_cells_that_were_lost_are_computed_again_and_the_others_are_not(
    table: SpectraTable, alone: tuple[Outcome, Path]
) -> None:
    outcome, work = alone
    before, paths = contents(work), sorted(work.glob("*.npz"))
    paths[0].unlink()
    (work / f".{paths[0].name}.part").write_bytes(b"half")  # as a kill while it was written leaves it
    kept = {path: path.stat().st_mtime_ns for path in paths[1:]}
    told: list[int] = []
    assert Study(table, SPEC, work).run(progress=told.append) == outcome
    assert told == [3, 1]
    assert contents(work) == before
    assert kept == {path: path.stat().st_mtime_ns for path in paths[1:]}


KILLED = """
import sys, msgspec
from pathlib import Path
from lineshape_training.simulation import Design, simulate
from lineshape_training.study import Study, StudySpec
design = Design(**msgspec.json.decode(sys.argv[1]) | {"analytes": ("sugar",)})
Study(simulate(design).table, msgspec.json.decode(sys.argv[2], type=StudySpec), Path(sys.argv[3])).run()
"""


def test_a_study_that_was_killed_is_ended_by_two_processes_in_the_same_table(
    table: SpectraTable, alone: tuple[Outcome, Path], tmp_path: Path
) -> None:
    words = [msgspec.json.encode(part).decode() for part in (DESIGN, SPEC)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *words, str(tmp_path)])
    _wait_for(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    study = Study(table, SPEC, tmp_path)
    assert 0 < sum(cell.path.exists() for cell in study.cells) < len(study.cells)
    assert study.run(jobs=2) == alone[0]
    assert contents(tmp_path) == contents(alone[1])


def _wait_for(work: Path) -> None:
    until = time.monotonic() + 120
    while not list(work.glob("*.npz")):
        assert time.monotonic() < until
        time.sleep(0.01)


def changed(table: SpectraTable) -> Iterator[tuple[str, SpectraTable, StudySpec]]:
    values = table.values.copy()
    values[0, 0] += 1
    yield "a value", replace(table, values=values), SPEC
    yield "a group", replace(table, group=np.where(table.group == table.group[0], "new", table.group)), SPEC
    yield "the seed", table, msgspec.structs.replace(SPEC, seed=6)
    yield "the folds", table, msgspec.structs.replace(SPEC, folds=3)
    yield "the steps", table, msgspec.structs.replace(SPEC, steps=())
    yield "the probes", table, msgspec.structs.replace(SPEC, probes=("rocket",))


def test_a_cell_is_not_taken_for_that_of_another_study(table: SpectraTable, tmp_path: Path) -> None:
    own = {cell.path for cell in Study(table, SPEC, tmp_path).cells}
    assert own == {cell.path for cell in Study(table, SPEC, tmp_path).cells}
    for what, other, spec in changed(table):
        assert not own & {cell.path for cell in Study(other, spec, tmp_path).cells}, what
    more = msgspec.structs.replace(SPEC, methods=("classical", "smote"))
    assert own < {cell.path for cell in Study(table, more, tmp_path).cells}  # another method costs only its own cells
