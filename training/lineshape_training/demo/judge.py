"""How well the demo's transfers do: on minerals that were held out, and on new specimens of those of the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from lineshape_training.loading import load_table
from lineshape_training.minerals import mineral_pairs
from lineshape_training.run import Run
from lineshape_training.spectra import PairTable
from lineshape_training.splits import group_folds
from lineshape_training.transfer import baselines, cells
from lineshape_training.transfer.metrics import correlation

NEW_SEED = 1  # specimens of this seed were not fitted on


@dataclass(frozen=True)
class Judgement:
    """Mean Pearson correlations with the truth."""

    held_out: float
    mean_spectrum: float
    nearest_neighbour: float
    new_specimens: float


def new_specimens(run: Run) -> PairTable:
    """One new specimen of every mineral of the library that has both modalities."""
    axes = run.spec.recipe.axes
    return mineral_pairs(axes["source"].modality, axes["spectrum"].modality, 1, NEW_SEED)


@torch.no_grad()
def judge(run: Run) -> Judgement:
    """Judge a transfer run on the folds that it held out itself, beside two baselines, and on new specimens."""
    recipe, network = run.spec.recipe, run.network()
    table = cast(PairTable, load_table(run.spec.data, recipe, run.spec.seed))
    folds = group_folds(table.group, recipe.fit.folds, run.spec.seed)[: recipe.fit.holdouts]
    spectra, truth, mask = baselines.Spectra.of(recipe, table), cells.truth(recipe, table), table.target.mask
    parts = [
        {name: correlation(answer, truth[asked], mask[asked]).mean()
         for name, answer in baselines.answers(spectra, known, asked).items()}
        for known, asked in folds
    ]  # fmt: skip
    mean, nearest = (float(np.mean([part[name] for part in parts])) for name in (baselines.MEAN, baselines.NEAREST))
    new = cast(PairTable, load_table(run.spec.data, recipe, NEW_SEED))
    found = network(torch.from_numpy(new.source.values), torch.from_numpy(new.source.mask))[0].numpy()
    alike = correlation(found, cells.truth(recipe, new), new.target.mask)
    return Judgement(1 - float(np.mean(run.fitted.held_out)), mean, nearest, float(alike.mean()))
