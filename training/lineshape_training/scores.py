"""How alike two spectra are, over the points that were measured."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Rows = Float[Tensor, "n L"]


def pearson(a: Rows, b: Rows, mask: Rows) -> Float[Tensor, " n"]:
    """Pearson correlation of each pair of rows, -1 to 1; 0 where one of them is constant."""
    points = mask.sum(1, keepdim=True).clamp(min=1)
    a, b = ((x - (x * mask).sum(1, keepdim=True) / points) * mask for x in (a, b))
    return (a * b).sum(1) / torch.sqrt((a * a).sum(1) * (b * b).sum(1)).clamp(min=1e-12)


def rmse(a: Rows, b: Rows, mask: Rows) -> Float[Tensor, " n"]:
    """Root mean square difference of each pair of rows, in the unit of the intensities."""
    return torch.sqrt((((a - b) ** 2) * mask).sum(1) / mask.sum(1).clamp(min=1))
