"""The report's files: `report.html`, `report.json`, and a PNG of every picture."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from lineshape.files import write_atomically
from lineshape_training.page import Markup, document, html, table
from lineshape_training.study.table import Outcome
from lineshape_training.validation.evidence import Evidence
from lineshape_training.validation.judgement import Judgement
from lineshape_training.validation.report import (
    judgement_sections,
    neighbour_pictures,
    spectra_pictures,
    study_sections,
)
from lineshape_training.validation.report.gallery import figures, gallery, scripts
from lineshape_training.validation.report.scene import Picture
from lineshape_training.validation.report.static import save
from lineshape_training.validation.report.study_pictures import curve_picture, gains_picture

LIMITS = (
    "A distance is no proof of privacy: what is far from every training spectrum may still tell about a person.",
    "A pass says that no rule found a fault on these groups; it says nothing about other instruments or populations.",
    "Intervals are over the groups of this table; few groups make them wide, and too narrow where groups are very few.",
    "The floor is measured on half of the unseen groups against the other half, so that it is itself uncertain.",
    "Maps of two dimensions hide most of what differs; t-SNE says nothing about distances between clusters.",
)


def write_report(folder: Path, title: str, *, judgement: Judgement | None, evidence: Evidence | None,
                 outcome: Outcome | None, about: Mapping[str, str]) -> Path:  # fmt: skip
    """Write the report of a judgement, of a study, or of both.

    Parameters
    ----------
    folder : Path
        Is made where it does not exist; files of an earlier report are replaced.
    title : str
    judgement : Judgement or None
    evidence : Evidence or None
        What the judgement rests on; it is drawn.
    outcome : Outcome or None
        Of a study.
    about : mapping of str to str
        How it was made: command, data and their hash, machine, revision, seeds.

    Returns
    -------
    Path
        Of the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [] if evidence is None else _pictures(evidence)
    of_study = [] if outcome is None else [p for p in (gains_picture(outcome), curve_picture(outcome)) if p]
    for picture in (*drawn, *of_study):
        save(picture, folder / f"{picture.name}.png")
    numbers = {"title": title, "judgement": judgement, "outcome": outcome, "about": dict(about)}
    write_atomically(folder / "report.json", msgspec.json.format(msgspec.json.encode(numbers), indent=2) + b"\n")
    sections = _sections(judgement, outcome, drawn, of_study, about)
    pictures = [*drawn, *of_study]
    data, run = (figures(pictures), scripts()) if pictures else ("", ())
    body = f"<h1>{html(title)}</h1>\n{_contents(sections)}\n{_written(sections)}\n{data}"
    style = files(__package__).joinpath("report.css").read_text("utf-8")
    page = document(title, body, style, run)
    write_atomically(folder / "report.html", page.encode())
    return folder / "report.html"


def _pictures(evidence: Evidence) -> list[Picture]:
    return [
        spectra_pictures.spectra_picture(evidence),
        spectra_pictures.means_picture(evidence),
        spectra_pictures.peaks_picture(evidence),
        neighbour_pictures.map_picture(evidence),
        neighbour_pictures.suspects_picture(evidence),
        neighbour_pictures.examples_picture(evidence),
    ]


def _sections(judgement: Judgement | None, outcome: Outcome | None, drawn: list[Picture], of_study: list[Picture],
              about: Mapping[str, str]) -> dict[str, str]:  # fmt: skip
    """The page in its order, by heading."""
    verdicts = [study_sections.verdict(outcome)] if outcome else []
    sections = {"Verdict": "\n".join([*verdicts, *([judgement_sections.verdict(judgement)] if judgement else [])])}
    if judgement:
        sections["Memorisation"] = judgement_sections.memorisation(judgement)
        sections["All figures"] = judgement_sections.all_figures(judgement)
        sections["Plausibility"] = judgement_sections.plausibility(judgement)
    if drawn:
        sections["Pictures"] = gallery(drawn)
    if outcome:
        sections["Study"] = _study(outcome, of_study)
    return sections | {"How it was made": _made(judgement, about)}


def _study(outcome: Outcome, pictures: list[Picture]) -> str:
    parts = (study_sections.tables, study_sections.rare_class, study_sections.instruments, study_sections.flattery,
             study_sections.refused)  # fmt: skip
    return gallery(pictures) + "\n".join(part(outcome) for part in parts)


def _made(judgement: Judgement | None, about: Mapping[str, str]) -> str:
    counts = (
        table(["spectra and groups", "count"], [[n, f"{c:,}"] for n, c in judgement.counts.items()])
        if judgement
        else ""
    )
    made = table(
        ["made with", "value"],
        [[Markup(html(name)), Markup(f"<code>{html(text)}</code>")] for name, text in about.items()],
    )
    limits = "".join(f"<li>{html(limit)}</li>" for limit in LIMITS)
    return f"{counts}{made}<h3>Limits</h3><ul>{limits}</ul>"


def _contents(sections: Mapping[str, Any]) -> str:
    return "<nav>" + " · ".join(f'<a href="#{_anchor(name)}">{name}</a>' for name in sections) + "</nav>"


def _written(sections: Mapping[str, str]) -> str:
    return "\n".join(f'<h2 id="{_anchor(name)}">{name}</h2>\n{content}' for name, content in sections.items())


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")
