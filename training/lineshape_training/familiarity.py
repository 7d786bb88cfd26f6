"""Familiarity: how much a spectrum looks like those a model was fitted on, in operations that stand in a graph.

A network says how unsure it is of what it sees: its doubt. Familiarity is the share of held-out groups with more doubt:
about uniform between 0 and 1 for new groups of the same population, near 1 for spectra like those of the fit.

Whatever the network believes, familiarity falls to 0 for what lies farther away than nearly all held-out groups. Two
distances are taken of a spectrum's features: within the leading principal components of the fitting spectra
(Mahalanobis'), and outside of them. Each is put on the scale of groups that were held out, and the worse one counts. A
flat line lies close to the mean of everything and is like nothing: less structure than any held-out spectrum has, or
more, counts as distance.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from lineshape_training.spectra import Names
from lineshape_training.splits import group_folds

FOLDS = 5
LEVELS = torch.linspace(0, 1, 21)  # of the held-out groups' distribution; straight lines between them
TINY = 1e-9
WITHIN = 0.95  # share of the held-out groups whose distance is still near enough
FADES = 0.5  # over this distance beyond the limit, in spreads of the held-out groups
STEEP = 10.0  # a step beyond the structure of every held-out spectrum weighs like ten of distance


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
    precision: Tensor
    middle: Tensor
    spread: Tensor
    quantiles: Tensor
    structured: Tensor
    limit: Tensor

    def __init__(self, size: int, components: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("directions", torch.zeros(size, components))
        self.register_buffer("precision", torch.zeros(components))
        self.register_buffer("middle", torch.zeros(3))
        self.register_buffer("spread", torch.ones(3))
        self.register_buffer("quantiles", LEVELS.clone())
        self.register_buffer("structured", torch.zeros(2))
        self.register_buffer("limit", torch.zeros(1))

    def forward(self, features: Float[Tensor, "n F"], doubt: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        """1 well inside, 0 unlike anything; `doubt` is how unsure a network is of what it sees."""
        low, high = self.quantiles[:-1], self.quantiles[1:]
        passed = ((doubt - low) / (high - low)).clamp(0, 1)
        return (1 - passed.mean(1, keepdim=True)) * (1 - (self.distance(features) - self.limit) / FADES).clamp(0, 1)

    def distance(self, features: Float[Tensor, "n F"]) -> Float[Tensor, "n 1"]:
        """The worse of the two distances, in spreads of the held-out groups, and what the structure adds."""
        asked = self._asked(features)
        distances = ((asked - self.middle) / self.spread)[:, :2].amax(1, keepdim=True)
        structure = asked[:, 2:]
        beyond = (self.structured[:1] - structure).clamp(min=0) + (structure - self.structured[1:]).clamp(min=0)
        return distances + STEEP * beyond

    def _asked(self, features: Float[Tensor, "n F"]) -> Float[Tensor, "n 3"]:
        """Logarithms of the distance inside, the distance outside, and the structure."""
        centred = features - self.mean
        scores = centred @ self.directions
        inside = ((scores * self.precision) ** 2).mean(1, keepdim=True)
        outside = ((centred - scores @ self.directions.T) ** 2).mean(1, keepdim=True)
        structure = ((features - features.mean(1, keepdim=True)) ** 2).mean(1, keepdim=True)
        return torch.log(torch.cat([inside, outside, structure], dim=1) + TINY)

    @torch.no_grad()
    def calibrate(self, features: Float[Tensor, "n F"], group: Names, doubt: Float[Tensor, "m 1"],
                  of: Shaped[np.ndarray, " m"], seed: int = 0) -> None:  # fmt: skip
        """Take the fitting spectra's components, and the scale of groups that were left out of them.

        Parameters
        ----------
        features : float32 [n, F]
        group : str [n]
        doubt : float32 [m, 1]
            Of networks that have not seen these groups.
        of : str [m]
            Their groups.
        """
        asked, rows = [], []
        for fitting, held in group_folds(group, min(FOLDS, len(np.unique(group))), seed):
            self._span(features[fitting])
            asked.append(self._asked(features[held]))
            rows.append(held)
        self._span(features)
        answers, weights = torch.cat(asked), _per_group(group[np.concatenate(rows)])
        low, middle, high = (_quantiles(answers, weights, torch.tensor([level]))[0] for level in (0.25, 0.5, 0.75))
        self.middle.copy_(middle)
        self.spread.copy_((high - low).clamp(min=1e-3))
        self.structured.copy_(torch.stack(answers[:, 2].aminmax()))
        distance = ((answers - self.middle) / self.spread)[:, :2].amax(1, keepdim=True)
        self.limit.copy_(_quantiles(distance, weights, torch.tensor([WITHIN]))[:, 0])
        rising = _quantiles(doubt, _per_group(of), LEVELS)[:, 0]
        self.quantiles.copy_(rising + TINY * 1e3 * torch.arange(len(LEVELS)))  # ties must not divide by 0

    def _span(self, features: Float[Tensor, "n F"]) -> None:
        mean = features.mean(0)
        _, singular, directions = torch.linalg.svd(features - mean, full_matrices=False)
        kept = min(self.directions.shape[1], len(singular) - 1)
        self.mean.copy_(mean)
        self.directions.zero_()[:, :kept] = directions[:kept].T
        self.precision.zero_()[:kept] = len(features) ** 0.5 / singular[:kept].clamp(min=1e-6)


def _per_group(group: Names) -> Tensor:
    """Weights that give every group the same say, however many spectra it has."""
    _, inverse, counts = np.unique(group, return_inverse=True, return_counts=True)
    return torch.from_numpy(1.0 / counts[inverse])


def _quantiles(values: Float[Tensor, "n k"], weights: Tensor, levels: Float[Tensor, " q"]) -> Float[Tensor, "q k"]:
    """Weighted quantiles of each column."""
    columns = []
    for column in values.T:
        order = torch.argsort(column)
        rank = torch.cumsum(weights[order], 0) / weights.sum()
        at = torch.searchsorted(rank, levels.to(rank.dtype) * (1 - 1e-12)).clamp(max=len(column) - 1)
        columns.append(column[order][at])
    return torch.stack(columns, dim=1)
