"""Text tables: what is read, what is mended with a note, what is refused with one clear error."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.errors import LineshapeError, ReadError
from lineshape.readers import parse_spectra, read_spectra, read_spectrum


def parse(text: str | bytes, name: str = "sample.txt", modality: str | None = "raman"):
    content = text.encode() if isinstance(text, str) else text
    (spectrum,) = parse_spectra(content, name, modality)
    return spectrum


finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda v: round(v, 6) + 0.0)
axes = st.lists(finite, min_size=3, max_size=30, unique=True).map(sorted)


FORMS = [(",", "."), (";", "."), ("\t", "."), (" ", "."), (";", ","), ("\t", ","), ("  ", ",")]
NAMES = ["a.txt", "a.csv", "a.npy", "a.npz", "a.dx", "a.wdf", "a.spc", "a.0", "R1"]
MAGIC = [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"##TITLE=", b"WDF1", b"##RRUFFID=R1\n", b"\xff\xfe", b"1,2\n"]


@given(x=axes, seed=st.integers(0, 99), falling=st.booleans(), crlf=st.booleans(), form=st.sampled_from(FORMS))
def test_any_separator_and_decimal_mark_reads_back(x, seed, falling, crlf, form):
    separator, mark = form
    x = np.array(x[::-1] if falling else x)
    y = np.round(np.random.default_rng(seed).normal(size=len(x)) * 1e3, 4) + 0.5
    rows = [separator.join(f"{v:.6f}".replace(".", mark) for v in pair) for pair in zip(x, y, strict=True)]
    lines = (["Raman shift [cm-1]" + separator + "Intensity"] if crlf and separator != " " else []) + rows
    spectrum = parse(("\r\n" if crlf else "\n").join(lines))
    np.testing.assert_array_equal(spectrum.axis.values, x)
    np.testing.assert_array_equal(spectrum.intensities, np.array([float(f"{v:.6f}") for v in y]))


@given(st.binary(max_size=3000), st.sampled_from(NAMES), st.sampled_from(MAGIC))
def test_random_bytes_raise_nothing_but_our_errors(content, name, magic):
    spectra = []
    with suppress(LineshapeError):
        spectra = parse_spectra(magic + content, name, "raman")
    assert all(np.isfinite(spectrum.intensities).all() for spectrum in spectra)


@given(st.text(alphabet="0123456789.,;-+eE \t\n#nainf%", max_size=400))
def test_random_number_soup_raises_nothing_but_our_errors(text):
    spectra = []
    with suppress(LineshapeError):
        spectra = parse_spectra(text.encode(), "soup.txt", "raman")
    assert all(np.isfinite(spectrum.intensities).all() for spectrum in spectra)


@pytest.mark.parametrize(
    ("text", "unit", "modality"),
    [
        ("Raman shift [cm-1],Counts\n1,2\n2,3\n", "cm-1", "raman"),
        ("wavenumber (1/cm);Absorbance\n1;2\n2;3\n", "cm-1", "ir"),
        ("2theta\tI\n1\t2\n2\t3\n", "deg 2theta", "xrd"),
    ],
)
def test_unit_and_modality_come_from_the_header(text, unit, modality):
    spectrum = parse(text, modality=None)
    assert (spectrum.axis.unit, spectrum.axis.modality, spectrum.notes) == (unit, modality, ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_read_alike(encoding):
    text = "# Temperatur: 20 °C\nWellenlänge (µm);Intensität\n" + "".join(f"{i};{i * i}\n" for i in range(1, 50))
    spectrum = parse(text.encode(encoding), modality="ir")
    assert (len(spectrum), spectrum.axis.unit, spectrum.metadata["Temperatur"]) == (49, "um", "20 °C")


def test_a_modality_that_is_neither_stated_nor_given_is_asked_for():
    with pytest.raises(ReadError, match="pass modality"):
        parse("Wavelength (nm),A\n1,2\n2,3\n", modality=None)


def test_an_assumed_unit_is_noted():
    assert "took cm-1" in parse("1,2\n2,3\n3,4\n").notes[0]


REFUSED = {
    "empty": (b"", "empty"),
    "blank": (b" \n\n", "empty"),
    "binary": (bytes(range(256)) * 20, "binary"),
    "no numbers": (b"hello\nworld\n", "no row of two"),
    "one column": (b"1\n2\n3\n4\n", "no row of two"),
    "one point": (b"100,5\n", "only one point"),
    "NaN inside": (b"1,2\n2,nan\n3,4\n4,5\n", "line 2: a blank or a NaN"),
    "infinity inside": (b"1,2\n2,3\n3,inf\n4,5\n", "line 3: an infinite number"),
    "blank cell inside": (b"1,2\n2,\n3,4\n", "line 2"),
    "mixed decimal marks": (b"1,5;2,0\n2,5;3,0\n3.5;4.0\n4,5;5,0\n5,5;6,0\n", "line 3"),
    "words among the numbers": (b"1,2\n2,3\nfoo,4\n4,5\n5,6\n", "line 3: 'foo,4'"),
    "ragged rows": (b"1,2\n2,3,4\n3,4\n4,5\n", "line 2: 3 columns"),
    "spectra below each other": (b"1,2\n2,3\n3,4\n1,5\n2,6\n3,7\n", "repeat"),
    "no axis": (b"5,1,1\n1,2,2\n4,3,3\n2,4,4\n", "neither rises nor falls"),
    "absurd axis": (b"1e300,1\n2e300,2\n", "no position"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_files_get_one_clear_error(case):
    content, message = REFUSED[case]
    with pytest.raises(ReadError) as caught:
        parse(content, "bad.txt")
    assert str(caught.value).startswith("bad.txt")
    assert message in str(caught.value)
    assert ";" in str(caught.value), "says what to do"


MENDED = {
    "unsorted": ("1,1\n3,3\n2,2\n4,4\n", [1, 2, 3, 4], [1, 2, 3, 4], "Sorted"),
    "repeated point": ("1,1\n2,2\n2,4\n3,5\n", [1, 2, 3], [1, 3, 5], "Averaged"),
    "trailing zeros": ("1,1\n2,2\n0,0\n0,0\n", [1, 2], [1, 2], "Dropped 2 rows of 0, 0"),
    "NaN at the ends": ("1,nan\n2,2\n3,3\n4,nan\n", [2, 3], [2, 3], "Dropped 2 rows"),
    "cut off": ("1,1\n2,2\n3", [1, 2], [1, 2], "cut off"),
}


@pytest.mark.parametrize("case", MENDED)
def test_what_is_mended_is_noted(case):
    text, x, y, note = MENDED[case]
    spectrum = parse(text)
    assert spectrum.axis.values.tolist() == x
    assert spectrum.intensities.tolist() == y
    assert any(note in line for line in spectrum.notes)


def test_an_axis_that_falls_to_zero_keeps_its_last_point():
    assert parse("2,5\n1,4\n0,0\n").axis.last == 0


def test_several_columns_are_several_spectra(tmp_path: Path):
    path = tmp_path / "series.csv"
    path.write_text("Wavelength (nm),blank,sample\n400,1,2\n401,3,4\n402,5,6\n")
    assert [s.metadata["column"] for s in read_spectra(path, "uv-vis")] == ["blank", "sample"]
    with pytest.raises(ReadError, match="'blank', 'sample'"):
        read_spectrum(path, "uv-vis")
    assert read_spectrum(path, "uv-vis", column="sample").intensities.tolist() == [2, 4, 6]


def test_a_column_that_is_not_there_is_refused(tmp_path: Path):
    path = tmp_path / "one.csv"
    path.write_text("1,2\n2,3\n")
    with pytest.raises(ReadError, match="no column 'sample'"):
        read_spectrum(path, "raman", column="sample")


def test_a_table_with_a_spectrum_a_row():
    axis = np.linspace(1100, 1200, 20)
    rows = "\n".join(",".join(["train", *(f"{v:.3f}" for v in np.sin(axis + n))]) for n in range(4))
    spectra = parse_spectra((",".join(["set", *map(str, axis)]) + "\n" + rows).encode(), "nir.csv", "nir")
    assert len(spectra) == 4
    np.testing.assert_array_equal(spectra[2].axis.values, axis)
    np.testing.assert_allclose(spectra[2].intensities, np.sin(axis + 2), atol=5e-4)  # three digits were written
    assert spectra[2].metadata["set"] == "train"


def test_missing_and_huge_files_are_read_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ReadError, match="No such file"):
        read_spectrum(tmp_path / "none.txt", "raman")
    with pytest.raises(ReadError, match="directory"):
        read_spectrum(tmp_path, "raman")
    monkeypatch.setattr("lineshape.readers.MAX_BYTES", 10)
    with pytest.raises(ReadError, match="larger than"):
        parse_spectra(b"1,2\n" * 10, "big.txt", "raman")


def test_a_modality_that_contradicts_the_file_is_noted():
    spectrum = parse("Raman shift [cm-1],I\n1,2\n2,3\n", modality="ir")
    assert spectrum.axis.modality == "ir"
    assert "The file says raman" in spectrum.notes[0]


def test_a_unit_that_is_asked_for_goes_before_that_of_the_file():
    (spectrum,) = parse_spectra(b"Raman shift [cm-1],I\n500,2\n510,3\n", "a.csv", unit="nm")
    assert (spectrum.axis.unit, "The file says cm-1; read as nm" in spectrum.notes[0]) == ("nm", True)
    (spectrum,) = parse_spectra(b"500,2\n510,3\n", "a.csv", "raman", "nm")
    assert (spectrum.axis.unit, spectrum.notes) == ("nm", ())


def wide(*names: str) -> bytes:
    """Two rows under these names."""
    rows = ([str(n)] * len(names) for n in (1, 2))
    return "".join(f"{','.join(row)}\n" for row in (names, *rows)).encode()


WIDE = {
    "all intensities": (wide("x", *["y"] * 19_999), 19_999),
    "pairs": (wide(*["x", "y"] * 10_000), 10_000),
    "many axes for each": (wide(*["x"] * 18_000, *["y"] * 2_000), 2_000),
}


@pytest.mark.parametrize("case", WIDE)
def test_a_wide_table_is_refused_by_its_width_and_else_takes_a_time_in_proportion(case):
    content, spectra = WIDE[case]
    began = process_time()
    with pytest.raises(ReadError, match=f"holds {spectra} spectra, more than 1000; split it"):
        parse_spectra(content, "wide.csv", "raman", most=1000)
    assert process_time() - began < 2
    assert len(parse_spectra(content, "wide.csv", "raman")) == spectra
    assert process_time() - began < 15


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1,1\n" * 2_000_000, "more than 1048576 lines"),
        (b"1," * 3_000_000 + b"1\n", "4194304 characters in one"),
    ],
)
def test_text_is_refused_before_its_numbers_fill_the_memory(content, message):
    tracemalloc.start()
    with pytest.raises(ReadError, match=message):
        parse_spectra(content, "long.csv", "raman", most=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 << 20


def test_a_text_holds_so_many_numbers_and_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lineshape.readers._table.MOST_NUMBERS", 6)
    assert len(parse_spectra(b"1,2\n" * 2 + b"3,2\n", "a.csv", "raman")) == 1
    with pytest.raises(ReadError, match="line 4: more than 6 numbers"):
        parse_spectra(b"1,2\n" * 2 + b"3,2\n4,2\n", "a.csv", "raman")


def test_spectra_of_a_file_share_what_its_header_says():
    header = "".join(f"# key {n}: {'word  ' * 100}\n" for n in range(300))
    tracemalloc.start()
    spectra = parse_spectra(header.encode() + wide("x", *["y"] * 100), "a.csv", "raman")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert spectra[0].metadata["key 7"] == " ".join(["word"] * 100)
    assert len(spectra[0].metadata) < 300  # 128 KiB of header are read
    assert peak < 6 << 20
