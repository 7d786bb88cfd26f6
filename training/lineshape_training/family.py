"""The family protocol: what the fitting loop, validation and export ask of a generator family.

A family is one file in `families/`, one recipe and one test. It turns a table into tensors, makes a network that can
be fitted, and makes the pure function that is exported. Families that draw spectra share `lineshape_training.sampling`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeAlias, TypeVar

import msgspec
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from lineshape.bundle import SamplerSpec, Task
from lineshape.errors import RecipeError
from lineshape_training.conditions import Conditions
from lineshape_training.contract import Contract
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import Names, PairTable, SpectraTable

Table: TypeAlias = SpectraTable | PairTable
Tensors: TypeAlias = dict[str, Tensor]  # [n, ...], row i of each belongs to row i of the table
Rows: TypeAlias = NDArray[np.intp]

CHANCE = "chance"  # the tensor [n] that says how often a spectrum is drawn for a batch; all alike where it is missing


@dataclass(frozen=True)
class Turn:
    """A part of a step: which submodules descend (all of them if none is named), and how many times in a row."""

    name: str = "descent"
    parts: tuple[str, ...] = ()
    repeats: int = 1


class Trainable(nn.Module):
    """A network while it is fitted. A step of the fit is one round of its turns."""

    turns: tuple[Turn, ...] = (Turn(),)

    def __init__(self) -> None:
        super().__init__()
        self.references: Tensors = {}  # what is learned beside the table's rows, prepared; {} where there is nothing

    def prepare(self, tensors: Tensors) -> Tensors:
        """What the loss and the score need of a table's tensors, or of the references', computed once."""
        return tensors

    def begin(self, tensors: Tensors) -> None:
        """Set what follows from the spectra of the fit without descent (a mean, a scale), before the first step."""

    def draws(self, n: int, device: torch.device) -> Tensors:
        """All random numbers that the loss of n spectra needs, by torch's global generator; they join the batch."""
        return {}

    def given(self, batch: Tensors, turn: str) -> Tensors:
        """What does not learn in a turn, computed once for all its repeats, without gradients; it joins the batch."""
        return {}

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """Named terms of the loss, weighted; their sum is minimised. `done` is the share of the steps made."""
        raise NotImplementedError

    def settle(self, tensors: Tensors) -> None:
        """Set what follows from fitted weights and the spectra of the fit without descent, before a score."""

    @torch.no_grad()
    def score(self, held_out: Tensors) -> float:
        """Validation metric on groups that were held out; smaller is better."""
        raise NotImplementedError

    def check(self, tensors: Tensors, where: str) -> None:
        """Refuse to end a fit in a network that is of no use.

        Raises
        ------
        FitError
            Saying what is wrong, and what to change.
        """


N = TypeVar("N", bound=Trainable)
C = TypeVar("C")


class Family(ABC, Generic[N, C]):
    """One generator family."""

    name: ClassVar[str]
    tasks: ClassVar[tuple[Task, ...]]  # what it is exported for; the first is what it is for
    scored_by: ClassVar[str]  # what `Trainable.score` measures, in words
    conditional: ClassVar[bool] = False  # whether it is told classes and analytes
    needs_conditions: ClassVar[bool] = True  # whether a conditional family can do nothing without them
    sampler: ClassVar[SamplerSpec | None] = None  # of a family all of whose networks draw alike
    keeps: ClassVar[str] = ""  # which spectra of the fit can be read from its weights
    interval: ClassVar[float | None] = None  # coverage that `lower` and `upper` promise
    Config: type[C]

    @property
    def task(self) -> Task:
        """What the family is for."""
        return self.tasks[0]

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

    def conditions(self, table: Table, recipe: Recipe) -> Conditions:
        """What the network will be told of each spectrum.

        Raises
        ------
        DataError
            If the family is conditional and the table tells nothing.
        """
        if not self.conditional or isinstance(table, PairTable):
            return Conditions()
        told = len(np.unique(table.labels[table.labels != ""])) > 1 or recipe.data.analytes
        if not told and not self.needs_conditions:
            return Conditions()
        return Conditions.of(table, recipe.data)

    def sampler_of(self, recipe: Recipe) -> SamplerSpec | None:
        """How a network of this recipe draws a spectrum, if it draws any."""
        return self.sampler

    @abstractmethod
    def tensors(self, table: Table, conditions: Conditions) -> Tensors:
        """What a fit needs of a table; it goes to the device once."""

    def references(self, table: Table, conditions: Conditions) -> Tensors:
        """What is learned beside the table's own rows, if there is anything; it goes to the device once."""
        return {}

    @abstractmethod
    def network(self, recipe: Recipe, conditions: Conditions) -> N:
        """A network with fresh weights, drawn from torch's global generator."""

    def calibrate(self, network: N, tensors: Tensors, group: Names, folds: Sequence[tuple[N, Rows]]) -> None:
        """Set what is learned from held-out groups: `folds` are networks with the rows that they have not seen."""

    @abstractmethod
    def contract(self, network: N, recipe: Recipe, task: Task | None = None) -> Contract:
        """The pure function of the fitted network for one of the family's tasks, by default the first.

        A sampler's is its noise form.
        """
