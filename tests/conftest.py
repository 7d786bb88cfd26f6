"""Fixtures that every room's tests share: real spectra, and real bundles from real (short) fits."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

# Two workers with a thread for every core each, and the commands that they start, would wait for one another.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from fits import fit_short, fit_told
from hypothesis import settings
from once import once

from lineshape_export import export_run
from lineshape_training.families import family_of
from lineshape_training.run import Run

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["BENTOML_DO_NOT_TRACK"] = "true"

settings.register_profile("ci", derandomize=True)  # the same examples at every run; at home new ones are looked for
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real spectra, `../shared/data` or where LINESHAPE_DATA points."""
    folder = Path(os.environ.get("LINESHAPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real spectra at {folder} (set LINESHAPE_DATA)")
    return folder


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new folder that all workers of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def transfer_run(common: Path) -> Run:
    """A short Raman to IR fit, to be read only."""
    return Run(once(common / "transfer-run", partial(fit_short, "raman-to-ir")))


@pytest.fixture(scope="session")
def sample_run(common: Path) -> Run:
    """A short VAE fit, to be read only."""
    return Run(once(common / "sample-run", partial(fit_short, "raman-vae")))


@pytest.fixture(scope="session")
def transfer_bundle(transfer_run: Run, common: Path) -> Path:
    """The sealed bundle of `transfer_run`."""
    return once(common / "raman-to-ir.lineshape", partial(export_run, transfer_run))


@pytest.fixture(scope="session")
def sample_bundle(sample_run: Run, common: Path) -> Path:
    """The sealed bundle of `sample_run`."""
    return once(common / "raman-vae.lineshape", partial(export_run, sample_run))


@pytest.fixture(scope="session")
def told_run(common: Path) -> Run:
    """A short fit of a conditional VAE of two classes and an analyte, to be read only."""
    return Run(once(common / "told-run", fit_told))


@pytest.fixture(scope="session")
def told_bundles(told_run: Run, common: Path) -> dict[str, Path]:
    """The sealed bundle of each task of `told_run`."""
    tasks = family_of(told_run.recipe.family).tasks
    return {task: once(common / f"told-{task}.lineshape", partial(export_run, told_run, task=task)) for task in tasks}
