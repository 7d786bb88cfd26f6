"""Which spectra are fitted on and which are judged: one protocol for each question.

Every protocol holds whole groups out. The only exception is `by_spectrum`, which shows how much a split that ignores
groups would have flattered; it never decides a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from lineshape_training.datasets.choice import counts
from lineshape_training.minerals.streams import stream
from lineshape_training.spectra import Names, SpectraTable
from lineshape_training.splits import Rows, check_disjoint, stratified_folds

FOLDS = 5
LEAKY = "by spectrum"


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to fit on, generator and probe alike, and rows to judge.

    Parameters
    ----------
    protocol : str
    number : int
        Of the fold, within its protocol.
    fitting, held : int [n], int [m]
    balances : bool
        Synthetic spectra fill the classes up to the largest, in the place of fixed proportions.
    """

    protocol: str
    number: int
    fitting: Rows
    held: Rows
    balances: bool = False


def by_group(table: SpectraTable, repeats: int, seed: int, folds: int = FOLDS) -> list[Split]:
    """Repeated stratified folds of whole groups."""
    rounds = (stratified_folds(table.group, table.label, folds, seed + repeat) for repeat in range(repeats))
    return [Split("by group", number, *rows) for number, rows in enumerate(chain.from_iterable(rounds))]


def by_spectrum(table: SpectraTable, repeats: int, seed: int, folds: int = FOLDS) -> list[Split]:
    """Folds that ignore the groups: what not to do, for comparison."""
    alone = replace(table, group=np.arange(len(table)).astype(str))
    return [replace(split, protocol=LEAKY) for split in by_group(alone, repeats, seed, folds)]


def imbalanced(table: SpectraTable, splits: list[Split], ratio: int, seed: int) -> list[Split]:
    """The same folds with the smallest class of the fitting side cut to one spectrum for `ratio` of the others.

    Spectra are kept group by group, as a rare disease comes: few patients, each with all replicates.
    """
    rare = rarest(table)
    thinned = []
    for split in splits:
        label, rng = table.labels[split.fitting], stream(seed, "imbalance", ratio, split.number)
        common, others = split.fitting[label != rare], split.fitting[label == rare]
        kept = max(2, round(len(common) / ratio))
        rows = np.concatenate([common, _whole_groups(table.group, others, rng)[:kept]])
        thinned.append(Split(f"{ratio}:1", split.number, np.sort(rows), split.held, balances=True))
    return thinned


def limited(table: SpectraTable, splits: list[Split], groups: int, seed: int) -> list[Split]:
    """The same folds with the fitting side cut to `groups` independent groups, spread over the classes."""
    cut = []
    for split in splits:
        rng = stream(seed, "curve", split.number)  # without `groups`: a smaller set is part of a larger one
        rows = split.fitting[np.isin(table.group[split.fitting], _spread(table, split.fitting, groups, rng))]
        cut.append(Split(f"{groups} groups", split.number, rows, split.held))
    return cut


def without_instrument(table: SpectraTable, splits: list[Split], name: str) -> list[Split]:
    """The same folds, fitted on what other instruments measured and judged on what this one did, of held-out groups."""
    assert table.instrument is not None
    own = table.instrument == name
    return [
        Split(f"without {name}", split.number, split.fitting[~own[split.fitting]], split.held[own[split.held]])
        for split in splits
    ]


def check(table: SpectraTable, split: Split) -> None:
    """Refuse a split that leaks, unless it is there to show a leak.

    Raises
    ------
    LeakError
    """
    if split.protocol != LEAKY:
        check_disjoint(table.group, split.fitting, split.held)


def rarest(table: SpectraTable) -> str:
    """The class with the fewest groups, then the fewest spectra."""
    return counts(table)[0].label


def _whole_groups(group: Names, rows: Rows, rng: np.random.Generator) -> Rows:
    """Rows in the order of their shuffled groups."""
    order = rng.permutation(np.unique(group[rows]))
    return np.concatenate([rows[group[rows] == name] for name in order])


def _spread(table: SpectraTable, rows: Rows, count: int, rng: np.random.Generator) -> list[str]:
    """Names of `count` groups, taken from the classes in turn."""
    label = table.labels[rows]
    queues = [rng.permutation(np.unique(table.group[rows[label == name]])).tolist() for name in np.unique(label)]
    taken: list[str] = []
    while len(taken) < count and any(queues):
        for queue in queues:
            if queue and len(taken) < count and (name := queue.pop()) not in taken:
                taken.append(name)
    return taken
