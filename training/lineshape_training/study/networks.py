"""Classifiers that are networks with a fixed budget: the same number of steps however many spectra there are."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor, nn

LEAST = 0.01  # of the largest standard deviation: a point that hardly varied in the fit must not outweigh all others


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network on standardised points, fitted by AdamW with a cosine schedule.

    Parameters
    ----------
    seed : int
        Of the weights and the batches.
    """

    steps: ClassVar[int] = 300
    batch: ClassVar[int] = 64
    rate: ClassVar[float] = 3e-3

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @abstractmethod
    def network(self, classes: int) -> nn.Module:
        """A network from spectra [n, 1, L] to logits [n, K], with fresh weights."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> NetworkClassifier:
        """Fit to spectra [n, L] and their classes [n]."""
        self.classes_, index = np.unique(y, return_inverse=True)
        self.middle_, deviation = X.mean(0), X.std(0)
        self.scale_ = np.maximum(deviation, max(LEAST * deviation.max(), 1e-12))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network_ = self.network(len(self.classes_))
            self._descend(self._tensor(X), torch.from_numpy(index))
        return self

    @torch.no_grad()
    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities of the classes [n, K]."""
        parts = [self.network_(batch).softmax(1) for batch in torch.split(self._tensor(X), 1024)]
        return np.asarray(torch.cat(parts).double().numpy())

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The most probable class."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])

    def _descend(self, spectra: Tensor, classes: Tensor) -> None:
        optimizer = torch.optim.AdamW(self.network_.parameters(), lr=self.rate, weight_decay=1e-3)
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = self.rate * (1 + math.cos(math.pi * step / self.steps)) / 2
            rows = torch.randint(len(spectra), (self.batch,))
            loss = nn.functional.cross_entropy(self.network_(spectra[rows]), classes[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    def _tensor(self, X: NDArray[Any]) -> Float[Tensor, "n 1 L"]:
        return torch.from_numpy(np.ascontiguousarray((X - self.middle_) / self.scale_, np.float32))[:, None]
