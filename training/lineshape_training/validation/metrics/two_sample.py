"""Classifier two-sample test: can a classifier tell synthetic spectra from real ones that it has not seen?"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lineshape.results import Interval
from lineshape_training.splits import group_folds
from lineshape_training.validation.metrics.blocks import Real, RealGroups, Synthetic, SyntheticGroups, comparable

Features: TypeAlias = Float64[np.ndarray, "N F"]
Scores: TypeAlias = Float64[np.ndarray, " n"]

FOLDS = 5
COMPONENTS = 20
PER_COMPONENT = 10  # spectra, at least
SEGMENTS = 16  # of the axis, whose residuals are looked at one by one
LAGS = (1, 2, 4, 8, 16)  # points
TINY = 1e-12  # of the variance: the power of a spectrum that has none
NORMAL = 1.959964  # standard errors to either side of a 95 % interval
SHARED = 1 + FOLDS / (FOLDS - 1)  # what shared fitting spectra add to the variance


def two_sample_auc(
    synthetic: Synthetic,
    real: Real,
    groups: RealGroups | None = None,
    seed: int = 0,
    synthetic_groups: SyntheticGroups | None = None,
) -> Interval:
    """Area under the ROC curve of a classifier that tells synthetic from real spectra, out of fold.

    Lopez-Paz and Oquab 2017 ("Revisiting classifier two-sample tests"), with logistic regression on features that show
    shape (principal component scores), spread (their absolute values: class means have none) and noise (logarithms of
    what the components leave over along the axis, and of the power of second differences over 1 to 16 points). The
    features are made without looking at which side a spectrum is on.

    Smaller is better, down to .5: cannot tell; 1: always can. Below .5 the two sides differ less than chance would have
    it, as by few groups they may. Copies of real spectra cannot be told from them, and score .5.

    Parameters
    ----------
    synthetic, real : float [n, L], [m, L]
    groups, synthetic_groups : str [m], str [n], optional
        The independent unit of each spectrum, all of whose spectra are in one fold; each stands for itself where not
        given. Real spectra of a patient who is in the training folds would be recognised by the patient.
    seed : int
        Of the folds.

    Returns
    -------
    Interval
        The 95 % interval is DeLong's (1988), with the sums over groups of Obuchowski 1997 (Biometrics 53, 567), widened
        because the folds' classifiers share what they were fitted on (Nadeau and Bengio 2003, Machine Learning 52, 239:
        a variance of 1/folds becomes 1/folds + held-out/fitted).

    Raises
    ------
    DataError
        If a side has fewer than `FOLDS` groups.
    """
    synthetic, real = comparable(synthetic, real)
    names = np.arange(len(synthetic)).astype(str) if synthetic_groups is None else synthetic_groups
    real_names = np.arange(len(real)).astype(str) if groups is None else groups
    features = _features(np.concatenate([synthetic, real]), seed)
    is_synthetic = np.arange(len(features)) < len(synthetic)
    above = np.empty(len(features))  # the share of the other side, in its own fold, that each spectrum beats
    for (fit, held), (real_fit, real_held) in zip(
        group_folds(names, FOLDS, seed), group_folds(real_names, FOLDS, seed), strict=True
    ):
        fitted = np.concatenate([fit, real_fit + len(synthetic)])
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500, class_weight="balanced"))
        classifier.fit(features[fitted], is_synthetic[fitted])
        judged = np.concatenate([held, real_held + len(synthetic)])
        above[judged] = _placements(classifier.decision_function(features[judged]), is_synthetic[judged])
    return _interval(above[is_synthetic], names, above[~is_synthetic], real_names)


def _features(spectra: Float64[np.ndarray, "N L"], seed: int) -> Features:
    kept = max(1, min(COMPONENTS, len(spectra) // PER_COMPONENT, spectra.shape[1] - 1))
    components = PCA(kept, svd_solver="randomized", random_state=seed).fit(spectra)
    scores = components.transform(spectra)
    residual = spectra - components.inverse_transform(scores)
    along = [(part**2).mean(axis=1) for part in np.array_split(residual, min(SEGMENTS, spectra.shape[1]), axis=1)]
    lags = [lag for lag in LAGS if 2 * lag < spectra.shape[1]]
    rough = [(_second_difference(spectra, lag) ** 2).mean(axis=1) for lag in lags]
    powers = np.log(np.stack(along + rough, axis=1) + TINY * spectra.var() + np.finfo(np.float64).tiny)
    features: Features = np.concatenate([scores, np.abs(scores), powers], axis=1)
    return features


def _second_difference(spectra: Float64[np.ndarray, "N L"], lag: int) -> Float64[np.ndarray, "N K"]:
    difference: Float64[np.ndarray, "N K"] = spectra[:, 2 * lag :] - 2 * spectra[:, lag:-lag] + spectra[:, : -2 * lag]
    return difference


def _placements(scores: Scores, positive: Bool[np.ndarray, " n"]) -> Scores:
    """For a positive: the share of negatives with a smaller score; for a negative: of positives with a larger one."""
    n, m = int(positive.sum()), int((~positive).sum())
    ranks = rankdata(scores)
    placements = np.empty(len(scores))
    placements[positive] = (ranks[positive] - rankdata(scores[positive])) / m
    placements[~positive] = 1 - (ranks[~positive] - rankdata(scores[~positive])) / n
    return placements


def _interval(
    synthetic: Scores, groups: SyntheticGroups, real: Float64[np.ndarray, " m"], real_groups: RealGroups
) -> Interval:
    value = float(synthetic.mean() + real.mean()) / 2
    variance = _variance_of_mean(synthetic, groups) + _variance_of_mean(real, real_groups)
    reach = NORMAL * float(np.sqrt(SHARED * variance))
    return Interval(value, max(0.0, value - reach), min(1.0, value + reach))


def _variance_of_mean(placements: Scores, groups: SyntheticGroups) -> float:
    _, inverse = np.unique(groups, return_inverse=True)
    sums = np.bincount(inverse, weights=placements - placements.mean())
    return float((sums**2).sum() * len(sums) / (len(sums) - 1) / len(placements) ** 2)
