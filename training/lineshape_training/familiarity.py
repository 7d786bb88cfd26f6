"""Familiarity: how much a spectrum looks like those a model was fitted on, in operations that stand in a graph.

Distance is Mahalanobis' within the leading principal components of the fitting spectra, plus what lies outside them.
Familiarity is the share of held-out groups that lie farther away: about uniform between 0 and 1 for new members of the
same population, near 0 for anything unlike it.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineshape_training.spectra import Names
from lineshape_training.splits import group_folds

FOLDS = 5


class Familiarity(nn.Module):
    """Features [n, F] to familiarity [n, 1].

    Parameters
    ----------
    size : int
        Number of features.
    components : int
        Principal components that span the fitting spectra.
    """

    mean: Tensor
    directions: Tensor
    inside: Tensor
    outside: Tensor
    middle: Tensor
    spread: Tensor

    def __init__(self, size: int, components: int) -> None:
        super().__init__()
        shapes = {"mean": (size,), "directions": (size, components), "inside": (components,)}
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))
        for name in ("outside", "middle", "spread"):
            self.register_buffer(name, torch.ones(1))

    def forward(self, features: Float[Tensor, "n F"]) -> Float[Tensor, "n 1"]:
        """1 well inside, 0 unlike anything."""
        return torch.sigmoid((self.middle - torch.log(self.distance(features) + 1e-12)) / self.spread)

    def distance(self, features: Float[Tensor, "n F"]) -> Float[Tensor, "n 1"]:
        """Squared distance; 1 is typical inside and outside the components together, for the fitting spectra."""
        centred = features - self.mean
        scores = centred @ self.directions
        rest = ((centred - scores @ self.directions.T) ** 2).mean(1, keepdim=True)
        return ((scores * self.inside) ** 2).mean(1, keepdim=True) / 2 + rest * self.outside / 2

    @torch.no_grad()
    def calibrate(self, features: Float[Tensor, "n F"], group: Names, seed: int = 0) -> None:
        """Take the fitting spectra's components, and the distances of groups that were left out of them."""
        distances, weights = [], []
        for fitting, held in group_folds(group, min(FOLDS, len(np.unique(group))), seed):
            self._span(features[fitting])
            distances.append(torch.log(self.distance(features[held])[:, 0] + 1e-12))
            weights.append(_per_group(group[held]))
        self._span(features)
        low, middle, high = _weighted_quantiles(torch.cat(distances), torch.cat(weights), (0.25, 0.5, 0.75))
        self.middle.fill_(middle)
        self.spread.fill_(max((high - low) / (2 * np.log(3)), 1e-3))  # a logistic's quartiles lie ln 3 from its middle

    def _span(self, features: Float[Tensor, "n F"]) -> None:
        mean = features.mean(0)
        _, singular, directions = torch.linalg.svd(features - mean, full_matrices=False)
        kept = min(self.directions.shape[1], len(singular) - 1)
        deviation = (singular[:kept] / len(features) ** 0.5).clamp(min=1e-6)
        self.mean.copy_(mean)
        self.directions.zero_()[:, :kept] = directions[:kept].T
        self.inside.zero_()[:kept] = 1 / deviation
        residual = (features - mean) @ (torch.eye(features.shape[1]) - self.directions @ self.directions.T)
        self.outside.fill_(1 / float((residual**2).mean().clamp(min=1e-9)))


def _per_group(group: Names) -> Tensor:
    """Weights that give every group the same say, however many spectra it has."""
    _, inverse, counts = np.unique(group, return_inverse=True, return_counts=True)
    return torch.from_numpy(1.0 / counts[inverse])


def _weighted_quantiles(values: Tensor, weights: Tensor, levels: tuple[float, ...]) -> list[float]:
    order = torch.argsort(values)
    rank = torch.cumsum(weights[order], 0) / weights.sum()
    return [float(values[order][torch.searchsorted(rank, torch.tensor(level, dtype=rank.dtype))]) for level in levels]
