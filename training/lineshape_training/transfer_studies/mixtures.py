"""What becomes of a mixture? Networks are fitted to single minerals, and a user's sample may not be one.

The sources of minerals that a fold held out, each scaled to 0 to 1, are added up by their shares, and the fold's
network transfers the sum; it is judged by the same sum of the measured targets. Shares are thus of intensities, not of
mass. An impurity is a third mineral in a mixture of two; one in a single mineral is the mixture at 5 or 10 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec
import numpy as np
import torch
from jaxtyping import Float32, Int
from numpy.typing import NDArray
from torch import Tensor

from lineshape.errors import DataError
from lineshape.results import Interval, bootstrapped
from lineshape_training.minerals.streams import stream
from lineshape_training.recipe import Recipe
from lineshape_training.scores import pearson
from lineshape_training.spectra import Names, PairTable
from lineshape_training.transfer_studies.pairs import scaled

Network: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]  # a transfer's four answers
Shares: TypeAlias = tuple[float, float, float]  # of the three minerals
Scores: TypeAlias = dict[str, NDArray[np.float32]]  # of each mixture

PURE = "one mineral"
COMPOSITIONS: dict[str, Shares] = {
    PURE: (1.0, 0.0, 0.0),
    **{f"{percent} % of another": (1 - percent / 100, percent / 100, 0.0) for percent in (5, 10, 20, 30, 50)},
    "30 % of another, 5 % impurity": (0.665, 0.285, 0.05),
    "30 % of another, 10 % impurity": (0.63, 0.27, 0.1),
}
PARTS = 3
DRAWS = 4  # mixtures of which a pair is the main part


class Mixture(msgspec.Struct, frozen=True):
    """One composition, with intervals over the minerals that are its main part.

    Parameters
    ----------
    mixtures : int
    pearson : Interval
        With the measured mixture.
    pearson_of_main : Interval
        With the measured main part: as large as `pearson` where the rest leaves no trace.
    pearson_apart : Interval
        Of the parts' own transfers, mixed, with the measured mixture: what a network that adds up would reach.
    familiarity, familiarity_change : Interval
        Of the mixture, and less that of its main part.
    familiarity_falls : Interval
        Share of the mixtures that are less familiar than their main part.
    """

    mixtures: int
    pearson: Interval
    pearson_of_main: Interval
    pearson_apart: Interval
    familiarity: Interval
    familiarity_change: Interval
    familiarity_falls: Interval


def mixtures(recipe: Recipe, folds: Iterable[tuple[Network, PairTable]], seed: int = 0) -> dict[str, Mixture]:
    """Every composition, over all folds.

    Parameters
    ----------
    recipe : Recipe
    folds : iterable of (network, the pairs that its fit lacked)
        A fold of fewer than three minerals gives no mixture.
    seed : int
        Of the choice of minerals.

    Raises
    ------
    DataError
        If no fold has three minerals.
    """
    scores, minerals = [], []
    for number, (network, pairs) in enumerate(folds):
        if len(np.unique(pairs.group)) >= PARTS:
            parts = triples(pairs.group, stream(seed, "mixtures", number))
            minerals.append(pairs.group[parts[:, 0]])
            scores.append(_of_fold(recipe, network, pairs, parts))
    if not scores:
        raise DataError("no fold holds three minerals out, which mixtures need; take fewer folds, or more pairs")
    together = {name: _joined([fold[name] for fold in scores]) for name in COMPOSITIONS}
    return {name: _mixture(found, together[PURE], np.concatenate(minerals)) for name, found in together.items()}


def triples(group: Names, rng: np.random.Generator) -> Int[np.ndarray, "m 3"]:
    """Rows of three minerals, each row `DRAWS` times the first."""
    names, drawn = np.unique(group), []
    for row in np.repeat(np.arange(len(group)), DRAWS):
        others = rng.choice(names[names != group[row]], PARTS - 1, replace=False)
        drawn.append([row, *(rng.choice(np.flatnonzero(group == name)) for name in others)])
    return np.array(drawn, np.int64)


@torch.no_grad()
def _of_fold(recipe: Recipe, network: Network, pairs: PairTable,
             parts: Int[np.ndarray, "m 3"]) -> dict[str, Scores]:  # fmt: skip
    source, source_mask = scaled(pairs.source), pairs.source.mask
    target, target_mask = scaled(pairs.target, recipe.intensity_half.get("spectrum", ())), pairs.target.mask
    alone = network(torch.from_numpy(pairs.source.values), torch.from_numpy(pairs.source.mask))[0].numpy()
    found = {}
    for name, shares in COMPOSITIONS.items():
        answer, _, _, familiarity = network(*_sum(source, source_mask, parts, shares))
        truth, mask = _sum(target, target_mask, parts, shares)
        apart = _sum(alone, np.ones_like(alone), parts, shares)[0]
        found[name] = {
            "pearson": pearson(answer, truth, mask).numpy(),
            "of main": pearson(answer, torch.from_numpy(target[parts[:, 0]]), mask).numpy(),
            "apart": pearson(apart, truth, mask).numpy(),
            "familiarity": familiarity.numpy().ravel(),
        }
    return found


def _sum(spectra: Float32[np.ndarray, "n L"], mask: Float32[np.ndarray, "n L"], parts: Int[np.ndarray, "m 3"],
         shares: Shares) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The mixtures, and where every part of them was measured."""
    present = [(column, np.float32(share)) for column, share in zip(parts.T, shares, strict=True) if share > 0]
    known = np.prod([mask[column] for column, _ in present], axis=0)
    total = np.sum([share * spectra[column] for column, share in present], axis=0)
    return torch.from_numpy(total * known), torch.from_numpy(known)


def _joined(found: list[Scores]) -> Scores:
    return {name: np.concatenate([scores[name] for scores in found]) for name in found[0]}


def _mixture(found: Scores, pure: Scores, mineral: Names) -> Mixture:
    change = found["familiarity"] - pure["familiarity"]
    figures = (*(found[name] for name in ("pearson", "of main", "apart", "familiarity")), change, change < 0)
    return Mixture(len(mineral), *(bootstrapped(values, mineral, lambda drawn: float(drawn.mean()))
                                   for values in figures))  # fmt: skip
