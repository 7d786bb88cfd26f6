"""What is written is read back exactly, and a file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineshape.axis import SpectralAxis
from lineshape.errors import UsageError
from lineshape.readers import read_spectra, read_spectrum
from lineshape.spectrum import Spectrum
from lineshape.writers import write_spectrum, write_table

characters = st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"])
words = st.text(characters, min_size=1, max_size=20).map(lambda text: " ".join(text.split())).filter(bool)
names = words.filter(lambda name: ":" not in name and name.lower() not in {"column", "unit", "modality"})
points = st.lists(st.floats(-1e8, 1e8, allow_subnormal=False), min_size=2, max_size=20, unique=True)
KINDS = [
    ("raman", "cm-1", {"laser_nm": 532.1}),
    ("ir", "um", {}),
    ("nir", "nm", {}),
    ("xrd", "deg 2theta", {"xray_angstrom": 1.5406}),
    ("thz", "THz", {}),
    ("maldi", "m/z", {}),
]
kinds = st.sampled_from(KINDS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(x=points, kind=kinds, columns=st.lists(names, min_size=1, max_size=20, unique=True), falling=st.booleans(),
       metadata=st.dictionaries(names, words, max_size=4), seed=st.integers(0, 999))  # fmt: skip
@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_round_trip_is_exact(tmp_path: Path, suffix, x, kind, columns, falling, metadata, seed):
    modality, unit, beam = kind
    axis = SpectralAxis.of(sorted(x, reverse=falling), modality, unit, **beam)
    rng = np.random.default_rng(seed)
    table = {name: rng.normal(size=len(axis)) * 10.0 ** rng.integers(-12, 12) for name in columns}
    write_table(tmp_path / f"t{suffix}", axis, table, metadata)
    read = read_spectra(tmp_path / f"t{suffix}")
    assert len(read) == len(columns)
    for spectrum, name in zip(read, columns, strict=True):
        assert spectrum.axis == axis
        assert spectrum.notes == ()
        np.testing.assert_array_equal(spectrum.intensities, table[name])
        assert dict(spectrum.metadata) == metadata | ({"column": name} if len(columns) > 1 else {})


def test_a_transferred_spectrum_carries_its_interval_and_its_notes(tmp_path: Path):
    axis = SpectralAxis.regular("ir", 400, 4000, 50)
    columns = {"intensity": np.ones(50), "lower": np.zeros(50), "upper": np.full(50, 2.0)}
    write_table(tmp_path / "out.csv", axis, columns, {"bundle": "raman-to-ir 1.0.0", "file": "a, b; c=d"})
    assert read_spectrum(tmp_path / "out.csv", column="upper").intensities[0] == 2
    assert read_spectrum(tmp_path / "out.csv", column="lower").metadata["file"] == "a, b; c=d"
    assert (tmp_path / "out.csv").read_text().splitlines()[4] == "wavenumber [cm-1],intensity,lower,upper"
    write_spectrum(tmp_path / "one.csv", Spectrum(np.ones(50), axis, {"a": "1"}, ("Mended this.", "And that.")))
    assert read_spectrum(tmp_path / "one.csv").metadata == {"a": "1", "notes": "Mended this. And that."}


@pytest.mark.parametrize(
    ("name", "columns", "metadata", "message"),
    [
        ("t.txt", {"y": np.ones(3)}, {}, "choose one of these endings"),
        ("t.csv", {}, {}, "no column"),
        ("t.csv", {"y": np.ones(4)}, {}, "shape"),
        ("t.csv", {"y": np.array([1, np.nan, 3])}, {}, "finite"),
        ("t.csv", {"a\nb": np.ones(3)}, {}, "no name for a column"),
        ("t.csv", {"y": np.ones(3)}, {"a:b": "c"}, "no name for an entry"),
    ],
)
def test_wrong_use_is_refused_and_leaves_nothing(tmp_path: Path, name, columns, metadata, message):
    with pytest.raises(UsageError, match=message):
        write_table(tmp_path / name, SpectralAxis.regular("ir", 1, 3, 3), columns, metadata)
    assert list(tmp_path.iterdir()) == []


def test_folders_on_the_way_are_made_unless_a_file_stands_there(tmp_path: Path) -> None:
    axis = SpectralAxis.regular("ir", 1, 3, 3)
    write_table(tmp_path / "new" / "t.csv", axis, {"y": np.ones(3)})
    with pytest.raises(UsageError, match="cannot write"):
        write_table(tmp_path / "new" / "t.csv" / "t.csv", axis, {"y": np.ones(3)})


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "t.csv"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(UsageError, match="No space left"):
        write_table(path, SpectralAxis.regular("ir", 1, 3, 3), {"y": np.ones(3)})
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
