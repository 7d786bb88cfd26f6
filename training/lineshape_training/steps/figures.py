"""The figures of a row, and those of real spectra in the place of synthetic ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float64

from lineshape.errors import LineshapeError
from lineshape.results import Interval
from lineshape_training.splits import group_folds
from lineshape_training.validation.evidence import Evidence, Side
from lineshape_training.validation.measures import Found
from lineshape_training.validation.metrics.conditions import chimera_rate, class_agreement
from lineshape_training.validation.metrics.memorisation import memorisation
from lineshape_training.validation.metrics.mmd import mmd
from lineshape_training.validation.metrics.power import high_frequency_power_ratio
from lineshape_training.validation.metrics.two_sample import two_sample_auc

MMD, AUC = "MMD", "two-sample AUC"
CHIMERAS, AGREEMENT = "chimeras", "class agreement"
DISTANCE, POWER = "distance ratio", "high-frequency power"
FIGURES = (MMD, AUC, CHIMERAS, AGREEMENT, DISTANCE, POWER)
HALVINGS = 20

Intervals = dict[str, Interval]


def judged(evidence: Evidence) -> tuple[Found, Intervals]:
    """The figures of synthetic spectra, and the interval of the two-sample AUC.

    Classes are told by classifiers fitted to the training spectra, which have enough groups of every class for that.
    A figure that the spectra do not allow is left out.
    """
    found, auc = _apart(evidence.synthetic, evidence.real, evidence.train)
    return _finite(found | _classes(evidence.synthetic, evidence.train)), {AUC: auc}


def floor(evidence: Evidence) -> tuple[Found, Intervals]:
    """The same of real spectra: unseen groups are halved `HALVINGS` times, and one half is judged by the other.

    The figures are means over the halvings, and the intervals hold the middle 95 % of them; that of the MMD is half as
    wide as halves have it, for where there is no difference it spreads as one over the number of groups, and synthetic
    spectra are judged by all of them. Halves are made of groups alone: were they given the same classes, the few groups
    of a class would stand against each other, and differ less than chance would have it. Classes are told of all unseen
    spectra.
    """
    apart = [_apart(one, other, evidence.train)[0] for one, other in halvings(evidence.real)]
    found = {name: np.array([one[name] for one in apart]) for name in apart[0]}
    intervals = {MMD: _middle(found[MMD], 0.5), AUC: _middle(found[AUC])}
    means = {name: float(values.mean()) for name, values in found.items()}
    return _finite(means | _classes(evidence.real, evidence.train)), intervals


def halvings(real: Side) -> Iterator[tuple[Side, Side]]:
    """Halves of whole groups, dealt out anew each time."""
    for seed in range(HALVINGS):
        one, other = group_folds(real.group, 2, seed)[0]
        yield real.rows(one), real.rows(other)


def _middle(values: Float64[np.ndarray, " n"], narrowed: float = 1.0) -> Interval:
    """The mean, and the ends of the middle 95 %, so many times as far from it."""
    mean = float(values.mean())
    low, high = (mean + narrowed * (float(end) - mean) for end in np.quantile(values, [0.025, 0.975]))
    return Interval(mean, low, high)


def _apart(ours: Side, real: Side, train: Side) -> tuple[Found, Interval]:
    """How far spectra stand from real ones, and from those of the fit."""
    auc = two_sample_auc(ours.values, real.values, real.group, 0, ours.group)
    return {
        MMD: mmd(ours.values, real.values, groups=real.group, synthetic_groups=ours.group),
        AUC: auc.value,
        DISTANCE: memorisation(ours.values, real.values, train.values, real.group, train.group).distance_ratio,
        POWER: high_frequency_power_ratio(ours.values, real.values),
    }, auc


def _classes(ours: Side, train: Side) -> Found:
    judges: dict[str, Callable[[], float]] = {
        CHIMERAS: lambda: chimera_rate(ours.values, train.values, train.label, train.group),
        AGREEMENT: lambda: class_agreement(ours.values, ours.label, train.values, train.label),
    }
    found: Found = {}
    for name, judge in judges.items():
        try:
            found[name] = judge()
        except LineshapeError:  # a class with a single group in the fit
            continue
    return found


def _finite(found: Found) -> Found:
    return {name: value for name, value in found.items() if np.isfinite(value)}
