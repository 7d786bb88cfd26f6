"""Calibrations with generated spectra: intervals over repeats, and repeats that are kept."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from amounts import TABLE, told

from lineshape.errors import UsageError
from lineshape_training import analyte_bench
from lineshape_training.study.probes import REGRESSORS


def test_two_repeats_make_a_table_and_are_kept(tmp_path: Path) -> None:
    done: list[int] = []
    study = analyte_bench.bench(told(TABLE), TABLE, 2, tmp_path, progress=done.append)
    assert sum(done) == 2
    assert set(study.rmsep) == set(study.r2) == set(REGRESSORS)
    for line in (*study.rmsep.values(), *study.r2.values()):
        assert line.change.value == pytest.approx(line.added.value - line.real.value, abs=1e-3)  # four digits are kept
        assert line.change.low <= line.change.value <= line.change.high
    assert study.slope["unseen"].value > 0.5
    assert study.slope["generated"].value == pytest.approx(study.slope["unseen"].value, abs=0.3)
    assert "read back" in analyte_bench.as_text(study)

    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert analyte_bench.bench(told(TABLE), TABLE, 2, tmp_path) == study
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")} == files


def test_the_two_sides_of_a_repeat_share_no_group(tmp_path: Path) -> None:
    splits = [analyte_bench._repeat(told(TABLE), TABLE, tmp_path, 0, number) for number in range(5)]
    for split in splits:
        assert not set(split.train.group) & set(split.test.group)
    assert len({split.path for split in splits}) == 5


def test_an_interval_over_repeats_is_wider_than_that_of_independent_ones() -> None:
    values = np.random.default_rng(0).normal(3, 1, 20).tolist()
    found = analyte_bench.over_repeats(values)
    plain = 2.093 * np.std(values, ddof=1) / 20**0.5  # Student's t of 19 degrees of freedom
    assert found.value == pytest.approx(np.mean(values), rel=1e-3)
    assert found.high - found.value == pytest.approx(plain * (1 + 20 / 3) ** 0.5, rel=1e-2)  # four digits are kept


def test_a_recipe_without_an_analyte_is_refused(tmp_path: Path) -> None:
    plan = told(TABLE)
    blind = msgspec.structs.replace(plan, data=msgspec.structs.replace(plan.data, analytes=()))
    with pytest.raises(UsageError, match=r"needs \[data\] analytes"):
        analyte_bench.bench(blind, TABLE, 2, tmp_path)
