"""The fitted network of each fold: mixtures are asked of the network whose fit lacked their minerals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lineshape_training.recipe import Recipe
from lineshape_training.run import Run
from lineshape_training.spectra import PairTable
from lineshape_training.splits import Rows
from lineshape_training.transfer import cells
from lineshape_training.transfer.protocols import Protocol, folds
from lineshape_training.transfer_studies.mixtures import Network


def networks(recipe: Recipe, table: PairTable, protocol: Protocol, work: Path, seed: int,
             number: int) -> Iterator[tuple[Network, Rows]]:  # fmt: skip
    """Network and held-out rows of each fold of the first repeat, once `cells.answers` has fitted them.

    Raises
    ------
    DataError
        If a fold's fit has not ended.
    """
    for fold, (known, asked) in enumerate(folds(table, protocol, 0, seed, number)):
        cell = cells.cell_of(recipe, table, known, asked, seed, work, f"0-{fold}")
        yield Run(cell.path.with_suffix(".fit")).network(), asked
