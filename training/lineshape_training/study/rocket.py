"""A classifier on random-free convolutional features, after MiniRocket (Dempster, Schmidt and Webb, 2021).

Kernels have nine weights, six of -1 and three of 2, so there are 84 of them; each is applied at several dilations, and
the feature is the proportion of points at which the response exceeds a bias (a quantile of the responses of training
spectra). Ridge regression on the features decides. Smaller than the original: two biases for each kernel and dilation,
responses at every second point, and zeros beyond the ends.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.functional import conv1d

LENGTH, TWOS = 9, 3
DILATIONS = (1, 4, 16)
QUANTILES = (0.35, 0.75)
EXAMPLES = 64  # training spectra whose responses give the biases
BATCH = 128


class RocketClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge regression on the proportions of positive responses of 84 fixed kernels.

    Parameters
    ----------
    seed : int
        Of the choice of spectra that give the biases.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> RocketClassifier:
        """Fit to spectra [n, L] and their classes [n]."""
        self.classes_, index = np.unique(y, return_inverse=True)
        some = np.random.default_rng(self.seed).permutation(len(X))[:EXAMPLES]
        self.biases_ = [_quantiles(_responses(_tensor(X[some]), d)) for d in _dilations(X.shape[1])]
        self.scaler_ = StandardScaler().fit(features := self.features(X))
        ridge = RidgeCV(np.logspace(-1, 5, 7))
        self.ridge_ = ridge.fit(self.scaler_.transform(features), 2 * np.eye(len(self.classes_))[index] - 1)
        return self

    def features(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Proportions of points at which a response exceeds its bias, [n, 84 x dilations x quantiles]."""
        batches = torch.split(_tensor(X), BATCH)
        return np.concatenate([self._proportions(batch).numpy() for batch in batches])

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Softmax of the ridge regression's answers, [n, K]; it orders as they do, and is not calibrated."""
        answers = self.ridge_.predict(self.scaler_.transform(self.features(X)))
        powers = np.exp(answers - answers.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float64)

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The class of the largest answer."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])

    def _proportions(self, batch: Float[Tensor, "n 1 L"]) -> Float[Tensor, "n F"]:
        parts = []
        for dilation, biases in zip(_dilations(batch.shape[2]), self.biases_, strict=True):
            responses = _responses(batch, dilation)
            parts += [(responses > bias[:, None]).float().mean(2) for bias in biases]
        return torch.cat(parts, dim=1)


def _tensor(X: NDArray[Any]) -> Float[Tensor, "n 1 L"]:
    """Spectra as the kernels take them: the kernels sum to 0, so only the scale is left to take away."""
    values = torch.from_numpy(np.ascontiguousarray(X, np.float32))
    return ((values - values.mean(1, keepdim=True)) / values.std(1, keepdim=True).clamp(min=1e-12))[:, None]


def _kernels() -> Float[Tensor, "84 1 9"]:
    kernels = -torch.ones(84, 1, LENGTH)
    for kernel, places in zip(kernels, combinations(range(LENGTH), TWOS), strict=True):
        kernel[0, list(places)] = 2.0
    return kernels


def _dilations(points: int) -> list[int]:
    """Those at which a kernel still fits into the spectrum."""
    return [dilation for dilation in DILATIONS if dilation * (LENGTH - 1) < points]


def _responses(batch: Float[Tensor, "n 1 L"], dilation: int) -> Float[Tensor, "n 84 _"]:
    return conv1d(batch, _kernels(), dilation=dilation, padding=dilation * (LENGTH // 2), stride=2)


def _quantiles(responses: Float[Tensor, "n 84 _"]) -> Float[Tensor, "q 84"]:
    flat = responses.transpose(0, 1).flatten(1).numpy()
    return torch.from_numpy(np.quantile(flat, QUANTILES, axis=1).astype(np.float32))
