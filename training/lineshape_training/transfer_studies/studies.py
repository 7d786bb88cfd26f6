"""All studies of one protocol's out-of-fold answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lineshape.results import Interval
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import PairTable
from lineshape_training.splits import Rows
from lineshape_training.transfer_studies.classification import Classified, classified, family_task, material_task
from lineshape_training.transfer_studies.mixtures import Mixture, Network, mixtures
from lineshape_training.transfer_studies.pairs import Answered, Transferred
from lineshape_training.transfer_studies.resolution import Resolution, resolution

CLAIMED = {"generated": 0.94, "measured": 0.75}  # accuracy in material classification, as the SpectroGen paper says


class Studies(msgspec.Struct, frozen=True):
    """What was found.

    Parameters
    ----------
    claimed : dict of str to float
        The paper's accuracies.
    classification : dict of str to Classified
        By `family` and `material`, as far as the pairs allow.
    mixtures : dict of str to Mixture
        By composition.
    resolution : Resolution
    """

    claimed: dict[str, float]
    classification: dict[str, Classified]
    mixtures: dict[str, Mixture]
    resolution: Resolution


def studies(recipe: Recipe, table: PairTable, answers: Answered, folds: Iterable[tuple[Network, Rows]],
            families: Mapping[str, str], seed: int = 0) -> Studies:  # fmt: skip
    """Make every study.

    Parameters
    ----------
    recipe : Recipe
    table : PairTable
    answers : Answered
        Out of fold, every pair once.
    folds : iterable of (network, rows)
        Each fold's network, and the rows of the pairs that its fit lacked.
    families : mapping of mineral to chemical family
        Minerals without one are left out of that task; an empty one leaves the task out.
    seed : int
        Of classifiers, their folds and the choice of mixtures.
    """
    pairs = Transferred.of(recipe, table, answers)
    tasks = {"family": family_task(pairs, families), "material": material_task(pairs)}
    told = {name: classified(pairs, task, seed) for name, task in tasks.items() if task.possible}
    mixed = mixtures(recipe, ((network, table.rows(held)) for network, held in folds), seed)
    return Studies(CLAIMED, told, mixed, resolution(pairs))


def as_text(found: Studies) -> str:
    """A line for every classifier, composition and figure."""
    lines = [
        f"{task:<9} {row.classifier:<20} {row.arm:<33} accuracy {_said(row.accuracy)}, balanced "
        f"{_said(row.balanced_accuracy)}"
        for task, told in found.classification.items() for row in told.rows
    ]  # fmt: skip
    lines += [
        f"{name:<31} Pearson {_said(one.pearson)}, of its main part {_said(one.pearson_of_main)}, familiarity "
        f"{_said(one.familiarity)}, less than alone in {100 * one.familiarity_falls.value:.0f} %"
        for name, one in found.mixtures.items()
    ]  # fmt: skip
    sharp = found.resolution
    lines.append(f"generated over measured: FWHM {_said(sharp.fwhm_ratio)}, clear lines {_said(sharp.lines_ratio)}, "
                 f"SNR {_said(sharp.snr_ratio)}")  # fmt: skip
    return "\n".join(lines)


def _said(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
