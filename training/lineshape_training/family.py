"""The family protocol: what the fitting loop, validation and export ask of a generator family.

A family is one file in `families/`, one recipe and one test. It turns a table into tensors, makes a network that can
be fitted, and makes the pure function that is exported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeAlias, TypeVar

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lineshape.bundle import SamplerSpec, Task
from lineshape.errors import RecipeError
from lineshape_training.contract import Contract
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import Names, PairTable, SpectraTable

Table: TypeAlias = SpectraTable | PairTable
Tensors: TypeAlias = dict[str, Tensor]  # float32 [n, ...], row i of each belongs to row i of the table
Rows: TypeAlias = NDArray[np.intp]


class Trainable(nn.Module):
    """A network while it is fitted."""

    def begin(self, tensors: Tensors) -> None:
        """Set what follows from the spectra of the fit without descent (a mean, a scale), before the first step."""

    def loss(self, batch: Tensors) -> Tensors:
        """Named terms of the loss, weighted; their sum is minimised."""
        raise NotImplementedError

    @torch.no_grad()
    def score(self, held_out: Tensors) -> float:
        """Validation metric on groups that were held out; smaller is better."""
        raise NotImplementedError


N = TypeVar("N", bound=Trainable)
C = TypeVar("C")


class Family(ABC, Generic[N, C]):
    """One generator family."""

    name: ClassVar[str]
    task: ClassVar[Task]
    scored_by: ClassVar[str]  # what `Trainable.score` measures, in words
    sampler: ClassVar[SamplerSpec | None] = None
    interval: ClassVar[float | None] = None  # coverage that `lower` and `upper` promise
    Config: type[C]

    def config(self, recipe: Recipe) -> C:
        """The family's numbers out of a recipe.

        Raises
        ------
        RecipeError
            Naming the number that is wrong.
        """
        try:
            return msgspec.convert(recipe.model, self.Config)
        except msgspec.ValidationError as error:
            raise RecipeError(f"recipe {recipe.name}, [model]: {error}") from None

    @abstractmethod
    def tensors(self, table: Table) -> Tensors:
        """What a fit needs of a table; it goes to the device once."""

    @abstractmethod
    def network(self, recipe: Recipe) -> N:
        """A network with fresh weights, drawn from torch's global generator."""

    def calibrate(self, network: N, tensors: Tensors, group: Names, folds: Sequence[tuple[N, Rows]]) -> None:
        """Set what is learned from held-out groups: `folds` are networks with the rows that they have not seen."""

    @abstractmethod
    def contract(self, network: N, recipe: Recipe) -> Contract:
        """The pure function of the fitted network: for samplers the noise form."""
