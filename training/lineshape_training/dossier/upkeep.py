"""What comes after: limits, monitoring, oversight, changes."""

from __future__ import annotations

from collections.abc import Iterator

from lineshape_training.dossier.blocks import Blank, Bullets, Paragraph, Section, Table
from lineshape_training.dossier.documents import eu, fda
from lineshape_training.dossier.facts import Facts

TASKS = {
    "sample": "Samples are no measurements, and no evidence that a real spectrum of that kind exists.",
    "transfer": "An estimate is no measurement: several spectra may belong to one source. The interval holds for "
                "materials like those of the fit, and an estimate of low familiarity is not to be used.",
}  # fmt: skip


def limits(facts: Facts) -> Section:
    """What is known to be limited."""
    asked = (fda("section VI.B (Labeling: limitations) and section VIII (limitations of the dataset)"),
             eu("Article 10(2)(h), Annex IV point 3"))  # fmt: skip
    return Section("Limits", asked, (
        Bullets(tuple(_limits(facts))),
        Blank("further limits of data, generator and component, and where users are told of them"),
    ))  # fmt: skip


def _limits(facts: Facts) -> Iterator[str]:
    spec = facts.spec
    yield TASKS.get(facts.family.task, "Generated spectra are no measurements.")
    yield (f"Nothing is known of spectra beyond those of the fit: other instruments, preparations or populations than "
           f"those of its {spec.groups} groups, or an axis outside {_ranges(facts)}.")  # fmt: skip
    yield f"Drawing more spectra adds no evidence: the independent groups stay {spec.groups}."
    if facts.judgement and "real groups" in facts.judgement.counts:
        yield f"The validation rests on {facts.judgement.counts['real groups']} groups that the fit had not seen."
    else:
        yield "The run was not judged by groups that the fit had not seen."
    yield "A verdict is about the spectra that the validation drew; spectra changed afterwards were not judged."
    yield "A run records neither its date nor the code's revision, nor counts of classes."


def _ranges(facts: Facts) -> str:
    axes = facts.spec.recipe.axes.values()
    return " and ".join(f"{axis.first} to {axis.last} {axis.unit} ({axis.modality})" for axis in axes)


def monitoring(_: Facts) -> Section:
    """A plan to fill in."""
    asked = (fda("section XI (Device Performance Monitoring)"), eu("Article 72, Annex IV point 9"))
    return Section("Monitoring plan", asked, (
        Paragraph("When new real spectra are there, lineshape validate measures the same figures on their groups."),
        Blank("which figures of the component and of its inputs are watched in use, how often, by whom"),
        Blank("how drift is noticed: new instruments, sites, populations, changed preparation"),
        Blank("which limits call for action, and which action (new fit, withdrawal, notice to users)"),
        Blank("how users report problems, and how these reach those who made the synthetic spectra"),
    ))  # fmt: skip


def oversight(_: Facts) -> Section:
    """Who answers for what."""
    asked = (fda("section VI (User Interface and Labeling) and section VII (Risk Assessment)"),
             eu("Article 14, Article 17, Annex IV points 2(e) and 5"))  # fmt: skip
    return Section("Human oversight and responsibilities", asked, (
        Blank("who is responsible for the real data, the generator, the synthetic spectra and the component"),
        Blank("who looks at synthetic spectra before they are used, and may reject them"),
        Blank("how people oversee the component in use, and how they can overrule or stop it"),
        Blank("which risks come from synthetic data in the risk management file, and how they are controlled"),
        Blank("name, role, date and signature of whoever has reviewed this dossier"),
    ))  # fmt: skip


def changes(facts: Facts) -> Section:
    """The log, begun."""
    asked = (fda("section X (Software Version History)"), eu("Annex IV points 2(f) and 6"))
    row = (facts.written["date"], f"dossier written from the run with weights {facts.files['weights.safetensors']}",
           facts.verdict)  # fmt: skip
    return Section("Change log", asked, (
        Table(("date", "change", "verdict"), (row,)),
        Blank("changes since: date, what changed and why, who decided, whether it was validated again"),
        Blank("changes that are planned in advance, and how their effect will be assessed"),
    ))  # fmt: skip
