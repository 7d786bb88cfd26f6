"""NumPy files: two columns or two rows, archives, and what a hostile one may not do."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from lineshape.errors import ReadError
from lineshape.npz import read_npz
from lineshape.readers import parse_spectra, read_spectra

X, Y = np.linspace(100, 200, 11), np.arange(11.0) ** 2


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def npz(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    "array", [np.column_stack([X, Y]), np.stack([X, Y]), np.asfortranarray(np.column_stack([X, Y]))]
)
def test_columns_and_rows(array):
    (spectrum,) = parse_spectra(npy(array), "s.npy", "raman")
    np.testing.assert_array_equal(spectrum.axis.values, X)
    np.testing.assert_array_equal(spectrum.intensities, Y)


@pytest.mark.parametrize(("key", "unit"), [("axis", "cm-1"), ("x", "cm-1"), ("axis_nm", "nm"), ("axis_cm1", "cm-1")])
def test_archives_name_their_axis(key, unit):
    spectra = parse_spectra(npz(**{key: X, "spectra": np.stack([Y, Y + 1])}), "s.npz", "raman")
    assert [s.axis.unit for s in spectra] == [unit, unit]
    np.testing.assert_array_equal(spectra[1].intensities, Y + 1)


def test_half_precision_becomes_double():
    (spectrum,) = parse_spectra(npz(axis=X, y=Y.astype(np.float16)), "s.npz", "raman")
    assert spectrum.intensities.dtype == np.float64


REFUSED = {
    "objects": (npy(np.array([{}, []], dtype=object), allow_pickle=True), "holds object"),
    "complex": (npy(np.zeros((3, 2), complex)), "complex"),
    "one row": (npy(X), "shape"),
    "three columns": (npy(np.zeros((4, 3))), "shape"),
    "cut off": (npy(np.column_stack([X, Y]))[:-8], "should hold"),
    "a forged shape": (npy(np.zeros((2, 2))).replace(b"(2, 2), }    ", b"(2, 2000), } "), "should hold"),
    "a broken header": (b"\x93NUMPY\x01\x00\x10\x00{'descr': garbage", "no array"),
    "text": (npy(np.array([["a", "b"], ["c", "d"]])), "save numbers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_arrays_that_are_no_spectrum_are_refused(case):
    content, message = REFUSED[case]
    with pytest.raises(ReadError, match=message):
        parse_spectra(content, "s.npy", "raman")


ARCHIVES = {
    "no axis": (npz(spectra=Y), "save the points as 'axis'"),
    "lengths differ": (npz(axis=X, spectra=Y[:-1]), "shape"),
    "pickled": (npz(axis=np.array([{}], dtype=object), spectra=Y), "object"),
    "damaged": (npz(axis=X, spectra=Y)[:-40], "damaged"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_archives_that_are_no_spectra_are_refused(case):
    content, message = ARCHIVES[case]
    with pytest.raises(ReadError, match=message):
        parse_spectra(content, "s.npz", "raman")


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    content = npz(axis=X, spectra=np.zeros((1 << 14, 11)))
    assert len(content) < 10_000
    with pytest.raises(ReadError, match="unpacks to more than 1 MiB"):
        read_npz(content, "s.npz", most=1 << 20)
    assert read_npz(content, "s.npz")["spectra"].shape == (1 << 14, 11)


BOMBS = {
    "bytes": (npz(axis=np.zeros(40 << 20, np.uint8), spectra=np.zeros(40 << 20, np.uint8)), "more than 64 MiB"),
    "numbers": (npz(axis=np.zeros(5 << 20, np.uint8), spectra=np.zeros(5 << 20, np.uint8)), "8388608 numbers"),
    "rows": (npz(axis=np.arange(10, dtype=np.uint8), spectra=np.zeros((60000, 10), np.uint8)), "60000 spectra"),
}  # fmt: skip


@pytest.mark.parametrize("case", BOMBS)
def test_small_numbers_are_counted_before_they_become_doubles(case):
    content, message = BOMBS[case]
    assert len(content) < 100_000
    tracemalloc.start()
    with pytest.raises(ReadError, match=message):
        parse_spectra(content, "s.npz", "raman", most=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


def test_metadata_is_bounded():
    words = np.array([f"word {n}" for n in range(5000)])
    (spectrum,) = parse_spectra(npz(axis=X, y=Y, metadata_keys=words, metadata_values=words), "s.npz", "raman")
    assert len(spectrum.metadata) == 1000


def test_rows_of_one_name_are_numbered_in_a_time_in_proportion():
    rows = 30_000
    content = npz(axis=np.arange(3.0), spectra=np.ones((rows, 3)), columns=np.array(["same", "other"] * (rows // 2)))
    began = process_time()
    spectra = parse_spectra(content, "s.npz", "raman")
    assert process_time() - began < 15
    assert [s.metadata["column"] for s in spectra[-2:]] == [f"same ({rows // 2})", f"other ({rows // 2})"]


def test_shared_archives(shared_data: Path):
    spectra = read_spectra(shared_data / "nir" / "soil.npz", "nir")
    assert (len(spectra), len(spectra[0]), spectra[0].axis.first, spectra[0].axis.unit) == (825, 700, 1100, "nm")
