"""Why there are synthetic spectra, and what they are for: people know, a run does not."""

from __future__ import annotations

from lineshape_training.dossier.blocks import Blank, Paragraph, Section, Table
from lineshape_training.dossier.documents import DOCUMENTS, WORDS, eu, fda
from lineshape_training.dossier.facts import Facts


def documents(facts: Facts) -> Section:
    """Which documents ask, and where they stand."""
    rows = tuple((one.title, one.issuer, one.status, one.asks) for one in DOCUMENTS)
    return Section("What this dossier answers", (), (
        Table(("document", "issued by", "standing when this was written", "what it asks"), rows),
        Paragraph(WORDS),
        Paragraph(f"Written on {facts.written['date']} by Lineshape {facts.written['lineshape']} (revision "
                  f"{facts.written['revision']})."),
        Blank("whether these documents apply, and their standing today (the guidance was a draft)"),
    ))  # fmt: skip


def reasons(facts: Facts) -> Section:
    """Why synthetic data."""
    asked = (fda("section VIII (Data Collection: use of synthetic data)"),
             eu("Article 10(2)(a) and (e), Article 10(5)(a), Annex IV point 2(b)"))  # fmt: skip
    return Section("Why synthetic data", asked, (
        Paragraph(f"The generator was fitted to {facts.spec.spectra} {'' if facts.from_file else 'simulated '}spectra "
                  f"of {facts.spec.groups} independent groups."),
        Blank("why synthetic spectra are used at all, and which shortage of real data they are to relieve"),
        Blank("which alternatives were weighed (more real spectra, classical augmentation, weighting) and why they "
              "fall short"),
        Blank("which assumptions are made on what the synthetic spectra measure and represent"),
        Blank("whether personal data, or special categories of them, are involved, and on which legal basis"),
    ))  # fmt: skip


def component(facts: Facts) -> Section:
    """What is trained on the spectra."""
    asked = (fda("section V (Device Description), section VIII (Management and Independence of Data) and section IX "
                 "(Model Description: data augmentation or synthesis)"),
             eu("Annex IV points 1(a) and 2(d)"))  # fmt: skip
    return Section("Which component is trained on it", asked, (
        Paragraph("The run knows the generator only, not what its spectra are used for."),
        Blank("name, version and intended purpose of the component that was or will be trained on them"),
        Blank("how many synthetic spectra, of which seeds and indices, of which bundle digest, and their share in the "
              "training data, class by class"),
        Blank("for which steps they are used (training, tuning), and how none comes to be used for testing"),
    ))  # fmt: skip
