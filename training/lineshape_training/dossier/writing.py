"""A dossier and its files: Markdown to fill in, the same as a page to print, and the facts as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lineshape.errors import UsageError
from lineshape.files import write_atomically
from lineshape_training.dossier.blocks import Page, Paragraph, Section, Table, numbered
from lineshape_training.dossier.documents import DISCLAIMER, DOCUMENTS
from lineshape_training.dossier.effect import effect
from lineshape_training.dossier.evidence import fitness, verdict
from lineshape_training.dossier.facts import Facts, facts_of
from lineshape_training.dossier.generation import generation
from lineshape_training.dossier.lineage import hashes, lineage, representativeness
from lineshape_training.dossier.markdown import markdown
from lineshape_training.dossier.purpose import component, documents, reasons
from lineshape_training.dossier.upkeep import changes, limits, monitoring, oversight
from lineshape_training.dossier.webpage import webpage
from lineshape_training.run import Run

SCHEMA = 1
MARKDOWN, WEBPAGE, FACTS = "dossier.md", "dossier.html", "dossier.json"
SECTIONS = (documents, reasons, component, generation, lineage, representativeness, fitness, effect, limits, monitoring,
            oversight, changes, hashes)  # fmt: skip


@dataclass(frozen=True)
class Dossier:
    """The facts of a run, and the page that states them."""

    facts: Facts
    page: Page

    def content(self) -> dict[str, Any]:
        """What `dossier.json` holds."""
        blanks = [{"number": blank.number, "section": number, "asks": blank.asks, "answer": None}
                  for number, _, blank in self.page.blanks]  # fmt: skip
        sections = [{"number": number, "title": section.title, "asked about in": section.answers}
                    for number, section in enumerate(self.page.sections, 1)]  # fmt: skip
        return {"schema": SCHEMA, "verdict": self.facts.verdict, "disclaimer": DISCLAIMER, "documents": DOCUMENTS,
                "facts": self.facts.content(), "sections": sections, "blanks": blanks}  # fmt: skip

    def files(self) -> dict[str, bytes]:
        """The three files; the one that people fill in comes last."""
        data = msgspec.json.format(msgspec.json.encode(self.content()), indent=2) + b"\n"
        return {FACTS: data, WEBPAGE: webpage(self.page).encode(), MARKDOWN: markdown(self.page).encode()}


def dossier_of(run: Run) -> Dossier:
    """The dossier of a run.

    Parameters
    ----------
    run : Run
        Ended; validated or not, which the dossier says first.

    Raises
    ------
    DataError
        If the fit has not ended, or the run's validation cannot be read.
    """
    facts = facts_of(run)
    sections = numbered(section(facts) for section in SECTIONS)
    page = Page(
        f"Dossier on synthetic spectra: {facts.spec.recipe.name}", (*verdict(facts), Paragraph(DISCLAIMER)), sections
    )
    return Dossier(facts, Page(page.title, page.head, (*sections, _open(page))))


def write_dossier(run: Run, folder: Path) -> Dossier:
    """Write the dossier of a run into a folder.

    Raises
    ------
    UsageError
        If there is a dossier already: somebody may have filled it in.
    DataError
        As `dossier_of`.
    """
    for name in (MARKDOWN, WEBPAGE, FACTS):
        if (folder / name).exists():
            raise UsageError(
                f"{folder / name}: already there, and somebody may have filled it in; choose another folder"
            )
    dossier = dossier_of(run)
    for name, content in dossier.files().items():
        write_atomically(folder / name, content)
    return dossier


def _open(page: Page) -> Section:
    """The list of all blanks."""
    rows = tuple(
        (str(blank.number), f"{number}. {section.title}", blank.asks) for number, section, blank in page.blanks
    )
    said = Paragraph(
        "Each blank stands in its section as TO FILL IN with its number; strike it here once it is answered."
    )
    return Section("Open blanks", (), (said, Table(("blank", "section", "what is asked"), rows)))
