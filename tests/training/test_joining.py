"""Files of the same specimens in different modalities become one file of pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from lineshape.errors import DataError
from lineshape_training.datasets import commands
from lineshape_training.datasets.joining import join


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Three specimens in infrared, one of them twice; three in diffraction, in another order, one of them unknown."""
    np.savez(tmp_path / "ir.npz", ir=np.arange(8.0).reshape(4, 2), ir_axis=np.arange(2.0), specimen=list("abba"),
             mineral=["A", "B", "B", "A"])  # fmt: skip
    np.savez(tmp_path / "xrd.npz", xrd=np.arange(9.0).reshape(3, 3), xrd_axis=np.arange(3.0), specimen=list("cba"),
             mineral=["x", "y", "z"])  # fmt: skip
    return tmp_path / "ir.npz", tmp_path / "xrd.npz"


def test_every_specimen_of_both_files_once_by_its_first_rows(files: tuple[Path, Path]) -> None:
    pairs = join(*files, "specimen")
    assert pairs["specimen"].tolist() == ["a", "b"]
    assert pairs["ir"].tolist() == [[0, 1], [2, 3]]
    assert pairs["xrd"].tolist() == [[6, 7, 8], [3, 4, 5]]
    assert pairs["mineral"].tolist() == ["A", "B"]  # of the first file, where both have the column
    assert pairs["ir_axis"].tolist() == [0, 1]
    assert pairs["xrd_axis"].tolist() == [0, 1, 2]


def test_the_verb_writes_what_numpy_reads(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "pairs.npz"
    verb = typer.Typer()
    verb.command()(commands.join)
    done = CliRunner().invoke(verb, [*map(str, files), "--by", "specimen", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "2 specimens that stand in both files" in done.output
    assert CliRunner().invoke(verb, [*map(str, files), "--by", "specimen", "-o", "pairs.csv"]).exit_code
    assert np.load(out, allow_pickle=False)["xrd"].shape == (2, 3)


def test_what_cannot_be_joined_is_said(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ir\.npz has no column 'id'; it has ir, ir_axis, mineral, specimen"):
        join(*files, "id")
    strangers = tmp_path / "strangers.npz"
    np.savez(strangers, xrd=np.ones((1, 3)), specimen=["q"])
    with pytest.raises(DataError, match="have no specimen in common; the first begins with a, the second with q"):
        join(files[0], strangers, "specimen")
    np.savez(strangers, xrd=np.ones((2, 3)), specimen=["q"])
    with pytest.raises(DataError, match="xrd has 2 rows, and specimen has 1"):
        join(files[0], strangers, "specimen")
    with pytest.raises(DataError, match="'ir' is an array of 2 dimensions"):
        join(*files, "ir")


def test_a_modality_is_never_lost_in_joining(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ir\.npz: its spectra are named ir, as those of the other file; name each"):
        join(files[0], files[0], "specimen")
    labels = tmp_path / "labels.npz"
    np.savez(labels, specimen=list("ab"), mineral=["A", "B"])
    with pytest.raises(DataError, match=r"labels\.npz: no spectra; name each"):
        join(files[0], labels, "specimen")
