"""The intensity half of preprocessing as part of a network: the same text as `lineshape.preprocessing`, on tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lineshape.errors import RecipeError
from lineshape.preprocessing import Step, forward, inverse


def tensor_of(array: NDArray[Any]) -> Tensor:
    """The array as a tensor: its own memory, or a copy where it may not be written, as what worker processes share."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def prepared(steps: Sequence[Step], values: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
    """Measured intensities as a network sees them; 0 where not measured."""
    result: Tensor = forward(steps, xp, values, mask)[0]
    return result


def restored(steps: Sequence[Step], values: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
    """A network's intensities with the pointwise steps undone.

    Scaling each spectrum by itself (SNV, min-max, ...) loses the scale, which a generated spectrum never had: it stays
    in relative intensities, so those steps must come first.
    """
    pointwise = [step for step in steps if step.pointwise]
    result: Tensor = inverse(pointwise, xp, values, [()] * len(pointwise))
    return result


def generated(steps: Sequence[Step], values: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
    """A sampler's intensities with the pointwise steps undone, and scaled as the spectra of the fit were."""
    relative = restored(steps, values)
    return prepared([step for step in steps if not step.pointwise], relative, torch.ones_like(relative))


def check_generated(steps: Sequence[Step], where: str) -> None:
    """Refuse steps that a generated spectrum could not come back through.

    Raises
    ------
    RecipeError
        If a step without an inverse is among them, or a scaling follows a pointwise step.
    """
    kinds = ["pointwise" if step.pointwise else "scaling" for step in steps]
    if not all(step.invertible for step in steps) or kinds != sorted(kinds, reverse=True):
        raise RecipeError(f"{where}: generated spectra allow scaling steps (snv, min-max, ...) and then pointwise ones "
                          "(square-root, log1p), in that order")  # fmt: skip
