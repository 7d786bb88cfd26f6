"""What `lineshape serve` makes of its arguments before it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshape.errors import TamperedBundle
from lineshape_edge import Model
from lineshape_serving.commands import _each


def test_a_folder_stands_for_the_bundles_in_it(tmp_path: Path) -> None:
    for name in ("b.lineshape", "a.lineshape", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    both = [str(tmp_path / name) for name in ("a.lineshape", "b.lineshape")]
    assert _each(str(tmp_path)) == both
    assert _each(both[0]) == both[:1]


def test_an_installed_bundle_keeps_its_name_and_a_path_is_told_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _each("raman-to-ir@0.1.0") == ["raman-to-ir@0.1.0"]
    assert _each("raman-to-ir.lineshape") == [str(tmp_path / "raman-to-ir.lineshape")]


def test_a_folder_that_is_a_bundle_stays_one_whatever_is_planted_in_it(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_bytes(b"{}")
    (tmp_path / "planted.lineshape").write_bytes(b"")
    assert _each(str(tmp_path)) == [str(tmp_path)]


def test_a_folder_without_bundles_is_refused_by_name(tmp_path: Path) -> None:
    (only,) = _each(str(tmp_path))
    with pytest.raises(TamperedBundle, match=r"bundle\.sha256: missing"):
        Model.open(only)
