"""Fit three models, seal them, use them at the edge and through the wire, and write it all down."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import typer

from lineshape.spectrum import Spectrum
from lineshape.writers import write_spectrum
from lineshape_edge import Model
from lineshape_training.demo.figures import samples_figure, transfers_figure
from lineshape_training.demo.judge import judge, new_specimens
from lineshape_training.demo.report import Report, write_report
from lineshape_training.demo.service import Service, lineshape
from lineshape_training.demo.wire import Agreement, sampled, transferred
from lineshape_training.loading import load_table
from lineshape_training.recipe import load
from lineshape_training.run import Run
from lineshape_training.spectra import PairTable

TRANSFERS = ("raman-to-ir", "raman-to-xrd")
RECIPES = (*TRANSFERS, "raman-vae")
SHOWN = ("Quartz", "Aragonite", "Corundum")  # Raman and XRD of all, IR of the last two
SAMPLES = 100


def run_demo(out: Path) -> None:
    """Run every step, each as a command in a process of its own, and write `report.html`.

    Parameters
    ----------
    out : Path
        Runs are resumed if an earlier demo left them here.
    """
    seconds: dict[str, float] = {}
    for name in RECIPES:
        with _timed(seconds, f"fit {name}"):
            lineshape("fit", name, "--data", "embedded", "--out", _run(out, name), "--device", "cpu", "--resume")
        _bundle(out, name).unlink(missing_ok=True)  # of an earlier demo
        with _timed(seconds, f"export {name}"):
            lineshape("export", _run(out, name), "-o", _bundle(out, name))
    runs = {name: Run(_run(out, name)) for name in RECIPES}
    measured = {name: _shown(runs[name]) for name in TRANSFERS}
    files = {name: _written(table, out / "measured") for name, table in measured.items()}
    with _timed(seconds, "serve, transfer and sample"), Service([_bundle(out, name) for name in RECIPES]) as url:
        agreements = _both_ways(out, files, url)
    models = {name: Model.open(_bundle(out, name)) for name in RECIPES}
    figures = [
        *(transfers_figure(models[name], table) for name, table in measured.items()),
        samples_figure(models["raman-vae"], load_table("embedded", runs["raman-vae"].spec.recipe)),
    ]
    judgements = {name: judge(runs[name]) for name in TRANSFERS}
    path = write_report(out / "report.html", Report(runs, judgements, models, agreements, seconds, figures))
    typer.echo(f"{path}: the report; the bundles stand beside it")


def _both_ways(out: Path, files: dict[str, list[Path]], url: str) -> list[Agreement]:
    """Transfer and sample by the command line and through the wire, and hold one against the other."""
    agreements = []
    for name, measured in files.items():
        for file in measured:
            table = out / "transferred" / name / f"{file.stem}.csv"
            lineshape("transfer", _bundle(out, name), file, "-o", table, "--plot", table.with_suffix(".png"))
            agreements.append(transferred(url, Model.open(_bundle(out, name)), file, table))
    table, picture = out / "sampled" / "raman-vae.csv", out / "sampled" / "raman-vae.png"
    lineshape("sample", _bundle(out, "raman-vae"), "-n", str(SAMPLES), "--seed", "7", "-o", table, "--plot", picture)
    agreements.append(sampled(url, Model.open(_bundle(out, "raman-vae")), table, SAMPLES, seed=7))
    return agreements


def _shown(run: Run) -> PairTable:
    """The new specimens of a few minerals."""
    table = new_specimens(run)
    return table.rows(np.flatnonzero(np.isin(table.group, SHOWN)))


def _written(table: PairTable, folder: Path) -> list[Path]:
    """The sources as files, as an instrument would leave them."""
    paths = []
    for row, identity in enumerate(table.source.identity.tolist()):
        paths.append(folder / f"{identity}-raman.csv")
        about = {"sample": identity, "origin": "simulated"}
        write_spectrum(paths[-1], Spectrum(table.source.values[row], table.source.axis, about))
    return paths


@contextlib.contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = time.monotonic() - started


def _run(out: Path, name: str) -> Path:
    """The run's folder: a changed recipe is another run."""
    return out / "runs" / f"{name}-{sha256(msgspec.json.encode(load(name))).hexdigest()[:8]}"


def _bundle(out: Path, name: str) -> Path:
    return out / f"{name}.lineshape"
