"""A small convolutional classifier with a fixed budget: the same number of steps however many spectra there are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor, nn

STEPS, BATCH, RATE = 300, 64, 3e-3
LEAST = 0.01  # of the largest standard deviation: a point that hardly varied in the fit must not outweigh all others
CHANNELS = 16


class _Network(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        c = CHANNELS
        self.body = nn.Sequential(
            nn.Conv1d(1, c, 9, 2, 4), nn.GELU(), nn.Conv1d(c, 2 * c, 9, 4, 4), nn.GELU(),
            nn.Conv1d(2 * c, 2 * c, 9, 4, 4), nn.GELU(), nn.AdaptiveAvgPool1d(8), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(16 * c, classes)

    def forward(self, x: Float[Tensor, "n 1 L"]) -> Float[Tensor, "n K"]:
        logits: Tensor = self.head(self.body(x))
        return logits


class ConvolutionalClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Three strided convolutions, pooled to eight cells, and a linear layer.

    Parameters
    ----------
    seed : int
        Of the weights and the batches.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> ConvolutionalClassifier:
        """Fit to spectra [n, L] and their classes [n]."""
        self.classes_, index = np.unique(y, return_inverse=True)
        self.middle_, deviation = X.mean(0), X.std(0)
        self.scale_ = np.maximum(deviation, max(LEAST * deviation.max(), 1e-12))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network_ = _Network(len(self.classes_))
            self._descend(self._tensor(X), torch.from_numpy(index))
        return self

    @torch.no_grad()
    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities of the classes [n, K]."""
        parts = [self.network_(batch).softmax(1) for batch in torch.split(self._tensor(X), 1024)]
        return torch.cat(parts).double().numpy()

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The most probable class."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])

    def _descend(self, spectra: Tensor, classes: Tensor) -> None:
        optimizer = torch.optim.AdamW(self.network_.parameters(), lr=RATE, weight_decay=1e-3)
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / STEPS)) / 2
            rows = torch.randint(len(spectra), (BATCH,))
            loss = nn.functional.cross_entropy(self.network_(spectra[rows]), classes[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    def _tensor(self, X: NDArray[Any]) -> Float[Tensor, "n 1 L"]:
        return torch.from_numpy(np.ascontiguousarray((X - self.middle_) / self.scale_, np.float32))[:, None]
