"""A user's npz becomes a table, or one error says what in it does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fits import short

from lineshape.errors import DataError, LineshapeError, ReadError
from lineshape_training.loading import load_table
from lineshape_training.spectra import PairTable, SpectraTable

N, L = 12, 1151
AXIS = np.linspace(150, 1300, L)


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    names = np.array([f"m{i // 2}" for i in range(N)])
    return {"raman": rng.random((N, L)), "raman_axis": AXIS, "mineral": names, "rruff_id": names} | changes


def load(path: Path, content: dict[str, Any]) -> SpectraTable:
    np.savez(path, **content)
    table = load_table(str(path), short("raman-vae"))
    assert isinstance(table, SpectraTable)
    return table


def test_spectra_come_onto_the_recipe_grid_with_their_groups(tmp_path: Path) -> None:
    table = load(tmp_path / "t.npz", arrays())
    assert (table.values.shape, len(table.axis)) == ((N, 1101), 1101)
    assert table.group.tolist() == arrays()["mineral"].tolist()
    assert table.mask.all()


def test_a_descending_axis_gives_the_same_table(tmp_path: Path) -> None:
    content = arrays()
    turned = content | {"raman": content["raman"][:, ::-1], "raman_axis": AXIS[::-1]}
    ahead, back = load(tmp_path / "a.npz", content), load(tmp_path / "b.npz", turned)
    assert np.array_equal(ahead.values, back.values)


def test_what_was_hardly_measured_or_is_constant_is_left_out(tmp_path: Path) -> None:
    content = arrays(raman_mask=np.ones((N, L)))
    content["raman_mask"][3, :600] = 0
    content["raman"][5] = 7.0
    table = load(tmp_path / "t.npz", content)
    assert len(table) == N - 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mineral": None}, "no array named mineral"),
        ({"raman": None}, "no array named raman or spectra or patterns"),
        ({"raman": np.ones((L, N))}, "spectra are rows"),
        ({"raman": np.full((N, L), "x")}, "raman holds <U1, not numbers"),
        ({"raman": np.full((N, L), np.nan)}, "not a finite number"),
        ({"raman": np.ones((N, L))}, "none of the 12 spectra varies"),
        ({"raman_axis": AXIS + 5000}, "look at axis, unit and mask"),
        ({"raman_mask": np.ones((N, 5))}, "its mask"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    content = {name: array for name, array in arrays(**changes).items() if array is not None}
    with pytest.raises(DataError, match=why):
        load(tmp_path / "t.npz", content)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04 broken", b"1\0,2\n3,4\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(ReadError, match=r"t\.npz"):
        load_table(str(tmp_path / "t.npz"), short("raman-vae"))
    with pytest.raises(LineshapeError, match="cannot be read"):
        load_table(str(tmp_path / "missing.npz"), short("raman-vae"))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", **arrays(), evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ReadError, match="evil"):
        load_table(str(tmp_path / "t.npz"), short("raman-vae"))


def test_the_real_pairs_load_without_the_far_infrared_scans(shared_data: Path) -> None:
    table = load_table(str(shared_data / "rruff" / "raman_ir_pairs.npz"), short("raman-to-ir"))
    assert isinstance(table, PairTable)
    # 105 pairs, of which 11 are far-infrared only and one is measured on less than 90 % of the grid.
    assert len(table) == 93
    assert len(np.unique(table.group)) == 45
