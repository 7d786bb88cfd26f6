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
from lineshape_training.run import Run

STYLE = """
:root { color-scheme: light dark; --ink: #22262b; --paper: #fbfbfa; --line: #d8d8d4; --quiet: #5f656c }
@media (prefers-color-scheme: dark) { :root { --ink: #d9dee4; --paper: #16191d; --line: #363c44; --quiet: #9aa3ad } }
body { font: 15px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
       margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
div.table { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap } p.quiet { color: var(--quiet) }
img { width: 100%; height: auto } code { overflow-wrap: anywhere; font-size: .85em }
"""


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
    fits = _table(
        ["model", "spectra", "groups", "parameters", "steps", "seconds"], [_fit(run) for run in report.runs.values()]
    )
    bundles = _table(
        ["bundle", "task", "on the wire", "sha256"],
        [[n, m.manifest.task, ", ".join(m.manifest.wire_names), m.digest] for n, m in report.models.items()],
    )
    faces = _table(
        ["what", "largest difference", "allowed"],
        [[a.what, f"{a.deviation:.1e}", f"{a.tolerance:.1e}"] for a in report.agreements],
    )
    times = _table(["step", "seconds"], [[name, f"{seconds:.1f}"] for name, seconds in report.seconds.items()])
    judged = _table(
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
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Lineshape demo</title><style>{STYLE}</style>
<h1>Lineshape: the whole path</h1>
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
</html>
"""
    write_atomically(path, page.encode())
    return path


def _fit(run: Run) -> list[str]:
    spec, found = run.spec, run.fitted
    counts = (spec.spectra, spec.groups, found.parameters, found.steps, round(found.seconds))
    return [spec.recipe.name, *(f"{count:,}" for count in counts)]


def _table(head: list[str], rows: list[list[str]]) -> str:
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return f'<div class="table"><table><tr>{names}</tr>{body}</table></div>'


def _cell(text: str) -> str:
    """Short text in one piece; a digest may break."""
    return f'<td class="n">{escape(text)}</td>' if len(text) < 60 else f"<td><code>{escape(text)}</code></td>"


def _figure(picture: Picture) -> str:
    light, dark = (base64.b64encode(svg.encode()).decode() for svg in (picture.light, picture.dark))
    return f"""<h2>{escape(picture.title)}</h2>
<picture><source media="(prefers-color-scheme: dark)" srcset="data:image/svg+xml;base64,{dark}">
<img alt="{escape(picture.title)}" src="data:image/svg+xml;base64,{light}"></picture>"""
