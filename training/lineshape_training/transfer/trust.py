"""Whether a transfer knows what it does not know: coverage and width of the interval, and what familiarity tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray
from scipy.stats import rankdata

from lineshape.results import Interval, bootstrapped
from lineshape_training.conformal import interval_score, stretch
from lineshape_training.spectra import Names
from lineshape_training.transfer.cells import Answers
from lineshape_training.transfer.metrics import Measured

Spectra: TypeAlias = Float32[np.ndarray, "n L"]
PerPair: TypeAlias = Float64[np.ndarray, " n"]

LEVEL = 0.9  # what an interval promises
PEAK = 0.1  # intensity from which a point belongs to a peak
GOOD = 0.7  # Pearson correlation above which a transfer is good
FAMILIAR = 0.5  # half of the held-out groups of a fit are less so


def trust(repeats: Sequence[Answers], measured: Measured,
          pearson: Float64[np.ndarray, "r n"]) -> dict[str, Interval]:  # fmt: skip
    """Every figure of trust, with its interval over minerals.

    ``coverage_by_mineral`` and ``coverage_at_peaks`` (points above `PEAK`): share of the points inside the interval,
    every mineral with the same weight. ``interval_score`` (smaller is better),
    that of a band of one width around the same spectra, and how much ours saves. ``familiarity_auc``: how well
    familiarity tells pairs with a correlation above `GOOD` from the rest; ``cosine_auc``: how well the similarity of
    the nearest source does; and their difference. ``pearson_familiar`` and ``pearson_unfamiliar``: the mean correlation
    of pairs with a familiarity of at least `FAMILIAR`, and of the rest.

    Parameters
    ----------
    repeats : sequence of Answers
    measured : Measured
    pearson : float64 [r, n]
        Of our answers, for each repeat.
    """
    truth, mask, group = measured.spectra, measured.mask, measured.group
    covered, peaks = (
        _mean([covered_share(a, truth, where) for a in repeats]) for where in (mask, mask * (truth > PEAK))
    )
    ours = _mean([interval_score(a.lower, a.upper, truth, mask, LEVEL) for a in repeats])
    constant = _mean([interval_score(*constant_band(a, truth, mask, group), truth, mask, LEVEL) for a in repeats])
    found = {"coverage_by_mineral": covered, "coverage_at_peaks": peaks}
    names = np.unique(group)
    weighted = {name: bootstrapped(by_group(values, group), names, _average) for name, values in found.items()}
    scores = {"interval_score": ours, "interval_score_constant_width": constant,
              "interval_score_saved": constant - ours}  # fmt: skip
    return (
        weighted
        | {name: bootstrapped(values, group, _average) for name, values in scores.items()}
        | _told(repeats, group, pearson)
    )


def covered_share(answers: Answers, truth: Spectra, where: Spectra) -> PerPair:
    """Share of the points `where` is 1 that lie inside the interval."""
    inside = (truth >= answers.lower) & (truth <= answers.upper)
    share: PerPair = (inside * where).sum(axis=1, dtype=np.float64) / where.sum(axis=1).clip(min=1)
    return share


def constant_band(answers: Answers, truth: Spectra, mask: Spectra, group: Names) -> tuple[Spectra, Spectra]:
    """A band of one width around the spectrum, conformalised as ours is, within 0 and 1.

    The width for a fold is learned from the pairs that the other folds held out.
    """
    half = np.zeros((len(truth), 1), np.float32)
    for fold in np.unique(answers.fold):
        held = answers.fold == fold
        off = np.abs(truth - answers.spectrum)[~held]
        half[held] = stretch(off, mask[~held], group[~held], LEVEL)
    return (answers.spectrum - half).clip(0, 1), (answers.spectrum + half).clip(0, 1)


def auc(score: NDArray[Any], good: NDArray[np.bool_]) -> float:
    """Chance that a good pair has the larger score than another, ties half; 1/2 where there are none of one kind."""
    positive, negative = int(good.sum()), int((~good).sum())
    if not positive or not negative:
        return 0.5
    return float((rankdata(score)[good].sum() - positive * (positive + 1) / 2) / (positive * negative))


def by_group(values: PerPair, group: Names) -> Float64[np.ndarray, " g"]:
    """The mean of each group: the unit for which an interval promises its coverage."""
    return np.array([values[group == name].mean() for name in np.unique(group)])


def _told(repeats: Sequence[Answers], group: Names, pearson: Float64[np.ndarray, "r n"]) -> dict[str, Interval]:
    """What familiarity and the nearest cosine tell of a transfer; the mean over repeats is taken of the AUC."""
    scores = np.stack([np.stack([answers.familiarity, answers.cosine]) for answers in repeats])
    columns = np.concatenate([scores, pearson[:, None]], axis=1).transpose(2, 0, 1)  # [n, r, 3]

    def told(of: int, less: int | None = None) -> Interval:
        def statistic(drawn: NDArray[Any]) -> float:
            good = drawn[..., 2] > GOOD
            each = [auc(drawn[:, r, of], good[:, r]) - (auc(drawn[:, r, less], good[:, r]) if less is not None else 0)
                    for r in range(drawn.shape[1])]  # fmt: skip
            return float(np.mean(each))

        return bootstrapped(columns, group, statistic)

    def expected(familiar: bool) -> Interval:
        def statistic(drawn: NDArray[Any]) -> float:
            of = (drawn[..., 0] >= FAMILIAR) == familiar
            return float(drawn[..., 2][of].mean()) if of.any() else 0.0

        return bootstrapped(columns, group, statistic)

    return {
        "familiarity_auc": told(0), "cosine_auc": told(1), "familiarity_gain": told(0, 1),
        "pearson_familiar": expected(True), "pearson_unfamiliar": expected(False),
    }  # fmt: skip


def _mean(repeats: list[PerPair]) -> PerPair:
    mean: PerPair = np.mean(repeats, axis=0)
    return mean


def _average(values: NDArray[Any]) -> float:
    return float(values.mean())
