"""Which family for this data set? Counted in independent groups, for spectra of one patient are not independent."""

from __future__ import annotations

import msgspec
import numpy as np

from lineshape_training.datasets.evidence import nearest
from lineshape_training.spectra import SpectraTable

FEW, MANY = 50, 500  # independent groups of the smallest class
REAL = "real spectra only"


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
        The best first; `REAL` where generated spectra were measured to hurt.
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
    Where the learning curve of `evidence` contradicts the rule at about as many groups, real spectra alone come first.
    """
    classes = counts(table)
    smallest, total = classes[0], len(np.unique(table.group))
    families, why = _rule(smallest.groups)
    of = f"class {smallest.label}" if smallest.label else "the set"
    reason = f"{of} has {smallest.spectra} spectra, but {smallest.groups} independent groups; {why}"
    found = nearest(families[0], total)
    if found is None:
        return Choice(families, reason, classes)
    gain = f"balanced accuracy {found.gain:+.3f}, {found.low:+.3f} to {found.high:+.3f}"
    measured = f"Measured on saliva with {found.groups} groups: adding {found.method} spectra {found.verdict} ({gain})"
    return Choice((REAL, *families) if found.verdict == "hurt" else families, f"{reason}. {measured}", classes)


def _rule(groups: int) -> tuple[tuple[str, ...], str]:
    """The field's rule of thumb: families, and why."""
    if groups < FEW:
        return ("vae", "bayesop-gan"), f"fewer than {FEW}: adversarial and diffusion models would learn them by heart"
    if groups <= MANY:
        return ("wgan-gp", "vae"), f"{FEW} to {MANY}: enough for an adversarial model"
    return ("ddpm", "wgan-gp"), f"above {MANY}: diffusion, where quality matters most"


def counts(table: SpectraTable) -> tuple[ClassCount, ...]:
    """Spectra and independent groups of every class, the smallest class first; an unknown class is none."""
    names = [name for name in np.unique(table.labels).tolist() if name] or [""]
    found = [_count(table, name) for name in names]
    return tuple(sorted(found, key=lambda one: (one.groups, one.spectra)))


def _count(table: SpectraTable, label: str) -> ClassCount:
    own = table.labels == label
    return ClassCount(label, int(own.sum()), len(np.unique(table.group[own])))
