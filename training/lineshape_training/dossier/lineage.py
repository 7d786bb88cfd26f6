"""Where the data came from, with hashes; and what is known of whom they represent."""

from __future__ import annotations

from collections.abc import Iterator

from lineshape_training.dossier.blocks import Blank, Block, Bullets, Heading, Paragraph, Section, Table
from lineshape_training.dossier.documents import eu, fda
from lineshape_training.dossier.facts import Facts
from lineshape_training.dossier.figures import exact, measured

ABREAST = 4  # hashes in a row
SIMULATED = "none: the simulated mineral library that comes with Lineshape, decided by the version and the seed"
GUESSED = (
    "A group's hash is the first 16 hexadecimal digits of the sha256 of its name. Whoever can guess the names can "
    "match them to the hashes, so these are pseudonyms and not anonymous."
)


def lineage(facts: Facts) -> Section:
    """Data, groups and files."""
    asked = (fda("section VIII (Data Collection: size of each data set; Data Storage; Management and Independence of "
                 "Data)"), eu("Article 10(2)(b), Annex IV point 2(d)"))  # fmt: skip
    files = tuple((name, digest) for name, digest in facts.files.items())
    return Section("Data lineage", asked, (
        Table(("what", "value"), tuple(_data(facts))),
        *_other_data(facts),
        Heading("Files of the run"),
        Table(("file", "sha256"), files),
        Blank("where the spectra come from: sites, instruments, period of collection, inclusion and exclusion"),
        Blank("in the case of personal data, the original purpose of their collection and the consent or legal basis"),
        Blank("how classes, analytes and groups were established (reference standard, annotation, who did it)"),
        Blank("where the data are stored, under which version, and who may change them"),
    ))  # fmt: skip


def _data(facts: Facts) -> Iterator[tuple[str, str]]:
    spec, fit = facts.spec, facts.spec.recipe.fit
    counts = facts.judgement.counts if facts.judgement else {}
    yield "data file of the fit", spec.data
    yield "its sha256", spec.data_sha256 if facts.from_file else SIMULATED
    yield "spectra fitted", exact(spec.spectra)
    yield "independent groups fitted", exact(spec.groups)
    yield "group hashes recorded", f"{len(spec.group_sha256)} (last but one section)"
    yield "column of the groups", " and ".join(spec.recipe.data.groups)
    yield (
        "held out within the fit",
        f"{min(fit.holdouts, fit.folds)} of {fit.folds} folds of groups in turn, then all fitted",
    )
    yield "groups that the fit never saw, used to judge", exact(counts.get("real groups"))
    yield "spectra of these groups", exact(counts.get("real"))
    for name, value in facts.about.items():
        yield f"validation: {name}", value


def _other_data(facts: Facts) -> Iterator[Block]:
    if facts.other_data:
        yield Paragraph("The validation read another file than the fit. It takes as unseen every group whose hash the "
                        "fit does not name.")  # fmt: skip
        yield Blank("how the two data files belong together, and that no group goes by two names")


def representativeness(facts: Facts) -> Section:
    """Bias and gaps, as far as a run can know them."""
    asked = (fda("section VIII (Representativeness)"), eu("Article 10(2)(d), (f), (g) and (h), Article 10(3) and (4)"))
    return Section("Representativeness, bias and gaps", asked, (
        Bullets(tuple(_known(facts))),
        Blank("spectra and independent groups of each class, real and synthetic"),
        Blank("how the groups represent the intended population: disease, severity, sex, age, ethnicity, sites, "
              "instruments; which of these are not known"),
        Blank("the geographical, contextual, behavioural or functional setting of use, and how the data take it into "
              "account"),
        Blank("which biases were looked for, by whom, and what was found in subgroups"),
        Blank("what was done against biases, and whether the generator may strengthen them"),
        Blank("which gaps remain in the data, and how they are dealt with"),
    ))  # fmt: skip


def _known(facts: Facts) -> Iterator[str]:
    spec, data = facts.spec, facts.spec.recipe.data
    each = measured(spec.spectra / spec.groups)
    yield f"{spec.spectra} spectra of {spec.groups} independent groups were fitted, {each} to a group on average."
    yield ("Generated spectra add no independent groups: whatever these groups do not show, the generator has not "
           "seen, and what they show too often it repeats.")  # fmt: skip
    named = f"The recipe names the column {data.label} as the class" if data.label else "The recipe names no class"
    yield f"{named}; a run keeps no counts of classes, so that balance between them is not known here."
    metrics = facts.judgement.metrics if facts.judgement else {}
    for name in ("recall", "coverage", "class agreement", "chimeras"):
        if (reading := metrics.get(name)) is not None:
            yield f"{name}: {measured(reading.synthetic)} (real spectra of other groups: {measured(reading.real)})."


def hashes(facts: Facts) -> Section:
    """The groups of the fit, by their hashes."""
    found = facts.spec.group_sha256
    padded = (*found, *[""] * (-len(found) % ABREAST))
    rows = tuple((str(i + 1), *padded[i : i + ABREAST]) for i in range(0, len(padded), ABREAST))
    table = Table(("from group", *["hash"] * ABREAST), rows)
    return Section("Hashes of the groups that were fitted", (), (Paragraph(GUESSED), table))
