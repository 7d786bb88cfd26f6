"""Which family for this data set? Counted in independent groups, for spectra of one patient are not independent."""

from __future__ import annotations

import msgspec
import numpy as np

from lineshape_training.spectra import SpectraTable

FEW, MANY = 50, 500  # independent groups of the smallest class


class ClassCount(msgspec.Struct, frozen=True):
    """How much there is of one class."""

    label: str
    spectra: int
    groups: int


class Choice(msgspec.Struct, frozen=True):
    """A recommendation and its reason.

    Parameters
    ----------
    families : tuple of str
        The best first.
    reason : str
    classes : tuple of ClassCount
        The smallest first; one without a label stands for all spectra.
    """

    families: tuple[str, ...]
    reason: str
    classes: tuple[ClassCount, ...]


def choose(table: SpectraTable) -> Choice:
    """Recommend generator families for a table, by the independent groups of its smallest class.

    The thresholds are the field's rule of thumb (under 50 a VAE or a physics-informed model, to 500 a WGAN-GP, above
    that diffusion) with groups in the place of spectra: replicates of one patient teach a generator little that is new.
    """
    classes = counts(table)
    smallest = classes[0]
    if smallest.groups < FEW:
        families, why = (
            ("vae", "beer-lambert"),
            f"fewer than {FEW}: adversarial and diffusion models would learn them by heart",
        )
    elif smallest.groups <= MANY:
        families, why = ("wgan-gp", "vae"), f"{FEW} to {MANY}: enough for an adversarial model"
    else:
        families, why = ("ddpm", "wgan-gp"), f"above {MANY}: diffusion, where quality matters most"
    of = f"class {smallest.label}" if smallest.label else "the set"
    reason = f"{of} has {smallest.spectra} spectra, but {smallest.groups} independent groups; {why}"
    return Choice(families, reason, classes)


def counts(table: SpectraTable) -> tuple[ClassCount, ...]:
    """Spectra and independent groups of every class, the smallest class first; an unknown class is none."""
    label = np.full(len(table), "") if table.label is None else table.label
    names = [name for name in np.unique(label).tolist() if name] or [""]
    found = [ClassCount(name, int((label == name).sum()), len(np.unique(table.group[label == name]))) for name in names]
    return tuple(sorted(found, key=lambda one: (one.groups, one.spectra)))
