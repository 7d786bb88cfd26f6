"""JCAMP-DX as we write it: our reader and the library `jcamp` find in it what went in."""

from __future__ import annotations

import jcamp as oracle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.axis import SpectralAxis
from lineshape.readers import parse_spectra
from lineshape.writers import encode_table

points = st.lists(st.floats(-1e8, 1e8, allow_subnormal=False), min_size=2, max_size=20, unique=True)
titles = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=20)
KINDS = [
    ("raman", "cm-1"), ("ir", "um"), ("nir", "nm"), ("uv-vis", "eV"), ("thz", "THz"), ("maldi", "m/z"),
    ("xrd", "deg 2theta"), ("xrd", "angstrom"), ("fluorescence", "nm"),
]  # fmt: skip


@given(x=points, kind=st.sampled_from(KINDS), falling=st.booleans(), n=st.integers(1, 3), seed=st.integers(0, 999))
def test_our_reader_finds_the_same_numbers(x, kind, falling, n, seed):
    axis = SpectralAxis.of(sorted(x, reverse=falling), *kind)
    rng = np.random.default_rng(seed)
    columns = {f"column {k}": rng.normal(size=len(axis)) * 10.0 ** rng.integers(-12, 12) for k in range(n)}
    found = parse_spectra(encode_table("t.jdx", axis, columns, {"bundle": "b"}), "t.jdx")
    assert [one.metadata["TITLE"] for one in found] == list(columns)
    for one, values in zip(found, columns.values(), strict=True):
        assert (one.axis, one.notes) == (axis, ())
        np.testing.assert_array_equal(one.intensities, values)


@pytest.mark.parametrize("x", [np.linspace(400, 1800, 160), np.geomspace(400, 1800, 160)], ids=["even", "uneven"])
def test_the_library_jcamp_finds_the_same_numbers(x):
    y = np.sin(x / 30).astype(np.float32)
    text = encode_table("t.jdx", SpectralAxis.of(x, "raman"), {"quartz": y}, {"bundle": "raman-vae"}).decode()
    found = oracle.read(iter(text.splitlines()))
    np.testing.assert_allclose(found["x"], x)
    np.testing.assert_allclose(found["y"], y, rtol=1e-6)
    assert (found["title"], found["data type"]) == ("quartz", "RAMAN SPECTRUM")


@given(title=titles, value=titles)
def test_no_title_and_no_entry_breaks_the_file(title, value):
    axis, name = SpectralAxis.regular("ir", 1, 3, 3), " ".join(title.split()) or "x"
    (found,) = parse_spectra(encode_table("t.jdx", axis, {name: np.ones(3)}, {"note": value}), "t.jdx")
    assert found.axis == axis


def test_entries_are_private_labels():
    axis = SpectralAxis.regular("raman", 1, 3, 3, laser_nm=532.1)
    text = encode_table("t.jdx", axis, {"a": np.ones(3), "b": np.ones(3)}, {"digest": "ab$$c=d"}).decode()
    assert text.count("##$digest=ab c d\n") == text.count("##$laser_nm=532.1\n") == 2
    assert "##BLOCKS=2" in text
