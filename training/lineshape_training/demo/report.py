"""One HTML page that opens without a network: what was fitted, how well, whether the faces agree, and pictures."""

from __future__ import annotations

import base64
from dataclasses import astuple, dataclass
from html import escape
from pathlib import Path

from lineshape.files import write_atomically
from lineshape_edge import Model
from lineshape_training.demo.figures import Picture
from lineshape_training.demo.judge import Judgement
from lineshape_training.demo.wire import Agreement
from lineshape_training.page import document, table
from lineshape_training.run import Run


@dataclass(frozen=True)
class Report:
    """What the page tells."""

    runs: dict[str, Run]
    judgements: dict[str, Judgement]
    models: dict[str, Model]
    agreements: list[Agreement]
    seconds: dict[str, float]
    pictures: list[Picture]


def write_report(path: Path, report: Report) -> Path:
    """Write the page."""
    fits = table(
        ["model", "spectra", "groups", "parameters", "steps", "seconds"], [_fit(run) for run in report.runs.values()]
    )
    bundles = table(
        ["bundle", "task", "on the wire", "sha256"],
        [[n, m.manifest.task, ", ".join(m.manifest.wire_names), m.digest] for n, m in report.models.items()],
    )
    faces = table(
        ["what", "largest difference", "allowed"],
        [[a.what, f"{a.deviation:.1e}", f"{a.tolerance:.1e}"] for a in report.agreements],
    )
    times = table(["step", "seconds"], [[name, f"{seconds:.1f}"] for name, seconds in report.seconds.items()])
    judged = table(
        [
            "model",
            "held-out minerals",
            "mean spectrum there",
            "nearest neighbour there",
            "new specimens of the fit's minerals",
        ],
        [[name, *(f"{value:.2f}" for value in astuple(found))] for name, found in report.judgements.items()],
    )
    pictures = "\n".join(_figure(picture) for picture in report.pictures)
    body = f"""<h1>Lineshape: the whole path</h1>
<p class="quiet">Everything here was fitted on the embedded mineral library. Its lines were measured or computed; its
spectra are simulated. Figures show that the path works, not how well it does on real spectra.</p>
<h2>Fits</h2>{fits}
<h2>How well the transfers do</h2>
<p>Mean Pearson correlation with the truth. Minerals held out of the fit are what an unknown sample is; the number of
steps was chosen on them, so ours is a little flattering there. New specimens are of minerals that were in the fit.</p>
{judged}
<h2>Sealed bundles</h2>{bundles}
<h2>Command line and wire agree</h2>
<p>Each answer of the running service to an unmodified Triton client, against the file that the command line wrote.</p>
{faces}
{pictures}
<h2>Time</h2>{times}
"""
    write_atomically(path, document("Lineshape demo", body).encode())
    return path


def _fit(run: Run) -> list[str]:
    spec, found = run.spec, run.fitted
    counts = (spec.spectra, spec.groups, found.parameters, found.steps, round(found.seconds))
    return [spec.recipe.name, *(f"{count:,}" for count in counts)]


def _figure(picture: Picture) -> str:
    light, dark = (base64.b64encode(svg.encode()).decode() for svg in (picture.light, picture.dark))
    return f"""<h2>{escape(picture.title)}</h2>
<picture><source media="(prefers-color-scheme: dark)" srcset="data:image/svg+xml;base64,{dark}">
<img alt="{escape(picture.title)}" src="data:image/svg+xml;base64,{light}"></picture>"""
