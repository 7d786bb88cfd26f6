"""The documents whose questions a dossier takes up, and what it does not claim."""

from __future__ import annotations

from dataclasses import dataclass

DISCLAIMER = (
    "This dossier states facts of one run and claims no compliance with any law, guidance or standard: nothing in it "
    "says that a product or a data set complies, conforms, is compliant, or was cleared or approved by anybody."
)


@dataclass(frozen=True)
class Document:
    """A document with its standing when this version was made; people check whether it has changed."""

    title: str
    issuer: str
    status: str
    asks: str


DOCUMENTS = (
    Document(
        "Artificial Intelligence-Enabled Device Software Functions: Lifecycle Management and Marketing Submission "
        "Recommendations",
        "U.S. Food and Drug Administration (FDA)",
        "draft guidance of January 7, 2025 (docket FDA-2024-D-4488), issued for comment and not for implementation; "
        "not binding",
        "Section VIII (Data Management, Data Collection): if synthetic data are used, how they were generated and why "
        "they are fit for purpose.",
    ),
    Document(
        "Regulation (EU) 2024/1689 (Artificial Intelligence Act), Article 10, with Article 11 and Annex IV",
        "European Parliament and Council of the European Union",
        "regulation of 13 June 2024; these articles address high-risk AI systems",
        "Article 10 asks of training, validation and testing data alike; it names synthetic data only in 10(5)(a), "
        "where other data must fall short before special categories of personal data are used to find biases.",
    ),
)

WORDS = (
    "In this dossier validation means what the command lineshape validate measures on the synthetic spectra. The FDA "
    "draft means the validation of a device, and the AI Act calls validation data what a fit is tuned on."
)


def fda(where: str) -> str:
    """A place in the draft guidance."""
    return f"FDA draft guidance, {where}"


def eu(where: str) -> str:
    """A place in the AI Act."""
    return f"AI Act, {where}"
