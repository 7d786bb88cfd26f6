"""The long run of corruptions, cut short: each is refused, and in a folder by the file's name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import FILES, MANIFEST

from lineshape.bundle import seal

SCRIPT = Path(__file__).parents[2] / "scripts" / "corrupt.py"


@pytest.mark.parametrize("form", ["tiny", "tiny.lineshape"])
def test_no_random_byte_is_accepted(tmp_path: Path, form: str) -> None:
    seal(MANIFEST, FILES, tmp_path / form)
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / form, "-n", "300", "--seed", "1"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    for counts in (found["folder"], found["zip"]):
        assert (counts["refused"], counts["accepted"], counts["crashed"]) == (300, [], [])
        assert counts["files"].keys() >= {*FILES, "bundle.json", "bundle.sha256", "signature.json"}
    assert found["folder"]["named"] == 300
    assert found["zip"]["named"] + found["zip"]["files"]["(zip)"] >= 300


def test_a_reader_that_accepts_a_corruption_fails_the_run(tmp_path: Path) -> None:
    """The same run with a reader that looks at nothing but the manifest's digest."""
    seal(MANIFEST, FILES, tmp_path / "tiny")
    blind = f"""if True:
        import runpy, sys
        from lineshape.bundle import sealed
        sealed._check = lambda *_: None
        sys.argv = ["corrupt.py", {str(tmp_path / "tiny")!r}, "-n", "40"]
        runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
    """
    done = subprocess.run([sys.executable, "-c", blind], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["folder"]["accepted"]
