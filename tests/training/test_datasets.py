"""Data sets: what a file's columns mean, what is wrong with them, and how many independent groups they hold."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.axis import SpectralAxis
from lineshape.errors import AxisError, DataError, MissingExtra, ReadError, UsageError
from lineshape_training import datasets
from lineshape_training.datasets import (
    CATALOGUE,
    EACH,
    Finding,
    Layout,
    check_table,
    choose,
    load_dataset,
    read_columns,
    read_table,
    to_table,
    united,
)
from lineshape_training.datasets.choice import REAL
from lineshape_training.datasets.commands import opened, said
from lineshape_training.datasets.evidence import nearest
from lineshape_training.spectra import PairTable, SpectraTable

CSV = "patient,label,400,402.5,405\np1,ill,1,2,3\np1,ill,4,5,6\np2,well,7,8,9\n"
BY_PATIENT = Layout("raman", group=("patient",), label="label")


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def table_of(values: Any, group: list[str], **columns: Any) -> SpectraTable:
    array, names = np.array(values, np.float32), np.array(group)
    axis = SpectralAxis.regular("raman", 400, 500, array.shape[1], "cm-1")
    return SpectraTable(array, np.ones_like(array), axis, names, names, **columns)


def counted(spectra_of_group: dict[str, list[int]]) -> SpectraTable:
    """Classes whose groups have so many spectra each, all different."""
    rows = [
        (f"{label}{g}", label)
        for label, sizes in spectra_of_group.items()
        for g, size in enumerate(sizes)
        for _ in range(size)
    ]
    values = np.random.default_rng(0).random((len(rows), 3))
    return table_of(values, [group for group, _ in rows], label=np.array([label for _, label in rows]))


def test_the_package_shows_all_it_has() -> None:
    assert sorted(datasets.__all__) == sorted(set(datasets.__all__))
    assert all(hasattr(datasets, name) for name in datasets.__all__)


# Tables of text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_has_one_spectrum_in_a_row_under_the_points_of_its_axis(
    tmp_path: Path, separator: str, end: str, mark: str
) -> None:
    text = mark + CSV.replace(",", separator).replace("\n", end)
    columns = read_columns(written(tmp_path / "t.csv", text))
    assert list(columns) == ["patient", "label", "spectra", "axis"]
    np.testing.assert_array_equal(columns["spectra"], np.arange(1, 10).reshape(3, 3))
    np.testing.assert_array_equal(columns["axis"], [400, 402.5, 405])
    assert columns["patient"].tolist() == ["p1", "p1", "p2"]


def test_beside_semicolons_and_tabs_numbers_may_have_decimal_commas(tmp_path: Path) -> None:
    columns = read_columns(written(tmp_path / "t.csv", "dose;400,5;401\n1,5;-2,25;3e2\n;,5;1,5E-1\n"))
    np.testing.assert_array_equal(columns["axis"], [400.5, 401])
    np.testing.assert_array_equal(columns["spectra"], [[-2.25, 300], [0.5, 0.15]])
    np.testing.assert_array_equal(columns["dose"], [1.5, np.nan])


def test_quoted_cells_keep_their_separators_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    columns = read_columns(written(tmp_path / "t.csv", '\n"who, exactly",400,401\n\n"a, b",1,2\n , ,\n'))
    assert columns["who, exactly"].tolist() == ["a, b"]
    assert columns["spectra"].tolist() == [[1, 2]]


@pytest.mark.parametrize("cell", ["", " ", "NA"])
def test_a_missing_amount_is_not_a_number_and_a_missing_intensity_is_refused(tmp_path: Path, cell: str) -> None:
    path = written(tmp_path / "t.csv", f"fat,400,401\n1.5,1,2\n{cell},3,4\n")
    layout = Layout("nir", group=(EACH,), analytes=("fat",))
    np.testing.assert_array_equal(read_table(path, layout).analytes["fat"], [1.5, np.nan])
    path = written(tmp_path / "t.csv", f"fat,400,401\n1.5,1,2\n1,3,{cell}\n")
    with pytest.raises(DataError, match=r"t\.csv: spectrum 1 \(1\) holds a value that is not a finite number"):
        read_table(path, layout)


def test_names_of_digits_stay_the_names_that_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "id,number,400,401\n1_2,1,1,2\n12,2,3,4\n1e1,,5,6\n")
    table = read_table(path, Layout("raman", group=("id",), label="number"))
    assert table.group.tolist() == ["1_2", "12", "1e1"]
    assert table.label is not None
    assert table.label.tolist() == ["1", "2", ""]


def test_names_in_another_encoding_stay_apart(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", CSV.replace("p1", "Böhm").replace("p2", "Bähm").encode("latin-1"))
    assert read_table(path, BY_PATIENT).group.tolist() == ["Böhm", "Böhm", "Bähm"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("a,400,401\nx,1,2\n\nx,1\n", "line 4: 2 cells under 3 column names"),
        ("a,400,401\nx,1,2,3\n", "line 2: 4 cells under 3 column names"),
        ("a,400,401\n", "a line for each spectrum; this has 1"),
        ("", "a line for each spectrum; this has 0"),
        ("a,400,401\nx,1,high\n", "column 401 holds something that is not a number"),
        ("a,a,400\nx,y,1\n", "two columns are named 'a'"),
        ('a,400\n"x' + "y" * 200_000 + '",1\n', "line 2: field larger"),
        (b"\x89HDF\r\n\0\0", "no table of spectra"),
        (b"PK\x03\x04 no archive", "damaged archive"),
        (b"PAR1 no table", "damaged Parquet file"),
    ],
)
def test_what_is_no_table_is_refused_by_line_or_column(tmp_path: Path, content: str | bytes, why: str) -> None:
    path = written(tmp_path / "t.dat", content)
    with pytest.raises(ReadError, match=why) as caught:
        read_columns(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_an_error_of_reading(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot be read: No such file"):
        read_columns(tmp_path / "none.csv")


@given(st.binary(max_size=300) | st.text(alphabet=",;\t\n\r\"'0123456789.eE-_ax", max_size=300).map(str.encode))
def test_bytes_are_columns_or_an_error_of_reading(content: bytes) -> None:
    from lineshape_training.datasets.columns import _reader

    try:
        columns = _reader(content)(content, "file")
    except ReadError:
        return
    assert len({len(column) for name, column in columns.items() if name != "axis"}) <= 1


# Archives and Parquet ------------------------------------------------------------------------------------------------


def test_an_npz_keeps_its_arrays(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "spectra": np.eye(3, dtype=np.float32),
        "axis_nm": np.array([1.0, 2, 3]),
        "patient": np.array(list("aab")),
    }
    np.savez(tmp_path / "t.npz", **arrays)
    for name, column in read_columns(tmp_path / "t.npz").items():
        np.testing.assert_array_equal(column, arrays[name])


def parquet(path: Path, **columns: Any) -> Path:
    pd.DataFrame({**columns, "400": np.array([1, 2, 3], np.float32), "402.5": [4, 5, 6]}).to_parquet(path)
    return path


def test_parquet_is_read_as_a_csv_of_the_same_columns(tmp_path: Path) -> None:
    columns = {"patient": ["p1", "p2", "p2"], "label": pd.Categorical(["ill", "well", "ill"]), "dose": [1.5, None, 2]}
    read = read_columns(parquet(tmp_path / "t.parquet", **columns))
    pd.DataFrame({**columns, "400": [1, 2, 3], "402.5": [4, 5, 6]}).to_csv(tmp_path / "t.csv", index=False)
    for name, column in read_columns(tmp_path / "t.csv").items():
        np.testing.assert_array_equal(read[name], column, err_msg=name)


def test_nothing_in_parquet_is_an_empty_name(tmp_path: Path) -> None:
    ids = pd.array([7, None, 7], dtype="Int64")
    table = read_table(parquet(tmp_path / "t.parquet", patient=ids, label=["ill", None, "well"]), BY_PATIENT)
    assert table.group.tolist() == ["7", "row 1", "7"]
    assert table.label is not None
    assert table.label.tolist() == ["ill", "", "well"]


def test_a_damaged_parquet_file_is_an_error_of_reading(tmp_path: Path) -> None:
    content = parquet(tmp_path / "t.parquet", patient=list("abc")).read_bytes()
    for at in range(4, len(content), 37):  # the damage may also spare what counts
        changed = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        try:
            read_columns(written(tmp_path / "damaged.parquet", changed))
        except ReadError as error:
            assert "damaged.parquet" in str(error)  # noqa: PT017 - not every change of a byte is seen


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path / "t.parquet", patient=list("abc"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'lineshape\[parquet\]'"):
        read_columns(path)


# Layouts -------------------------------------------------------------------------------------------------------------


def columns(**changes: Any) -> dict[str, Any]:
    named = {
        "spectra": np.arange(12.0).reshape(4, 3), "axis": np.array([400.0, 401, 402]),
        "isolate": np.array(["a", "a", "b", "b"]), "replicate": np.array([1, 2, 1, 1]),
        "laser": np.array([532, 785] * 2),
    }  # fmt: skip
    return {name: column for name, column in (named | changes).items() if column is not None}


def test_several_columns_together_name_a_group() -> None:
    table = to_table(columns(), Layout("maldi", group=("isolate", "replicate"), instrument="laser"), "t")
    assert table.group.tolist() == ["a / 1", "a / 2", "b / 1", "b / 1"]
    assert table.identity.tolist() == table.group.tolist()
    assert table.instrument is not None
    assert table.instrument.tolist() == ["532", "785", "532", "785"]
    named = to_table(columns(), Layout("maldi", group=("isolate",), identity=("isolate", "replicate")), "t")
    assert named.identity.tolist() == table.group.tolist()


def test_each_spectrum_can_be_a_group_of_its_own() -> None:
    assert len(set(to_table(columns(), Layout("nir", group=(EACH,)), "t").group)) == 4


@pytest.mark.parametrize("nothing", [np.array(["a", "", "3", ""]), np.array([1, np.nan, 3, np.nan])])
def test_a_row_without_a_group_stands_for_itself_alone(nothing: np.ndarray) -> None:
    table = to_table(columns(isolate=nothing), Layout("raman", group=("isolate",)), "t")
    assert len(set(table.group)) == 4
    joint = Layout("raman", group=("isolate", "replicate"))
    table = to_table(columns(isolate=nothing, replicate=np.array([np.nan, np.nan, 3, np.nan])), joint, "t")
    assert len(set(table.group)) == 4


@pytest.mark.parametrize(
    ("name", "modality", "unit"),
    [("axis", "raman", "cm-1"), ("axis_cm1", "ir", "cm-1"), ("axis_nm", "nir", "nm"), ("axis_um", "ir", "um"),
     ("ir_axis", "ir", "cm-1"), ("twotheta", "xrd", "deg 2theta"), ("axis_mz", "maldi", "m/z"),
     ("axis_thz", "thz", "THz")],
)  # fmt: skip
def test_the_unit_is_what_the_axis_is_named_after_or_the_usual_one(name: str, modality: str, unit: str) -> None:
    renamed = columns(axis=None) | {name: np.array([40.0, 41, 42])}
    assert to_table(renamed, Layout(modality, group=("isolate",)), "t").axis.unit == unit


def test_a_stated_unit_counts_for_more_than_a_name() -> None:
    renamed = columns(axis=None, axis_nm=np.array([2.0, 3, 4]))
    assert to_table(renamed, Layout("ir", "um", group=("isolate",)), "t").axis.unit == "um"


def test_an_option_states_the_unit_that_a_table_cannot(tmp_path: Path) -> None:
    path = str(written(tmp_path / "nir.csv", "label,9000,6500,4000\na,1,2,3\nb,3,2,2\n"))
    for asked, unit in ((None, "nm"), ("cm-1", "cm-1")):
        assert opened(path, said("nir", asked, [EACH], None)).axis.unit == unit
    with pytest.raises(UsageError, match=r"--unit furlong: choose one of 'cm-1', 'nm'"):
        said("nir", "furlong", [EACH], None)


def test_numbered_columns_are_put_in_the_order_of_their_numbers_between_two_ends() -> None:
    values = {f"a_{n}": np.full(2, float(n)) for n in (10, 2, 1, 3, 4, 5, 6, 7, 8, 9)}
    layout = Layout("nir", group=(EACH,), analytes=("fat",), prefix="a_", ends=(850, 1030))
    table = to_table(values | {"a_x": np.ones(2), "fat": np.array([1, 2])}, layout, "t")
    assert table.values.tolist() == [list(range(1, 11))] * 2
    np.testing.assert_allclose(table.axis.values, 850 + 20 * np.arange(10), rtol=1e-12)
    assert table.analytes["fat"].tolist() == [1, 2]


def test_what_was_not_measured_is_0_whatever_the_file_holds_there() -> None:
    spectra, mask = columns()["spectra"], np.ones((4, 3), bool)
    spectra[1, 2], mask[1, 2] = np.nan, False
    table = to_table(columns(spectra=spectra, raman_mask=mask), Layout("raman", group=("isolate",)), "t")
    assert table.values[1].tolist() == [3, 4, 0]
    assert table.mask[1].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("changes", "layout", "why"),
    [
        ({}, Layout("raman", group=("patient",)), "t: no array named patient; it holds spectra, axis"),
        ({"axis": None}, Layout("raman", group=(EACH,)), "t: no array named raman_axis"),
        ({"spectra": None}, Layout("raman", group=(EACH,)), "t: no array named raman or spectra or patterns"),
        ({"spectra": np.ones((3, 4))}, Layout("raman", group=(EACH,)), "t: raman .3, 4.*spectra are rows"),
        ({"spectra": np.full((4, 3), "x")}, Layout("raman", group=(EACH,)), "t: raman holds <U1, not numbers"),
        ({"spectra": np.full((4, 3), np.nan)}, Layout("raman", group=(EACH,)), "t: spectrum 0 .* not a finite number"),
        ({"isolate": np.array(["a"])}, Layout("raman", group=("isolate",)), r"t: isolate has shape \[1\] for 4"),
        ({}, Layout("raman", group=(EACH,), analytes=("isolate",)), "t: analyte isolate holds <U1, not numbers"),
        ({"fat": np.ones(3)}, Layout("raman", group=(EACH,), analytes=("fat",)), "t: fat has shape .3. for 4 spectra"),
        ({}, Layout("raman", group=(EACH,), prefix="a_", ends=(1, 2)), "t: 0 columns are numbered after 'a_'"),
        ({"a_1": np.ones(4)}, Layout("raman", group=(EACH,), prefix="a_"), "t: 1 columns .* to None; name both"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], layout: Layout, why: str) -> None:
    with pytest.raises(DataError, match=why):
        to_table(columns(**changes), layout, "t")


def test_an_axis_that_turns_back_is_refused() -> None:
    with pytest.raises(AxisError):
        to_table(columns(axis=np.array([1.0, 3, 2])), Layout("raman", group=(EACH,)), "t")


# Checks --------------------------------------------------------------------------------------------------------------

tables = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30
).map(lambda rows: table_of([[a, b, 6] for _, a, b in rows], [group for group, _, _ in rows]))


def kinds(table: SpectraTable) -> list[str]:
    return [finding.kind for finding in check_table(table)]


def the(findings: list[Finding], word: str) -> Finding:
    return next(finding for finding in findings if word in finding.text)


@given(tables)
def test_after_uniting_identical_spectra_stand_in_one_group_and_no_group_was_split(table: SpectraTable) -> None:
    together = united(table)
    home: dict[bytes, str] = {}
    for spectrum, group in zip(table.values, together.group.tolist(), strict=True):
        assert home.setdefault(spectrum.tobytes(), group) == group
    before = list(zip(table.group.tolist(), together.group.tolist(), strict=True))
    assert len(set(before)) == len(set(table.group.tolist()))
    assert set(together.group.tolist()) <= set(table.group.tolist())
    assert "leak" not in kinds(together)
    assert ("leak" in kinds(table)) == (len(set(together.group)) < len(set(table.group)))


@given(tables)
def test_groups_without_a_common_spectrum_are_not_united_without_need(table: SpectraTable) -> None:
    parts = [set(table.group[united(table).group == name].tolist()) for name in set(united(table).group.tolist())]
    for part in parts:  # within a part, groups reach each other over common spectra
        reached = {min(part)}
        for _ in part:
            held = {row.tobytes() for row in table.values[np.isin(table.group, sorted(reached))]}
            here = [row.tobytes() in held for row in table.values]
            reached |= set(table.group[here].tolist())
        assert reached == part


def test_a_copy_in_another_group_is_a_leak_and_comes_first() -> None:
    table = table_of([[1, 2], [1, 2], [1, 2], [3, 4], [3, 4], [7, 7]], ["p1", "p2", "p3", "p3", "p3", "p4"])
    found = check_table(table)
    assert found[0].kind == "leak"
    assert "3 spectra stand in more than one group" in found[0].text
    assert "p1, p2, p3" in found[0].text
    assert the(found, "copies").text.startswith("1 spectra are copies")
    assert check_table(united(table))[0].kind == "warning"


def test_constant_spectra_say_nothing_and_so_tell_nothing_across_groups() -> None:
    table = table_of([[0, 0], [0, 0], [1, 2], [1, 3]], ["p1", "p2", "p1", "p2"])
    assert [finding.kind for finding in check_table(table)] == ["warning"]
    assert "2 spectra are constant (the first is row 0)" in check_table(table)[0].text
    assert set(united(table).group) == {"p1", "p2"}


def test_small_classes_are_counted_in_groups() -> None:
    found = check_table(counted({"rare": [9], "few": [1, 1, 5], "enough": [2] * 5, "": [1]}))
    assert "nothing can be held out" in the(found, "class rare").text
    assert "class few has only 3 independent groups" in the(found, "class few").text
    assert not [finding for finding in found if "enough" in finding.text or "class  " in finding.text]


def test_groups_of_one_spectrum_and_of_several_classes_are_worth_a_note() -> None:
    assert "each of the 4 spectra is a group of its own" in check_table(counted({"a": [1] * 4}))[-1].text
    table = table_of(np.eye(4), ["p1", "p1", "p2", "p2"], label=np.array(["ill", "well", "ill", "ill"]))
    assert "1 of 2 groups hold several classes (p1, say)" in the(check_table(table), "several").text


def test_gaps_in_spectra_and_amounts_are_worth_a_note() -> None:
    table = table_of([[1, 2], [1, 3]], ["p1", "p1"], analytes={"fat": np.array([1, np.nan])})
    table.mask[1, 0] = 0
    assert [finding.text for finding in check_table(table)] == [
        "1 of 2 spectra do not cover the whole axis",
        "fat was not measured for 1 of 2 spectra",
    ]


def test_nothing_wrong_is_nothing_said() -> None:
    assert check_table(counted({"a": [2] * 5, "b": [3] * 5})) == []


# Choice --------------------------------------------------------------------------------------------------------------


@given(groups=st.integers(1, 60), spectra=st.integers(2, 40))
def test_replicates_do_not_change_the_recommendation(groups: int, spectra: int) -> None:
    once, often = counted({"a": [1] * groups, "b": [1] * 70}), counted({"a": [spectra] * groups, "b": [1] * 70})
    assert choose(once).families == choose(often).families
    assert choose(often).classes[0].groups == groups
    assert choose(often).classes[0].spectra == groups * spectra
    assert f"{groups * spectra} spectra, but {groups} independent groups" in choose(often).reason


@pytest.mark.parametrize(
    ("groups", "best"), [(1, "vae"), (49, "vae"), (50, "wgan-gp"), (500, "wgan-gp"), (501, "ddpm")]
)
def test_the_smallest_class_decides(groups: int, best: str) -> None:
    choice = choose(counted({"common": [1] * 600, "rare": [1] * groups}))
    assert next(family for family in choice.families if family != REAL) == best
    assert [one.label for one in choice.classes] == ["rare", "common"]
    assert choice.reason.startswith("class rare has")


def test_real_spectra_come_first_where_generated_ones_were_measured_to_hurt() -> None:
    found = nearest("vae", 67)
    assert found is not None
    choice = choose(counted({"a": [1] * 33, "b": [1] * 34}))
    assert (choice.families[0] == REAL) == (found.verdict == "hurt")
    assert f"adding vae spectra {found.verdict}" in choice.reason
    assert nearest("ddpm", 67) is None


def test_spectra_of_unknown_class_are_no_class_and_a_table_without_classes_is_one() -> None:
    assert [one.label for one in choose(counted({"a": [1] * 60, "b": [1] * 70, "": [1]})).classes] == ["a", "b"]
    for label in (None, np.full(3, "")):
        choice = choose(table_of(np.eye(3), ["p1", "p1", "p2"], label=label))
        assert (choice.classes[0].spectra, choice.classes[0].groups) == (3, 2)
        assert choice.reason.startswith("the set has 3 spectra, but 2 independent groups")


# The catalogue -------------------------------------------------------------------------------------------------------


def sizes(table: SpectraTable) -> tuple[int, int, int]:
    """Spectra, groups and classes."""
    return len(table), len(set(table.group.tolist())), len(set(() if table.label is None else table.label.tolist()))


@pytest.mark.parametrize(
    ("name", "expected", "points"),
    [
        ("saliva-covid", (2076, 84, 3), 991),
        ("rruff-raman", (3564, 1298, 15), 1101),
        ("rruff-xrd", (863, 775, 6), 4250),
        ("maldi-isolates", (400, 100, 20), 1857),
        ("maldi-species", (96, 32, 4), 5967),
        ("soil", (825, 825, 0), 700),
        ("tablets", (655, 655, 0), 650),
        ("corn", (160, 80, 0), 700),
        ("tecator", (240, 240, 0), 100),
        ("fruit-puree", (983, 983, 2), 235),
        ("fresh-meats", (120, 60, 3), 448),
        ("instant-coffee", (56, 56, 2), 286),
    ],
)
def test_a_set_has_its_spectra_groups_and_classes(
    shared_data: Path, name: str, expected: tuple[int, int, int], points: int
) -> None:
    table = load_dataset(name, shared_data)
    assert isinstance(table, SpectraTable)
    assert sizes(table) == expected
    assert len(table.axis) == points


@pytest.mark.parametrize(("name", "pairs", "minerals"), [("rruff-raman-ir", 105, 45), ("rruff-raman-xrd", 692, 250)])
def test_a_set_of_pairs_has_two_spectra_of_each_specimen(
    shared_data: Path, name: str, pairs: int, minerals: int
) -> None:
    table = load_dataset(name, shared_data)
    assert isinstance(table, PairTable)
    assert (len(table), len(set(table.group.tolist()))) == (pairs, minerals)


def test_all_sets_are_tried(shared_data: Path) -> None:
    files = {path.relative_to(shared_data).as_posix() for path in shared_data.glob("*/*.*") if path.name[0] != "."}
    known = set(chain.from_iterable(one.files for one in CATALOGUE.values()))
    pairs = {"rruff/raman_ir_pairs.npz", "rruff/raman_xrd_pairs.npz"}
    assert known | pairs | {"nir/corn_properties.csv", "vendor/README.md"} == files


def test_both_instruments_of_the_corn_measured_the_same_samples(shared_data: Path) -> None:
    table = load_dataset("corn", shared_data)
    assert isinstance(table, SpectraTable)
    assert table.instrument is not None
    m5, mp5 = (table.rows(np.flatnonzero(table.instrument == name)) for name in ("m5", "mp5"))
    assert m5.group.tolist() == mp5.group.tolist()
    for name in ("Moisture", "Oil", "Protein", "Starch"):
        np.testing.assert_array_equal(m5.analytes[name], mp5.analytes[name])
    # One sample on two instruments looks more alike than two samples do, once the instruments' offset is gone.
    first, second = (one.values - one.values.mean(axis=0) for one in (m5, mp5))
    assert np.median(np.diag(np.corrcoef(first, second)[:80, 80:])) > 0.5


def test_the_checks_find_what_is_known_of_the_sets(shared_data: Path) -> None:
    found: Callable[[str], list[Finding]] = lambda name: check_table(load_dataset(name, shared_data))  # type: ignore[arg-type]  # noqa: E731
    assert found("saliva-covid") == []
    assert found("tecator")[0].kind == "leak"  # the distributed file repeats some of its meats
    assert "CEC was not measured for 378 of 825" in the(found("soil"), "CEC").text
    assert "class CTRL has 651 spectra, but 27 independent" in choose(load_dataset("saliva-covid", shared_data)).reason  # type: ignore[arg-type]


def test_the_folder_of_the_sets_is_named_by_the_environment(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINESHAPE_DATA", str(shared_data))
    assert len(load_dataset("instant-coffee")) == 56
    monkeypatch.delenv("LINESHAPE_DATA")
    with pytest.raises(UsageError, match="set LINESHAPE_DATA"):
        load_dataset("instant-coffee")


def test_a_set_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no data set 'blood'; there are saliva-covid, .*rruff-raman-xrd"):
        load_dataset("blood", tmp_path)
    with pytest.raises(ReadError, match=r"saliva_covid\.npz: cannot be read"):
        load_dataset("saliva-covid", tmp_path)
