"""What a fold holds out.

`random` holds out pairs, as the SpectroGen paper does: other specimens of the same mineral stay in the fit. `id` holds
out specimens, `mineral` whole minerals, which is what a user with an unknown mineral meets.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from lineshape_training.spectra import Names, PairTable
from lineshape_training.splits import Rows, group_folds

Protocol: TypeAlias = Literal["random", "id", "mineral"]

PROTOCOLS: tuple[Protocol, ...] = ("random", "id", "mineral")
FOLDS = 10


def units(table: PairTable, protocol: Protocol) -> Names:
    """What a protocol keeps on one side of a split, for each pair; pairs that all have their own id are split alike."""
    if protocol == "mineral":
        return table.group
    identity, pairs = table.source.identity, np.arange(len(table)).astype(str)
    return pairs if protocol == "random" or len(np.unique(identity)) == len(table) else identity


def folds(
    table: PairTable, protocol: Protocol, repeat: int, seed: int = 0, number: int = FOLDS
) -> list[tuple[Rows, Rows]]:
    """Fitting and held-out rows of each fold; every pair is held out once, and each repeat splits anew.

    Raises
    ------
    DataError
        If there are fewer units than folds.
    """
    return group_folds(units(table, protocol), number, seed + repeat)
