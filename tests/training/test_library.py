"""What a transfer's fit leaves of its source spectra."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from fits import short

from lineshape.bundle import AxisSpec
from lineshape.errors import RecipeError
from lineshape.library import Library, decode_library
from lineshape_training.library import lasers, library_of
from lineshape_training.loading import load_table
from lineshape_training.minerals import mineral_pairs
from lineshape_training.recipe import Recipe, load, parse, text
from lineshape_training.run import Run
from lineshape_training.spectra import PairTable


@pytest.fixture(scope="module")
def pairs() -> PairTable:
    return mineral_pairs("raman", "ir", 1, seed=3)


def of_file(path: Path, pairs: PairTable, plan: Recipe, **columns: Any) -> PairTable:
    """The table of a file with further columns."""
    spectra = {"raman": pairs.source.values, "raman_axis": pairs.source.axis.values,
               "ir": pairs.target.values, "ir_axis": pairs.target.axis.values}  # fmt: skip
    np.savez(path, **spectra, mineral=pairs.group, rruff_id=pairs.source.identity, **columns)
    table = load_table(str(path), plan)
    assert isinstance(table, PairTable)
    return table


def read(plan: Recipe, table: PairTable) -> Library:
    return decode_library(library_of(plan, table), plan.axes["source"].n)


def test_every_source_of_the_fit_is_its_own_nearest(transfer_run: Run) -> None:
    plan, content = transfer_run.recipe, transfer_run.library
    assert content is not None
    table = load_table("embedded", plan)
    assert isinstance(table, PairTable)
    found = decode_library(content, plan.axes["source"].n)
    assert list(found.name) == table.group.tolist()
    for match, identity in zip(found.nearest(found.source, np.isfinite(found.source)), found.identity, strict=True):
        assert match is not None
        assert (match.identity, match.similarity) == (identity, pytest.approx(1, abs=1e-4))
    assert set(found.laser_nm.tolist()) == {532.0}
    assert (found.fwhm > 1).all()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, np.nan),
        ({"laser": "514"}, 514.0),
        ({"laser_nm": 785.0, "laser": "514"}, 785.0),
        ({"laser": "green"}, np.nan),
        ({"laser": "532 nm"}, 532.0),
    ],
)
def test_a_column_says_the_laser_of_each_source(
    columns: dict[str, Any], expected: float, pairs: PairTable, tmp_path: Path
) -> None:
    plan = short("raman-to-ir")
    full = {name: np.full(len(pairs), value) for name, value in columns.items()}
    table = of_file(tmp_path / "t.npz", pairs, plan, **full)
    np.testing.assert_array_equal(read(plan, table).laser_nm, np.full(len(table), expected, np.float32))
    assert table.target.instrument is None


def test_the_laser_of_the_recipe_is_that_of_every_source(pairs: PairTable, tmp_path: Path) -> None:
    plan = short("raman-to-ir")
    spec = msgspec.structs.replace(plan.axes["source"], laser_nm=514.0)
    plan = msgspec.structs.replace(plan, axes={**plan.axes, "source": spec})
    table = of_file(tmp_path / "t.npz", pairs, plan, laser=np.full(len(pairs), "785"))
    assert set(read(plan, table).laser_nm.tolist()) == {514.0}


def test_broader_lines_have_larger_widths(pairs: PairTable, tmp_path: Path) -> None:
    plan = short("raman-to-ir")
    kernel = np.hanning(41)  # FWHM 20 cm-1, a point each
    broad = np.stack([np.convolve(row, kernel, mode="same") for row in pairs.source.values]).astype(np.float32)
    widths = [
        read(
            plan, of_file(tmp_path / "t.npz", PairTable(replace(pairs.source, values=values), pairs.target), plan)
        ).fwhm
        for values in (pairs.source.values, broad)
    ]
    assert np.median(widths[1] - widths[0]) > 5  # lines of 12 cm-1 become some 23 wide


def test_a_recipe_says_whether_spectra_may_leave_and_says_no_by_default() -> None:
    assert load("raman-to-ir").data.library
    plan = load("saliva-vae")
    assert not plan.data.library
    wrong = text(plan).replace("[data]", "[data]\nlibrary = true")
    with pytest.raises(RecipeError, match="library needs source"):
        parse(wrong.replace("library = false\n", "").encode(), "wrong.toml")


def test_the_lasers_of_real_pairs_are_known(shared_data: Path) -> None:
    plan = short("raman-to-xrd")
    table = load_table(str(shared_data / "rruff" / "raman_xrd_pairs.npz"), plan)
    assert isinstance(table, PairTable)
    assert set(lasers(table.source).tolist()) == {514.0, 532.0, 780.0, 785.0}
    assert AxisSpec.of(table.source.axis) == plan.axes["source"]
