"""Every command in the README and the documentation runs, in the order in which a reader meets it.

Pages that do not go on with one another's files are read by several workers at a time.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from once import once
from services import free_port

from lineshape.spectrum import Spectrum
from lineshape.writers import write_spectrum
from lineshape_training.minerals import mineral_pairs

ROOT = Path(__file__).parents[1]
TASKS = (
    "data",
    "fit",
    "transfer",
    "families",
    "diffusion",
    "validate",
    "dossier",
    "export",
    "edge",
    "serve",
    "operate",
    "triton",
)
PAGES = ["README.md", *(f"docs/{task}.md" for task in TASKS)]
GOES_ON_WITH = {  # the pages whose files a page needs, and through them the pages that those need
    "docs/transfer.md": ("README.md",),
    "docs/validate.md": ("docs/data.md", "docs/fit.md"),
    "docs/dossier.md": ("docs/validate.md",),
    "docs/export.md": ("docs/fit.md",),
    "docs/edge.md": ("README.md", "docs/export.md"),
    "docs/serve.md": ("README.md", "docs/export.md"),
    "docs/operate.md": ("README.md",),
    "docs/triton.md": ("README.md", "docs/export.md"),
}
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def environment(folder: Path) -> dict[str, str]:
    """Stores of bundles belong to the reader's folder, and not to whoever runs the tests."""
    return ENVIRONMENT | {"LINESHAPE_STORE": str(folder / "store"), "BENTOML_HOME": str(folder / "bentoml")}


def run(kind: str, text: str, folder: Path) -> None:
    command = ["bash", "-euo", "pipefail", "-c", text] if kind == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def serve(text: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start `lineshape serve ...`, the one command that does not end by itself."""
    process = subprocess.Popen(text.split(), cwd=folder, env=environment(folder), stderr=subprocess.DEVNULL)
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


def blocks_of(page: str) -> list[tuple[str, str]]:
    """The language and the text of each block, in their order."""
    return BLOCK.findall((ROOT / page).read_text())


def left_by(page: str, common: Path) -> Path:
    """A reader's folder when the page has been read: each command once in a test run, and nothing of other pages."""
    return once(common / f"reader-{Path(page).stem}", partial(read, page, common))


def read(page: str, common: Path, folder: Path) -> None:
    """Run what stands on a page in a new folder, which holds what the pages before it have left."""
    folder.mkdir()
    write_measured(folder / "measured.csv")
    for earlier in GOES_ON_WITH.get(page, ()):
        shutil.copytree(left_by(earlier, common), folder, dirs_exist_ok=True)
    ports = {"3000": str(free_port()), "3001": str(free_port())}
    with ExitStack() as services:
        for kind, written in blocks_of(page):
            text = re.sub("300[01]", lambda found: ports[found[0]], written)
            if text.startswith("lineshape serve"):
                services.callback(stop, serve(text, folder, int(ports["3000"])))
            else:
                run(kind, text, folder)


def write_measured(path: Path) -> None:
    """The one file that the reader brings."""
    table = mineral_pairs("raman", "ir", 1, seed=4).source
    write_spectrum(path, Spectrum(table.values[0], table.axis))


def stop(service: subprocess.Popen[bytes]) -> None:
    service.terminate()
    service.wait(30)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs(page: str, common: Path) -> None:
    assert blocks_of(page)
    assert left_by(page, common).is_dir()


def test_no_two_pages_make_the_same_run_bundle_or_report() -> None:
    """Each page has a folder of its own here; a reader has one for all, and these are never written over."""
    made = re.compile(
        r"^lineshape (?:simulate|fit|export|validate|dossier) .*?(?:--out|-o|--report) (\S+)", re.MULTILINE
    )
    names = [name for page in PAGES for _, text in blocks_of(page) for name in made.findall(text)]
    assert len(names) == len(set(names)) > 10


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
        verb = point.name.replace(".", " ")
        assert f"lineshape {verb}" in text or f"make {verb}" in text, verb


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
