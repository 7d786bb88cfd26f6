"""Fixed probes: what a generator's spectra must help. No probe is tuned, so that none can be tuned in anybody's favour.

Five classifiers and three regressors, from linear to convolutional, each with `fit(X, y)` and `predict_proba(X)` or
`predict(X)` in the manner of scikit-learn; and a residual network for those who ask for it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cross_decomposition import PLSRegression
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lineshape.errors import UsageError
from lineshape_training.study.convolutional import ConvolutionalClassifier
from lineshape_training.study.residual import ResidualClassifier
from lineshape_training.study.rocket import RocketClassifier

COMPONENTS = 10  # of PLS
TREES = 50


class PLSDA(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Partial least squares discriminant analysis: PLS regression on indicators of the classes (Barker, Rayens, 2003).

    Parameters
    ----------
    components : int
        At most; fewer where there are fewer spectra or points.
    """

    def __init__(self, components: int = COMPONENTS) -> None:
        self.components = components

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> PLSDA:
        """Fit to spectra [n, L] and their classes [n]."""
        self.classes_, index = np.unique(y, return_inverse=True)
        self.model_ = pls(self.components, X).fit(X, np.eye(len(self.classes_))[index])
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """The estimated indicators, clipped and scaled to sum to 1, [n, K]."""
        indicators = np.clip(self.model_.predict(X), 1e-6, None)
        return np.asarray(indicators / indicators.sum(1, keepdims=True))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The class of the largest indicator."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])


class _Logistic(LogisticRegression):  # type: ignore[misc]
    """Logistic regression that stops after a fixed number of steps and need not say so."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> _Logistic:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(X, y)
        return self


def snv(X: NDArray[Any]) -> NDArray[Any]:
    """Standard normal variate of each row."""
    centred = X - X.mean(1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(1, keepdims=True), 1e-12))


def pls(components: int, X: NDArray[Any]) -> PLSRegression:
    """PLS regression without scaling of the points, with fewer components where there are few spectra or points."""
    return PLSRegression(min(components, len(X) - 1, X.shape[1]), scale=False)


class PLS(BaseEstimator):  # type: ignore[misc]
    """PLS regression of one analyte."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> PLS:
        """Fit to spectra [n, L] and amounts [n]."""
        self.model_ = pls(COMPONENTS, X).fit(X, y)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Amounts [n]."""
        return np.asarray(self.model_.predict(X)).ravel()


Probes: TypeAlias = Mapping[str, Callable[[int], Any]]  # each takes the seed of whatever is random in it

CLASSIFIERS: Probes = {
    "PLS-DA": lambda seed: PLSDA(),
    "logistic regression": lambda seed: make_pipeline(FunctionTransformer(snv), _Logistic(max_iter=200)),
    "random forest": lambda seed: RandomForestClassifier(TREES, random_state=seed),
    "rocket": RocketClassifier,
    "CNN": ConvolutionalClassifier,
}
ASKED_FOR: Probes = {"ResNet": ResidualClassifier}  # classifiers that take too long to be among the usual ones
REGRESSORS: Probes = {
    "PLS": lambda seed: PLS(),
    "random forest": lambda seed: RandomForestRegressor(TREES, max_features=1 / 3, random_state=seed),
    "gradient boosting": lambda seed: HistGradientBoostingRegressor(max_features=1 / 3, random_state=seed),
}


def probes(classes: bool, names: tuple[str, ...] = ()) -> Probes:
    """The probes of classes or of amounts: those of these names, or the usual ones.

    Raises
    ------
    UsageError
        If there is none of a name.
    """
    usual = CLASSIFIERS if classes else REGRESSORS
    offered = {**usual, **(ASKED_FOR if classes else {})}
    if unknown := set(names) - set(offered):
        of = "classes" if classes else "an analyte"
        raise UsageError(f"no probe {min(unknown)!r} of {of}; there are {', '.join(offered)}")
    return {name: offered[name] for name in names or usual}
