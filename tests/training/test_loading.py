"""A user's npz becomes a table, or one error says what in it does not fit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from fits import short
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineshape.bundle import AxisSpec
from lineshape.errors import AxisError, DataError, LineshapeError, ReadError, UsageError
from lineshape_training import recipe
from lineshape_training.datasets import CATALOGUE, load_dataset
from lineshape_training.loading import fingerprint, load_table
from lineshape_training.spectra import PairTable, SpectraTable

N, L = 12, 1151
AXIS = np.linspace(150, 1300, L)


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    names = np.array([f"m{i // 2}" for i in range(N)])
    return {"raman": rng.random((N, L)), "raman_axis": AXIS, "mineral": names, "rruff_id": names} | changes


def asking(**columns: Any) -> recipe.Recipe:
    """The recipe raman-vae with other columns."""
    plan = short("raman-vae")
    return msgspec.structs.replace(plan, data=msgspec.structs.replace(plan.data, **columns))


def load(path: Path, content: dict[str, Any], plan: recipe.Recipe | None = None) -> SpectraTable:
    np.savez(path, **content)
    table = load_table(str(path), plan or short("raman-vae"))
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
        ({"raman": np.full((N, L), np.nan)}, r"t\.npz: spectrum 0 \(m0\) .* not a finite number \(nan at 150 cm-1"),
        (
            {"raman": np.where(np.arange(N * L).reshape(N, L) == 7 * L + 3, np.inf, 1)},
            r"spectrum 7 .* \(inf at 153 cm-1",
        ),
        ({"raman": np.full((N, L), 1e300)}, r"spectrum 0 .* \(inf at 150 cm-1"),
        ({"raman_axis": np.repeat(AXIS, 2)[:L]}, r"t\.npz: raman_axis: axis points must strictly rise or fall"),
        ({"raman_axis": np.full(L, "x")}, r"t\.npz: raman_axis holds <U1, not numbers"),
        ({"raman": np.ones((N, L))}, "none of the 12 spectra varies"),
        ({"raman_axis": AXIS + 5000}, "look at axis, unit and mask"),
        ({"raman_mask": np.ones((N, 5))}, "its mask"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    content = {name: array for name, array in arrays(**changes).items() if array is not None}
    with pytest.raises((DataError, AxisError), match=why):
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


# Groups, classes and amounts ------------------------------------------------------------------------------------------


def test_several_columns_name_a_group_together(tmp_path: Path) -> None:
    content = arrays(isolate=np.arange(N) // 6, replicate=np.arange(N) % 2)
    table = load(tmp_path / "t.npz", content, asking(group=("isolate", "replicate")))
    assert sorted(set(table.group.tolist())) == ["0 / 0", "0 / 1", "1 / 0", "1 / 1"]


def test_every_spectrum_can_be_a_group_and_amounts_come_along(tmp_path: Path) -> None:
    content = arrays(sugar=np.arange(N) / 2)
    table = load(tmp_path / "t.npz", content, asking(group="each", label=None, analytes=("sugar",)))
    assert len(set(table.group.tolist())) == N
    assert table.label is None
    np.testing.assert_array_equal(table.analytes["sugar"], content["sugar"])


@pytest.mark.parametrize(
    "column", [{"label": "disease"}, {"group": ("mineral", "disease")}, {"analytes": ("disease",)}]
)
def test_a_column_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path, column: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"t\.npz: no array named disease; it holds raman, raman_axis, mineral"):
        load(tmp_path / "t.npz", arrays(), asking(**column))


def test_an_unknown_class_stays_and_a_small_one_goes(tmp_path: Path) -> None:
    label = np.array(["", "", "a", "a", "a", "b", "b", "c", "c", "c", "c", ""])
    table = load(tmp_path / "t.npz", arrays(mineral=label), asking(group="each", class_size=3))
    assert table.labels.tolist() == [name for name in label.tolist() if name != "b"]


def test_classes_that_are_all_too_small_are_said(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"classes of fewer than 10 spectra are left out, and the largest \(m0\) has 2; ask for"
    ):
        load(tmp_path / "t.npz", arrays(), asking(class_size=10))


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(copies=st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), max_size=5))
def test_groups_that_share_a_spectrum_are_one(copies: list[tuple[int, int]], tmp_path: Path) -> None:
    content = arrays()
    for original, copy in copies:
        content["raman"][copy] = content["raman"][original]
    table = load(tmp_path / "t.npz", content)
    for row in table.values:
        assert len(set(table.group[(table.values == row).all(axis=1)].tolist())) == 1
    assert set(table.group.tolist()) <= set(content["mineral"].tolist())
    if not copies:
        assert table.group.tolist() == content["mineral"].tolist()


def test_a_copy_in_either_modality_makes_the_groups_of_pairs_one(tmp_path: Path) -> None:
    content = arrays() | {"ir": np.random.default_rng(1).random((N, 701)), "ir_axis": np.linspace(400, 1800, 701)}
    content["raman"][2] = content["raman"][0]  # m1 has a spectrum of m0, and an IR spectrum of m2
    content["ir"][4] = content["ir"][3]
    np.savez(tmp_path / "t.npz", **content)
    table = load_table(str(tmp_path / "t.npz"), short("raman-to-ir"))
    assert isinstance(table, PairTable)
    assert table.group.tolist() == ["m0"] * 6 + [f"m{i // 2}" for i in range(6, N)]
    assert table.target.group.tolist() == table.source.group.tolist()


def test_the_unit_that_an_axis_says_is_converted(tmp_path: Path) -> None:
    content = arrays()
    content["axis_um"] = 1e4 / content.pop("raman_axis")
    plan = short("puree-vae")
    plan = msgspec.structs.replace(plan, data=msgspec.structs.replace(plan.data, label="mineral"))
    content["spectra"] = content.pop("raman")
    content["axis_um"] = 1e4 / np.linspace(850, 1900, L)
    table = load(tmp_path / "t.npz", content, plan)
    assert len(table) == N
    assert table.axis.unit == "cm-1"


# Public sets ----------------------------------------------------------------------------------------------------------


def test_a_data_set_of_the_catalogue_stands_for_its_files(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINESHAPE_DATA", str(shared_data))
    file, plan = shared_data / "clinical" / "saliva_covid.npz", short("saliva-vae")
    named, read = load_table("saliva-covid", plan), load_table(str(file), plan)
    assert isinstance(named, SpectraTable)
    assert isinstance(read, SpectraTable)
    np.testing.assert_array_equal(named.values, read.values)
    assert fingerprint("saliva-covid") == fingerprint(str(file)) == hashlib.sha256(file.read_bytes()).hexdigest()
    assert len(set(named.group.tolist())) == 84
    monkeypatch.delenv("LINESHAPE_DATA")
    with pytest.raises(UsageError, match="set LINESHAPE_DATA"):
        load_table("saliva-covid", plan)


def test_a_set_of_several_files_is_one_table_laid_out_as_the_recipe_says(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINESHAPE_DATA", str(shared_data))
    axes = {"spectrum": AxisSpec("nir", "nm", 1100.0, 2498.0, 700, "ascending")}
    plan = msgspec.structs.replace(
        asking(spectrum="nir", group="each", label=None, analytes=("Moisture",)), axes=axes
    )  # fmt: skip
    table = load_table("corn", plan)
    assert isinstance(table, SpectraTable)
    assert table.instrument is not None
    assert sorted(set(table.instrument.tolist())) == ["m5", "mp5"]
    assert table.analytes.keys() == {"Moisture"}
    catalogued = load_dataset("corn")
    assert isinstance(catalogued, SpectraTable)
    assert len(table) == len(catalogued) == 160
    files = CATALOGUE["corn"].paths(shared_data)
    assert fingerprint("corn") == hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


# Data set, spectra that are left, independent groups and classes. A RRUFF pattern without a mineral is its own group.
FOUND = {
    ("rruff-raman", "minerals-vae"): (623, 291, 43),
    ("saliva-covid", "saliva-vae"): (2076, 84, 3),
    ("fruit-puree", "puree-vae"): (983, 982, 2),
    ("maldi-isolates", "isolates-vae"): (399, 100, 20),  # one of the 400 holds nothing but zeros
    ("maldi-species", "species-vae"): (96, 32, 4),
    ("rruff-xrd", "xrd-vae"): (863, 775, 6),
}


@pytest.mark.parametrize(("data", "name"), FOUND)
def test_every_shipped_data_set_fits_its_public_set(
    data: str, name: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINESHAPE_DATA", str(shared_data))
    table = load_table(data, recipe.load(name))
    assert isinstance(table, SpectraTable)
    assert (len(table), len(set(table.group.tolist())), len(set(table.labels.tolist()))) == FOUND[data, name]
    assert table.mask.all()


def test_copies_of_real_patterns_hold_their_minerals_together(shared_data: Path) -> None:
    table = load_table(str(shared_data / "rruff" / "raman_xrd_pairs.npz"), short("raman-to-xrd"))
    assert isinstance(table, PairTable)
    which = np.unique(table.target.values, axis=0, return_inverse=True)[1]
    assert all(len(set(table.group[which == one].tolist())) == 1 for one in range(which.max() + 1))
    assert len(set(table.group.tolist())) == 243


def test_the_real_pairs_load_without_the_far_infrared_scans(shared_data: Path) -> None:
    table = load_table(str(shared_data / "rruff" / "raman_ir_pairs.npz"), short("raman-to-ir"))
    assert isinstance(table, PairTable)
    # 105 pairs, of which 11 are far-infrared only and one is measured on less than 90 % of the grid.
    assert len(table) == 93
    assert len(np.unique(table.group)) == 45
