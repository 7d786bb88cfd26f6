"""What a transfer model must beat: look-up, the mean, and kernel ridge regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from torch import Tensor

Known: TypeAlias = Float[Tensor, "n F"]
Targets: TypeAlias = Float[Tensor, "n L"]
Asked: TypeAlias = Float[Tensor, "m F"]
Answers: TypeAlias = Float[Tensor, "m L"]
Baseline: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]  # known sources, known targets, asked sources

RIDGE = 0.1


def mean_spectrum(known: Known, targets: Targets, asked: Asked) -> Answers:
    """The mean target of the fit, whatever is asked."""
    return targets.mean(0, keepdim=True).expand(len(asked), -1)


def nearest_neighbour(known: Known, targets: Targets, asked: Asked) -> Answers:
    """The target of the known source with the largest cosine similarity."""
    similarity = torch.nn.functional.normalize(asked) @ torch.nn.functional.normalize(known).T
    return targets[similarity.argmax(1)]


def kernel_ridge(known: Known, targets: Targets, asked: Asked) -> Answers:
    """Ridge regression with a Gaussian kernel whose width is the median distance of the known sources."""
    width = float(torch.pdist(known).median())
    model = KernelRidge(alpha=RIDGE, kernel=RBF(width))
    middle = targets.mean(0, keepdim=True)
    model.fit(known.numpy(), (targets - middle).numpy())
    return middle + torch.from_numpy(model.predict(asked.numpy())).to(targets.dtype)


BASELINES: dict[str, Baseline] = {
    "mean spectrum": mean_spectrum,
    "nearest neighbour": nearest_neighbour,
    "kernel ridge": kernel_ridge,
}
