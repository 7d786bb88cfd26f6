"""SpectroGen in one dimension: transfer between modalities through line shapes.

After Zhu et al. (SpectroGen, 2024): a variational model whose prior is physical. A fixed bank of the source modality's
line shapes looks at the spectrum; a small network reads a latent from it, and is taught beside the pairs what many
unpaired spectra are made of; from the latent the decoder places lines of the target modality's shape and adds a bounded
residual. A memory of the materials of the fit says what is like them, and looks up what is one of them. Materials that
were held out settle how much each has to say, and how wide the interval must be; familiarity says how much the source
looks like those of the fit, and how sure its class is.

Inference is one deterministic pass at the latent's mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lineshape.bundle import Task, TensorSpec
from lineshape.errors import RecipeError
from lineshape_training.conditions import Analyte, Conditions
from lineshape_training.contract import Contract
from lineshape_training.family import CHANCE, Family, Rows, Table, Tensors
from lineshape_training.preprocess import check_generated, restored, tensor_of
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import Names, PairTable, SpectraTable
from lineshape_training.spectrogen.config import LEVEL, SpectroGenConfig
from lineshape_training.spectrogen.judging import Held, judge
from lineshape_training.spectrogen.network import SpectroGenNetwork


class SpectroGenContract(Contract):
    """`source`, `mask` to `spectrum`, `lower`, `upper`, `familiarity`."""

    def __init__(self, network: SpectroGenNetwork, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        source, target = recipe.axes["source"], recipe.axes["spectrum"]
        self.inputs = (
            TensorSpec("source", "FP32", (-1, source.n), "source", "measured intensity", "source"),
            TensorSpec("mask", "FP32", (-1, source.n), "mask", "1 measured, 0 not", "source"),
        )
        self.outputs = (
            *(TensorSpec(name, "FP32", (-1, target.n), name, "relative intensity", "spectrum")
              for name in ("spectrum", "lower", "upper")),
            TensorSpec("familiarity", "FP32", (-1, 1), "familiarity", "0 unlike anything in training, 1 well inside"),
        )  # fmt: skip

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """One deterministic pass."""
        *spectra, familiarity = self.network(*inputs)
        return *(restored(self.network.target_steps, spectrum) for spectrum in spectra), familiarity


class Reconstruction(SpectroGenContract):
    """`source`, `mask` to `spectrum` alone: what the model understands of a spectrum of its own modality."""

    def __init__(self, network: SpectroGenNetwork, recipe: Recipe) -> None:
        super().__init__(network, recipe)
        self.outputs = self.outputs[:1]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """One deterministic pass."""
        return super().forward(*inputs)[:1]


class SpectroGen(Family[SpectroGenNetwork, SpectroGenConfig]):
    """Transfer between two modalities, or within one."""

    name: ClassVar[str] = "spectrogen"
    tasks: ClassVar = ("transfer", "reconstruct")
    scored_by: ClassVar[str] = "1 - mean Pearson correlation with the measured target (smaller is better)"
    keeps: ClassVar[str] = "target spectra of the fit, and what was read of their sources"
    interval: ClassVar[float | None] = LEVEL
    Config = SpectroGenConfig

    def conditions(self, table: Table, recipe: Recipe) -> Conditions:
        """The classes and constituents that unpaired spectra tell of."""
        known = table.references if isinstance(table, PairTable) else None
        if known is None:
            return Conditions()
        classes = tuple(sorted(set(known.labels.tolist()) - {""}))
        return Conditions(classes, tuple(Analyte(name, 0.0, 1.0, 0.0, 1.0) for name in known.analytes))

    def tensors(self, table: Table, conditions: Conditions) -> Tensors:
        """Source and target with their masks, the target's lines, and the material of each pair."""
        assert isinstance(table, PairTable)
        return {
            "source": tensor_of(table.source.values), "source_mask": tensor_of(table.source.mask),
            "target": tensor_of(table.target.values), "target_mask": tensor_of(table.target.mask),
            "group": torch.from_numpy(np.unique(table.group, return_inverse=True)[1]),
            CHANCE: _evenly(table.group),
        }  # fmt: skip

    def references(self, table: Table, conditions: Conditions) -> Tensors:
        """Unpaired sources with their masks, and what they are made of."""
        known = table.references if isinstance(table, PairTable) else None
        if known is None or not len(known):
            return {}
        return {
            "source": tensor_of(known.values), "source_mask": tensor_of(known.mask),
            "composition": _composition(known, conditions), CHANCE: _evenly(known.group),
        }  # fmt: skip

    def network(self, recipe: Recipe, conditions: Conditions) -> SpectroGenNetwork:
        """Fresh weights."""
        check_generated(recipe.intensity_half.get("spectrum", ()), f"recipe {recipe.name}, [intensity_half] spectrum")
        return SpectroGenNetwork(self.config(recipe), recipe, len(conditions.classes), len(conditions.analytes))

    def calibrate(self, network: SpectroGenNetwork, tensors: Tensors, group: Names,
                  folds: Sequence[tuple[SpectroGenNetwork, Rows]]) -> None:  # fmt: skip
        """By what held-out materials ask for: whom to believe, the interval, and what is familiar."""
        judge(network, Held.of(folds, network.prepare(tensors), group), group)

    def contract(self, network: SpectroGenNetwork, recipe: Recipe, task: Task | None = None) -> Contract:
        """The one pass that is exported."""
        if task != "reconstruct":
            return SpectroGenContract(network, recipe)
        source, target = recipe.axes["source"], recipe.axes["spectrum"]
        if source != target:
            raise RecipeError(f"recipe {recipe.name} goes from {source.modality} to {target.modality}; only a recipe "
                              "whose two axes are the same is exported for reconstruct")  # fmt: skip
        return Reconstruction(network, recipe)


def _evenly(group: Names) -> Tensor:
    """How often each spectrum is drawn: materials of many spectra less than in proportion."""
    _, which, counts = np.unique(group, return_inverse=True, return_counts=True)
    return torch.from_numpy((counts[which] ** -0.5).astype(np.float32))


def _composition(known: SpectraTable, conditions: Conditions) -> Tensor:
    """An indicator for each class, and how much there is of each constituent, 0 to 1."""
    classes = [known.labels == name for name in conditions.classes]
    amounts = [known.analytes[analyte.name] for analyte in conditions.analytes]
    return torch.from_numpy(np.stack([*classes, *amounts], axis=1).astype(np.float32))
