"""Are the spectra fit for purpose? What validation measured, and what it did not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lineshape_training.dossier.blocks import Banner, Blank, Block, Bullets, Command, Heading, Paragraph, Section, Table
from lineshape_training.dossier.documents import eu, fda
from lineshape_training.dossier.facts import Facts
from lineshape_training.dossier.figures import exact, measured
from lineshape_training.validation.judgement import Judgement
from lineshape_training.validation.measures import FIGURES

PLAUSIBLE = ("negative", "narrow", "jumps", "peak ratios")
MEMORY = ("distance ratio", "near copies", "membership AUC", "membership AUC, low")
OTHERS = tuple(name for name in FIGURES if name not in PLAUSIBLE + MEMORY)

FOUR_TIMES = (
    "Each figure is measured four times: for the synthetic spectra; for real spectra of other groups in their place "
    "(the floor that no generator can beat); and for two cheats, copies of the training set and class means with "
    "noise, that a figure to be believed must not reward. Four digits are shown; dossier.json has them all."
)
NO_PROOF = (
    "A distance is no proof of privacy: that no training spectrum was found among the synthetic ones does not show "
    "that nothing about a person can be learned from them."
)
UNKNOWN = (
    "NOT VALIDATED. This run holds no verdict: whether its spectra are believable, and whether they copy the data of "
    "the fit, is not known."
)
PASSED = (
    "No rule of the validation found a fault in the synthetic spectra. This says nothing about a product, nor about "
    "uses that were not measured."
)


def verdict(facts: Facts) -> tuple[Block, ...]:
    """What stands before everything else."""
    if facts.judgement is None:
        return (Banner(UNKNOWN),)
    if facts.verdict == "fail":
        return Banner("VERDICT: FAIL. The synthetic spectra failed validation."), Bullets(facts.judgement.reasons)
    return Banner("Verdict: pass."), Paragraph(PASSED)


def _how(facts: Facts) -> Iterator[Block]:
    """The command that would measure it."""
    if facts.family.task != "sample":
        yield Paragraph(f"lineshape validate judges models that draw spectra; this is a {facts.family.task} model. "
                        "On pairs that are held out it is measured by:")  # fmt: skip
        yield Command(f"lineshape bench transfer {facts.spec.recipe.name} --data {facts.data_word} --protocol mineral")
        return
    yield Paragraph("It is measured on groups that the fit has not seen (lineshape fit ... --hold-out 0.2 keeps some):")
    yield Command(facts.judged_by)


def fitness(facts: Facts) -> Section:
    """All figures with their floors and controls."""
    asked = (fda("section VIII (Data Collection: why synthetic data are fit for purpose)"),
             eu("Article 10(3), Annex IV points 2(g) and 4"))  # fmt: skip
    found = _judged(facts.judgement) if facts.judgement else _how(facts)
    return Section("Fit-for-purpose evidence", asked, (
        *verdict(facts),
        *found,
        Heading("From the fit itself"),
        *_fitted(facts),
        Blank("what fit for purpose means for the component: which criteria were set, by whom, before the figures were "
              "known"),
        Blank("the judgement of a spectroscopist who has looked at the synthetic spectra beside real ones"),
    ))  # fmt: skip


def _judged(judgement: Judgement) -> Iterator[Block]:
    counts = tuple((name, exact(value)) for name, value in judgement.counts.items())
    yield Table(("spectra and groups of the validation", "number"), counts)
    if judgement.warnings:
        yield from (Paragraph("Warnings:"), Bullets(judgement.warnings))
    yield Paragraph(FOUR_TIMES)
    unknown = [name for name in judgement.metrics if name not in FIGURES]
    yield from _figures("Distances and agreement", judgement, (*OTHERS, *unknown))
    yield from _figures("Plausibility", judgement, PLAUSIBLE)
    yield from _figures("Memorisation", judgement, MEMORY)
    yield Paragraph(NO_PROOF)
    if judgement.missing:
        yield from (Paragraph("Not measured:"), Bullets(judgement.missing))


def _figures(title: str, judgement: Judgement, names: Iterable[str]) -> Iterator[Block]:
    rows = tuple(_row(name, judgement) for name in names if name in judgement.metrics)
    yield Heading(title)
    if rows:
        head = ("figure", "what it says", "best", "synthetic", "real of other groups (floor)", "copies", "class means")
        yield Table(head, rows)
    else:
        yield Paragraph("None of these figures was measured.")


def _row(name: str, judgement: Judgement) -> tuple[str, ...]:
    figure, reading = FIGURES.get(name), judgement.metrics[name]
    about = (figure.about, measured(float(figure.best))) if figure else ("", "")
    values = (reading.synthetic, reading.real, reading.copies, reading.class_means)
    return name, *about, *map(measured, values)


def _fitted(facts: Facts) -> Iterator[Block]:
    fitted, distilled = facts.fitted, facts.spec.distilled
    if distilled:
        yield Paragraph(f"Distilled by {distilled.method}, {fitted.steps} steps, from a teacher with weights sha256 "
                        f"{distilled.teacher_sha256}; accepted within the margins of `lineshape distil`.")  # fmt: skip
        return
    rows = tuple((str(fold), measured(score)) for fold, score in enumerate(fitted.held_out, 1))
    yield Table(("fold of groups held out", facts.family.scored_by), rows)
    yield Paragraph(f"The step ({fitted.steps}) was chosen on the same folds, so this is a little flattering.")
