"""Every command in the README and the documentation runs, in the order in which a reader meets it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from services import free_port

from lineshape.spectrum import Spectrum
from lineshape.writers import write_spectrum
from lineshape_training.minerals import mineral_pairs

ROOT = Path(__file__).parents[1]
TASKS = ("data", "fit", "validate", "dossier", "export", "edge", "serve")
PAGES = ["README.md", *(f"docs/{task}.md" for task in TASKS)]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run(kind: str, text: str, folder: Path) -> None:
    command = ["bash", "-euo", "pipefail", "-c", text] if kind == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def serve(text: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start `lineshape serve ...`, the one command that does not end by itself."""
    process = subprocess.Popen(text.split(), cwd=folder, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=1)
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return process
    process.kill()
    raise AssertionError(f"{text} did not become ready")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder, with the one file that the reader brings."""
    folder = tmp_path_factory.mktemp("reader")
    table = mineral_pairs("raman", "ir", 1, seed=4).source
    write_spectrum(folder / "measured.csv", Spectrum(table.values[0], table.axis))
    return folder


@pytest.fixture
def services() -> Iterator[list[subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    yield running
    for process in running:
        process.terminate()
        process.wait(30)


@pytest.mark.timeout(1200)
def test_every_command_of_the_documentation_runs(folder: Path, services: list[subprocess.Popen[bytes]]) -> None:
    port = free_port()
    for page in PAGES:
        blocks = BLOCK.findall((ROOT / page).read_text().replace("3000", str(port)))
        assert blocks, page
        for kind, text in blocks:
            if text.startswith("lineshape serve"):
                services.append(serve(text, folder, port))
            else:
                run(kind, text, folder)


def test_every_page_that_is_linked_exists() -> None:
    for page in [*PAGES, "docs/design.md", "CONTRIBUTING.md", "CHANGELOG.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / page).read_text()):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_the_tables_of_the_readme_are_those_of_the_results() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / "readme_tables.py", "--check"])
    assert done.returncode == 0, "run scripts/readme_tables.py"


def test_every_verb_is_documented() -> None:
    from importlib.metadata import entry_points

    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    for point in entry_points(group="lineshape.commands"):
        assert f"lineshape {point.name}" in text or f"make {point.name}" in text, point.name


def test_the_command_line_imports_nothing_heavy_until_a_verb_runs() -> None:
    """So that `--help` is quick, and every verb can name its extra where that is missing."""
    heavy = ("torch", "scipy", "sklearn", "matplotlib", "plotly", "jaxtyping", "onnxruntime", "bentoml", "starlette")
    code = f"""if True:
        import sys
        from importlib.metadata import entry_points
        for point in entry_points(group="lineshape.commands"):
            point.load()
            loaded = [name for name in {heavy!r} if name in sys.modules]
            assert not loaded, (point.name, loaded)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
