"""Does a synthetic spectrum show the class that was asked for, and one class only?

The judges are fitted on real spectra, so every figure is limited by how well they know real ones: read it beside the
same figure of real spectra that they were not fitted on, passed in the place of the synthetic ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Shaped
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from lineshape.errors import DataError
from lineshape_training.spectra import Names
from lineshape_training.splits import stratified_folds
from lineshape_training.validation.metrics.blocks import comparable
from lineshape_training.validation.metrics.components import components
from lineshape_training.validation.metrics.snv import snv

SCORES = 30
"""Principal components that the classifier sees, as far as there are spectra for them."""

ITERATIONS = 1000  # some 50 are needed; components of unit variance converge fast
FOLDS = 5
SURE = 0.9
"""Probability from which on a spectrum counts as of one class."""


def class_agreement(
    synthetic: Float[np.ndarray, "n L"],
    labels: Names,
    real: Float[np.ndarray, "m L"],
    real_labels: Shaped[np.ndarray, " m"],
) -> float:
    """Balanced accuracy of a classifier of real spectra on the synthetic ones, against the classes asked for.

    Logistic regression on the principal components of the spectra after SNV. 0 to 1, higher is better; guessing has 1
    over the number of classes asked for.

    Raises
    ------
    DataError
        If the real spectra have one class, or a class was asked for that they do not have.
    """
    synthetic, real = comparable(synthetic, real)
    if unknown := sorted(set(labels.tolist()) - set(real_labels.tolist())):
        raise DataError(f"class {unknown[0]!r} stands among the synthetic spectra and not among the real ones")
    judge = _judge(snv(real), real_labels)
    found = judge.model.predict(judge.scores(snv(synthetic)))
    return float(np.mean([(found[labels == name] == name).mean() for name in np.unique(labels)]))


def chimera_rate(
    synthetic: Float[np.ndarray, "n L"],
    real: Float[np.ndarray, "m L"],
    real_labels: Shaped[np.ndarray, " m"],
    real_group: Shaped[np.ndarray, " m"],
) -> float:
    """Share of synthetic spectra to which no class gives a probability above .9; 0 to 1, lower is better.

    The probabilities of the classifier of `class_agreement`, calibrated by one temperature (Guo et al. 2017), which
    makes the log-likelihood of real spectra largest whose groups the classifier was not fitted on. Where real classes
    overlap, real spectra have a high rate too.

    Raises
    ------
    DataError
        If the real spectra have one class, or a class has fewer than two independent groups.
    """
    synthetic, real = comparable(synthetic, real)
    real = snv(real)
    temperature = _temperature(real, real_labels, real_group)
    logits = _judge(real, real_labels).logits(snv(synthetic))
    return float((log_softmax(logits / temperature, axis=1).max(axis=1) < np.log(SURE)).mean())


@dataclass(frozen=True, eq=False)
class _Judge:
    """A classifier of spectra."""

    mean: Float64[np.ndarray, " L"]
    axes: Float64[np.ndarray, "k L"]  # principal components, divided by the standard deviation along them
    model: LogisticRegression

    def scores(self, spectra: Float64[np.ndarray, "n L"]) -> Float64[np.ndarray, "n k"]:
        scores: Float64[np.ndarray, "n k"] = (spectra - self.mean) @ self.axes.T
        return scores

    def logits(self, spectra: Float64[np.ndarray, "n L"]) -> Float64[np.ndarray, "n classes"]:
        probabilities: Float64[np.ndarray, "n classes"] = self.model.predict_proba(self.scores(spectra))
        return np.asarray(np.log(probabilities.clip(np.finfo(np.float64).tiny)))


def _judge(real: Float64[np.ndarray, "n L"], labels: Names) -> _Judge:
    if len(np.unique(labels)) < 2:
        raise DataError(f"the real spectra are all of class {labels[0]!r}; agreement needs a second one")
    mean = real.mean(axis=0)
    directions, deviation = components(real - mean, SCORES)
    judge = _Judge(
        mean, directions / deviation[:, None], LogisticRegression(class_weight="balanced", max_iter=ITERATIONS)
    )
    judge.model.fit(judge.scores(real), labels)
    return judge


def _temperature(real: Float64[np.ndarray, "n L"], labels: Names, group: Names) -> float:
    """What to divide log-probabilities by, so that they are as sure as they are right.

    At least 1: between classes that never overlap the likelihood would grow without end as it falls, and a mixture of
    two of them would pass for certain.
    """
    logits, column = [], []
    folds = max(2, min(FOLDS, len(np.unique(group))))
    for fitting, held in stratified_folds(group, labels, folds, seed=0):
        if len(np.unique(labels[fitting])) < 2:
            continue  # few groups: all of another class are held out
        judge = _judge(real[fitting], labels[fitting])
        held = held[np.isin(labels[held], judge.model.classes_)]  # a class held out whole cannot be judged
        if len(held):
            logits.append(judge.logits(real[held]))
            column.append(np.searchsorted(judge.model.classes_, labels[held]))
    best = minimize_scalar(lambda t: _surprise(logits, column, np.exp(t)), bounds=(0, 5), method="bounded")
    return float(np.exp(best.x))


def _surprise(logits: list[NDArray[np.float64]], column: list[NDArray[np.intp]], temperature: float) -> float:
    """Negative log-likelihood of the true classes."""
    each = [log_softmax(z / temperature, axis=1)[np.arange(len(c)), c] for z, c in zip(logits, column, strict=True)]
    return -float(np.concatenate(each).sum())
