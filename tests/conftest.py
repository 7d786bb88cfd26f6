"""Fixtures that every room's tests share: real spectra, and real bundles from real (short) fits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fits import fit_short
from hypothesis import settings

from lineshape_export import export_run
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
def transfer_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short Raman to IR fit."""
    return fit_short("raman-to-ir", tmp_path_factory.mktemp("transfer") / "run")


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short VAE fit."""
    return fit_short("raman-vae", tmp_path_factory.mktemp("sample") / "run")


@pytest.fixture(scope="session")
def transfer_bundle(transfer_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sealed bundle of `transfer_run`."""
    path = tmp_path_factory.mktemp("bundles") / "raman-to-ir.lineshape"
    export_run(transfer_run, path)
    return path


@pytest.fixture(scope="session")
def sample_bundle(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sealed bundle of `sample_run`."""
    path = tmp_path_factory.mktemp("bundles") / "raman-vae.lineshape"
    export_run(sample_run, path)
    return path
