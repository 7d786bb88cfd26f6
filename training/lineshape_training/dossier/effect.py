"""What the synthetic spectra do to predictions on real ones."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineshape_training.dossier.blocks import Banner, Blank, Block, Bullets, Command, Heading, Paragraph, Section, Table
from lineshape_training.dossier.documents import eu, fda
from lineshape_training.dossier.facts import Facts, Studied
from lineshape_training.dossier.figures import NONE, flattened, measured, ranged
from lineshape_training.study import Effect, Row
from lineshape_training.study.table import ALL_PROBES

HOW = (
    "The study fits generators of this recipe anew inside each fold, on that fold's training groups only; it does not "
    "use the weights of this run. Its classifiers or regressors are probes that stand for the component."
)


def effect(facts: Facts) -> Section:
    """The study, or how to make it."""
    asked = (
        fda("section X.A (Performance Validation) and Appendix C"),
        eu("Article 15, Annex IV points 2(g) and 3"),
    )
    blocks = _found(facts.study) if facts.study else _unmeasured(facts)
    return Section("Effect on real-world predictions", asked, (
        *blocks,
        Blank("the component's performance on independent real test data with and without the synthetic spectra, with "
              "intervals and for each subgroup"),
        Blank("which difference would matter in use, and why the test data are independent (sites, period)"),
    ))  # fmt: skip


def _unmeasured(facts: Facts) -> Iterator[Block]:
    yield Banner(
        "Not measured: whether predictions on real spectra profit from these spectra, or suffer, is not known."
    )
    if facts.family.task == "sample":
        yield Paragraph("On labelled spectra, or with an analyte, it would be measured by:")
        yield Command(facts.studied_by)
    else:
        yield Paragraph(
            "The study covers models that draw spectra; for a transfer the component itself has to be tested."
        )


def _found(study: Studied) -> Iterator[Block]:
    yield Paragraph(HOW)
    asked = tuple(flattened(msgspec.to_builtins(study.asked)))
    yield Table(("asked", "value"), asked)
    yield Heading("Effects")
    if study.found.effects:
        head = ("protocol", "method", "arm", "score", "gain over real spectra alone (95 % interval)", "p", "effect")
        yield Table(head, tuple(map(_effect, study.found.effects)))
    else:
        yield Paragraph("No method could be measured.")
    if study.found.refused:
        yield Bullets(tuple(f"Not measured: {where}: {why}" for where, why in study.found.refused.items()))
    yield Heading("All scores, mean of the probes")
    if study.found.rare is not None:
        yield Paragraph(f"Scores of the rare class are about {study.found.rare}.")
    rows = tuple(line for row in study.found.rows if row.probe == ALL_PROBES for line in _scores(row))
    yield Table(
        ("protocol", "method", "arm", "score", "value (95 % interval)", "gain over real spectra alone", "p"), rows
    )
    yield Paragraph("Each probe by itself stands in dossier.json.")


def _effect(one: Effect) -> tuple[str, ...]:
    return one.protocol, one.method, one.arm, one.score, ranged(one.gain), measured(one.gain.p), one.verdict


def _scores(row: Row) -> Iterator[tuple[str, ...]]:
    for name, found in row.scores.items():
        gain = row.gains.get(name)
        gained = (ranged(gain), measured(gain.p)) if gain else (NONE, NONE)
        yield row.protocol, row.method, row.arm, name, ranged(found), *gained
