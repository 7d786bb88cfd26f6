"""What materials that were held out settle: whom to believe, how wide the interval must be, and what is familiar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from lineshape_training.conformal import interval_score, stretch
from lineshape_training.family import Rows, Tensors
from lineshape_training.scores import pearson
from lineshape_training.spectra import Names
from lineshape_training.spectrogen.config import LEVEL
from lineshape_training.spectrogen.network import Answer, SpectroGenNetwork

BY_CLASS = (0.0, 0.5, 1.0)
LEAST = (0.002, 0.01, 0.03, 0.1, 0.3, 1.0)
RELATIVE = (0.0, 0.3, 1.0, 3.0)
WIDER = (0.0, 1.0, 3.0)


Folds: TypeAlias = Sequence[tuple[SpectroGenNetwork, Rows]]  # networks, and the rows that each has not seen


@dataclass(frozen=True, eq=False)
class Held:
    """The held-out pairs, in the order of the folds.

    Parameters
    ----------
    folds : Folds
    tensors : Tensors
        Of all pairs, prepared.
    group : str [m]
        Of the held-out ones.
    """

    folds: Folds
    tensors: Tensors
    group: Names

    @classmethod
    def of(cls, folds: Folds, tensors: Tensors, group: Names) -> Held:
        """The pairs that the folds have not seen, of all pairs and their groups."""
        return cls(folds, tensors, group[np.concatenate([rows for _, rows in folds])])

    def answers(self) -> Answer:
        """What each network says of the pairs that it has not seen."""
        found = [
            network.answer(self.tensors["source"][rows], self.tensors["source_mask"][rows])
            for network, rows in self.folds
        ]
        return Answer(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def seen(self, name: str) -> Tensor:
        """A tensor's rows of the held-out pairs."""
        return torch.cat([self.tensors[name][rows] for _, rows in self.folds])


@torch.no_grad()
def judge(network: SpectroGenNetwork, held: Held, group: Names) -> None:
    """Settle all that is left open, one after the other."""
    truth, mask = held.seen("target"), held.seen("target_mask")

    def choose(number: str, candidates: Iterable[float], worth: Callable[[Answer], float]) -> None:
        networks = [network, *(fold for fold, _ in held.folds)]

        def put(value: float) -> None:
            for one in networks:
                one.get_buffer(number).fill_(value)

        def tried(value: float) -> float:
            put(value)
            return worth(held.answers())

        put(max(candidates, key=tried))

    def right(found: Answer) -> Tensor:
        return pearson(found.spectrum, truth, mask)

    def sorts(found: Answer) -> float:
        return -float(spearmanr(found.doubt[:, 0], right(found)).statistic)

    def saves(found: Answer) -> float:
        lower, upper = found.interval(_stretch(found, truth, mask, held.group))
        return -float(interval_score(lower.numpy(), upper.numpy(), truth.numpy(), mask.numpy(), LEVEL).mean())

    choose("share", network.config.shares, lambda found: float(right(found).mean()))
    if network.classes:
        choose("by_class", BY_CLASS, sorts)
    choose("relative", RELATIVE, saves)
    choose("least", LEAST, saves)
    choose("wider", WIDER, saves)
    found = held.answers()
    network.stretch.fill_(_stretch(found, truth, mask, held.group))
    features = network.reading.standardised(held.tensors["source"])
    network.familiarity.calibrate(features, group, found.doubt, held.group)


def _stretch(found: Answer, truth: Tensor, mask: Tensor, group: Names) -> float:
    """The factor that keeps the interval's promise on new groups."""
    error = truth - found.spectrum
    off = torch.maximum((-error - found.below) / found.below_unsure, (error - found.above) / found.above_unsure)
    return stretch(off.numpy(), mask.numpy(), group, LEVEL)
